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


class _Vector(NamedTuple):
    """Weights of the n-grams of a caption, the norm per length of n-gram, and how many pairs of words it has."""

    weights: dict[tuple[str, ...], float]
    norms: tuple[float, ...]
    pairs: int


class Cider:
    """CIDEr-D with document frequencies of `documents`: the reference captions, as words, of each item."""

    def __init__(self, documents: Sequence[Sequence[Sequence[str]]]) -> None:
        self._frequency: Counter[tuple[str, ...]] = Counter()
        for captions in documents:
            self._frequency.update({gram for words in captions for gram in ngrams(words, LONGEST)})
        self._most = math.log(len(documents))
        self._kept: dict[str, _Vector] = {}

    def similarity(self, candidate: Sequence[str], references: Sequence[_Vector]) -> float:
        """Ten times the mean, over references and lengths of n-grams, of the clipped cosine."""
        weights, norms, pairs = self.vector(candidate)
        total = 0.0
        for reference in references:
            products = [0.0] * LONGEST
            other = reference.weights
            for gram, weight in weights.items():
                if gram in other:
                    products[len(gram) - 1] += min(weight, other[gram]) * other[gram]
            penalty = math.exp(-((pairs - reference.pairs) ** 2) / (2 * SIGMA**2))
            for product, a, b in zip(products, norms, reference.norms, strict=True):
                total += penalty * (product / (a * b) if a and b else product)
        return 10.0 * total / LONGEST / len(references)

    def vector(self, words: Sequence[str]) -> _Vector:
        """Count and weigh the n-grams of a caption."""
        weights: dict[tuple[str, ...], float] = {}
        squares = [0.0] * LONGEST
        for gram, count in Counter(ngrams(words, LONGEST)).items():
            weight = count * (self._most - math.log(max(1, self._frequency[gram])))
            weights[gram] = weight
            squares[len(gram) - 1] += weight * weight
        return _Vector(weights, tuple(map(math.sqrt, squares)), max(0, len(words) - 1))

    def kept(self, caption: str, words: Callable[[str], Sequence[str]]) -> _Vector:
        """Vector of a reference caption; the same captions come back in training, so that some are kept."""
        if caption not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[caption] = self.vector(words(caption))
        return self._kept[caption]


def cider(candidates: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> np.ndarray:
    """CIDEr-D of items given as words, with frequencies of these references; (items,)."""
    scorer = Cider(references)
    pairs = zip(candidates, references, strict=True)
    return np.array([scorer.similarity(words, [scorer.vector(r) for r in others]) for words, others in pairs])
