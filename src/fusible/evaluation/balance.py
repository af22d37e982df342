"""Whether joint training starves a view, and how much each view is used: the diagnosis in plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fusible.evaluation.metrics import METRICS
from fusible.evaluation.study import Difference, plain

STARVED, FINE = "starved", "fine"


@dataclass(frozen=True, slots=True)
class ViewBalance:
    """One view of a network that was trained jointly.

    `alone` and `within` are scores of linear probes, fitted on encodings by the view's encoder as it was trained alone
    and as joint training left it; `difference` is within against alone on the same rows, positive is
    better. `use` is what the network's score loses, positive is worse, when the view is hidden.
    """

    view: str
    encoder: str
    alone: float
    within: float
    difference: Difference
    use: float

    @property
    def verdict(self) -> str:
        """`starved` where the encoder is worse than alone and the 95 % interval is clear of zero, else `fine`."""
        return STARVED if self.difference.high < 0 else FINE


@dataclass(frozen=True, slots=True)
class Balance:
    """Diagnosis of one jointly trained network; `rows` validation rows were scored by `metric`."""

    strategy: str
    metric: str
    rows: int
    views: tuple[ViewBalance, ...]

    @property
    def starved(self) -> tuple[str, ...]:
        """Names of the views whose encoders are worse than alone."""
        return tuple(one.view for one in self.views if one.verdict == STARVED)

    @property
    def statement(self) -> str:
        """The finding in a sentence."""
        if not self.starved:
            return f"No evidence that {self.strategy} starves a view: no encoder within it is clearly worse than alone."
        worst = min(self.views, key=lambda one: one.difference.high)
        d = worst.difference
        names = _listed([repr(name) for name in self.starved])
        title = METRICS[self.metric].title if self.metric in METRICS else self.metric
        return (
            f"{self.strategy} starves {names}: the encoder of {worst.view!r} is {abs(d.mean):.3f} {title} worse than "
            f"trained alone (95 % interval {-d.high:.3f} to {-d.low:.3f}). Train encoders alone first, or modulate "
            "gradients."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        views = [{**asdict(one), "verdict": one.verdict} for one in self.views]
        found = {"strategy": self.strategy, "metric": self.metric, "rows": self.rows, "views": views}
        result: dict[str, Any] = plain({**found, "starved": list(self.starved), "statement": self.statement})
        return result


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
