"""BLEU as the COCO caption evaluation counts it (Papineni et al., ACL 2002; `Bleu` of pycocoevalcap, "closest")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fusible.evaluation._words import ngrams

_SMALL, _TINY = 1e-9, 1e-15
"""What the original adds to counts below and above the line, so that nothing is divided by zero."""

LONGEST = 4


def bleu_counts(candidate: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Give the ten counts of an item, which may be summed over items.

    They are: words of the candidate, words of the reference closest in length (the shorter of two as close), n-grams of
    the candidate for n = 1 to 4, and how many of them are right, each no oftener than in one of the references.
    """
    length = len(candidate)
    closest = min((abs(len(reference) - length), len(reference)) for reference in references)[1]
    most: Counter[tuple[str, ...]] = Counter()
    for reference in references:
        most |= Counter(ngrams(reference, LONGEST))
    right = [0] * LONGEST
    for gram, count in Counter(ngrams(candidate, LONGEST)).items():
        right[len(gram) - 1] += min(count, most[gram])
    return np.array([length, closest, *(max(0, length - n) for n in range(LONGEST)), *right], dtype=float)


def bleu(counts: np.ndarray) -> np.ndarray:
    """BLEU-1 to BLEU-4 of counts (…, 10): of items, or of their sum for the corpus; gives (…, 4).

    >>> counts = bleu_counts("a dog runs".split(), ["a dog runs fast".split()])
    >>> bleu(counts)[:2].round(4)
    array([0.7165, 0.7165])
    """
    counts = np.asarray(counts, dtype=float)
    length, closest, guessed, right = counts[..., :1], counts[..., 1:2], counts[..., 2:6], counts[..., 6:]
    precision = (right + _TINY) / (guessed + _SMALL)
    mean = np.cumprod(precision, axis=-1) ** (1.0 / np.arange(1, LONGEST + 1))
    ratio = (length + _TINY) / (closest + _SMALL)
    return np.asarray(mean * np.exp(np.minimum(0.0, 1 - 1 / ratio)))  # brevity penalty
