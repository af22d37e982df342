"""What noun phrases say without a verb: appositions, prepositions between names, possessives, places in places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fusible.tasks.knowledge.construct._parse_copulas import KINDS
from fusible.tasks.knowledge.construct._parse_names import PLACES, around, ends, name_of
from fusible.tasks.knowledge.construct._parse_parts import Link, denied, phrase, possessors, prepositions

BETWEEN = frozenset({"in", "of", "from", "at", "near", "by", "on"})


def nouns(sentence: Any) -> Iterator[Link]:
    """Links within the noun phrases of a sentence."""
    for noun in sentence:
        if noun.pos_ in {"NOUN", "PROPN"} and not denied(noun):
            yield from _appositions(noun)
            yield from _between(noun)
            yield from _possessives(noun)


def _appositions(noun: Any) -> Iterator[Link]:
    for other in (c for c in noun.children if c.dep_ == "conj" and around(noun, c)):
        yield Link("place", noun, "in", other)
    for other in (c for c in noun.children if c.dep_ == "appos"):
        for end in ends(other):
            yield from _apposition(noun, end)


def _apposition(noun: Any, other: Any) -> Iterator[Link]:
    if noun.ent_type_ in PLACES and other.ent_type_ in PLACES:
        yield Link("place", noun, "in", other)
        return
    listed = any(c.dep_ == "conj" for t in (noun, other) for c in t.children)
    for name, kind in ((noun, other), (other, noun)):
        if kind.pos_ == "NOUN" and not kind.ent_type_ and name.pos_ == "PROPN" and not listed:
            owners = [owner for prep, owner in prepositions(kind) if prep == "of"] + possessors(kind)
            for owner in owners:
                whole = Link("apposition of", name, f"{phrase(kind)} of", owner)
                yield whole if kind.lemma_ in KINDS else Link("apposition of", owner, phrase(kind), name)
            values = [
                c for c in kind.rights if c.dep_ in {"nummod", "appos"} and any(sign.isdigit() for sign in c.text)
            ]
            yield from (Link("apposition of", name, phrase(kind), value) for value in values)
            if not owners and not values and any(c.dep_ in {"det", "amod"} for c in kind.lefts):
                yield Link("apposition", name, "be", kind)
            return


def _between(noun: Any) -> Iterator[Link]:
    """Of "Ashgabat International Airport in Turkmenistan": only between names of their own."""
    if noun.pos_ != "PROPN":
        return
    for prep, end in prepositions(noun):
        if prep in BETWEEN and (end.pos_ == "PROPN" or end.ent_type_) and not _within(noun, end):
            yield Link("noun preposition", noun, prep, end)


def _within(noun: Any, end: Any) -> bool:
    """Whether both stand in one name, as in "University of Texas"."""
    name = name_of(noun)
    return name is not None and name.start <= end.i < name.end


def _possessives(noun: Any) -> Iterator[Link]:
    """Of "Aarhus's leader Jacob Bundsgaard" who it is; "Anna's sister" alone says that she has one."""
    for owner in possessors(noun):
        if noun.pos_ == "PROPN":
            titles = [c for c in noun.lefts if c.dep_ in {"compound", "nmod"} and c.pos_ == "NOUN" and c.i > owner.i]
            if titles:
                yield Link("title", owner, phrase(titles[-1]), noun)
        elif noun.dep_ not in {"attr", "appos"} and not _named_by(noun):
            yield Link("possessive", owner, "have", noun)


def _named_by(noun: Any) -> bool:
    """Whether the sentence says who the noun is: then that is the triple."""
    if any(c.dep_ == "appos" for c in noun.children):
        return True
    return (
        noun.dep_ == "nsubj"
        and noun.head.lemma_ == "be"
        and any(c.dep_ in {"attr", "acomp"} for c in noun.head.children)
    )
