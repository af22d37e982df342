"""The critical-difference diagram as inline SVG (Demšar, JMLR 7, 2006)."""

from __future__ import annotations

from markupsafe import Markup

from fusible.evaluation.ranking import Ranking

WIDTH, LEFT, STEP, TOP = 900, 280, 22, 66
LONGEST = 36


def ranks_diagram(ranking: Ranking) -> Markup:
    """Average ranks on an axis, best at the left; bars join strategies that do not differ, where that is decided.

    The scale at the top is Nemenyi's critical difference.
    """
    k = len(ranking.strategies)
    bars = TOP + 14 + 8 * len(ranking.groups)
    height = bars + STEP * ((k + 1) // 2) + 20
    parts = [
        Markup('<svg class="ranks" viewBox="0 0 {0} {1}" style="max-width:{0}px" role="img" aria-label="{2}">').format(
            WIDTH, height, ranking.statement
        ),
        *_axis(k),
        _critical(ranking, k),
    ]
    at = dict(zip(ranking.strategies, ranking.ranks, strict=True))
    for level, group in enumerate(ranking.groups):
        ends = _x(at[group[0]], k) - 3, _x(at[group[-1]], k) + 3
        parts.append(_line("group", ends[0], TOP + 12 + 8 * level, ends[1], TOP + 12 + 8 * level))
    for place, name in enumerate(ranking.strategies):
        parts.append(_strategy(name, at[name], place, k, bars))
    return Markup("").join([*parts, Markup("</svg>")])


def _axis(k: int) -> list[Markup]:
    step = 1 if k <= 20 else 5
    parts = [_line("scale-line", _x(1, k), TOP, _x(k, k), TOP)]
    for value in sorted({1, k, *range(step, k, step)}):
        parts.append(_line("scale-line", _x(value, k), TOP - 6, _x(value, k), TOP))
        parts.append(_text("tick", _x(value, k), TOP - 11, str(value), "middle"))
    return parts


def _critical(ranking: Ranking, k: int) -> Markup:
    end = min(ranking.critical_difference, k - 1.0)
    wide = " (wider than the axis)" if ranking.critical_difference > k - 1 else ""
    parts = [
        _line("scale-line", _x(1, k), 24, _x(1 + end, k), 24),
        *(_line("scale-line", _x(1 + e, k), 20, _x(1 + e, k), 28) for e in (0.0, end)),
        _text("axis", _x(1, k), 14, f"critical difference (Nemenyi) {ranking.critical_difference:.2f}{wide}", "start"),
    ]
    return Markup("").join(parts)


def _strategy(name: str, rank: float, place: int, k: int, top: int) -> Markup:
    """Draw a name at the left for the better half, at the right for the rest, with a line to its rank."""
    half = (k + 1) // 2
    left = place < half
    y = top + STEP * (place if left else k - 1 - place) + 12
    edge = LEFT - 24 if left else WIDTH - LEFT + 24
    shown = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    label = f"{shown}  {rank:.2f}" if left else f"{rank:.2f}  {shown}"
    path = Markup('<polyline class="leader" points="{x:.1f},{t} {x:.1f},{y} {e},{y}"/>').format(
        x=_x(rank, k), t=TOP, y=y, e=edge
    )
    title = Markup("<g><title>{}</title>").format(f"{name}: average rank {rank:.3f}")
    anchor, at = ("end", edge - 6) if left else ("start", edge + 6)
    return Markup("").join([title, path, _text("name", at, y + 4, label, anchor), Markup("</g>")])


def _x(rank: float, k: int) -> float:
    return LEFT + (WIDTH - 2 * LEFT) * (rank - 1) / max(k - 1, 1)


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)


def _text(kind: str, x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, text)
