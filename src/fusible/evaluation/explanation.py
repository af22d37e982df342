"""What `explain` finds: how much each view, pair of views, column, word and patch matters."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from fusible.evaluation.metrics import METRICS
from fusible.evaluation.study import plain

SCALES = ("probability", "log_odds")
"""What the answer for a class of one row is measured in."""
SAID = 4
"""Views that the statement names."""


@dataclass(frozen=True, slots=True)
class Share:
    """Shapley value of one view; over rows with a 95 % bootstrap interval.

    `present` is the share of rows that have the view, `alone` the value with this view only, `without` the value with
    all others.
    """

    view: str
    modality: str
    value: float
    present: float
    alone: float
    without: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Interaction:
    """Shapley interaction index of two views: positive where they complete each other, negative where they repeat."""

    views: tuple[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class ColumnEffect:
    """What one table column is worth.

    Over rows: by how much the metric gets worse when the column is permuted, the mean of the repeats and their standard
    deviation. Of one row: by how much the answer drops, in the mean, when the cell is replaced by those of other rows,
    and the standard deviation over these.
    """

    view: str
    column: str
    value: float
    spread: float
    cell: str = ""


@dataclass(frozen=True, slots=True)
class Saliency:
    """By how much the answer drops without a piece of an item.

    `kind`: "words" (`pieces` are stretches of the text, joined they are the text), "patches" (`values` is a grid, rows
    from top to bottom), or "stretches" (of equal length, `pieces` say from when to when).
    """

    view: str
    column: str
    kind: str
    values: list[Any]
    pieces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Explanation:
    """Why a model answers as it does for one row, or what its score on many rows rests on.

    `unit` is a metric (over rows; values of views are improvements, positive is better), or "probability", "log_odds"
    or "value" (of one row). `base` is the value with no view, `value` with all: Shapley values sum to the difference.
    """

    strategy: str
    target: str
    task: str
    unit: str
    base: float
    value: float
    views: list[Share]
    interactions: list[Interaction] = field(default_factory=list)
    columns: list[ColumnEffect] = field(default_factory=list)
    saliency: list[Saliency] = field(default_factory=list)
    rows: int = 1
    row: int | None = None
    answer: str = ""
    """Of one row: the class, label or value that the model gives."""
    explained: str = ""
    """Of one row: the class or label whose score is explained."""
    truth: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seed: int = 0
    command: str = ""

    @property
    def gain(self) -> float:
        """What all views add to no view; positive is better where the unit is a metric. Shapley values sum to it."""
        sign = METRICS[self.unit].sign if self.unit in METRICS else 1
        return sign * (self.value - self.base)

    @property
    def what(self) -> str:
        """What the values measure, in words."""
        if self.row is None:
            return METRICS[self.unit].title if self.unit in METRICS else self.unit
        if self.unit == "value":
            return self.target
        return f"{'probability' if self.unit == 'probability' else 'log-odds'} of {self.explained!r}"

    @property
    def statement(self) -> str:
        """The finding in a sentence."""
        about = "" if self.row is None else f"Row {self.row}: "
        if self.row is not None and self.unit != "value":
            about = f"Row {self.row}: the model answers {self.answer!r}. "
        what = self.what if self.unit == "value" else self.what[:1].upper() + self.what[1:]
        top = sorted(self.views, key=lambda share: -abs(share.value))
        parts = ", ".join(f"{share.view} {_signed(share.value)}" for share in top[:SAID])
        more = f" and {len(top) - SAID} more" if len(top) > SAID else ""
        return f"{about}{what} is {_plain(self.value)} ({_plain(self.base)} without any view): {parts}{more}."

    @property
    def frame(self) -> pd.DataFrame:
        """Views as a frame: view, value, alone, without, present, and over rows low and high."""
        kept = ["view", "value", "alone", "without", "present"] + (["low", "high"] if self.row is None else [])
        return pd.DataFrame([asdict(share) for share in self.views])[kept].set_index("view")

    def to_json(self) -> dict[str, Any]:
        """Plain values; see docs/explain.md. Pictures are left out."""
        kept = (
            *("strategy", "target", "task", "unit", "what", "base", "value", "gain", "statement", "rows", "row"),
            *("answer", "explained", "truth", "fields", "notes", "problems", "seed", "command"),
        )
        found: dict[str, Any] = {name: getattr(self, name) for name in kept}
        lists = ("views", "interactions", "columns", "saliency")
        found |= {name: [asdict(one) for one in getattr(self, name)] for name in lists}
        result: dict[str, Any] = plain(found)
        return result

    def __repr__(self) -> str:
        lines = [self.statement, self.frame.to_string(float_format=lambda value: f"{value:.4g}")]
        if self.columns:
            top = [f"{c.column} {_signed(c.value)}" for c in self.columns[:5]]
            lines.append("columns: " + ", ".join(top))
        return "\n".join(lines)


def _plain(value: float) -> str:
    size = abs(value)
    return ("−" if value < 0 else "") + (
        f"{size:,.0f}" if size >= 1000 else f"{size:.3g}" if size >= 10 else f"{size:.3f}"
    )


def _signed(value: float) -> str:
    return f"{'' if value < 0 else '+'}{_plain(value)}"
