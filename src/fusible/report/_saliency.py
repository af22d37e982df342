"""Saliency on the page: words shaded, patches over the picture, stretches of sound as bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from fusible.evaluation.explanation import Saliency
from fusible.report._words import number
from fusible.report.html import _picture

STRONGEST = 0.7
"""Opacity of the piece that matters most."""


def saliency_blocks(found: list[Saliency], pictures: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """A title and a drawing per item; each is shaded relative to its own strongest piece."""
    return [
        {
            "title": one.view if one.view == one.column else f"{one.view}: {one.column}",
            "kind": one.kind,
            "strongest": number(float(np.abs(one.values).max(initial=0.0))),
            "drawing": _drawing(one, pictures.get(one.column)),
        }
        for one in found
    ]


def _drawing(one: Saliency, picture: bytes | None) -> Markup:
    values = np.asarray(one.values, float)
    shades = values / max(float(np.abs(values).max(initial=0.0)), 1e-12)
    if one.kind == "words":
        return _words_of(one, shades)
    return _patches(one, values, shades, picture) if one.kind == "patches" else _stretches(one, shades)


def _tone(shade: float) -> str:
    return "for" if shade >= 0 else "against"


def _words_of(one: Saliency, shades: np.ndarray) -> Markup:
    word = Markup('<span class="{}" style="--shade:{:.0f}%" title="{}">{}</span>')
    parts = [
        word.format(_tone(shade), 100 * STRONGEST * abs(shade), number(float(value), signed=True), piece)
        for piece, value, shade in zip(one.pieces, one.values, shades, strict=True)
    ]
    return Markup('<p class="words">') + Markup("").join(parts) + Markup("</p>")


def _patches(one: Saliency, values: np.ndarray, shades: np.ndarray, picture: bytes | None) -> Markup:
    """Cells over the picture, which a viewBox of the grid's size stretches over it."""
    rows, columns = shades.shape
    cell = Markup('<g><title>{}</title><rect class="{}" x="{}" y="{}" width="1" height="1" fill-opacity="{:.2f}"/></g>')
    parts = [
        cell.format(number(float(values[i, j]), signed=True), _tone(shade), j, i, STRONGEST * abs(shade))
        for (i, j), shade in np.ndenumerate(shades)
    ]
    source = _picture(picture)
    shown = Markup('<img alt="{}" src="{}">').format(one.column, source) if source else Markup("")
    overlay = Markup('<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img">').format(columns, rows)
    return Markup('<div class="patches">') + shown + overlay + Markup("").join(parts) + Markup("</svg></div>")


def _stretches(one: Saliency, shades: np.ndarray) -> Markup:
    bar = Markup('<g><title>{}</title><rect class="{}" x="{}" y="{:.2f}" width="0.9" height="{:.2f}"/></g>')
    parts = [
        bar.format(
            f"{piece}: {number(float(value), signed=True)}",
            *(_tone(shade), i, 10 - 10 * max(shade, 0.0), 10 * abs(shade)),
        )
        for i, (piece, value, shade) in enumerate(zip(one.pieces, one.values, shades, strict=True))
    ]
    frame = Markup('<svg class="stretches" viewBox="0 0 {} 20" preserveAspectRatio="none" role="img">')
    return frame.format(len(shades)) + Markup("").join(parts) + Markup("</svg>")
