"""The section on attribution: Shapley values of views as bars, interactions, table columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from fusible.evaluation.balance import Balance
from fusible.evaluation.explanation import Explanation, Share
from fusible.report._words import metric_title, number

MOST_COLUMNS = 20
MOST_PAIRS = 12
NAMES, BARS, LINE = 150, 300, 30


def attribution_content(found: Explanation) -> dict[str, Any]:
    """What the partial `attribution.html.j2` shows, as its variable `attribution`."""
    return {
        "found": found,
        "what": found.what,
        "over_rows": found.row is None,
        "bars": shapley_bars(found.views),
        "views": [(share, _interval(share)) for share in found.views],
        "pairs": [(" × ".join(pair.views), pair.value) for pair in found.interactions[:MOST_PAIRS]],
        "widest_pair": max([abs(pair.value) for pair in found.interactions] + [1e-12]),
        "columns": found.columns[:MOST_COLUMNS],
        "columns_left": max(0, len(found.columns) - MOST_COLUMNS),
        "widest": max([abs(column.value) for column in found.columns] + [1e-12]),
    }


def balance_content(found: Balance) -> dict[str, Any]:
    """What the partial `balance.html.j2` shows, as its variable `balance`."""
    return {"found": found, "metric": metric_title(found.metric)}


def shapley_bars(shares: Sequence[Share]) -> Markup:
    """Bars of Shapley values from zero to the left or right, with their intervals where there are some."""
    ends = [end for share in shares for end in (share.value, share.low, share.high) if end is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(NAMES + BARS * (value - low) / span, 1)

    height = LINE * len(shares) + 8
    parts = [
        Markup('<svg class="shapley" viewBox="0 0 {0} {1}" style="max-width:{0}px" role="img">').format(
            NAMES + BARS + 70, height
        ),
        Markup('<line class="reference" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(x(0.0), height),
    ]
    for place, share in enumerate(shares):
        parts.append(_bar(share, LINE * place + 4, x))
    return Markup("").join([*parts, Markup("</svg>")])


def _bar(share: Share, top: float, x: Any) -> Markup:
    start, end = sorted((x(0.0), x(share.value)))
    name = share.view if len(share.view) <= 20 else share.view[:19] + "…"
    furthest = max(x(0.0), x(share.value), x(share.high) if share.high is not None else 0.0)
    said = number(share.value, signed=True)
    bar = Markup(
        '<text class="name" x="{}" y="{}" text-anchor="end">{}</text>'
        '<g><title>{} {}</title><rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2"/></g>'
        '<text x="{}" y="{}">{}</text>'
    ).format(
        *(NAMES - 10, top + 16, name),
        *(share.view, said),
        *("right" if share.value >= 0 else "wrong", start, top + 3, round(max(end - start, 0.5), 1), LINE - 14),
        *(round(furthest + 8, 1), top + 16, said),
    )
    if share.low is None or share.high is None:
        return bar
    line = Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" style="stroke:var(--ink);stroke-width:1.5"/>')
    return bar + line.format(x(share.low), x(share.high), top + 11, top + 11)


def _interval(share: Share) -> str:
    return "" if share.low is None else f"{number(share.low)} to {number(share.high)}"
