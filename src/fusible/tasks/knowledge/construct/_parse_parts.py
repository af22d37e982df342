"""Parts of clauses that rules share: links, negation, whose a thing is, prepositions and what they lead to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fusible.tasks.knowledge._words import words
from fusible.tasks.knowledge.construct._parse_names import REGIONS, ends

NEGATIVE = words("no neither nor none without never nobody nothing")


@dataclass(frozen=True, slots=True)
class Link:
    """A triple of a rule: tokens that head the names of head and tail, and the relation between them."""

    rule: str
    head: Any
    relation: str
    tail: Any


def denied(token: Any) -> bool:
    """Whether a negation stands at a word."""
    return any(
        c.dep_ == "neg" or (c.dep_ in {"det", "preconj", "advmod"} and c.lower_ in NEGATIVE) for c in token.children
    )


def phrase(noun: Any) -> str:
    """A noun as a relation: its lemma, after nouns and adjectives that belong to it."""
    words = [c.lower_ for c in noun.lefts if c.dep_ in {"compound", "amod"} and c.pos_ != "PROPN"]
    return " ".join([*words, noun.lemma_.lower()])


def prepositions(noun: Any) -> Iterator[tuple[str, Any]]:
    """The prepositions of a word, and the ends that they lead to."""
    for prep in noun.children:
        if prep.dep_ == "prep":
            yield from deepened(prep)


def deepened(prep: Any) -> Iterator[tuple[str, Any]]:
    """A preposition's words and the ends that it leads to: "out of" is one."""
    for end in inner_of(prep):
        yield prep.lower_, end
    for child in prep.children:
        if child.dep_ == "prep" and child.i == prep.i + 1:
            yield from ((f"{prep.lower_} {child.lower_}", end) for end in inner_of(child))


def inner_of(prep: Any) -> list[Any]:
    """The ends that a preposition leads to, those that are denied left out."""
    found = [end for child in prep.children if child.dep_ == "pobj" for end in ends(child)]
    return [end for end in found if not denied(end)]


def owners_of(noun: Any) -> list[Any]:
    """Whose a common noun is: "the leader of Aarhus", "Aarhus's leader"."""
    if noun.pos_ != "NOUN" or noun.ent_type_ or noun.lemma_ in REGIONS:
        return []
    return [owner for prep, owner in prepositions(noun) if prep == "of"] + possessors(noun)


def possessors(noun: Any) -> list[Any]:
    """Whose a noun is by a possessive: "Aarhus's leader"."""
    return [end for child in noun.children if child.dep_ == "poss" for end in ends(child)]


def settings_of(noun: Any, end: Any) -> list[Any]:
    """Where a common noun is what a copula says: "ingredients in X are …", "the language spoken in X is …"."""
    if noun.pos_ != "NOUN" or noun.ent_type_ or any(c.lower_ in {"a", "an"} for c in [*noun.children, *end.children]):
        return []
    places = [noun, *(v for v in noun.rights if v.dep_ == "acl" and v.tag_ == "VBN")]
    return [place for part in places for prep, place in prepositions(part) if prep in {"in", "for", "at"}]


def compounds(noun: Any) -> list[Any]:
    """Whose a common noun is, without a sign of it: "the Apollo 8 operator"."""
    if noun.pos_ != "NOUN" or noun.ent_type_:
        return []
    return [c for c in noun.lefts if c.dep_ in {"compound", "nmod"} and c.pos_ == "PROPN"][-1:]


def adjective_of(verb: Any) -> Any:
    """The adjective that a copula says of its subject; none where there is none."""
    return next((c for c in verb.children if c.dep_ == "acomp"), None)
