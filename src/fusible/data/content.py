"""Bytes of media cells and content keys: equal content, equal key."""

from __future__ import annotations

import io
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import BinaryIO

from fusible.errors import DataError
from fusible.types import Media

DIGEST = 20
"""Bytes of a content key; collisions of 160 bits do not happen by chance."""


def _digest() -> blake2b:
    return blake2b(digest_size=DIGEST)


def open_media(media: Media) -> BinaryIO:
    """Open the item for reading; raises `DataError` naming row and column where it is missing or empty."""
    if media.data is not None:
        if not media.data:
            raise DataError(f"{media.where}: expected media, got zero bytes; leave the cell empty if there is none")
        return io.BytesIO(media.data)
    if media.path is None:
        raise DataError(f"{media.where}: expected a path or bytes, got neither")
    path = Path(media.path)
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise DataError(f"{media.where}: the file is empty; replace it or leave the cell empty")
        return path.open("rb")
    except FileNotFoundError:
        hint = "; paths are relative to the table's folder" if media.row >= 0 else ""
        raise DataError(f"{media.where}: no such file{hint}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{media.where}: cannot be opened: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def read_bytes(media: Media) -> bytes:
    """Bytes of the item; raises `DataError` naming row and column where it is missing or empty.

    >>> read_bytes(Media("photo", 0, data=b"abc"))
    b'abc'
    """
    if media.data:
        return bytes(media.data)
    with open_media(media) as stream:
        return stream.read()


def content_key(media: Media) -> str:
    """BLAKE2b of the item's bytes in hex; files are read in blocks. Raises `DataError` as `read_bytes` does."""
    if media.data:
        return blake2b(media.data, digest_size=DIGEST).hexdigest()
    with open_media(media) as stream:
        return file_digest(stream, _digest).hexdigest()  # type: ignore[arg-type]  # blake2b is a hashlib object


def text_key(text: str) -> str:
    """BLAKE2b of the text's UTF-8 bytes in hex.

    >>> text_key("a") == text_key("a") != text_key("b")
    True
    """
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST).hexdigest()
