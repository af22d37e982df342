"""The plot of correlations per component, as inline SVG in the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fusible.evaluation.alignment import ALPHA, Component
from fusible.report._plots import HEIGHT, LEFT, TOP, WIDTH, Frame, _axis_title, _tick, _tick_values

MOST_COMPONENTS = 200


def correlations(components: Sequence[Component]) -> Markup:
    """Test correlation with its interval per component, training correlation as a line; pale where it may be chance."""
    shown = list(components[:MOST_COMPONENTS])
    lowest = min([0.0, *(c.test.low for c in shown), *(c.train for c in shown)])
    frame = Frame((0.5, len(shown) + 0.5), (lowest - 0.03, 1.03))
    parts = [Markup('<svg class="correlations" viewBox="0 0 450 370" role="img">'), *_grid(frame, len(shown))]
    places = " ".join(f"{frame.x(i + 1):.1f},{frame.y(c.train):.1f}" for i, c in enumerate(shown))
    parts.append(Markup('<polyline class="train" points="{}"/>').format(places))
    for i, component in enumerate(shown):
        parts.append(_point(frame, i + 1, component))
    parts.append(_axis_title(LEFT + WIDTH / 2, 362, "component"))
    parts.append(_axis_title(14, TOP + HEIGHT / 2, "correlation", turned=True))
    return Markup("").join([*parts, Markup("</svg>")])


def _point(frame: Frame, place: int, component: Component) -> Markup:
    test = component.test
    return Markup(
        '<g class="{kind}"><title>{title}</title><line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{a:.1f}" '
        'y2="{b:.1f}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3.2"/></g>'
    ).format(
        kind="real" if component.p_value <= ALPHA else "pale",
        title=f"component {place}: {test.score:.3f}, 95 % interval {test.low:.3f} to {test.high:.3f}",
        x=frame.x(place),
        y=frame.y(test.score),
        a=frame.y(test.low),
        b=frame.y(test.high),
    )


def _grid(frame: Frame, count: int) -> list[Markup]:
    line = Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    text = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    right, bottom = LEFT + WIDTH, TOP + HEIGHT
    parts = []
    for value in _tick_values(*frame.y_range, 5):
        at = frame.y(value)
        kind = "reference" if value == 0 else "grid"
        parts += [line.format(kind, LEFT, at, right, at), text.format(LEFT - 6, at + 4, "end", _tick(value))]
    whole = {1, *(int(value) for value in _tick_values(1, count, 6) if value == int(value))}
    parts += [text.format(frame.x(value), bottom + 16, "middle", str(value)) for value in sorted(whole)]
    return parts
