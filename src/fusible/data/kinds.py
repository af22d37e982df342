"""What a cell holds, by its file name or its first bytes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from fusible.types import Modality

SUFFIXES: dict[str, Modality] = {
    **dict.fromkeys(("jpg", "jpeg", "png", "bmp", "gif", "webp", "tif", "tiff"), Modality.IMAGE),
    **dict.fromkeys(("wav", "flac", "ogg", "oga", "mp3", "m4a", "aac", "opus"), Modality.AUDIO),
    **dict.fromkeys(("mp4", "m4v", "avi", "mov", "mkv", "webm", "mpg", "mpeg"), Modality.VIDEO),
}
"""Media by the ending of a path, in lower case."""

_STARTS: tuple[tuple[bytes, Modality], ...] = (
    (b"\xff\xd8\xff", Modality.IMAGE),
    (b"\x89PNG", Modality.IMAGE),
    (b"GIF8", Modality.IMAGE),
    (b"BM", Modality.IMAGE),
    (b"II*\x00", Modality.IMAGE),
    (b"MM\x00*", Modality.IMAGE),
    (b"fLaC", Modality.AUDIO),
    (b"OggS", Modality.AUDIO),
    (b"ID3", Modality.AUDIO),
    (b"\xff\xfb", Modality.AUDIO),
    (b"\xff\xf3", Modality.AUDIO),
    (b"\xff\xf1", Modality.AUDIO),
    (b"\x1aE\xdf\xa3", Modality.VIDEO),
    (b"\x00\x00\x01\xba", Modality.VIDEO),
)
_RIFF = {b"WAVE": Modality.AUDIO, b"WEBP": Modality.IMAGE, b"AVI ": Modality.VIDEO}


def by_path(path: str) -> Modality | None:
    """Media modality by the ending of a path, None for other text.

    >>> by_path("photos/1.JPG").value, by_path("a sentence.")
    ('image', None)
    """
    if len(path) > 1024 or "\n" in path:
        return None
    return SUFFIXES.get(path.strip().rpartition(".")[2].lower()) if "." in path else None


def by_bytes(data: bytes) -> Modality | None:
    """Media modality by the first bytes, None for unknown ones.

    >>> by_bytes(b"RIFF....WAVEfmt ").value
    'audio'
    """
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12])
    if data[4:8] == b"ftyp":
        return Modality.AUDIO if data[8:12] in {b"M4A ", b"M4B "} else Modality.VIDEO
    return next((modality for start, modality in _STARTS if data.startswith(start)), None)


def resolve(path: str, root: Path | None) -> Path:
    """Where a path of the table lies: relative to the table's folder (`root`), else to the working folder."""
    clean = Path(path.strip())
    return clean if root is None else root / clean


def full_path(path: str | Path) -> str:
    """Absolute path, one spelling of it: without `..`, unless that leads through a link to elsewhere.

    >>> full_path("/data/goods/../goods/1.png")
    '/data/goods/1.png'
    """
    plain = os.path.abspath(path)  # noqa: PTH100  (a link keeps its name)
    if ".." not in Path(path).parts:
        return plain
    with suppress(OSError):
        if not Path(plain).samefile(path):
            return str(Path(path).absolute())
    return plain
