"""What `fit_answers` finds: how often questions are answered rightly, beside blind baselines, by type and coverage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from fusible.errors import ConfigError
from fusible.evaluation.explanation import Saliency
from fusible.evaluation.reliability import Bin
from fusible.evaluation.study import Difference, Score, plain
from fusible.types import Problem

NO_ANSWER = "(no answer)"
NEVER = 1.0000000000000002
"""The least threshold over every confidence: no answer is given."""
ACCURACY, VQA_ACCURACY = "accuracy", "VQA accuracy"
HAIR = 1e-6
CURVE = 41
"""Most points of a coverage curve."""


@dataclass(slots=True)
class Answer:
    """One answer: `answer` is `NO_ANSWER` where the model abstained, `best` what it would have said.

    `top` are up to five answers with their confidences, the first is `best`. `evidence` says by how much the confidence
    in `best` drops without a patch of the picture or a word, where it was asked for; `pictures` are small PNGs, by
    column.
    """

    answer: str
    confidence: float
    abstained: bool
    top: list[tuple[str, float]]
    question: str
    question_type: str
    threshold: float | None = None
    evidence: list[Saliency] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    command: str = ""

    @property
    def best(self) -> str:
        """The most probable answer, withheld or not."""
        return self.top[0][0]

    def to_json(self) -> dict[str, Any]:
        """Plain values; pictures are left out."""
        kept = ("answer", "confidence", "abstained", "question", "question_type", "threshold", "notes", "command")
        found: dict[str, Any] = {name: getattr(self, name) for name in kept}
        found["top"] = [{"answer": answer, "confidence": confidence} for answer, confidence in self.top]
        found["evidence"] = [asdict(one) for one in self.evidence]
        result: dict[str, Any] = plain(found)
        return result

    def __str__(self) -> str:
        return f"{self.answer} ({self.confidence:.1%})"


@dataclass(frozen=True, slots=True)
class Answered:
    """One way of answering: `kind` is chosen, candidate or baseline; `valid` is its score on validation rows."""

    name: str
    kind: str
    test: Score
    valid: float
    seconds: float = 0.0
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Test rows of one question type or answer type: the score of the model, and of the best baseline on them."""

    name: str
    rows: int
    test: Score
    baseline: float


@dataclass(frozen=True, slots=True)
class Covered:
    """Answers with a confidence of at least `threshold`: their share of the rows, and the share of them that is right.

    `accuracy` is None where no answer is given.
    """

    threshold: float
    coverage: float
    accuracy: float | None


@dataclass(slots=True)
class Answers:
    """Result of `fit_answers`; `answerer` answers, asks of evidence, and saves.

    `metric` is accuracy, or VQA accuracy where several people answered a question. `rows` hold the chosen strategy, the
    other candidates and the baselines, on test rows; a row whose answer is none of the model's counts as wrong, and
    `unseen` says how many there are. `difference` is the chosen strategy's score less that of `baseline`, the best one
    on validation rows. `scores` are further ones of the chosen strategy: exact match, VQA accuracy, WUPS where WordNet
    is there. `cases` are test rows: `kind` (worst or best), `row`, `truth`, and the `Answer`.
    """

    strategy: str
    baseline: str
    verdict: str
    difference: Difference
    statement: str
    rows: list[Answered]
    parts: dict[str, int]
    unseen: dict[str, int]
    answers: tuple[str, ...]
    question_types: list[Group]
    answer_types: list[Group]
    temperature: float
    ece: float
    bins: list[Bin]
    abstain: Covered | None
    curve: list[Covered]
    metric: str = ACCURACY
    scores: dict[str, float] = field(default_factory=dict)
    views: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    seed: int = 0
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    cases: list[dict[str, Any]] = field(default_factory=list)
    answerer: Any = None

    def row(self, name: str) -> Answered:
        """Return the row called `name`; raises `KeyError` naming the rows that exist."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"row {name!r}: expected one of {[row.name for row in self.rows]}")

    @property
    def accuracy(self) -> float:
        """What the chosen strategy earns on test rows, by `metric`, none withheld."""
        return self.row(self.strategy).test.score

    @property
    def frame(self) -> pd.DataFrame:
        """One line per way of answering: accuracy with its interval, and costs."""
        lines = [
            {
                "answers by": row.name,
                "kind": row.kind,
                "test": row.test.score,
                "low": row.test.low,
                "high": row.test.high,
                "valid": row.valid,
                "seconds": row.seconds,
                "parameters": row.parameters,
            }
            for row in self.rows
        ]
        return pd.DataFrame(lines)

    def to_json(self) -> dict[str, Any]:
        """Plain values; pictures of cases are left out."""
        lists = ("rows", "question_types", "answer_types", "bins", "curve", "problems")
        kept = (
            *("strategy", "baseline", "verdict", "statement", "metric", "accuracy", "scores", "parts", "unseen"),
            "answers",
            *("temperature", "ece", "views", "settings", "notes", "seed", "command", "versions", "seconds"),
        )
        found: dict[str, Any] = {name: getattr(self, name) for name in kept}
        found |= {name: [asdict(one) for one in getattr(self, name)] for name in lists}
        found["difference"] = asdict(self.difference)
        found["abstain"] = None if self.abstain is None else asdict(self.abstain)
        found["cases"] = [{**case, "answer": case["answer"].to_json()} for case in self.cases]
        result: dict[str, Any] = plain(found)
        return result

    def __repr__(self) -> str:
        return self.statement + "\n" + self.frame.to_string(index=False, float_format=lambda value: f"{value:.4g}")


def covered(confidence: np.ndarray, right: np.ndarray, threshold: float) -> Covered:
    """Coverage and accuracy of the answers whose confidence (rows,) is at least `threshold`.

    `right` (rows,) is what each answer is worth, from 0 to 1.

    >>> covered(np.array([0.9, 0.8, 0.3]), np.array([True, False, True]), 0.5)
    Covered(threshold=0.5, coverage=0.6666666666666666, accuracy=0.5)
    """
    given = confidence >= threshold
    return Covered(float(threshold), float(given.mean()), float(right[given].mean()) if given.any() else None)


def coverage_curve(confidence: np.ndarray, right: np.ndarray) -> list[Covered]:
    """Give at most `CURVE` points, from the surest answers to all of them; rows of equal confidence stay together."""
    levels = np.unique(confidence)[::-1]
    places = np.unique(np.linspace(0, len(levels) - 1, min(CURVE, len(levels))).astype(int))
    return [covered(confidence, right, level) for level in levels[places]]


def check_accuracy(accuracy: float) -> None:
    """Refuse an accuracy of the given answers that is no share above 0."""
    if isinstance(accuracy, bool) or not isinstance(accuracy, int | float) or not 0.0 < accuracy <= 1.0:
        raise ConfigError(
            f"accuracy of the answers that are given: expected a share above 0, up to 1, got {accuracy!r}"
        )


def threshold_for(confidence: np.ndarray, right: np.ndarray, accuracy: float) -> float:
    """Give the threshold that withholds fewest answers while those given are right in a share `accuracy` of cases.

    It lies a hair under the lowest confidence that is given, so that rounding withholds no such row. To be chosen on
    validation rows. `NEVER` where no threshold reaches it. Raises `ConfigError` where `accuracy` is no share.

    >>> round(threshold_for(np.array([0.9, 0.8, 0.7, 0.3]), np.array([True, True, True, False]), 0.9), 4)
    0.7
    """
    check_accuracy(accuracy)
    order = np.argsort(-confidence, kind="stable")
    sure, hits = confidence[order], np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    whole = np.append(sure[1:] != sure[:-1], True)  # rows of equal confidence are given or withheld together
    enough = np.flatnonzero(whole & (hits >= accuracy - 1e-12))
    if not len(enough):
        return NEVER
    last = enough[-1]
    below = sure[last + 1] if last + 1 < len(sure) else 0.0
    return float(max(sure[last] - HAIR, (sure[last] + below) / 2))
