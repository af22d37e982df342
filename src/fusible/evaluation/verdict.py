"""The verdict on fusion: helps, no evidence, or hurts; and one plain sentence that says by how much."""

from __future__ import annotations

from fusible.evaluation.metrics import METRICS
from fusible.evaluation.study import Difference

HELPS, NO_EVIDENCE, HURTS = "helps", "no evidence", "hurts"


def verdict(difference: Difference) -> str:
    """Judge by the 95 % interval of the paired difference: `helps` over zero, `hurts` under it, else `no evidence`.

    >>> verdict(Difference(mean=0.02, low=0.01, high=0.03))
    'helps'
    """
    if difference.low > 0:
        return HELPS
    return HURTS if difference.high < 0 else NO_EVIDENCE


def statement(difference: Difference, *, metric: str, auto: str, best_single: str) -> str:
    """One sentence: what `auto` chose, against the best single view, the difference with its interval.

    >>> statement(Difference(0.02, 0.01, 0.03), metric="accuracy", auto="model:product", best_single="single:text")
    'Fusion helps: model:product beats single:text by 0.020 accuracy (95 % interval 0.010 to 0.030).'
    """
    title = METRICS[metric].title if metric in METRICS else metric
    if auto == best_single:
        return f"No evidence that fusion helps: auto fell back on the best single view, {best_single}."
    size = f"{_number(abs(difference.mean), difference)} {title}"
    low, high = _number(difference.low, difference), _number(difference.high, difference)
    found = verdict(difference)
    if found == HELPS:
        return f"Fusion helps: {auto} beats {best_single} by {size} (95 % interval {low} to {high})."
    if found == HURTS:
        low, high = _number(-difference.high, difference), _number(-difference.low, difference)
        return f"Fusion hurts: {auto} is behind {best_single} by {size} (95 % interval {low} to {high})."
    side = "ahead of" if difference.mean >= 0 else "behind"
    return (
        f"No evidence that fusion helps: {auto} is {size} {side} {best_single} on the test rows, "
        f"but the 95 % interval, {low} to {high}, includes no difference."
    )


def _number(value: float, difference: Difference) -> str:
    largest = max(abs(difference.mean), abs(difference.low), abs(difference.high))
    if largest >= 1000:
        return f"{value:,.0f}"
    if largest >= 10:
        return f"{value:.1f}"
    smallest = max(abs(difference.mean), abs(difference.high - difference.low))
    return f"{value:.3f}" if smallest >= 0.001 or smallest == 0 else f"{value:.2g}"
