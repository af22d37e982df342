"""WUPS: how near an answer's words are to the right ones in WordNet (Malinowski & Fritz, NIPS 2014)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

from fusible.errors import MissingExtraError

DOWN = 0.1
"""Weight of a similarity below the threshold."""

_ADVICE = "install nltk (pip install nltk), and its corpus once (python -m nltk.downloader wordnet)"


class Meaning(Protocol):
    """A meaning of a word, such as a synset of nltk."""

    def wup_similarity(self, other: Any) -> float | None:
        """Similarity of Wu & Palmer (1994), 0 to 1; None where nothing joins the two."""


Meanings = Callable[[str], Sequence[Meaning]]
"""Gives the meanings of a noun."""


def wordnet() -> Meanings:
    """Meanings of nouns in the WordNet of nltk; nothing is downloaded.

    Raises `MissingExtraError` where nltk or its corpus is absent.
    """
    if find_spec("nltk") is None:
        raise MissingExtraError(f"WUPS needs the package 'nltk', which is not installed: {_ADVICE}")
    from nltk.corpus import wordnet as corpus

    try:
        corpus.ensure_loaded()
    except LookupError as error:
        raise MissingExtraError(f"WUPS needs the corpus 'wordnet' of nltk, which is not there: {_ADVICE}") from error

    def nouns(word: str) -> Sequence[Meaning]:
        found: Sequence[Meaning] = corpus.synsets(word.replace(" ", "_"), pos=corpus.NOUN)
        return found

    return cache(nouns)


def wups(answer: str, reference: str, threshold: float, meanings: Meanings) -> float:
    """WUPS of an answer, 0 to 1: both answers are sets of words parted by commas.

    The smaller, of both directions, of the product over words of the similarity to the nearest word of the other set;
    a similarity below the threshold counts a tenth.
    """
    said, right = _parts(answer), _parts(reference)
    if not said or not right:
        return float(said == right)
    near = {(a, b): _similar(a, b, threshold, meanings) for a in said for b in right}
    forth = back = 1.0
    for a in said:
        forth *= max(near[a, b] for b in right)
    for b in right:
        back *= max(near[a, b] for a in said)
    return min(forth, back)


def _parts(answer: str) -> list[str]:
    return sorted({part.strip() for part in answer.lower().split(",") if part.strip()})


def _similar(a: str, b: str, threshold: float, meanings: Meanings) -> float:
    if a == b:
        return 1.0
    pairs = [(x.wup_similarity(y) or 0.0) for x in meanings(a) for y in meanings(b)]
    best = max(pairs, default=0.0)
    return best if best >= threshold else DOWN * best
