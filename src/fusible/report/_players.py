"""What a browser plays: kinds of sound and video by their first bytes, files embedded or linked."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

_MEDIA_TYPES: tuple[tuple[bytes, int, str], ...] = (
    (b"WAVE", 8, "audio/wav"),
    (b"fLaC", 0, "audio/flac"),
    (b"OggS", 0, "audio/ogg"),
    (b"ID3", 0, "audio/mpeg"),
    (b"\xff\xfb", 0, "audio/mpeg"),
    (b"\xff\xf3", 0, "audio/mpeg"),
    (b"\xff\xf1", 0, "audio/aac"),
    (b"ftyp", 4, "video/mp4"),
    (b"\x1aE\xdf\xa3", 0, "video/webm"),
    (b"AVI ", 8, "video/x-msvideo"),
)


def media_type(content: bytes) -> str | None:
    """Media type of a sound or a video by its first bytes, None for anything else.

    >>> media_type(b"RIFF....WAVEfmt "), media_type(b"hello")
    ('audio/wav', None)
    """
    return next((kind for start, at, kind in _MEDIA_TYPES if content[at : at + len(start)] == start), None)


def read_start(path: str | os.PathLike[str], most: int) -> bytes | None:
    """Up to `most` first bytes of a file; None for a pipe or what cannot be read."""
    try:
        if not Path(path).is_file():
            return None
        with Path(path).open("rb") as file:
            return file.read(most)
    except (OSError, ValueError):
        return None


def data_uri(content: bytes, kind: str) -> Markup:
    """Content as a data URI of a media type of ours."""
    return Markup(f"data:{kind};base64,{b64encode(content).decode()}")  # noqa: S704  (only our own base64 text)


def link(path: Path, page: Path | None) -> str:
    """Address of a file as seen from a page: relative to the page's folder, else absolute.

    >>> link(Path("/films/a b#1.mp4"), Path("/films/out/page.html"))
    '../a%20b%231.mp4'
    """
    whole = Path(os.path.abspath(path))  # noqa: PTH100  (a link keeps its name)
    if page is not None:
        try:
            folder = Path(os.path.abspath(page)).parent  # noqa: PTH100
            return quote(os.fsencode(os.path.relpath(whole, folder).replace(os.sep, "/")))
        except ValueError:  # on another drive
            pass
    return whole.as_uri()
