"""What a search finds: hits, best first, and what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fusible.evaluation.explanation import Saliency
from fusible.evaluation.study import plain
from fusible.tasks._moment import Moment

if TYPE_CHECKING:
    import pandas as pd


FIELDS = ["id", "score", "chance", "view", "alike"]
"""What the frame says of a hit before its own columns."""


@dataclass(slots=True)
class Hit:
    """One result. `chance` is that of belonging to the query, by the view that matches best; `chances` of all views.

    `score` is what the list is sorted by: the chance, or with words the reciprocal ranks of both. `words` are words of
    the text that the query has too, `alike` ids of further rows that hold nearly the same. `moment` is the span of a
    film that the row is, where its id or its column `id` tells one.
    """

    id: str
    score: float
    chance: float | None
    view: str | None
    chances: dict[str, float]
    columns: dict[str, Any]
    text: str = ""
    words: list[str] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)
    media: dict[str, str] = field(default_factory=dict)
    previews: dict[str, bytes] = field(default_factory=dict)
    saliency: list[Saliency] = field(default_factory=list)
    moment: Moment | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, without pictures: dates as text, no NaN."""
        pieces = [{"view": s.view, "kind": s.kind, "values": s.values, "pieces": s.pieces} for s in self.saliency]
        names = ("id", "score", "chance", "view", "chances", "columns", "text", "words", "alike", "media")
        moment = None if self.moment is None else self.moment._asdict()
        return {**{name: plain(getattr(self, name)) for name in names}, "saliency": plain(pieces), "moment": moment}


@dataclass(slots=True)
class Results:
    """What a search found, best first. `asked` is the query's view, `found` the views looked at, `rows` the index's."""

    hits: list[Hit]
    query: list[dict[str, Any]]
    asked: str
    found: list[str]
    rows: int
    where: str | None = None
    words: bool = False
    modalities: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    command: str = ""

    def __len__(self) -> int:
        return len(self.hits)

    @property
    def frame(self) -> pd.DataFrame:
        """One line per hit: id, score, chance, view, number of alike rows, own columns.

        Own columns of these names are called `column_id`, `column_score` and so on.
        """
        import pandas as pd

        lines = []
        for hit in self.hits:
            line: dict[str, Any] = dict(
                zip(FIELDS, (hit.id, hit.score, hit.chance, hit.view, len(hit.alike)), strict=True)
            )
            for name, value in hit.columns.items():
                line[_shown(name, hit.columns)] = value
            lines.append(line)
        return pd.DataFrame(lines, columns=None if lines else FIELDS)

    def to_json(self) -> dict[str, Any]:
        """Plain values: dates as text, no NaN."""
        parts = [{k: v for k, v in part.items() if k != "media"} for part in self.query]
        return {
            "query": plain(parts), "asked": self.asked, "found": self.found, "rows": self.rows, "where": self.where,
            "words": self.words, "hits": [hit.to_json() for hit in self.hits], "notes": self.notes,
            "seconds": self.seconds, "command": self.command,
        }  # fmt: skip


def _shown(name: str, columns: dict[str, Any]) -> str:
    """Name of an own column in the frame."""
    shown = name
    while shown in FIELDS or (shown != name and shown in columns):
        shown = f"column_{shown}"
    return shown
