"""What a study gives back: plain results, their JSON object and their table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from fusible.types import Problem, Task


@dataclass(frozen=True, slots=True)
class Score:
    """A score with its 95 % bootstrap interval, in the metric's units."""

    score: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much one prediction beats another on the same rows; positive is better, whatever the metric.

    `mean` is the difference on the rows themselves, `low` and `high` its 95 % paired bootstrap interval, `p_better`
    the share of resamples in which the first is better (ties count half).
    """

    mean: float
    low: float
    high: float
    p_better: float = 0.5


@dataclass(slots=True)
class StrategyResult:
    """One strategy of a study: scores with intervals, further metrics on the test rows, and costs.

    `parameters` are trainable ones; `rows_per_second` is measured at prediction; `threshold` is the one chosen on
    validation rows, where there is one; `note` says what a reader should know (a fall-back, a shortened training).
    """

    name: str
    family: str
    test: Score
    valid: Score
    metrics: dict[str, float] = field(default_factory=dict)
    parameters: int = 0
    fit_seconds: float = 0.0
    rows_per_second: float = 0.0
    note: str = ""
    threshold: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, as in section 10 of the design."""
        return {key: plain(value) for key, value in asdict(self).items()}


@dataclass(slots=True)
class StudyResult:
    """Every strategy on one split, the best single view, what `auto` chose, and the verdict.

    `auto` is the name of the chosen strategy; a row called `auto` stands among `strategies` too. `truth` and
    `predictions` are those of the test rows, `seconds` are per stage, `best` is the fitted model of `auto`.
    `contrasts` are examples that one view gets right and others wrong. `robustness`, `attribution` and `balance` are
    there where they were asked for; each has a `to_json` of its own, or is plain.
    """

    task: Task
    metric: str
    target: str
    rows: dict[str, int]
    strategies: list[StrategyResult]
    best_single: str
    auto: str
    verdict: str
    difference: Difference
    statement: str
    columns: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    truth: np.ndarray = field(default_factory=lambda: np.empty(0))
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    contrasts: list[dict[str, Any]] = field(default_factory=list)
    robustness: Any = None
    attribution: Any = None
    balance: Any = None
    best: Any = None

    def strategy(self, name: str) -> StrategyResult:
        """Return the row called `name`; raises `KeyError` naming the rows that exist."""
        for row in self.strategies:
            if row.name == name:
                return row
        raise KeyError(f"strategy {name!r}: expected one of {[row.name for row in self.strategies]}")

    def to_json(self) -> dict[str, Any]:
        """Give the object that `fusible compare --json` prints: plain values, a number that is not finite as null."""
        return {
            "task": self.task.kind,
            "metric": self.metric,
            "target": self.target,
            "classes": list(self.task.classes),
            "rows": plain(self.rows),
            "strategies": [row.to_json() for row in self.strategies],
            "best_single": self.best_single,
            "auto": self.auto,
            "verdict": self.verdict,
            "difference": plain(asdict(self.difference)),
            "statement": self.statement,
            "columns": plain(self.columns),
            "views": plain(self.views),
            "problems": [plain(asdict(problem)) for problem in self.problems],
            "settings": plain(self.settings),
            "seed": self.seed,
            "command": self.command,
            "versions": plain(self.versions),
            "seconds": plain(self.seconds),
            **self._further(),
        }

    def _further(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in ("robustness", "attribution", "balance")}
        return {
            name: plain(value.to_json() if hasattr(value, "to_json") else value)
            for name, value in given.items()
            if value is not None
        }

    @property
    def frame(self) -> pd.DataFrame:
        """One line per strategy: scores with intervals, further metrics, costs."""
        lines = [
            {
                "strategy": row.name,
                "family": row.family,
                "test": row.test.score,
                "low": row.test.low,
                "high": row.test.high,
                "valid": row.valid.score,
                "parameters": row.parameters,
                "fit_seconds": row.fit_seconds,
                "rows_per_second": row.rows_per_second,
                **{name: value for name, value in row.metrics.items() if name != self.metric},
            }
            for row in self.strategies
        ]
        return pd.DataFrame(lines)

    def __repr__(self) -> str:
        shown = self.frame.iloc[:, :9].to_string(index=False, float_format=lambda value: f"{value:.4g}")
        return f"{self.statement}\n{self.metric} of {self.target!r} on {self.rows.get('test', 0)} test rows\n{shown}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p><strong>{escape(self.statement)}</strong></p>{self.frame.to_html(index=False, border=0)}"


def plain(value: Any) -> Any:
    """Turn NumPy values, tuples, mappings and data classes into JSON values; a number that is not finite becomes None.

    >>> plain({"a": (1, float("nan")), "b": Score(0.5, 0.25, 0.75)})
    {'a': [1, None], 'b': {'score': 0.5, 'low': 0.25, 'high': 0.75}}
    """
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else str(value)
