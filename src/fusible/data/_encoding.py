"""Text files of unknown encoding: what their first bytes say, else UTF-8, else a guess that is told."""

from __future__ import annotations

import codecs
import gzip
import warnings
from pathlib import Path

from fusible.errors import ConfigError, DataError, FusibleWarning

LARGEST = 64 * 1024 * 1024
"""Bytes of a text file that are read at most."""
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks and codecs, the longer mark before the shorter that it begins with."""


def decoded(path: Path, encoding: str | None = None) -> str:
    """Text of a file, with plain line ends; `.gz` is unpacked.

    A byte order mark tells the encoding; without one it is UTF-8. What is not is read as UTF-16 where every second
    byte is mostly zero, else as Windows-1252, and a `FusibleWarning` says so. Raises `DataError` where the file is
    missing, empty, not text, or not in the `encoding` that was given.
    """
    data = _bytes(path)
    if encoding is None:
        text = _guessed(path, data)
    else:
        try:
            text = data.decode(encoding)
        except LookupError:
            raise ConfigError(f"encoding {encoding!r} is unknown; expected one such as utf-8 or cp1252") from None
        except UnicodeError as error:
            raise DataError(f"{path}: not {encoding}: {_reason(error)}; leave the encoding out to guess it") from None
    if "\0" in text:
        raise DataError(f"{path}: not a text file (it holds zero bytes); expected a transcript")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _guessed(path: Path, data: bytes) -> str:
    for mark, codec in MARKS:
        if data.startswith(mark):
            try:
                return data.decode(codec)
            except UnicodeError as error:
                raise DataError(f"{path}: damaged {codec}: {_reason(error)}; save it again as UTF-8") from None
    try:
        text = data.decode("utf-8")
    except UnicodeError:
        text = "\0"
    if "\0" not in text:
        return text
    codec = _without_mark(data)
    if codec is None:
        raise DataError(f"{path}: not a text file (it holds zero bytes); expected a transcript")
    warnings.warn(
        f"{path}: not UTF-8, read as {codec}, which is a guess; save it as UTF-8, or say its encoding",
        FusibleWarning,
        stacklevel=4,
    )
    return data.decode(codec, errors="replace")


def _without_mark(data: bytes) -> str | None:
    """UTF-16 by its zero bytes; Windows-1252, or Latin-1 where that leaves a byte undefined; None for no text."""
    head = data[:4096]
    zeros = [head[side::2].count(0) / max(1, len(head[side::2])) for side in (0, 1)]
    if max(zeros) > 0.5 and min(zeros) < 0.1:
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    if 0 in head:
        return None
    try:
        data.decode("cp1252")
    except UnicodeError:
        return "latin-1"
    return "cp1252"


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path}: {path.stat().st_size} bytes, expected a transcript of at most {LARGEST}")
        if path.suffix.lower() == ".gz":
            with gzip.open(path, "rb") as stream:
                data = stream.read(LARGEST + 1)
        else:
            data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not data.strip():
        raise DataError(f"{path}: the file is empty; expected a transcript")
    return data


def _reason(error: UnicodeError) -> str:
    return str(getattr(error, "reason", error))
