"""Plots as inline SVG, drawn with the page's own colours (CSS classes), so that they follow its theme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from fusible.evaluation.study import Score
from fusible.report._words import number

MOST_POINTS = 1200
MOST_CLASSES = 20
LONGEST_NAME = 20
LEFT, TOP, WIDTH, HEIGHT = 70, 14, 360, 300


def axis(scores: Sequence[Score]) -> tuple[float, float]:
    """Give the range that shows all intervals; one far-off failure does not squeeze the rest."""
    points = np.array([score.score for score in scores])
    low, high = min(score.low for score in scores), max(score.high for score in scores)
    reach = 6.0 * max(float(np.percentile(points, 75) - np.percentile(points, 25)), 1e-9)
    middle = float(np.median(points))
    if low < middle - 2 * reach:
        low = min(middle - reach, *points[points > middle - 2 * reach])
    if high > middle + 2 * reach:
        high = max(middle + reach, *points[points < middle + 2 * reach])
    pad = 0.05 * (high - low) or 0.01
    return low - pad, high + pad


def interval_bar(score: Score, reference: float, limits: tuple[float, float], kind: str) -> Markup:
    """One line of a forest plot: interval, point, and a dashed line at the reference; `kind` is a CSS class."""
    low, high = limits

    def x(value: float) -> float:
        return round(200 * (min(max(value, low), high) - low) / (high - low), 1)

    return Markup(
        '<svg class="forest {kind}" viewBox="0 0 200 22" preserveAspectRatio="none" role="img" aria-label="{label}">'
        '<line class="reference" x1="{r}" x2="{r}" y1="0" y2="22"/>'
        '<line class="whisker" x1="{a}" x2="{b}" y1="11" y2="11"/>'
        '<line class="point" x1="{p}" x2="{p}" y1="11" y2="11"/></svg>'
    ).format(
        kind=kind,
        label=f"{number(score.score)}, 95 % interval {number(score.low)} to {number(score.high)}",
        r=x(reference),
        a=x(score.low),
        b=x(score.high),
        p=x(score.score),
    )


def scale_line(limits: tuple[float, float]) -> Markup:
    """Ticks under a forest plot."""
    low, high = limits
    parts = [Markup('<div class="scale" aria-hidden="true">')]
    for value in _tick_values(low, high, 4):
        share = 100 * (value - low) / (high - low)
        parts.append(Markup('<span style="left:{:.1f}%">{}</span>').format(share, _tick(value)))
    return Markup("").join([*parts, Markup("</div>")])


def confusion(truth: np.ndarray, said: np.ndarray, classes: Sequence[str]) -> Markup:
    """Confusion matrix, rows are the truth; of many classes the 20 most frequent, the rest in one."""
    counts, names = _confusion_counts(truth, said, classes)
    names = [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in names]
    longest = max(len(name) for name in names)
    size, left, top = max(28, 56 - 2 * len(names)), 38 + 7 * longest, 24 + 6 * longest
    side = size * len(names)
    width, height = left + side + 5 * longest, top + side + 28
    parts = [
        Markup('<svg class="confusion" viewBox="0 0 {0} {1}" style="max-width:{0}px" role="img">').format(width, height)
    ]
    for i, name in enumerate(names):
        middle = size * i + size / 2
        parts.append(_label(left - 8, top + middle + 4, name, "end"))
        parts.append(_label(left + middle + 3, top - 8, name, "start", turned=True))
        for j, value in enumerate(counts[i]):
            share = value / max(counts[i].sum(), 1)
            parts.append(_cell(left + size * j, top + size * i, size, int(value), share, right=i == j))
    parts.append(_axis_title(left + side / 2, height - 8, "predicted"))
    parts.append(_axis_title(14, top + side / 2, "true", turned=True))
    return Markup("").join([*parts, Markup("</svg>")])


def scatter(x: np.ndarray, y: np.ndarray, x_title: str, y_title: str, line: str) -> Markup:
    """Points of two values; `line` is "diagonal" (x = y, one scale for both) or "zero" (y = 0)."""
    x, y = _thinned(x, y)
    x_range, y_range = _range(x), _range(y)
    if line == "diagonal":
        x_range = y_range = (min(x_range[0], y_range[0]), max(x_range[1], y_range[1]))
    frame = Frame(x_range, y_range)
    start, end = x_range if line == "diagonal" else (0.0, 0.0)
    parts = [Markup('<svg class="scatter" viewBox="0 0 450 370" role="img">'), *_ticks(frame)]
    parts.append(
        Markup('<line class="reference" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
            frame.x(x_range[0]), frame.y(start), frame.x(x_range[1]), frame.y(end)
        )
    )
    parts += [
        Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="2.6"/>').format(frame.x(a), frame.y(b))
        for a, b in zip(x, y, strict=True)
    ]
    parts.append(_axis_title(LEFT + WIDTH / 2, 362, x_title))
    parts.append(_axis_title(14, TOP + HEIGHT / 2, y_title, turned=True))
    return Markup("").join([*parts, Markup("</svg>")])


@dataclass(frozen=True, slots=True)
class Frame:
    """Where values stand in the picture of a scatter plot."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        """Place across."""
        return LEFT + WIDTH * (value - self.x_range[0]) / (self.x_range[1] - self.x_range[0])

    def y(self, value: float) -> float:
        """Place down."""
        return TOP + HEIGHT * (1 - (value - self.y_range[0]) / (self.y_range[1] - self.y_range[0]))


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    keep = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(keep) > MOST_POINTS:
        keep = np.random.default_rng(0).choice(keep, MOST_POINTS, replace=False)
    return x[keep], y[keep]


def _confusion_counts(truth: np.ndarray, said: np.ndarray, classes: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    number_of = len(classes)
    counts = np.bincount(truth * number_of + said, minlength=number_of**2).reshape(number_of, number_of)
    if number_of <= MOST_CLASSES:
        return counts, list(classes)
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    kept, rest = order[:MOST_CLASSES], order[MOST_CLASSES:]
    place = np.full(number_of, MOST_CLASSES)
    place[kept] = np.arange(MOST_CLASSES)
    folded = np.zeros((MOST_CLASSES + 1, MOST_CLASSES + 1), dtype=np.int64)
    np.add.at(folded, (place[:, None], place[None, :]), counts)
    return folded, [*(classes[k] for k in kept), f"{len(rest)} others"]


def _cell(x: float, y: float, size: float, value: int, share: float, right: bool) -> Markup:
    shade = "empty" if not value else "right" if right else "wrong"
    text = Markup('<text class="count{}" x="{}" y="{}">{}</text>').format(
        " strong" if share > 0.55 else "",
        x + size / 2,
        y + size / 2 + 4,
        f"{value:,}" if value < 1000 else f"{value / 1000:.3g}k",
    )
    box = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="3" fill-opacity="{:.2f}"/>').format(
        shade, x + 1, y + 1, size - 2, size - 2, 0.08 + 0.92 * share
    )
    return box + (text if value else Markup(""))


def _label(x: float, y: float, text: str, anchor: str, turned: bool = False) -> Markup:
    place = f"translate({x} {y}) rotate(-50)" if turned else f"translate({x} {y})"
    return Markup('<text class="name" transform="{}" text-anchor="{}">{}</text>').format(place, anchor, text)


def _axis_title(x: float, y: float, text: str, turned: bool = False) -> Markup:
    place = f"translate({x} {y}){' rotate(-90)' if turned else ''}"
    return Markup('<text class="axis" transform="{}" text-anchor="middle">{}</text>').format(place, text)


def _range(values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    pad = 0.04 * (high - low) or max(abs(low) * 0.1, 1.0)
    return low - pad, high + pad


def _ticks(frame: Frame) -> list[Markup]:
    line = Markup('<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    text = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    right, bottom = LEFT + WIDTH, TOP + HEIGHT
    parts = []
    for value in _tick_values(*frame.x_range, 5):
        at = frame.x(value)
        parts += [line.format(at, TOP, at, bottom), text.format(at, bottom + 16, "middle", _tick(value))]
    for value in _tick_values(*frame.y_range, 5):
        at = frame.y(value)
        parts += [line.format(LEFT, at, right, at), text.format(LEFT - 6, at + 4, "end", _tick(value))]
    return parts


def _tick_values(low: float, high: float, number_of: int) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    values = MaxNLocator(nbins=number_of, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(value) for value in values if low <= value <= high]


def _tick(value: float) -> str:
    size = abs(value)
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:.4g}"
