"""Names as they are compared: what spellings have in common, and what keeps two names apart."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from fusible.tasks.knowledge._words import words

CLASSES = {
    "PERSON": "person",
    "NORP": "group",
    "FAC": "place",
    "GPE": "place",
    "LOC": "place",
    "ORG": "organisation",
    "PRODUCT": "product",
    "EVENT": "event",
    "WORK_OF_ART": "work",
    "LAW": "law",
    "LANGUAGE": "language",
    "DATE": "time",
    "TIME": "time",
    "PERCENT": "number",
    "MONEY": "number",
    "QUANTITY": "number",
    "ORDINAL": "number",
    "CARDINAL": "number",
}
"""Kinds of types: names of two kinds are never one entity."""
VALUES = frozenset({"time", "number"})
FORMS = words("inc incorporated corp corporation co company ltd limited llc plc gmbh ag sa nv bv spa srl")
"""Legal forms after the name of a company."""
APART = words(
    "north south east west northern southern eastern western northeast northwest southeast southwest upper lower "
    "inner outer new old former first second third fourth fifth sixth seventh eighth ninth tenth one two three "
    "four five six seven eight nine ten eleven twelve hundred thousand million billion ii iii iv v vi vii viii ix "
    "x xi xii xiii xiv junior senior jr sr men women male female january february march april may june july "
    "august september october november december monday tuesday wednesday thursday friday saturday sunday not non"
)
"""Words that make two names different where only one has them."""
ACRONYM = re.compile(r"[A-Z](?:[A-Z&.]){1,9}")
_ARTICLE = re.compile(r"^(the|an|a) (?=.)")
_POSSESSIVE = re.compile(r"['’]s\b")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_NUMBER = re.compile(r"\d+(?:[.:/-]\d+)*")
_QUIET = re.compile(r"[.'’\"“”‘`´]")
_BLANK = re.compile(r"[\s_\-–—()\[\],;:!?/]+")


@dataclass(frozen=True, slots=True)
class Named:
    """A name as texts have it: its type where that is clear, how often it stands there, and in which documents."""

    name: str
    type: str
    count: int
    documents: frozenset[str]

    @property
    def kind(self) -> str:
        """Kind of its type; empty where unknown."""
        return CLASSES.get(self.type, self.type.lower())


@lru_cache(maxsize=1 << 16)
def key_of(name: str) -> str:
    """What spellings of one name have in common: case, accents, articles, underscores, punctuation are taken away.

    >>> key_of("The_Hague") == key_of("the Hague"), key_of("U.S.A."), key_of("Beyoncé's"), key_of("1,234.0")
    (True, 'usa', 'beyonce', '1234')
    """
    text = unicodedata.normalize("NFKD", name).casefold()
    text = "".join(sign for sign in text if not unicodedata.combining(sign))
    text = _THOUSANDS.sub("", _POSSESSIVE.sub("", text))
    if re.fullmatch(r"\d+\.\d+", text):
        return text.rstrip("0").rstrip(".")
    text = re.sub(r"(?<=\d)\.(?=\d)", "\0", text)
    text = _BLANK.sub(" ", _QUIET.sub("", text)).replace("\0", ".").strip()
    return _ARTICLE.sub("", text) or name


def firm(key: str) -> str:
    """A key without the legal form of a company; the key itself where nothing would be left.

    >>> firm("acme corp"), firm("co")
    ('acme', 'co')
    """
    words = key.split()
    while len(words) > 1 and words[-1] in FORMS:
        words.pop()
    return " ".join(words)


@lru_cache(maxsize=1 << 16)
def marks(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What two names must both have to be one: numbers, words such as "north", single letters."""
    key = key_of(name)
    telling = sorted(word for word in key.split() if word in APART or (len(word) == 1 and word.isalpha()))
    return tuple(sorted(_NUMBER.findall(key))), tuple(telling)


def shortened(short: str, full: str) -> bool:
    """Whether a person's key may be short for another: the surname alone, or after initials of the first names.

    >>> shortened("m curie", "marie curie"), shortened("curie", "m curie"), shortened("m curie", "pierre curie")
    (True, True, False)
    """
    said, given = short.split(), full.split()
    if not said or said[-1:] != given[-1:] or len(said[-1]) == 1 or len(said) > len(given):
        return False
    return all(a == b or (len(a) == 1 and b.startswith(a)) for a, b in zip(said[:-1], given, strict=False))


def telling(name: Named) -> tuple[object, ...]:
    """All of a name that `differ` looks at: names that have the same differ from the same others."""
    own = key_of(name.name) if name.kind == "person" else ""
    return name.kind, name.name.islower(), bool(ACRONYM.fullmatch(name.name)), marks(name.name), own


def differ(one: Named, other: Named) -> bool:
    """Whether two names cannot be one entity: clear types of two kinds, other numbers, "north" against "south".

    Initials are no mark where they may be those of the other's first names.
    """
    if one.kind and other.kind and one.kind != other.kind:
        return True
    if one.name.islower() != other.name.islower() and bool(one.kind) != bool(other.kind):
        return True  # "apple" and "Apple", a company
    (numbers, told), (others, say) = marks(one.name), marks(other.name)
    short = any(ACRONYM.fullmatch(name.name) for name in (one, other))  # which hides the "new" of "NYC"
    if one.kind == other.kind == "person":
        key, second = key_of(one.name), key_of(other.name)
        short = short or shortened(key, second) or shortened(second, key)
    return numbers != others or (told != say and not short)
