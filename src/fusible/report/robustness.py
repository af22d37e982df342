"""The section on missing and corrupted modalities: a matrix of subsets, curves, robustness; also for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.evaluation.robustness import CORRUPTION, Curve, RobustnessResult
from fusible.evaluation.study import Score
from fusible.report import _words
from fusible.report._curves import curve_plot, limits, shade

MOST_COLUMNS = 16
"""Subsets that the matrix shows: beyond, each view alone, all but one, and all."""


def robustness_content(result: RobustnessResult | None, highlight: str | None = None) -> dict[str, Any] | None:
    """What the partial `robustness.html.j2` shows, as its variable `robustness`; None where nothing was measured.

    `highlight` is the strategy drawn in colour, such as the one that `auto` chose.
    """
    if result is None or not (result.subsets or result.curves):
        return None
    shown = highlight if highlight in result.strategies else None
    return {
        "found": result,
        "metric": _words.metric_title(result.metric),
        "higher": _words.metric_sign(result.metric) > 0,
        "highlight": shown,
        "matrix": _matrix(result),
        "figures": _figures(result, shown),
        "summary": _summary(result),
        "kinds": _kinds(result),
    }


def print_robustness(result: RobustnessResult, console: Console | None = None) -> None:
    """Print scores per subset of views, then per curve: scores over its levels, and the mean drop."""
    console = console or Console()
    metric = _words.metric_title(result.metric)
    console.print(Text(f"{result.target} · {metric} · {result.rows:,} rows", style="bold"))
    many = len(result.strategies) > 1
    if result.subsets:
        console.print(_table(("views present", metric, "95 %"), _subset_lines(result, many), many))
    for kind, levels in dict.fromkeys((curve.kind, curve.levels) for curve in result.curves):
        lines = [
            (
                curve.strategy,
                _name(curve),
                *(_words.number(s.score) for s in curve.scores),
                _words.number(curve.robustness.drop),
            )
            for curve in result.curves
            if (curve.kind, curve.levels) == (kind, levels)
        ]
        console.print(_table((kind, *(f"{level:g}" for level in levels), "drop"), lines, many))
    for note in result.notes:
        console.print(Text(note, style="dim"))


def _table(titles: Sequence[str], lines: Sequence[Sequence[str]], many: bool) -> Table:
    """A table whose lines start with the strategy, which is left out where there is one only."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, title in enumerate(("strategy", *titles) if many else titles):
        table.add_column(Text(title), justify="left" if place < 1 + many else "right", overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line if many else line[1:]))
    return table


def _subset_lines(result: RobustnessResult, many: bool) -> list[tuple[str, ...]]:
    return [
        (one.strategy, " + ".join(one.views), _words.number(one.score.score), _words.span(one.score))
        for one in sorted(result.subsets, key=lambda one: result.strategies.index(one.strategy))
    ]


def _name(curve: Curve) -> str:
    return f"{curve.view} {curve.what}".strip()


def _matrix(result: RobustnessResult) -> dict[str, Any] | None:
    """Strategies by subsets of views: score and shade; the baseline's and the best of a column are named."""
    columns = list(dict.fromkeys(one.views for one in result.subsets))
    if not columns:
        return None
    if len(columns) > MOST_COLUMNS:
        sizes = {1, len(result.views) - 1, len(result.views)}
        columns = [views for views in columns if len(views) in sizes]
    cells: dict[tuple[str, tuple[str, ...]], Score] = {(one.strategy, one.views): one.score for one in result.subsets}
    shown = [score.score for (_, views), score in cells.items() if views in columns]
    sign = _words.metric_sign(result.metric)
    low, high = min(sign * value for value in shown), max(sign * value for value in shown)
    lines = []
    for name in result.strategies:
        found = [cells.get((name, views)) for views in columns]
        lines.append(
            (name, [None if s is None else (s.score, _words.span(s), shade(sign * s.score, low, high)) for s in found])
        )
    return {"columns": columns, "lines": lines, "left": len({one.views for one in result.subsets}) - len(columns)}


def _figures(result: RobustnessResult, highlight: str | None) -> list[dict[str, Any]]:
    """One plot per imperfection; those of one kind share their scale."""
    figures = []
    for kind in _kinds(result):
        inside = [curve for curve in result.curves if curve.kind == kind]
        scale = limits(inside)
        for name in dict.fromkeys(_name(curve) for curve in inside):
            lines = [curve for curve in inside if _name(curve) == name]
            figures.append({"title": f"{name}: {kind}", "plot": curve_plot(lines, result.baseline, highlight, scale)})
    return figures


def _summary(result: RobustnessResult) -> list[dict[str, Any]]:
    """Per strategy and kind: mean drop, relative and effective robustness over its curves of views that it sees."""
    lines = []
    for name in result.strategies:
        cells = []
        for kind in _kinds(result):
            own = [curve.robustness for curve in result.of(name) if curve.kind == kind]
            cells.append(
                tuple(
                    _mean([getattr(one, part) for one in own], signed=part != "drop")
                    for part in ("drop", "relative", "effective")
                )
            )
        lines.append({"name": name, "cells": cells})
    return lines


def _mean(values: Sequence[float | None], signed: bool) -> str:
    given = [value for value in values if value is not None]
    return _words.number(fmean(given) if given else None, signed=signed)


def _kinds(result: RobustnessResult) -> list[str]:
    """Kinds of curves, corruption last."""
    found = dict.fromkeys(curve.kind for curve in result.curves)
    return sorted(found, key=lambda kind: kind == CORRUPTION)
