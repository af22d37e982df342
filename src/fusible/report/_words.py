"""Numbers as people read them, shared by the terminal, the page and the model card."""

from __future__ import annotations

import math

from fusible.evaluation.metrics import METRICS
from fusible.evaluation.study import Score, StrategyResult, StudyResult

FAMILIES = {"single": "single view", "feature": "feature fusion", "model": "model fusion", "end_to_end": "end to end"}


def metric_title(name: str) -> str:
    """Title of a metric, or its name where it is not one of ours."""
    return METRICS[name].title if name in METRICS else name


def metric_sign(name: str) -> int:
    """1 where higher is better, -1 where lower is."""
    return METRICS[name].sign if name in METRICS else 1


def family_title(name: str) -> str:
    """Family in words."""
    return FAMILIES.get(name, name.replace("_", " "))


def number(value: float | None, signed: bool = False) -> str:
    """Give three decimals for small numbers, fewer for large ones, a dash for none.

    >>> number(0.93121), number(84211.4), number(0.02, signed=True)
    ('0.931', '84,211', '+0.020')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    text = f"{size:,.0f}" if size >= 1000 else f"{size:.1f}" if size >= 100 else f"{size:.3f}"
    if not float(text.replace(",", "")):
        return text
    return ("−" if value < 0 else "+" if signed else "") + text


def span(score: Score) -> str:
    """Interval in words."""
    return f"{number(score.low)} to {number(score.high)}"


def count(value: float) -> str:
    """Give a count with a unit: 1.2 M, 34 k.

    >>> count(1_234_567), count(980)
    ('1.2 M', '980')
    """
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= size:
            scaled = value / (1e3 if unit == " k" else size)
            return f"{scaled:.1f}{unit}" if scaled < 10 else f"{scaled:.0f}{unit}"
    return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Seconds, or minutes where they are many.

    >>> duration(0.042), duration(4.24), duration(185)
    ('0.04 s', '4.2 s', '3 min 5 s')
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def gain(result: StudyResult, row: StrategyResult) -> float:
    """By how much the row beats the best single view on test, in the metric's units; positive is better."""
    base = result.strategy(result.best_single).test.score
    return metric_sign(result.metric) * (row.test.score - base)


def marks(result: StudyResult, row: StrategyResult) -> list[str]:
    """Name what is special about a row: the best single view, the one that `auto` chose."""
    named = {"best single view": result.best_single, "chosen by auto": result.auto}
    return [mark for mark, name in named.items() if row.name == name]
