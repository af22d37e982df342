"""Whether two names of an entity, or two ways to write a number or a date, mean the same."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from fusible.errors import MissingExtraError

ALIKE = 85.0
"""Least likeness (0 to 100) of two names that are spelled apart: rapidfuzz's `token_sort_ratio`."""

_MARKED = re.compile(r'^"(.*)"(?:@[\w-]+|\^\^\S+)?$', re.DOTALL)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_ORDINAL = re.compile(r"(\d)(?:st|nd|rd|th)\b")
_INITIALS = re.compile(r"\b(\w)\.\s?(?=\w\.|\w\b)")
_PARTS = re.compile(r"[a-z]+|\d+")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_FULL = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "sept",
]
_COUNTS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9}
_ARTICLES = frozenset({"the", "a", "an"})

Value = tuple[float, ...]


def written(name: str) -> str:
    """Take off the notation of triples: underscores for spaces, outer quotes, tags of language and type.

    >>> written('"Aarhus,_Denmark"@en')
    'Aarhus, Denmark'
    """
    name = name.strip()
    marked = _MARKED.match(name)
    return " ".join((marked[1] if marked else name).replace("_", " ").split())


@lru_cache(maxsize=200_000)
def normalised(name: str) -> str:
    """Lower-cased words without accents, punctuation, articles, and what stands in brackets; never empty for a name.

    >>> normalised("The_Wrestler_(2008_film)"), normalised("Atatürk’s Monument"), normalised("A.F.C. Fylde")
    ('wrestler', 'ataturk s monument', 'afc fylde')
    """
    name = written(name)
    name = _BRACKETS.sub(" ", name).strip() or name
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    plain = _INITIALS.sub(r"\1", plain)
    words = re.findall(r"[^\W_]+", plain)
    return " ".join([word for word in words if word not in _ARTICLES] or words) or plain


@lru_cache(maxsize=200_000)
def value_of(name: str) -> Value | None:
    """The value that a name writes: a number (one element), a date (year, month, day), or none.

    >>> value_of("111484 (square metres)"), value_of("45,000.0"), value_of("2 million"), value_of("seven")
    ((111484.0,), (45000.0,), (2000000.0,), (7.0,))
    >>> value_of('"1932-07-27"') == value_of("July 27th, 1932") == value_of("the 27th of July 1932")
    True
    >>> value_of("18L/36R") is value_of("Boeing 747") is None
    True
    """
    text = _BRACKETS.sub(" ", written(name)).strip().lower()
    if found := _ISO.fullmatch(text):
        return tuple(map(float, found.groups()))
    first, _, scale = text.partition(" ")
    number = float(_COUNTS.index(first)) if first in _COUNTS else None
    if _NUMBER.fullmatch(first):
        number = float(first.replace(",", ""))
    if number is not None and (not scale or scale in _SCALES):
        return (number * _SCALES.get(scale, 1.0),)
    return _date(text)


def _date(text: str) -> Value | None:
    """A date with a named month: day, month and year in any order."""
    parts = [part for part in _PARTS.findall(_ORDINAL.sub(r"\1", text)) if part not in {"of", "the"}]
    named = [part for part in parts if part[:3] in _MONTHS and (part in _FULL or part in _MONTHS)]
    numbers = [int(part) for part in parts if part.isdigit() and len(part) <= 4]
    days, years = [n for n in numbers if n <= 31], [n for n in numbers if n > 31]
    if len(parts) != 3 or (len(named), len(days), len(years)) != (1, 1, 1):
        return None
    return (float(years[0]), float(_MONTHS.index(named[0][:3]) + 1), float(days[0]))


def likeness(a: str, b: str) -> float:
    """How alike two names are spelled, 0 to 100, whatever the order of words; 0 where their digits differ.

    >>> likeness("Boeing 747", "Boeing 737"), likeness("Madrid Barajas", "Barajas, Madrid")
    (0.0, 100.0)
    """
    first, second = normalised(a), normalised(b)
    if re.findall(r"\d+", first) != re.findall(r"\d+", second):
        return 0.0
    return float(_fuzz().token_sort_ratio(first, second))


def same_name(a: str, b: str) -> bool:
    """Whether two names mean the same, as far as spelling tells: the one rule of alias-tolerant scores.

    Numbers and dates are compared by value, and with nothing else. Names are the same where they are equal after
    `normalised`, or where `likeness` is at least `ALIKE`. "US" and "United States" are not the same by this rule.

    >>> same_name("Aarhus_Airport", "the Aarhus airport"), same_name("25.0", "25"), same_name("25", "26")
    (True, True, False)
    >>> same_name("Karlsruhe", "Karlsruher"), same_name("Aarhus", "Aarhus Airport")
    (True, False)
    """
    first, second = value_of(a), value_of(b)
    if first is not None or second is not None:
        return first == second
    return normalised(a) == normalised(b) or likeness(a, b) >= ALIKE


def _fuzz() -> Any:
    try:
        from rapidfuzz import fuzz
    except ImportError:
        raise MissingExtraError.of("rapidfuzz", "knowledge", "comparing names") from None
    return fuzz
