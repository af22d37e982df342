"""Noise, blur and occlusion of pictures and of the frames of videos."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from fusible.data.image import decode_image
from fusible.data.video import decode_video
from fusible.types import Media

NOISE = (0.04, 0.08, 0.14, 0.22, 0.35)
"""Deviation of the noise, relative to the range of values."""
BLUR = (0.01, 0.02, 0.035, 0.06, 0.1)
"""Deviation of the blur, relative to the short side."""
OCCLUSION = (0.1, 0.2, 0.3, 0.45, 0.6)
"""Share of the area that is covered."""
FRAMES, SIDE = 32, 128
"""A corrupted video keeps so many evenly spaced frames, their short side scaled to so many pixels."""


def noise(pixels: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Add white noise to each value of (height, width, channels); deep pictures have equal channels, so equal noise."""
    shape = pixels.shape if pixels.dtype == np.uint8 else (*pixels.shape[:2], 1)
    drawn = random.standard_normal(shape, dtype=np.float32)
    return np.asarray(pixels + np.float32(NOISE[severity - 1] * _range(pixels)) * drawn)


def blur(pixels: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Blur by a Gaussian; mirrored at the border, so that the mean stays."""
    from scipy.ndimage import gaussian_filter

    width = BLUR[severity - 1] * min(pixels.shape[:2])
    blurred: np.ndarray = gaussian_filter(pixels.astype(np.float32), (width, width, 0.0), mode="reflect")
    return blurred


def occlusion(pixels: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Cover one rectangle with the mean colour; a larger one contains the smaller ones."""
    height, width = pixels.shape[:2]
    side = np.sqrt(OCCLUSION[severity - 1])
    high, wide = max(1, round(side * height)), max(1, round(side * width))
    y, x = random.random(2)
    top, left = int(y * (height - high)), int(x * (width - wide))
    covered = pixels.astype(np.float32)
    covered[top : top + high, left : left + wide] = pixels.mean(axis=(0, 1))
    return covered


Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
IMAGES: dict[str, Corruption] = {"noise": noise, "blur": blur, "occlusion": occlusion}


def corrupt_image(media: Media, name: str, severity: int, random: np.random.Generator) -> Media:
    """Decode, corrupt, and encode without loss: PNG of 8 bits, or TIFF of floats for deep pictures."""
    from PIL import Image

    pixels = decode_image(media)
    changed = IMAGES[name](pixels, severity, random)
    buffer = io.BytesIO()
    if pixels.dtype == np.uint8:
        Image.fromarray(_bytes(changed)).save(buffer, "PNG", compress_level=1)
    else:
        Image.fromarray(changed[:, :, 0].astype(np.float32)).save(buffer, "TIFF")
    return replace(media, path=None, data=buffer.getvalue())


def corrupt_video(media: Media, name: str, severity: int, random: np.random.Generator) -> Media:
    """Corrupt evenly spaced frames, all alike but for noise; they become a lossless video (FFV1), without sound."""
    frames = decode_video(media, FRAMES, SIDE)
    place = int(random.integers(2**63))
    changed = []
    for number, frame in enumerate(frames):
        own = np.random.default_rng([place, number] if name == "noise" else place)
        changed.append(_bytes(IMAGES[name](frame, severity, own)))
    return replace(media, path=None, data=write_video(np.stack(changed)))


def write_video(frames: np.ndarray, rate: int = 8) -> bytes:
    """Write (frames, height, width, 3) uint8 without loss: FFV1 in Matroska."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, mode="w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=Fraction(rate))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return buffer.getvalue()


def _range(pixels: np.ndarray) -> float:
    """255 of bytes; of deep pictures the span of all values but the outermost hundredths."""
    if pixels.dtype == np.uint8:
        return 255.0
    low, high = np.percentile(pixels, (1, 99))
    return float(high - low)


def _bytes(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(pixels).clip(0, 255), np.uint8)
