"""What an evaluation with views missing or corrupted gives back: plain results, their JSON object and their table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from fusible.evaluation.missing import Robustness
from fusible.evaluation.study import Score, plain
from fusible.types import Task

RANDOM, BY_TARGET, CORRUPTION, SHIFT = "missing at random", "missing by target", "corruption", "pattern shift"
"""Kinds of curves."""
ALL = "all views"
"""What a curve in which every view is hidden independently is called."""


@dataclass(frozen=True, slots=True)
class Subset:
    """Score of a strategy that sees these views only."""

    strategy: str
    views: tuple[str, ...]
    score: Score


@dataclass(frozen=True, slots=True)
class Curve:
    """Scores of a strategy along levels of one imperfection of one view; the first level is clean.

    `kind` is one of this module's names; `view` the view, or `ALL`; `what` the corruption. Levels are shares of cells
    hidden, severities (0 is clean), or for a pattern shift 0 (as in training) and 1 (as in the test).
    """

    strategy: str
    kind: str
    view: str
    what: str
    levels: tuple[float, ...]
    scores: tuple[Score, ...]
    robustness: Robustness


@dataclass(slots=True)
class RobustnessResult:
    """Scores over subsets of views, missing rates and corruptions, of one or more strategies on the same rows.

    `baseline` is the strategy that relative and effective robustness refer to. `rows` counts rows scored, `sampled`
    those that corruption was measured on.
    """

    task: Task
    metric: str
    target: str
    rows: int
    views: tuple[str, ...]
    strategies: tuple[str, ...]
    baseline: str | None = None
    subsets: list[Subset] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    sampled: int = 0
    seed: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def curve(self, strategy: str, kind: str, view: str = ALL, what: str = "") -> Curve:
        """The one curve with these names; raises `KeyError` naming the curves that the strategy has."""
        for found in self.of(strategy):
            if (found.kind, found.view, found.what) == (kind, view, what):
                return found
        known = [(found.kind, found.view, found.what) for found in self.of(strategy)]
        raise KeyError(f"curve {(kind, view, what)} of {strategy!r}: expected one of {known}")

    def of(self, strategy: str) -> Iterator[Curve]:
        """Curves of one strategy."""
        return (found for found in self.curves if found.strategy == strategy)

    def to_json(self) -> dict[str, Any]:
        """Plain values; a number that is not finite as null."""
        return {
            "task": self.task.kind,
            "metric": self.metric,
            "target": self.target,
            "rows": self.rows,
            "sampled": self.sampled,
            "views": list(self.views),
            "strategies": list(self.strategies),
            "baseline": self.baseline,
            "subsets": [plain(asdict(subset)) for subset in self.subsets],
            "curves": [plain(asdict(curve)) for curve in self.curves],
            "seed": self.seed,
            "notes": list(self.notes),
            "seconds": self.seconds,
        }

    @property
    def frame(self) -> pd.DataFrame:
        """One line per score: strategy, test, view, what, level, score, low, high."""
        lines = [
            (
                s.strategy,
                "views present",
                " + ".join(s.views),
                "",
                float(len(s.views)),
                s.score.score,
                s.score.low,
                s.score.high,
            )
            for s in self.subsets
        ]
        lines += [
            (c.strategy, c.kind, c.view, c.what, level, score.score, score.low, score.high)
            for c in self.curves
            for level, score in zip(c.levels, c.scores, strict=True)
        ]
        return pd.DataFrame(lines, columns=["strategy", "test", "view", "what", "level", "score", "low", "high"])

    def __repr__(self) -> str:
        shown = self.frame.to_string(index=False, float_format=lambda value: f"{value:.4g}", max_rows=60)
        return f"{self.metric} of {self.target!r} on {self.rows} rows\n{shown}"
