"""Saliency: by how much a row's answer drops without a word, a patch of a picture, or a stretch of sound.

Pieces are taken away and the model is asked again, which works for every model, frozen encoders and trees included, and
says what the model does and not what a gradient suggests. Words one by one (feature ablation), patches and stretches in
overlapping windows (occlusion; Zeiler & Fergus, 2014), both by Captum (Kokhlikyan et al., 2020).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from fusible.data.media import decode_audio, decode_image
from fusible.encoders._language import UNSPACED
from fusible.errors import MissingExtraError
from fusible.evaluation.explanation import Saliency
from fusible.tasks.one_row import BATCH, OneRow
from fusible.types import Media, Modality, View

MOST_WORDS = 128
"""Longer texts are cut into so many stretches of words."""
GRID = 12
"""Patches along each side of a picture."""
WINDOWS = (3, 6)
"""Patches along each side of the windows that are covered: small ones show where, large ones hide a whole object."""
SIDE = 384
"""Pictures are shrunk to at most so many pixels a side before they are cut."""
STRETCHES = 24
RATE = 16_000
LONGEST = 120
"""Seconds of sound beyond which there is no saliency."""
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")


@dataclass(frozen=True, slots=True)
class Pieces:
    """An item cut in pieces. `make(kept)` gives the item with some pieces only, `kept` a bool array of `shape`."""

    kind: str
    shape: tuple[int, ...]
    make: Callable[[np.ndarray], Any]
    names: tuple[str, ...] = ()
    windows: tuple[int, ...] = ()


def saliency(one: OneRow) -> tuple[list[Saliency], list[str]]:
    """Saliency of every present text, picture and sound of the row, and notes on what has none."""
    found: list[Saliency] = []
    notes: list[str] = []
    for view in one.views:
        data = one.source.data(view)
        if view.modality is Modality.TABLE:
            continue
        for slot, number in enumerate(data.ids[0].tolist()):
            if number < 0:
                continue
            pieces = cut(view, data.values[number])
            if pieces is None:
                notes.append(f"{view.name}: no saliency of {view.modality}, or of sound over {LONGEST} s")
                continue
            found.append(_of(one, view, slot, pieces))
    return found, notes


def cut(view: View, item: Any) -> Pieces | None:
    """Cut an item of a view in pieces; nothing for modalities that have none, and for very long sound."""
    if view.modality is Modality.TEXT:
        return text_pieces(item)
    if view.modality is Modality.IMAGE:
        return image_pieces(item)
    return audio_pieces(item) if view.modality is Modality.AUDIO else None


def text_pieces(text: str) -> Pieces:
    """Words, each with what follows it up to the next; single characters of scripts without spaces.

    >>> text_pieces("Is it red?").names
    ('Is ', 'it ', 'red?')
    """
    starts = [match.start() for match in WORD.finditer(text)][1:]
    if len(starts) >= MOST_WORDS:
        starts = [starts[i] for i in np.linspace(0, len(starts) - 1, MOST_WORDS - 1).astype(int)]
    bounds = [0, *starts, len(text)]
    names = tuple(text[a:b] for a, b in pairwise(bounds))

    def make(kept: np.ndarray) -> str | None:
        left = "".join(name for name, stays in zip(names, kept, strict=True) if stays)
        return left if left.strip() else None

    return Pieces("words", (len(names),), make, names)


def image_pieces(media: Media) -> Pieces:
    """A grid of patches; what is taken away gets the picture's mean colour."""
    pixels = shrunk(media, SIDE)
    rows, columns = (min(GRID, size) for size in pixels.shape[:2])
    down = (np.arange(pixels.shape[0]) * rows) // pixels.shape[0]
    across = (np.arange(pixels.shape[1]) * columns) // pixels.shape[1]
    fill = pixels.mean(axis=(0, 1)).astype(pixels.dtype)

    def make(kept: np.ndarray) -> Media:
        shown = kept[down][:, across]
        return replace(media, path=None, data=_encoded(np.where(shown[:, :, None], pixels, fill)))

    return Pieces("patches", (rows, columns), make, windows=WINDOWS)


def audio_pieces(media: Media) -> Pieces | None:
    """Stretches of equal length; what is taken away is silent."""
    import soundfile

    wave = decode_audio(media, RATE)
    if len(wave) > LONGEST * RATE:
        return None
    count = min(STRETCHES, len(wave))
    place = (np.arange(len(wave)) * count) // len(wave)
    ends = np.arange(count + 1) * len(wave) / count / RATE

    def make(kept: np.ndarray) -> Media:
        stream = io.BytesIO()
        soundfile.write(stream, np.where(kept[place], wave, np.float32(0)), RATE, format="WAV", subtype="FLOAT")
        return replace(media, path=None, data=stream.getvalue())

    names = tuple(f"{a:.2f}–{b:.2f} s" for a, b in pairwise(ends))
    return Pieces("stretches", (count,), make, names, windows=(2,))


def shrunk(media: Media, side: int) -> np.ndarray:
    """Pixels (height, width, 3), uint8 or float32, both sides at most `side`."""
    from PIL import Image

    pixels = decode_image(media, side)
    scale = side / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    shape = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    if pixels.dtype == np.uint8:
        return np.asarray(Image.fromarray(pixels).resize(shape, Image.Resampling.BILINEAR))
    grey = np.asarray(Image.fromarray(np.ascontiguousarray(pixels[:, :, 0])).resize(shape, Image.Resampling.BILINEAR))
    return np.repeat(grey[:, :, None], 3, axis=2)


def _encoded(pixels: np.ndarray) -> bytes:
    """A file without loss: BMP, or TIFF of float32 for deep pictures, which are grey."""
    from PIL import Image

    stream = io.BytesIO()
    if pixels.dtype == np.uint8:
        Image.fromarray(pixels).save(stream, "BMP")
    else:
        Image.fromarray(np.ascontiguousarray(pixels[:, :, 0])).save(stream, "TIFF")
    return stream.getvalue()


def _of(one: OneRow, view: View, slot: int, pieces: Pieces) -> Saliency:
    def answers(kept: np.ndarray) -> np.ndarray:
        return one.with_items(view, slot, [pieces.make(mask) for mask in kept])

    values = ablated(answers, pieces.shape, pieces.windows)
    return Saliency(view.name, view.columns[slot], pieces.kind, values.tolist(), list(pieces.names))


def ablated(
    answers: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...], windows: Sequence[int] = ()
) -> np.ndarray:
    """By how much the answer drops without each piece, or in the mean over the windows that cover it.

    `answers` takes masks (variants, *shape), true where a piece is kept, and gives (variants,). Windows move by half
    their size and reach over the border, so that pieces at the border are covered as often as others; windows of
    several sizes count the same.
    """
    try:
        from captum.attr import FeatureAblation, Occlusion
    except ImportError as error:
        raise MissingExtraError.of("captum", "explain", "saliency") from error

    def forward(masks: torch.Tensor) -> torch.Tensor:
        inner = masks[(slice(None), *map(slice, pads, np.add(pads, shape).tolist()))]
        return torch.from_numpy(np.asarray(answers(inner.numpy() > 0.5), np.float64))

    found = []
    for size in windows or (0,):
        cover = tuple(min(size, count) for count in shape)
        steps = tuple(max(1, count // 2) for count in cover)
        pads = [count - step if size else 0 for count, step in zip(cover, steps, strict=True)]
        whole = torch.ones(1, *(count + 2 * pad for count, pad in zip(shape, pads, strict=True)), dtype=torch.float64)
        given: dict[str, Any] = {"baselines": 0.0, "perturbations_per_eval": BATCH}
        if size:
            drops = Occlusion(forward).attribute(whole, sliding_window_shapes=cover, strides=steps, **given)
        else:
            drops = FeatureAblation(forward).attribute(whole, **given)
        found.append(drops[0][tuple(map(slice, pads, np.add(pads, shape).tolist()))].numpy())
    return np.asarray(np.mean(found, axis=0))
