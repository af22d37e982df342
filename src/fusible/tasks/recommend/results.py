"""What fitting a recommender gives: candidates with their scores, the choice, and the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fusible.evaluation.study import Difference, Score, plain
from fusible.tasks.recommend.recommender import Recommender
from fusible.types import Problem


@dataclass(slots=True)
class RecommendRow:
    """One candidate: NDCG@10 on validation interactions, all metrics on test ones, means over users.

    `values` {metric: (users,)} hold each user's own, for paired comparisons.
    """

    name: str
    kind: str
    valid: float
    test: dict[str, Score]
    settings: dict[str, Any] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    values: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(slots=True)
class Recommendations:
    """What `fit_recommender` gives: candidates, the one chosen on validation interactions, and its gains.

    `cold` are rows of items that nobody had, where these were measured; `differences` {name: by how much the chosen
    one is better, in NDCG@10, paired by users}.
    """

    metric: str
    chosen: str
    rows: list[RecommendRow]
    cold: list[RecommendRow]
    sizes: dict[str, int]
    differences: dict[str, Difference]
    problems: list[Problem]
    model: Recommender
    columns: dict[str, str]
    seed: int = 0

    def row(self, name: str) -> RecommendRow:
        """The candidate of a name."""
        return next(row for row in self.rows if row.name == name)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the model and single users' values are left out."""
        found = {name: plain(getattr(self, name)) for name in ("metric", "chosen", "sizes", "differences", "columns")}
        for name in ("rows", "cold"):
            fields = [one for one in RecommendRow.__dataclass_fields__ if one != "values"]
            found[name] = [{one: plain(getattr(row, one)) for one in fields} for row in getattr(self, name)]
        said = [f"{one.column}: {one.message}" for one in self.problems]
        return found | {"problems": said, "seed": self.seed}
