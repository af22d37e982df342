"""A table of numbers as coloured cells, inline SVG in the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from fusible.report._plots import LONGEST_NAME, _axis_title, _label

SIDE = 58


def heat(
    values: np.ndarray, names: Sequence[str], *, across: str, down: str, top: float, percent: bool = True
) -> Markup:
    """Square table of values: shade is |value| / `top`, negative ones in the other colour, NaN left empty.

    The diagonal is drawn pale: it compares a thing with itself.
    """
    shown = [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in names]
    longest = max(len(name) for name in shown)
    left, above, side = 38 + 7 * longest, 24 + 6 * longest, SIDE * len(shown)
    width, height = left + side + 5 * longest, above + side + 28
    parts = [
        Markup('<svg class="heat" viewBox="0 0 {0} {1}" style="max-width:{0}px" role="img">').format(width, height)
    ]
    for i, name in enumerate(shown):
        middle = SIDE * i + SIDE / 2
        parts.append(_label(left - 8, above + middle + 4, name, "end"))
        parts.append(_label(left + middle + 3, above - 8, name, "start", turned=True))
        row = [(left + SIDE * j, above + SIDE * i, float(values[i, j])) for j in range(len(shown))]
        parts += [_cell(x, y, value, top, i == j, percent) for j, (x, y, value) in enumerate(row)]
    parts.append(_axis_title(left + side / 2, height - 8, across))
    parts.append(_axis_title(14, above + side / 2, down, turned=True))
    return Markup("").join([*parts, Markup("</svg>")])


def _cell(x: float, y: float, value: float, top: float, itself: bool, percent: bool) -> Markup:
    known = np.isfinite(value)
    share = min(abs(value) / top, 1.0) if known and top > 0 else 0.0
    shade = "empty" if itself or not known else "right" if value >= 0 else "wrong"
    text = "–" if not known else f"{100 * value:.1f} %" if percent else f"{value:.2f}".replace("-", "−")
    return Markup(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="3" fill-opacity="{:.2f}"/>'
        '<text class="count{}" x="{}" y="{}">{}</text>'
    ).format(
        shade,
        *(x + 1, y + 1, SIDE - 2, SIDE - 2, 0.35 if itself else 0.06 + 0.94 * share),
        " strong" if share > 0.55 and not itself else "",
        *(x + SIDE / 2, y + SIDE / 2 + 4, text),
    )
