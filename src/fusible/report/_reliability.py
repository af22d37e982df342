"""The reliability diagram as inline SVG: share of right answers by confidence, with intervals and counts."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fusible.evaluation.reliability import Bin
from fusible.report._plots import HEIGHT, LEFT, TOP, WIDTH, Frame, _axis_title, _ticks

TALLEST = 0.22
"""Height of the fullest bin's bar, as a share of the picture."""


def reliability_diagram(bins: Sequence[Bin], answer: str = "share that is right") -> Markup:
    """Points are shares of right answers at the mean confidence of a bin, with 95 % intervals; bars are counts."""
    frame = Frame((0.0, 1.0), (0.0, 1.0))
    most = max((b.count for b in bins), default=1)
    corner = Markup('<line class="reference" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        frame.x(0), frame.y(0), frame.x(1), frame.y(1)
    )
    parts = [
        Markup('<svg class="reliability scatter" viewBox="0 0 450 370" role="img">'),
        *_ticks(frame),
        *(_count(frame, b, most) for b in bins),
        corner,
        *(_point(frame, b) for b in bins),
        _axis_title(LEFT + WIDTH / 2, 362, "confidence"),
        _axis_title(14, TOP + HEIGHT / 2, answer, turned=True),
        Markup("</svg>"),
    ]
    return Markup("").join(parts)


def _count(frame: Frame, one: Bin, most: int) -> Markup:
    tall = HEIGHT * TALLEST * one.count / most
    left, right = frame.x(one.low) + 1, frame.x(one.high) - 1
    return Markup('<rect class="many" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        left, frame.y(0) - tall, right - left, tall
    )


def _point(frame: Frame, one: Bin) -> Markup:
    title = (
        f"{one.count:,} answers, {one.confidence:.1%} sure, {one.accuracy:.1%} right "
        f"(95 % interval {one.accuracy_low:.1%} to {one.accuracy_high:.1%})"
    )
    return Markup(
        '<g><title>{t}</title><line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{a:.1f}" y2="{b:.1f}"/>'
        '<circle class="mean" cx="{x:.1f}" cy="{y:.1f}" r="3.6"/></g>'
    ).format(
        t=title,
        x=frame.x(one.confidence),
        y=frame.y(one.accuracy),
        a=frame.y(one.accuracy_low),
        b=frame.y(one.accuracy_high),
    )
