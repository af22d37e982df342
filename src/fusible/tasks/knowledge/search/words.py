"""Words of questions and of names: spans, stems, and names as a reader would say them."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

from fusible.tasks._search_why import stem
from fusible.tasks.knowledge._words import words

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_IRI = re.compile(r"<[^<>]*>")
_POSSESSIVE = re.compile(r"['’]s?$")
ASKING = frozenset(
    [
        "who",
        "whom",
        "whose",
        "what",
        "which",
        "where",
        "when",
        "why",
        "how",
        "name",
        "list",
        "give",
        "show",
        "find",
        "tell",
        "all",
        "every",
        "any",
    ]
)
"""Words that ask; they name nothing."""

SAID_TYPES = {
    "PERSON": "person",
    "NORP": "nationality, religion or party",
    "FAC": "building",
    "ORG": "organization or company",
    "GPE": "city or country",
    "LOC": "location",
    "PRODUCT": "product",
    "EVENT": "event",
    "WORK_OF_ART": "work of art",
    "LAW": "law",
    "LANGUAGE": "language",
    "DATE": "date or year",
    "TIME": "time",
    "PERCENT": "percentage",
    "MONEY": "amount of money",
    "QUANTITY": "quantity",
    "ORDINAL": "ordinal number",
    "CARDINAL": "number",
}
"""Types that graphs built from texts have (those of OntoNotes), in words that a question may ask for them with."""

HELPING = frozenset(["does", "did", "doing", "having"])
"""Verbs that help others, beside those that a common list of stop words has."""

TELLING = words("amount bill bottom call cry describe detail fill fire found interest mill mine move part")
"""Words of that list (scikit-learn's) that tell something: it takes "found" for the past of "find" alone."""


class Word(NamedTuple):
    """A word of a text: as it stands there, its stem, and where."""

    text: str
    stem: str
    start: int
    end: int

    @property
    def tells(self) -> bool:
        """Whether the word says anything by itself: common and asking words do not."""
        return self.text.casefold() not in common()


def words_of(text: str) -> list[Word]:
    """Words of a text with their spans; a possessive ending is no part of a word.

    >>> [(word.stem, word.start) for word in words_of("Ulm's companies")]
    [('ulm', 0), ('company', 6)]
    """
    found = []
    for match in WORD.finditer(text):
        said = _POSSESSIVE.sub("", match.group())
        found.append(Word(said, stem_of(said), match.start(), match.start() + len(said)))
    return found


def stem_of(word: str) -> str:
    """Stem of an English word without accents; like `stem`, but plurals in -ies are those of -y.

    >>> stem_of("Companies"), stem_of("founded"), stem_of("Zoë")
    ('company', 'found', 'zoe')
    """
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode() or word
    low = plain.casefold()
    return f"{low[:-3]}y" if low.endswith("ies") and len(low) > 4 else stem(plain)


def key_of(name: str) -> str:
    """What names are compared by: their stems in order; the name itself where it has no words.

    >>> key_of("Aarhus_Airport"), key_of("the aarhus airports")
    ('aarhu airport', 'aarhu airport')
    """
    stems = [word.stem for word in words_of(label_of(name))]
    return " ".join(stems[1:] if stems[:1] == ["the"] and len(stems) > 1 else stems) or name


def label_of(name: str) -> str:
    """A name as a reader would say it: underscores are spaces, joined words stand apart.

    >>> label_of("runwayLength"), label_of("Aarhus_Airport"), label_of("P27"), label_of("___")
    ('runway length', 'Aarhus Airport', 'P27', '___')
    """
    inside = name[1:-1] if _IRI.fullmatch(name) else name
    plain = inside.replace("_", " ").strip() or name
    if " " in plain or not plain[:1].islower():
        return plain
    return " ".join(part if part.isupper() else part.lower() for part in _HUMP.split(plain))


def type_of(name: str) -> str:
    """A type as a reader would say it.

    >>> type_of("GPE"), type_of("Railway_Station"), type_of("film")
    ('city or country', 'Railway Station', 'film')
    """
    return SAID_TYPES.get(name) or label_of(name)


@cache
def common() -> frozenset[str]:
    """English words that tell nothing by themselves, in lower case."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return (frozenset(ENGLISH_STOP_WORDS) - TELLING) | ASKING | HELPING
