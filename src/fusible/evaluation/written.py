"""What `fit_captions` finds: scores of every writer and baseline on the same inputs, and whether looking helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from fusible.evaluation.ratio import Ratio
from fusible.evaluation.study import Difference, Score, plain
from fusible.types import Problem

SIGNS = {"wer": -1}
"""Metrics of which less is better; of all others more is."""
TITLES = {
    "cider_d": "CIDEr-D",
    "wer": "word error rate",
    "exact": "exact texts",
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "meteor": "METEOR",
    "distinct_2": "distinct-2",
}


@dataclass(slots=True)
class WriterResult:
    """One writer or baseline on test inputs: scores with intervals, corpus metrics, costs.

    `kind` is fused, single, model or baseline. `ratios` are what differences of the metrics are resampled from.
    """

    name: str
    kind: str
    scores: dict[str, Score]
    valid: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    parameters: int = 0
    fit_seconds: float = 0.0
    items_per_second: float = 0.0
    ratios: dict[str, Ratio] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        kept = ("name", "kind", "valid", "metrics", "parameters", "fit_seconds", "items_per_second")
        return {
            **{name: plain(getattr(self, name)) for name in kept},
            "scores": {name: plain(asdict(score)) for name, score in self.scores.items()},
        }


@dataclass(slots=True)
class Captions:
    """Result of `fit_captions`; `model` writes, and is saved.

    `chosen` is the writer with the best `metric` on validation inputs; the verdict compares it, on test inputs, with
    `rival`, the best of the baselines (`against`: by name). `fusion` says whether fusing beats the best view alone,
    where there are several views. `references` are those of the test inputs, `examples` are some of them with pictures.
    """

    metric: str
    chosen: str
    rows: list[WriterResult]
    items: dict[str, int]
    rival: str
    verdict: str
    difference: Difference
    against: dict[str, Difference] = field(default_factory=dict)
    fusion: dict[str, Any] | None = None
    views: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    references: list[list[str]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)
    seed: int = 0
    command: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    model: Any = None

    def row(self, name: str) -> WriterResult:
        """The row called `name`; raises `KeyError` naming those there are."""
        for one in self.rows:
            if one.name == name:
                return one
        raise KeyError(f"writer {name!r}: expected one of {[one.name for one in self.rows]}")

    @property
    def statement(self) -> str:
        """The verdict in a sentence."""
        d, unit = self.difference, title(self.metric)
        said = {"helps": "writes better than", "hurts": "writes worse than"}.get(
            self.verdict, "is not seen to write better than"
        )
        score = self.row(self.chosen).scores[self.metric].score
        return (
            f"{self.chosen} ({unit} {score:.3f}) {said} {self.rival}, the best baseline: "
            f"{d.mean:+.3f} (95 % interval {d.low:+.3f} to {d.high:+.3f}; positive is better)."
        )

    def to_json(self) -> dict[str, Any]:
        """What `fusible caption fit --json` prints."""
        names = ("metric", "chosen", "items", "rival", "verdict", "statement", "fusion", "views", "settings", "notes")
        return {
            **{name: plain(getattr(self, name)) for name in names},
            "difference": plain(asdict(self.difference)),
            "against": {name: plain(asdict(found)) for name, found in self.against.items()},
            "writers": [row.to_json() for row in self.rows],
            "problems": [plain(asdict(problem)) for problem in self.problems],
            "seed": self.seed,
            "command": self.command,
            "seconds": plain(self.seconds),
            "versions": plain(self.versions),
        }

    @property
    def frame(self) -> pd.DataFrame:
        """One line per writer: the metric with its interval, and all others."""
        lines = [
            {
                "writer": row.name,
                "kind": row.kind,
                self.metric: row.scores[self.metric].score,
                "low": row.scores[self.metric].low,
                "high": row.scores[self.metric].high,
                **{name: value for name, value in row.metrics.items() if name != self.metric},
                "fit_seconds": row.fit_seconds,
            }
            for row in self.rows
        ]
        return pd.DataFrame(lines)

    def __repr__(self) -> str:
        shown = self.frame.to_string(index=False, float_format=lambda value: f"{value:.4g}")
        return f"{self.statement}\n{title(self.metric)} on {self.items.get('test', 0)} test inputs\n{shown}"


def title(metric: str) -> str:
    """A metric's name as people write it.

    >>> title("cider_d")
    'CIDEr-D'
    """
    return TITLES.get(metric, metric.replace("_", "-").upper())


def sign(metric: str) -> int:
    """1 where more is better, else -1."""
    return SIGNS.get(metric, 1)


def best_of(rows: Mapping[str, WriterResult], metric: str) -> str:
    """Name of the row with the best score on test inputs."""
    return max(rows, key=lambda name: sign(metric) * rows[name].scores[metric].score)
