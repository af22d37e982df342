"""Pictures that a question is asked about, in any form, as cells of a table."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from fusible.errors import DataError

PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})


def picture_cell(picture: Any) -> str | bytes | None:
    """A path, bytes of a file, or None; arrays and PIL images become PNG files in memory."""
    from PIL import Image

    if picture is None or (isinstance(picture, str) and not picture):
        return None
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, str | Path):
        return str(picture)
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.size and _is_picture(picture.shape):
        picture = Image.fromarray(picture)
    if not isinstance(picture, Image.Image):
        raise DataError(
            "picture: expected a path, bytes of an image file, a PIL image or a uint8 array (height, width) alone or "
            f"with 3 or 4 channels, got {type(picture).__name__}{getattr(picture, 'shape', '')}"
        )
    stream = io.BytesIO()
    try:
        (picture if picture.mode in PNG_MODES else picture.convert("RGB")).save(stream, "PNG")
    except (OSError, ValueError) as error:
        raise DataError(f"picture: expected one that can be written as PNG, got {error}; convert it to RGB") from None
    return stream.getvalue()


def _is_picture(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in {3, 4})
