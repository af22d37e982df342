"""What a search in a graph finds: answers, best first, what supports each, and what the question was linked to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fusible.evaluation.study import plain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that says a triple, and the document that it stands in."""

    text: str
    document: str


@dataclass(frozen=True, slots=True)
class Step:
    """A triple of a path; `sentences` say it, where the graph knows any."""

    head: str
    relation: str
    tail: str
    confidence: float = 1.0
    sentences: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """What words of the question were taken for: an entity or a relation, `how`, and the chance."""

    text: str
    meant: str
    how: str
    chance: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An entity that may answer.

    `score` is what answers are sorted by, `members` {member: score between 0 and 1} what each says. `paths` are triples
    that lead from what the question names to the answer; `predicted` are links that the graph lacks and the link
    model holds for likely, with their probability as confidence. `sentences` name the answer and are like the
    question.
    """

    entity: str
    name: str
    score: float
    members: dict[str, float]
    types: tuple[str, ...] = ()
    about: str = ""
    paths: tuple[tuple[Step, ...], ...] = ()
    predicted: tuple[Step, ...] = ()
    sentences: tuple[Sentence, ...] = ()


@dataclass(slots=True)
class Found:
    """Answers to a `question`, best first; `linked` and `relations` are what it was taken to speak of.

    `members` are those that could be asked, `around` further triples about what is shown, `names` {entity: name as it
    is shown} those of all entities here. `notes` say what a reader should know.
    """

    question: str
    answers: list[Answer]
    linked: list[Link]
    relations: list[Link]
    members: tuple[str, ...]
    entities: int
    triples: int
    around: list[Step] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    command: str = ""

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def frame(self) -> pd.DataFrame:
        """One line per answer: entity, name, score, and the score of each member."""
        import pandas as pd

        lines = [{"entity": a.entity, "name": a.name, "score": a.score, **a.members} for a in self.answers]
        return pd.DataFrame(lines, columns=["entity", "name", "score", *self.members])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found: dict[str, Any] = plain(self)
        return found
