"""What "is", "becomes" and "there are" say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fusible.tasks.knowledge._words import words
from fusible.tasks.knowledge.construct._parse_names import bare, ends
from fusible.tasks.knowledge.construct._parse_parts import (
    Link,
    adjective_of,
    compounds,
    denied,
    owners_of,
    phrase,
    possessors,
    prepositions,
    settings_of,
)

COPULAS = frozenset({"be", "become", "remain"})
KINDS = words("kind type sort part form one variety example member lot number piece variation series set")


def there(verb: Any) -> Iterator[Link]:
    """Of "there are 45 floors at X": X has them."""
    if any(c.dep_ == "expl" for c in verb.children) and verb.lemma_ == "be":
        for item in (c for c in verb.children if c.dep_ == "attr" and not denied(c)):
            for prep, place in [*prepositions(item), *prepositions(verb)]:
                if prep in {"in", "at", "on"}:
                    yield Link("there", place, "have", item)


def copula(verb: Any, subject: Any) -> Iterator[Link]:
    """What a form of "be" says of its subject: that it is something, is like something, or is of somebody."""
    if any(c.dep_ == "expl" for c in verb.children):
        return
    subject = bare(subject)
    owners = owners_of(subject)
    for item in (c for c in verb.children if c.dep_ == "attr"):
        for end in ends(item):
            if denied(end):
                continue
            named = end.pos_ in {"PROPN", "NUM"} or bool(end.ent_type_)
            whose = owners or settings_of(subject, end) or (compounds(subject) if named else [])
            if whose:
                yield from (Link("owner", owner, phrase(subject), end) for owner in whose)
            elif not named or subject.pos_ != "NOUN":
                yield from _is(subject, end)
    adjective = adjective_of(verb)
    if adjective is not None and not denied(adjective):
        yield from _adjectives(subject, adjective, owners)


def _adjectives(subject: Any, adjective: Any, owners: list[Any]) -> Iterator[Link]:
    """What a copula with an adjective says: "is similar to", "is 560 pages long", "whose style is Tudor"."""
    if owners:
        yield from (Link("owner", owner, phrase(subject), adjective) for owner in owners)
        return
    inner = list(prepositions(adjective))
    measure = [c for c in adjective.children if c.dep_ == "npadvmod" and any(t.like_num for t in c.subtree)]
    if measure:
        yield Link("measure", subject, adjective.lower_, measure[0])
        return
    for prep, end in inner:
        yield Link("adjective preposition", subject, f"{adjective.lower_} {prep}", end)
    if not inner and adjective.pos_ == "ADJ":
        yield Link("adjective", subject, "be", adjective)


def _is(subject: Any, end: Any) -> Iterator[Link]:
    """Of "X is the leader of Y" make (Y, leader, X); of "X is a suburb of Y" (X, suburb of, Y)."""
    inner = list(prepositions(end)) if end.pos_ == "NOUN" or end.lower_ in KINDS else []
    noun = phrase(end)
    the = any(c.lower_ == "the" for c in end.children)
    for prep, owner in inner:
        if prep == "of" and the and end.lemma_ not in KINDS:
            yield Link("copula of", owner, noun, subject)
        else:
            yield Link("copula noun", subject, f"{noun} {prep}", owner)
    owners = [] if end.pos_ == "PROPN" else possessors(end)
    yield from (Link("copula of", owner, noun, subject) for owner in owners)
    if not inner and not owners:
        yield Link("copula", subject, "be", end)
