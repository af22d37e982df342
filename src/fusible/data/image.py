"""Decoding of images, with Pillow."""

from __future__ import annotations

import re
import struct
import warnings
from typing import Any

import numpy as np
from PIL import Image

from fusible.data.content import open_media
from fusible.errors import DataError
from fusible.types import Media

PIXELS = 50_000_000
"""Images with more pixels are refused before they are decoded (decompression bombs)."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_QUIET: Any = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)


def decode_image(media: Media, size: int | None = None) -> np.ndarray:
    """Decode to (height, width, 3) RGB, upright by its EXIF tag, transparency on white, grey in three channels.

    The result is uint8; float32 for deep images: mode F as it is, 16-bit grey scaled to 0-1. With `size` a JPEG may be
    decoded at a fraction of its size, the short side never under `size`. The first frame of an animation is taken.
    Pixels are given back as they are. Raises `DataError` for what is no image, is truncated, or has more than `PIXELS`
    pixels.
    """
    if media.pixels is not None:
        return media.pixels
    _silence()
    with open_media(media) as stream:
        try:
            with Image.open(stream) as image:
                return _decode(image, media, size)
        except DataError:
            raise
        except Image.DecompressionBombError:
            raise DataError(_bomb(media, None)) from None
        except Exception as error:  # noqa: BLE001  (damaged bytes make Pillow's plugins raise anything)
            reason = " ".join(str(error).split()).partition(" <")[0] or type(error).__name__
            raise DataError(f"{media.where}: not a readable image: {reason}; replace the file") from None


def _silence() -> None:
    """Ignore Pillow's user warnings: the size is checked here, and damaged tags do not matter.

    `warnings.catch_warnings` is not safe in threads, so the filter is added once and stays.
    """
    if _QUIET not in warnings.filters:
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def _bomb(media: Media, size: tuple[int, int] | None) -> str:
    shape = "" if size is None else f" {size[0]}x{size[1]} ="
    count = "too many" if size is None else f"{size[0] * size[1] / 1e6:.0f} million"
    return f"{media.where}: image of{shape} {count} pixels, at most {PIXELS // 1_000_000} million allowed; shrink it"


def _decode(image: Image.Image, media: Media, size: int | None) -> np.ndarray:
    if image.width * image.height > PIXELS:
        raise DataError(_bomb(media, image.size))
    if size is not None:
        image.draft(image.mode, (size, size))
    image.load()
    upright = _UPRIGHT.get(_orientation(image))
    deep = _deep(image)
    if deep is not None:
        return np.repeat(deep[:, :, None], 3, axis=2) if upright is None else _turn(deep, upright)
    plain = _opaque(image)
    return np.asarray(plain if upright is None else plain.transpose(upright))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation; 1 (upright) where the tags are damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (SyntaxError, struct.error, ValueError, TypeError, KeyError, IndexError, OSError, EOFError):
        return 1


def _deep(image: Image.Image) -> np.ndarray | None:
    """Grey values as float32 of modes deeper than eight bits; None for the others."""
    if image.mode == "F":
        return np.asarray(image, dtype=np.float32)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.float32) / np.float32(65535)
    return None


def _turn(grey: np.ndarray, upright: Image.Transpose) -> np.ndarray:
    turned = np.asarray(Image.fromarray(grey).transpose(upright), dtype=np.float32)
    return np.repeat(turned[:, :, None], 3, axis=2)


def _opaque(image: Image.Image) -> Image.Image:
    """RGB without transparency, composited on white."""
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
