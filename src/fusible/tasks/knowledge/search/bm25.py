"""Full text over documents in memory: BM25 as one sparse matrix (Robertson & Zaragoza 2009)."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from fusible.tasks.knowledge.search.words import words_of

K1, B = 1.2, 0.75


class Bm25:
    """Scores of documents for a question; words count by their stems, common ones not at all.

    `counts` (documents, words) say how often each word of the fitted `counter` is in each document.

    >>> counter = CountVectorizer(analyzer=stems)
    >>> counts = counter.fit_transform(["physicists of Ulm", "a company", "the companies of physicists"])
    >>> int(Bm25(counter, counts).scores("company physicist").argmax())
    2
    """

    def __init__(self, counter: CountVectorizer, counts: sparse.spmatrix, k1: float = K1, b: float = B) -> None:
        self._words: dict[str, int] = counter.vocabulary_ if counts.shape[1] else {}
        weights = sparse.csc_matrix(counts, dtype=np.float32)
        lengths = np.asarray(weights.sum(axis=1)).ravel()
        usual = max(float(lengths.mean()) if len(lengths) else 0.0, 1e-9)
        held = np.diff(weights.indptr)
        rarity = np.log1p((weights.shape[0] - held + 0.5) / (held + 0.5)).astype(np.float32)
        rows, values = weights.indices, weights.data
        weights.data = values * (k1 + 1) / (values + k1 * (1 - b + b * lengths[rows] / usual))
        weights.data *= np.repeat(rarity, held)
        self._weights = weights

    def scores(self, question: str) -> np.ndarray:
        """Score (documents,) of each document, 0 where it shares no word with the question."""
        found = np.zeros(self._weights.shape[0], np.float32)
        for column in sorted({self._words[word] for word in stems(question) if word in self._words}):
            span = slice(self._weights.indptr[column], self._weights.indptr[column + 1])
            found[self._weights.indices[span]] += self._weights.data[span]
        return found


def stems(text: str) -> list[str]:
    """Stems of the words of a text that tell something."""
    return [word.stem for word in words_of(text) if word.tells]
