"""Texts before they are parsed: whether they are English, and pieces that a parser can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fusible.tasks.knowledge._words import words

LONGEST = 10_000
"""Characters parsed at once: memory of a parse grows with them."""
COMMON = words(
    "the of and to in a is was for on with as by at from it that this are were be has have had an its his her "
    "which who not or but also their they he she i you we my so very been one after into than"
)
"""Frequent words of English that other languages lack, or use less."""
SHARE = 0.12
"""Least share of those among the words of a text that is English."""
SHORT = 12
"""Words up to which a text is too short to tell."""
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")


def is_english(text: str) -> bool:
    """Whether a text may be English; one of a few words is, where most of its letters are Latin.

    >>> is_english("A cat sat on the mat, which was red, and it did not move at all.")
    True
    >>> is_english("Die Katze saß auf der Matte, die rot war, und bewegte sich überhaupt nicht, bis es Abend wurde.")
    False
    """
    found = [word.lower() for word in _WORD.findall(text[:LONGEST])]
    if len(found) <= SHORT:
        letters = "".join(found)
        return bool(letters) and len(_LATIN.findall(letters)) >= 0.5 * len(letters)
    return sum(word in COMMON for word in found) >= SHARE * len(found)


def pieces(text: str, longest: int = LONGEST) -> Iterator[tuple[int, int]]:
    """Places [start, end) of paragraphs that belong together, none longer than `longest`.

    Cut at a blank line, else at a line's end, else after a sentence, else at a blank, else anywhere.

    >>> list(pieces("one two. three", 9))
    [(0, 9), (9, 14)]
    """
    start = 0
    while start < len(text):
        end = len(text) if len(text) - start <= longest else _cut(text, start, start + longest)
        if text[start:end].strip():
            yield start, end
        start = end


def _cut(text: str, start: int, end: int) -> int:
    for sign in ("\n\n", "\n", ". ", " "):
        at = text.rfind(sign, start + 1, end)
        if at > start:
            return at + len(sign)
    return end
