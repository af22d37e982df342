"""Sets of words, written as a text."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text.

    >>> sorted(words("be become"))
    ['be', 'become']
    """
    return frozenset(text.split())
