"""CIDEr-D (Vedantam, Zitnick & Parikh, CVPR 2015) as pycocoevalcap's `Cider` computes it, fast enough to train with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from fusible.evaluation._words import ngrams

LONGEST, SIGMA, KEPT = 4, 6.0, 20_000
"""Words of the longest n-grams; spread of the penalty of lengths; reference captions whose vectors are kept."""

Weights = dict[tuple[str, ...], float]


class Vector(NamedTuple):
    """Weights of a caption's n-grams and their norm, for n = 1 to 4, and how many pairs of words it has."""

    weights: tuple[Weights, ...]
    norms: tuple[float, ...]
    pairs: int


class Cider:
    """CIDEr-D with document frequencies of `documents`: the reference captions, as words, of each item."""

    def __init__(self, documents: Sequence[Sequence[Sequence[str]]]) -> None:
        frequency: Counter[tuple[str, ...]] = Counter()
        for captions in documents:
            frequency.update({gram for words in captions for gram in ngrams(words, LONGEST)})
        self._most = math.log(len(documents))
        self._rarity = {gram: self._most - math.log(count) for gram, count in frequency.items()}
        self._kept: dict[str, Vector] = {}

    def vector(self, words: Sequence[str]) -> Vector:
        """Count and weigh the n-grams of a caption; what no document has weighs most."""
        rarity, most = self._rarity, self._most
        counted = (Counter(ngrams(words, n, n)) for n in range(1, LONGEST + 1))
        weights = tuple({gram: n * rarity.get(gram, most) for gram, n in counts.items()} for counts in counted)
        norms = tuple(math.sqrt(sum(weight * weight for weight in each.values())) for each in weights)
        return Vector(weights, norms, max(0, len(words) - 1))

    def kept(self, caption: str, split: Callable[[str], Sequence[str]]) -> Vector:
        """Vector of a reference caption; the same captions come back in training, so that some are kept."""
        if caption not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[caption] = self.vector(split(caption))
        return self._kept[caption]


def similarity(candidate: Vector, references: Sequence[Vector]) -> float:
    """Ten times the mean, over references and lengths of n-grams, of the clipped cosine."""
    total = 0.0
    for reference in references:
        penalty = math.exp(-((candidate.pairs - reference.pairs) ** 2) / (2 * SIGMA**2))
        for n in range(LONGEST):
            mine, other, norm = candidate.weights[n], reference.weights[n], candidate.norms[n] * reference.norms[n]
            product = sum(min(mine[gram], other[gram]) * other[gram] for gram in mine.keys() & other.keys())
            total += penalty * product / (norm or 1.0)
    return 10.0 * total / LONGEST / len(references)


def cider(candidates: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> np.ndarray:
    """CIDEr-D of items given as words, with frequencies of these references; (items,)."""
    scorer = Cider(references)
    vector = scorer.vector
    pairs = zip(candidates, references, strict=True)
    return np.array([similarity(vector(words), [vector(other) for other in others]) for words, others in pairs])
