"""The section on views that err on different rows: a table of cells, pairs, and rows that only one view gets right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fusible.evaluation.complementarity import Pair, ValuePair, correct, of_study
from fusible.evaluation.study import StudyResult
from fusible.report._heat import heat
from fusible.report._words import number

MOST_VIEWS = 12
MOST_PAIRS = 30


def complementarity_content(result: StudyResult) -> dict[str, Any] | None:
    """What the partial `complementarity.html.j2` shows; None where there are fewer than two single views."""
    singles = [row for row in result.strategies if row.family == "single" and row.name in result.predictions]
    if len(singles) < 2 or not len(result.truth):
        return None
    names = [row.name for row in singles]
    pairs = of_study(result)
    shown = names[:MOST_VIEWS]
    content = {"names": [_short(name) for name in names], "left": max(0, len(pairs) - MOST_PAIRS)}
    if result.task.kind == "regression":
        return content | _of_values(pairs, shown)
    accuracy = [
        float(correct(result.task, result.truth, result.predictions[row.name], row.threshold).mean()) for row in singles
    ]
    unit = "labels of test rows" if result.task.kind == "multilabel" else "test rows"
    return content | _of_choices(pairs, shown, accuracy) | {"unit": unit}


def _of_choices(pairs: Sequence[Any], names: list[str], accuracy: list[float]) -> dict[str, Any]:
    table = np.diag(accuracy[: len(names)])
    place = {name: k for k, name in enumerate(names)}
    for pair in pairs:
        if pair.a in place and pair.b in place:
            table[place[pair.a], place[pair.b]] = pair.only_a / pair.count
            table[place[pair.b], place[pair.a]] = pair.only_b / pair.count
    apart = table[~np.eye(len(names), dtype=bool)]
    plot = heat(table, [_short(n) for n in names], across="is wrong", down="is right", top=max(apart.max(), 1e-9))
    lines = [_line(pair) for pair in sorted(pairs, key=lambda p: -p.disagreement)[:MOST_PAIRS]]
    return {"plot": plot, "lines": lines, "values": False}


def _line(pair: Pair) -> list[str]:
    shares = [value / pair.count for value in (pair.both, pair.only_a, pair.only_b, pair.neither)]
    measures = [f"{100 * value:.1f} %" for value in (*shares, pair.oracle)]
    return [_short(pair.a), _short(pair.b), *measures, number(pair.q, signed=True)]


def _of_values(pairs: Sequence[Any], names: list[str]) -> dict[str, Any]:
    table = np.eye(len(names))
    place = {name: k for k, name in enumerate(names)}
    for pair in pairs:
        if pair.a in place and pair.b in place:
            value = np.nan if pair.correlation is None else pair.correlation
            table[place[pair.a], place[pair.b]] = table[place[pair.b], place[pair.a]] = value
    plot = heat(table, [_short(n) for n in names], across="residual of", down="residual of", top=1.0, percent=False)
    least_first = sorted(pairs, key=lambda p: 2.0 if p.correlation is None else p.correlation)[:MOST_PAIRS]
    return {"plot": plot, "lines": [_value_line(pair) for pair in least_first], "values": True, "unit": "test rows"}


def _value_line(pair: ValuePair) -> list[str]:
    closer = f"{100 * pair.a_closer:.1f} %", f"{100 * (1 - pair.a_closer):.1f} %"
    return [_short(pair.a), _short(pair.b), *closer, number(pair.correlation, signed=True)]


def _short(name: str) -> str:
    return name.removeprefix("single:")
