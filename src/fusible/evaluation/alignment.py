"""What `align` finds: held-out correlations, how many are real, and how views came closer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from fusible.evaluation.study import Score, plain
from fusible.types import Problem

ALPHA = 0.05
"""Level of the test of how many correlations are real."""


@dataclass(frozen=True, slots=True)
class Component:
    """One dimension of the common space: correlation on training rows, on test rows with interval, p-value there."""

    train: float
    test: Score
    p_value: float


@dataclass(slots=True)
class Alignment:
    """Result of `align`; `aligner` embeds new rows.

    `views`: name, modality, columns, encoder, why, width, coverage. `gap` and `cka` hold `before` and `after` on test
    rows; a gap between views of unlike widths is None. `retrieval`: per pair of views, recall among test items.
    """

    method: str
    views: list[dict[str, Any]]
    rows: dict[str, int]
    components: list[Component]
    gap: dict[str, float | None]
    cka: dict[str, float]
    retrieval: dict[str, dict[str, float]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    seed: int = 0
    command: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    aligner: Any = None

    @property
    def significant(self) -> int:
        """Number of leading components whose held-out correlation is above chance at `ALPHA`, family-wise."""
        return sum(component.p_value <= ALPHA for component in self.components)

    @property
    def statement(self) -> str:
        """The finding in a sentence."""
        names = " and ".join([", ".join(v["name"] for v in self.views[:-1]), self.views[-1]["name"]])
        if not self.significant:
            return f"{names} share nothing that {self.method} finds and test rows confirm."
        first = self.components[0].test
        many = "1 dimension" if self.significant == 1 else f"{self.significant} dimensions"
        return (
            f"{names} share {many}: the first correlates at {first.score:.3f} on test rows "
            f"(95 % interval {first.low:.3f} to {first.high:.3f})."
        )

    @property
    def frame(self) -> pd.DataFrame:
        """Components as a frame: component, train, test, low, high, p_value."""
        rows = [
            {"component": i + 1, "train": c.train, "test": c.test.score, "low": c.test.low, "high": c.test.high}
            | {"p_value": c.p_value}
            for i, c in enumerate(self.components)
        ]
        return pd.DataFrame(rows).set_index("component")

    def to_json(self) -> dict[str, Any]:
        """Plain values; see docs/alignment.md."""
        kept = ("method", "views", "rows", "gap", "cka", "retrieval", "settings", "notes")
        found = {name: getattr(self, name) for name in kept}
        found["components"] = [asdict(component) for component in self.components]
        found["total"] = float(sum(component.test.score for component in self.components))
        found |= {"significant": self.significant, "alpha": ALPHA, "statement": self.statement}
        found["problems"] = [{**asdict(problem), "rows": list(problem.rows)} for problem in self.problems]
        found |= {name: getattr(self, name) for name in ("seed", "command", "seconds", "versions")}
        result: dict[str, Any] = plain(found)
        return result
