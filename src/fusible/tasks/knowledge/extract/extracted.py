"""What an extractor finds in a text: triples, and where they are said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Said:
    """One triple that a text says: names as the text has them, and places as [start, end) in its characters.

    `confidence` is a probability; `head_type` and `tail_type` are kinds of entity ("PERSON"), empty where not known.
    A value that the text has in other words than the triple (a date, a number) has the place of its words.
    """

    head: str
    relation: str
    tail: str
    sentence: tuple[int, int]
    head_at: tuple[int, int]
    tail_at: tuple[int, int]
    confidence: float
    head_type: str = ""
    tail_type: str = ""


class Extractor(Protocol):
    """Reads triples out of texts: rules over a parse, or a trained model."""

    @property
    def name(self) -> str:
        """Name and version of what reads, as it stands in a graph's provenance."""
        ...

    def extract(self, texts: Sequence[str]) -> list[list[Said]]:
        """The triples of each text, in the order of their places; a text that says none has an empty list."""
        ...
