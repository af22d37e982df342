"""Storyboards: key frames of a film side by side, with their times, as one picture."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fusible.errors import ArrayError, ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image

GAP = 8
INK, PAPER = (40, 40, 40), (255, 255, 255)
CELLS = 400
"""Most pictures of a storyboard; of more, evenly spaced ones are shown."""


def storyboard(
    pictures: Sequence[np.ndarray], captions: Sequence[str], path: str | Path, *, columns: int = 4, width: int = 240
) -> None:
    """Write uint8 RGB pictures (height, width, 3) in rows of `columns`, each `width` pixels wide above its caption.

    Heights are those of the tallest picture; others stand in the middle. Of more than `CELLS` pictures evenly spaced
    ones are shown. Written as PNG beside its place and renamed. Raises `ArrayError` for no pictures, pictures of
    another form, and another number of captions; `ConfigError` for settings out of range.
    """
    if columns < 1 or width < 16:
        raise ConfigError(f"storyboard: columns must be at least 1 and width 16, got {columns} and {width}")
    if not len(pictures) or len(pictures) != len(captions):
        raise ArrayError(f"storyboard: expected one caption per picture, got {len(captions)} for {len(pictures)}")
    places = range(len(pictures))
    if len(pictures) > CELLS:
        places = np.linspace(0, len(pictures) - 1, CELLS).round().astype(int).tolist()
    board = _board([_thumbnail(pictures[i], width) for i in places], [captions[i] for i in places], columns, width)
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        board.save(beside, format="PNG", optimize=True)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def clock(seconds: float) -> str:
    """A time as people write it.

    >>> clock(75.25), clock(3675.0)
    ('1:15.2', '1:01:15.0')
    """
    tenths = math.floor(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    small = f"{rest / 10:04.1f}"
    return f"{hours}:{minutes:02d}:{small}" if hours else f"{minutes}:{small}"


def _thumbnail(pixels: np.ndarray, width: int) -> Image:
    from PIL import Image

    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ArrayError(f"storyboard: expected uint8 pictures (height, width, 3), got {pixels.dtype} {pixels.shape}")
    height = min(max(1, round(pixels.shape[0] * width / pixels.shape[1])), 2 * width)
    narrow = min(width, max(1, round(pixels.shape[1] * height / pixels.shape[0])))
    return Image.fromarray(pixels).resize((narrow, height), Image.Resampling.LANCZOS)


def _board(pictures: Sequence[Image], captions: Sequence[str], columns: int, width: int) -> Image:
    from PIL import Image, ImageDraw, ImageFont

    columns = min(columns, len(pictures))
    size = max(11, width // 16)
    font = ImageFont.load_default(size)
    high = max(picture.height for picture in pictures)
    across, down = width + GAP, high + size + 2 * GAP
    board = Image.new("RGB", (columns * across + GAP, math.ceil(len(pictures) / columns) * down + GAP), PAPER)
    draw = ImageDraw.Draw(board)
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = GAP + place % columns * across, GAP + place // columns * down
        board.paste(picture, (left + (width - picture.width) // 2, top + (high - picture.height) // 2))
        draw.text((left, top + high + GAP // 2), caption, fill=INK, font=font)
    return board
