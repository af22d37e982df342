"""Examples of captions for the report: the worst, the best and some drawn ones, with where the writer looked."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from fusible.data.media import decode_image, decode_video
from fusible.decoders._generate import Generation
from fusible.errors import DataError
from fusible.evaluation.explanation import Saliency
from fusible.evaluation.written import WriterResult, sign
from fusible.tasks._caption_data import Material
from fusible.tasks._caption_look import Looked, looked
from fusible.tasks.captioner import CaptionModel
from fusible.tasks.hf_captioner import HfCaptionModel
from fusible.tasks.source import Source
from fusible.tasks.writer import Author
from fusible.types import MEDIA, Media, Modality, View

SHOWN = 4
"""Examples of each kind."""
PICTURE_SIDE = 224
MOST_WORDS = 16
"""Words of an example whose attention is kept."""


def examples(
    found: Material,
    author: Author,
    row: WriterResult,
    rival: WriterResult,
    metric: str,
    settings: Generation,
    seed: int,
) -> list[dict[str, Any]]:
    """Test inputs with texts of an author and of the best baseline, references, pictures and attention.

    `row` and `rival` are what these two were scored.
    """
    ratio, rows, references = row.ratios[metric], found.rows_of("test").tolist(), found.references("test")
    scores = ratio.top / np.where(ratio.bottom > 0, ratio.bottom, 1.0)
    order = np.argsort(sign(metric) * scores, kind="stable")
    drawn = np.random.default_rng(seed).permutation(len(order))
    kinds = {"worst": order, "best": order[::-1], "drawn": drawn}
    taken: set[int] = set()
    shown = []
    for kind, places in kinds.items():
        fresh = [int(place) for place in places if int(place) not in taken][:SHOWN]
        taken.update(fresh)
        shown += [
            {
                "kind": kind,
                "said": row.texts[place],
                "confidence": row.confidence[place],
                "score": float(scores[place]),
                "references": references[place],
                "rival": rival.texts[place],
                **_seen(found, author, settings, rows[place]),
            }
            for place in fresh
        ]
    return shown


def _seen(found: Material, author: Author, settings: Generation, row: int) -> dict[str, Any]:
    """What a row of the table shows, and where the author looked."""
    seen = looked(author, found.source, settings, row)
    return {
        "title": f"row {row}",
        "picture": preview(found.source, found.views, row),
        "words": seen.words[:MOST_WORDS],
        "maps": maps_of(author.views, seen),
    }


def maps_of(views: tuple[View, ...], seen: Looked) -> list[list[Saliency]]:
    """Per word, attention to pictures as a grid of patches and to sounds and videos as stretches of their length."""
    return [[one for view in views if (one := _map(view, seen, word)) is not None] for word in range(len(seen.words))]


def _map(view: View, seen: Looked, word: int) -> Saliency | None:
    weights = np.asarray(seen.weights[view.name][word], float)
    if view.modality not in MEDIA or len(weights) < 2 or len(view.columns) > 1:
        return None
    if view.modality is Modality.IMAGE:
        side = round(len(weights) ** 0.5)
        if side * side != len(weights):
            return None
        return Saliency(view.name, view.columns[0], "patches", weights.reshape(side, side).tolist())
    share = [f"{100 * place / len(weights):.0f} %" for place in range(len(weights))]
    return Saliency(view.name, view.columns[0], "stretches", weights.tolist(), share)


def _pixels(view: View, value: Media) -> np.ndarray:
    if view.modality is Modality.IMAGE:
        return decode_image(value, PICTURE_SIDE)
    return np.asarray(decode_video(value, 3, PICTURE_SIDE)[1])


def picture_of(model: CaptionModel | HfCaptionModel, data: Any, row: int) -> bytes | None:
    """The preview of one row of a table, or of one file."""
    dataset = model.read(data)
    return preview(Source(dataset, rows=np.array([row])), tuple(dataset.views.values()), 0)


def preview(source: Source, views: Sequence[View], row: int) -> bytes | None:
    """The row's first readable picture, or the middle frame of its video, as a small PNG."""
    from PIL import Image

    for view in views:
        data = source.data(view)
        ids = data.ids[row][data.ids[row] >= 0]
        if view.modality not in {Modality.IMAGE, Modality.VIDEO} or not len(ids):
            continue
        try:
            pixels = _pixels(view, data.values[int(ids[0])])
        except DataError:
            continue  # an unreadable picture was counted among the problems
        if pixels.dtype != np.uint8:
            low, high = float(pixels.min()), float(pixels.max())
            pixels = ((pixels - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
        picture = Image.fromarray(pixels)
        picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        return stream.getvalue()
    return None
