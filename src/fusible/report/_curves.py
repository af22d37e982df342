"""Lines of scores over levels, with bands, and shaded cells, as inline SVG and colours of the page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fusible.evaluation.robustness import CORRUPTION, SHIFT, Curve
from fusible.report._plots import LEFT, WIDTH, Frame, _axis_title, _ticks

RIGHT_ROOM, BOTTOM = 20, 370


def curve_plot(
    curves: Sequence[Curve], baseline: str | None, highlight: str | None, limits: tuple[float, float]
) -> Markup:
    """Plot curves of one imperfection: pale lines, the highlighted one in colour with its band, the baseline dashed."""
    levels = curves[0].levels
    frame = Frame((levels[0], levels[-1]), limits)
    width = LEFT + WIDTH + RIGHT_ROOM
    parts = [Markup('<svg class="curves" viewBox="0 0 {} {}" role="img">').format(width, BOTTOM), *_ticks(frame)]
    order = sorted(curves, key=lambda curve: (curve.strategy == highlight) + 2 * (curve.strategy == baseline))
    for curve in order:
        name = curve.strategy
        kind = "base" if name == baseline else "chosen" if name == highlight or len(curves) == 1 else "pale"
        parts.append(_line(curve, frame, kind))
    title = {CORRUPTION: "severity", SHIFT: "as in training, changed"}.get(curves[0].kind, "share hidden")
    parts.append(_axis_title(LEFT + WIDTH / 2, BOTTOM - 8, title))
    return Markup("").join([*parts, Markup("</svg>")])


def limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """Range of all scores, with some room."""
    low = min(score.score for curve in curves for score in curve.scores)
    high = max(score.score for curve in curves for score in curve.scores)
    pad = 0.06 * (high - low) or max(abs(high) * 0.05, 0.01)
    return low - pad, high + pad


def _line(curve: Curve, frame: Frame, kind: str) -> Markup:
    def y(value: float) -> float:
        return frame.y(min(max(value, frame.y_range[0]), frame.y_range[1]))

    places = [frame.x(level) for level in curve.levels]
    path = " ".join(f"{x:.1f},{y(one.score):.1f}" for x, one in zip(places, curve.scores, strict=True))
    line = Markup('<polyline class="{}" points="{}"><title>{}</title></polyline>').format(kind, path, curve.strategy)
    if kind != "chosen":
        return line
    upper = [f"{x:.1f},{y(one.high):.1f}" for x, one in zip(places, curve.scores, strict=True)]
    lower = [f"{x:.1f},{y(one.low):.1f}" for x, one in zip(places, curve.scores, strict=True)]
    band = Markup('<polygon class="band" points="{}"/>').format(" ".join([*upper, *lower[::-1]]))
    dots = Markup("").join(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3"/>').format(x, y(one.score))
        for x, one in zip(places, curve.scores, strict=True)
    )
    return band + line + dots


def shade(value: float, low: float, high: float) -> str:
    """Opacity of a cell's colour: none for the worst, 0.55 for the best.

    >>> shade(1.0, 0.0, 1.0), shade(0.5, 0.5, 0.5)
    ('0.55', '0.00')
    """
    return f"{0.55 * (value - low) / (high - low) if high > low else 0.0:.2f}"
