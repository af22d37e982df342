"""What `fit_retrieval` finds: how well each view finds every other on test rows, beside chance and baselines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from fusible.evaluation.study import Difference, Score, plain
from fusible.types import Problem


@dataclass(slots=True)
class Retrieved:
    """One ranking in one direction: who ranked (`method`), how many queries among how many items, and its scores.

    `kind` is chosen, baseline or chance.
    """

    direction: str
    method: str
    kind: str
    queries: int
    items: int
    scores: dict[str, Score]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        kept = {name: getattr(self, name) for name in ("direction", "method", "kind", "queries", "items")}
        return {**kept, **{name: asdict(score) for name, score in self.scores.items()}}


@dataclass(frozen=True, slots=True)
class Queries:
    """The metric per query of one direction: of the chosen method (`ours`) and of plain alignment (`theirs`).

    Queries of one of `groups` belong together. Arrays of (queries,), which `difference` resamples.
    """

    ours: np.ndarray
    theirs: np.ndarray
    groups: np.ndarray


@dataclass(slots=True)
class Retrieval:
    """Result of `fit_retrieval`; `retriever` embeds, fuses and calibrates.

    `rows` hold the chosen method, baselines and chance per direction, on test rows. `candidates` are what was compared
    on validation rows: name, valid, settings, seconds. `metric` is what they were compared by: mean_recall, or map with
    a target. `difference` is the chosen method's metric less that of plain linear alignment, paired over blocks of rows
    that belong together: the mean over directions. `differences` hold the same of each direction by itself, `queries`
    what they are made of.
    """

    method: str
    metric: str
    rows: list[Retrieved]
    candidates: list[dict[str, Any]]
    parts: dict[str, int]
    views: list[dict[str, Any]]
    difference: Difference | None = None
    plain: str = ""
    target: str | None = None
    differences: dict[str, Difference] = field(default_factory=dict)
    queries: dict[str, Queries] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    seed: int = 0
    command: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    retriever: Any = None

    @property
    def chosen(self) -> list[Retrieved]:
        """Rows of the chosen method, one per direction."""
        return [row for row in self.rows if row.kind == "chosen"]

    @property
    def score(self) -> float:
        """Mean over directions of the chosen method's metric on test rows."""
        return sum(row.scores[self.metric].score for row in self.chosen) / max(1, len(self.chosen))

    @property
    def statement(self) -> str:
        """The finding in a sentence."""
        what = "mean recall at 1, 5 and 10" if self.metric == "mean_recall" else "class mAP"
        said = f"{self.method}: {what} of {self.score:.3f} over {len(self.chosen)} directions"
        if self.difference is None:
            return f"{said}."
        d = self.difference
        return f"{said}, {d.mean:+.3f} against {self.plain} (95 % interval {d.low:+.3f} to {d.high:+.3f})."

    @property
    def frame(self) -> pd.DataFrame:
        """One line per direction and method, scores without their intervals."""
        lines = [
            {"direction": r.direction, "method": r.method, "kind": r.kind, "queries": r.queries, "items": r.items}
            | {name: score.score for name, score in r.scores.items()}
            for r in self.rows
        ]
        return pd.DataFrame(lines)

    def to_json(self) -> dict[str, Any]:
        """Plain values; see docs/search.md."""
        kept = ("method", "metric", "target", "plain", "candidates", "parts", "views", "settings", "notes")
        found = {name: getattr(self, name) for name in kept}
        found["score"], found["statement"] = self.score, self.statement
        found["rows"] = [row.to_json() for row in self.rows]
        found["difference"] = None if self.difference is None else asdict(self.difference)
        found["differences"] = {direction: asdict(one) for direction, one in self.differences.items()}
        found["problems"] = [{**asdict(problem), "rows": list(problem.rows)} for problem in self.problems]
        found |= {name: getattr(self, name) for name in ("seed", "command", "seconds", "versions")}
        result: dict[str, Any] = plain(found)
        return result

    def __repr__(self) -> str:
        names = ["recall_any@1", "recall_any@10", "recall_share@10", "median_rank", "map", "ndcg"]
        shown = self.frame[["direction", "method", *names]]
        return f"{self.statement}\n{shown.to_string(index=False, float_format=lambda value: f'{value:.3f}')}"
