"""What learning to predict links gives: candidates with their scores, and the choice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fusible.evaluation.study import Difference, Score, plain
from fusible.tasks.knowledge.links.model import LinkModel
from fusible.types import Problem


@dataclass(slots=True)
class LinkRow:
    """One candidate: mean reciprocal rank on validation triples, all metrics on test triples, both ways together.

    `values` {metric: (test triples,)} hold each triple's own, for paired comparisons.
    """

    name: str
    kind: str
    valid: float
    test: dict[str, Score]
    settings: dict[str, Any] = field(default_factory=dict)
    parameters: int = 0
    cpu_seconds: float = 0.0
    values: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(slots=True)
class Links:
    """What `fit_links` gives: candidates, the one chosen on validation triples, and its gain over the baseline.

    Ranks are filtered and realistic, among all entities; `sizes` counts entities, relations and triples of each part.
    """

    metric: str
    chosen: str
    rows: list[LinkRow]
    sizes: dict[str, int]
    difference: Difference
    problems: list[Problem]
    model: LinkModel
    seed: int = 0

    def row(self, name: str) -> LinkRow:
        """The candidate of a name."""
        return next(row for row in self.rows if row.name == name)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the model and single triples' values are left out."""
        rows = [
            {name: plain(getattr(row, name)) for name in row.__dataclass_fields__ if name != "values"}
            for row in self.rows
        ]
        names = [name for name in self.__dataclass_fields__ if name not in {"rows", "model", "problems"}]
        found = {name: plain(getattr(self, name)) for name in names}
        return found | {"rows": rows, "problems": [f"{one.column}: {one.message}" for one in self.problems]}
