"""What a search finds: hits, best first, and what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fusible.evaluation.explanation import Saliency

if TYPE_CHECKING:
    import pandas as pd


@dataclass(slots=True)
class Hit:
    """One result. `chance` is that of belonging to the query, by the view that matches best; `chances` of all views.

    `score` is what the list is sorted by: the chance, or with words the reciprocal ranks of both. `words` are words of
    the text that the query has too, `alike` ids of further rows that hold nearly the same.
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

    def to_json(self) -> dict[str, Any]:
        """Plain values, without pictures."""
        pieces = [{"view": s.view, "kind": s.kind, "values": s.values, "pieces": s.pieces} for s in self.saliency]
        names = ("id", "score", "chance", "view", "chances", "columns", "text", "words", "alike", "media")
        return {**{name: getattr(self, name) for name in names}, "saliency": pieces}


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
        """One line per hit: id, score, chance, view, number of alike rows, own columns."""
        import pandas as pd

        lines = [
            {"id": h.id, "score": h.score, "chance": h.chance, "view": h.view, "alike": len(h.alike), **h.columns}
            for h in self.hits
        ]
        return pd.DataFrame(lines, columns=None if lines else ["id", "score", "chance", "view", "alike"])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        parts = [{k: v for k, v in part.items() if k != "media"} for part in self.query]
        return {
            "query": parts, "asked": self.asked, "found": self.found, "rows": self.rows, "where": self.where,
            "words": self.words, "hits": [hit.to_json() for hit in self.hits], "notes": self.notes,
            "seconds": self.seconds, "command": self.command,
        }  # fmt: skip
