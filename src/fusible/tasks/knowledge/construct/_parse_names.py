"""Which words of a parse are a name: spans of entities and noun phrases, and who is meant by a pronoun."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fusible.tasks.knowledge._words import words

LEFT = words("compound amod nummod nmod quantmod npadvmod advmod punct")
"""Dependents before a noun that belong to its name."""
OFFICES = words(
    "author birthplace capital captain ceo chairman chancellor chief coach director editor founder governor head "
    "king language leader leaders manager mayor member ministers minister owner part president prince princess "
    "queen senator son daughter speaker"
)
"""Nouns that name what a thing is of another, even where they have a capital."""
PLACES = frozenset({"GPE", "LOC", "FAC"})
REGIONS = words(
    "city town village state county country region province district municipality island republic area suburb "
    "borough department"
)
"""Nouns that only say what kind of place a name is: "the city of Ulm"."""
EMPTY = words(
    "half more most less much many few several must all another any anything both each everything it lot none nothing "
    "one ones other others same some something that there these thing things this those what which who whom"
)
"""Words that name nothing by themselves."""
SIDES = words("north south east west northeast northwest southeast southwest top bottom front back left right side")
"""Nouns that only say where something is."""
ARTICLES = frozenset({"the", "a", "an"})
PERSONAL = frozenset({"he", "she", "him", "his", "her", "hers"})
NEUTRAL = frozenset({"it", "its"})
NOUNS = words("NOUN PROPN NUM PRON SYM X ADJ")
BACK = 3
"""Sentences before a pronoun in which a person may be named who is meant."""


@dataclass(frozen=True, slots=True)
class Name:
    """Words [start, end) of a document that name something, its type, and whether it is a name of its own."""

    start: int
    end: int
    type: str
    own: bool


def ends(token: Any) -> Iterator[Any]:
    """The token and what is joined to it by "and" or a comma; a place and those around it are one."""
    yield token
    for child in token.children:
        if child.dep_ == "conj" and child.pos_ in NOUNS and not around(token, child):
            yield from ends(child)


def around(place: Any, other: Any) -> bool:
    """Whether two places stand as in "Ithaca, New York": no "and" joins them, or anything after."""
    if place.ent_type_ not in PLACES or other.ent_type_ not in PLACES:
        return False
    chain = [place, *(t for t in place.subtree if t.dep_ == "conj")]
    while chain[0].dep_ == "conj":
        chain.insert(0, chain[0].head)
    return not any(child.dep_ == "cc" for t in chain for child in t.children)


def name_of(token: Any) -> Name | None:
    """The name of which a token is the head; none where it names nothing."""
    doc = token.doc
    if (
        token.lower_ in EMPTY
        or (token.pos_ != "PROPN" and token.lower_ in SIDES)
        or token.pos_ in {"PRON", "DET"}
        or token.is_punct
    ):
        return None
    start, end = _left(token), token.i + 1
    if token.dep_ in {"compound", "nmod"} and not token.ent_type_:
        while start > 0 and doc[start - 1].pos_ in {"PROPN", "NUM"} and doc[start - 1].head == token.head:
            start -= 1
    type_ = token.ent_type_
    if type_:
        first, last = _entity(token)
        start, end = min(start, first), max(end, last)
    elif token.pos_ == "PROPN":
        end = max(end, _of(token))
    while start < end and _outside(doc[start], start):
        start += 1
    while end > start and (doc[end - 1].is_punct or doc[end - 1].tag_ == "POS") and doc[end - 1].text != ".":
        end -= 1
    if start >= end or not any(t.is_alpha or t.like_num or t.text.isalnum() for t in doc[start:end]):
        return None
    return Name(start, end, type_, bool(type_) or token.pos_ == "PROPN")


def _left(token: Any) -> int:
    """Where the words before a noun that belong to its name begin."""
    start: int = token.i
    for child in sorted(token.lefts, key=lambda t: -t.i):
        if child.dep_ not in LEFT or child.right_edge.i != start - 1 or child.lower_ in {"also", "only", "not"}:
            break
        if (
            token.ent_type_
            and child.ent_type_ != token.ent_type_
            and (child.ent_type_ == "NORP" or child.text[0].islower())
        ):
            break
        if child.dep_ == "punct" and child.text not in {"-", "–", '"', "'"}:
            break
        start = child.left_edge.i
        if any(t.tag_ == "POS" or t.dep_ == "cc" for t in token.doc[start : child.i + 1]):
            return int(child.i + 1 if child.tag_ == "POS" else start)
    return start


def _entity(token: Any) -> tuple[int, int]:
    """The named entity around a token."""
    doc, first, last = token.doc, token.i, token.i + 1
    while first > 0 and doc[first].ent_iob_ != "B" and doc[first - 1].ent_type_ == token.ent_type_:
        first -= 1
    while last < len(doc) and doc[last].ent_iob_ == "I":
        last += 1
    return first, last


def _of(token: Any) -> int:
    """Where a name like "University of Texas" ends, that begins at its head."""
    after = next((t for t in token.rights if t.lower_ == "of" and t.i == token.i + 1), None)
    if after is None or token.lower_ in OFFICES:
        return int(token.i + 1)
    inner = next((t for t in after.rights if t.pos_ == "PROPN"), None)
    return int(token.i + 1 if inner is None else inner.i + 1)


def _outside(token: Any, start: int) -> bool:
    """Whether a first word is no part of the name: articles, but for a capital inside a sentence ("The Hague")."""
    if token.lower_ in ARTICLES:
        return bool(token.text[0].islower() or token.i == token.sent.start)
    return (token.is_punct and token.text not in {"("}) or token.dep_ in {"poss", "predet", "case"}


def _text(token: Any) -> str:
    name = name_of(token)
    return "" if name is None else str(token.doc[name.start : name.end].text.lower())


def _one(texts: list[str], tokens: list[Any]) -> Any:
    """The token with the longest of some names, where all others are its ends ("Curie" of "Marie Curie")."""
    if not texts:
        return None
    longest = max(texts, key=len)
    sure = all(longest == text or longest.endswith(f" {text}") for text in texts)
    return tokens[texts.index(longest)] if sure else None


def called(noun: Any) -> list[Any]:
    """Names that "called" or "named" give to a noun: "an ethnic group called Minangkabau"."""
    verbs = [v for v in noun.rights if v.dep_ == "acl" and v.lemma_ in {"call", "name", "title"}]
    return [end for v in verbs for c in v.children if c.dep_ in {"oprd", "dobj"} for end in ends(c)]


def bare(token: Any) -> Any:
    """The name in "the city of Ulm" and "the architect, John Madin", what "whose" speaks of, else the token itself."""
    if token.tag_ == "WP$":
        verb = token
        while verb.dep_ not in {"relcl", "ROOT"}:
            verb = verb.head
        return verb.head if verb.dep_ == "relcl" else token
    if token.pos_ == "NOUN" and not token.ent_type_:
        for name in [*(t for t in token.rights if t.dep_ == "appos" and t.pos_ == "PROPN"), *called(token)]:
            return name
    if token.lemma_.lower() in REGIONS and any(t.lower_ == "the" for t in token.children):
        for prep in (t for t in token.children if t.lower_ == "of"):
            return next((t for t in prep.children if t.pos_ == "PROPN"), token)
    return token


class People:
    """Who or what was named before: pronouns mean it only where nothing else could be meant."""

    def __init__(self) -> None:
        self.persons: list[list[Any]] = []
        self.subject: Any = None
        self.names: dict[str, list[Any]] = {}

    def enter(self, sentence: Any) -> None:
        """Begin a sentence."""
        for token in sentence:
            if token.pos_ == "PROPN" and token.dep_ != "compound" and (token.i and token.nbor(-1).pos_ == "PROPN"):
                self.names.setdefault(token.lower_, []).append(token)
        self.persons = [*self.persons[-BACK:], [e.root for e in sentence.ents if e.label_ == "PERSON"]]

    def leave(self, sentence: Any) -> None:
        """End a sentence: its subject may be meant by "it" in the next."""
        subjects = [t for t in sentence if t.dep_ in {"nsubj", "nsubjpass"} and t.head.dep_ == "ROOT"]
        if len(subjects) != 1 or subjects[0].pos_ != "PRON":
            self.subject = subjects[0] if len(subjects) == 1 else None

    def meant(self, token: Any) -> Any:
        """What a pronoun means; the token itself where it is none, `None` where that is not sure."""
        token = bare(token)
        if token.lower_ in PERSONAL:
            known = [t for group in self.persons for t in group if t.i < token.i]
            return _one([_text(t) for t in known], known)
        if token.lower_ in NEUTRAL:
            return self._thing(token)
        if token.pos_ == "NOUN" and [t.lower_ for t in token.children if t.i < token.i] == ["the"]:
            same = [t for t in self.names.get(token.lemma_.lower(), []) if t.i < token.i]
            return _one([_text(t) for t in same], same) or token
        return None if token.pos_ == "PRON" else token

    def _thing(self, token: Any) -> Any:
        found = [t for t in token.sent if t.dep_ in {"nsubj", "nsubjpass"} and t.i < token.i]
        here = [t for t in found if t.pos_ != "PRON" or t.tag_ in {"WDT", "WP"}]
        if len(here) > 1:
            return None
        thing = here[0] if here else self.subject
        sure = thing is not None and thing.pos_ == "PROPN" and thing.ent_type_ != "PERSON" and thing.tag_ == "NNP"
        return thing if sure else None
