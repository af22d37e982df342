"""What learning to find events gives: candidates with their scores, the choice, and the verdict on fusion."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from fusible.evaluation.localisation import Matches
from fusible.evaluation.study import Difference, Score, plain
from fusible.tasks.video.events_model import EventModel
from fusible.types import Problem


@dataclass(slots=True)
class EventRow:
    """One candidate: mAP@.5 on validation and test films, the mean over overlaps .5 to .95, and per class (test)."""

    name: str
    kind: str
    valid: float
    test: Score
    mean: Score
    classes: dict[str, float]
    weights: dict[str, float] = field(default_factory=dict)
    parameters: int = 0
    fit_seconds: float = 0.0


@dataclass(slots=True)
class Events:
    """What `fit_events` gives: candidates with scores, the one chosen on validation films, and the verdict on fusion.

    `matches` {candidate: Matches} hold which detections of test films are right at .5, for further resampling.
    `difference` is that of the chosen fused candidate (`best_fused`) and the best single view on test films, in mAP@.5,
    with its paired bootstrap interval over films, or over equal pieces of them where they are few (`units` of them).
    """

    metric: str
    chosen: str
    rows: list[EventRow]
    films: dict[str, int]
    events: dict[str, int]
    units: int
    best_single: str
    best_fused: str | None
    verdict: str
    statement: str
    difference: Difference | None
    views: list[dict[str, Any]]
    settings: dict[str, Any]
    notes: list[str]
    problems: list[Problem]
    seconds: dict[str, float]
    versions: dict[str, str]
    model: EventModel
    matches: dict[str, Matches]
    seed: int = 0
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values; the model and matches are left out."""
        names = [name for name in self.__dataclass_fields__ if name not in {"model", "matches", "problems"}]
        found = {name: plain(getattr(self, name)) for name in names}
        found["rows"] = [plain(asdict(row)) for row in self.rows]
        found["difference"] = None if self.difference is None else plain(asdict(self.difference))
        return found | {"problems": [f"{one.column}: {one.message}" for one in self.problems]}
