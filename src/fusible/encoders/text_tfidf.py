"""Text by weighted word n-grams (TF-IDF): projected for fusion, and a linear predictor of its own.

Sparck Jones 1972; projection by truncated singular vectors (Deerwester et al. 1990).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fusible.encoders._base import Tensors
from fusible.encoders._frozen import FrozenEncoder
from fusible.encoders._language import unspaced_share
from fusible.encoders._linear import fit_linear, scores_of
from fusible.encoders._settings import within
from fusible.errors import ConfigError
from fusible.types import Encoded, Modality, Task

SAMPLE = 5000
"""Rows that the projection is learned from: all 18,788 reviews took 20 s for no better fit."""

WORD = r"(?u)\b\w+\b"
Weighted = tuple[np.ndarray, np.ndarray]
"""Term ids (int64, ascending) and weights (float32) of one text."""


class TextTfidf(FrozenEncoder):
    """One token per text, (rows, 1, `width`) of unit length; also predicts, by logistic or ridge regression.

    `fit` learns the `features` most frequent terms that at least `min_count` texts have: words and pairs of words, or
    one to three characters where scripts without spaces prevail. Weights are (1 + log count) x idf, rows of unit
    length. Each distinct text counts once.
    """

    modality: ClassVar[Modality] = Modality.TEXT
    predicts: ClassVar[bool] = True
    idf: torch.Tensor
    projection: torch.Tensor
    weights: torch.Tensor
    bias: torch.Tensor

    def __init__(self, features: int = 50_000, width: int = 256, min_count: int = 2) -> None:
        super().__init__(features=features, width=width, min_count=min_count)
        within("text_tfidf", 1, 10_000_000, features=features, min_count=min_count)
        within("text_tfidf", 1, 4096, width=width)
        self.features, self.min_count = features, min_count
        self.output_width = width
        self.task: Task | None = None
        self._take([], "word", task=None)

    def _take(self, terms: Sequence[str], unit: str, task: Task | None) -> None:
        """Shape everything for a vocabulary and a task."""
        self.terms, self.unit, self.task = list(terms), unit, task
        self.ids = {term: number for number, term in enumerate(self.terms)}
        self.analyze: Callable[[str], list[str]] = _vectorizer(unit).build_analyzer()
        rows, outputs = max(len(self.terms), 1), 0 if task is None else task.outputs
        self.register_buffer("idf", torch.ones(rows))
        self.register_buffer("projection", torch.zeros(rows, self.output_width))
        self.register_buffer("weights", torch.zeros(outputs, rows, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros(outputs, dtype=torch.float64))

    def fit(self, values: Sequence[str]) -> None:
        """Learn the vocabulary, its weights and the projection."""
        unit = "char" if unspaced_share(list(values)[:1000]) >= 0.3 else "word"
        vectorizer = _vectorizer(unit, max_features=self.features)
        try:
            rows = vectorizer.set_params(min_df=min(self.min_count, len(values))).fit_transform(values)
        except ValueError:  # no term is frequent enough, or there is none at all
            self._take([], unit, task=None)
            return
        self._take(vectorizer.get_feature_names_out().tolist(), unit, task=None)
        self.idf = torch.from_numpy(vectorizer.idf_.astype(np.float32))
        self.projection[:, : min(self.output_width, *rows.shape)] = torch.from_numpy(self._singular(rows))

    def _singular(self, rows: Any) -> np.ndarray:
        """Leading right singular vectors (terms, at most width), of at most `SAMPLE` evenly spaced rows."""
        from sklearn.decomposition import TruncatedSVD

        count = min(self.output_width, *rows.shape)
        if rows.shape[0] > SAMPLE:
            rows = rows[np.linspace(0, rows.shape[0] - 1, SAMPLE).astype(np.int64)]
        if count == min(rows.shape):  # small enough for the exact decomposition
            exact: np.ndarray = np.linalg.svd(rows.toarray(), full_matrices=False)[2][:count].T
            return np.ascontiguousarray(exact, dtype=np.float32)
        components: np.ndarray = TruncatedSVD(count, n_iter=2, random_state=0).fit(rows).components_
        return np.ascontiguousarray(components.T, dtype=np.float32)

    def decode(self, value: str) -> Weighted:
        """Weigh the terms of a text."""
        counts = Counter(self.ids[term] for term in self.analyze(value) if term in self.ids)
        ids = np.array(sorted(counts), dtype=np.int64)
        weights = (1.0 + np.log([counts[i] for i in ids.tolist()])) * self.idf.cpu().numpy()[ids]
        length = float(np.linalg.norm(weights))
        return ids, (weights / length if length else weights).astype(np.float32)

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensors `ids` and `values` (rows, most terms), padded with weight 0."""
        longest = max((len(ids) for ids, _ in decoded), default=0)
        ids = np.zeros((len(decoded), max(longest, 1)), dtype=np.int64)
        values = np.zeros(ids.shape, dtype=np.float32)
        for row, (terms, weights) in enumerate(decoded):
            ids[row, : len(terms)], values[row, : len(terms)] = terms, weights
        return {"ids": torch.from_numpy(ids), "values": torch.from_numpy(values)}

    def forward(self, tensors: Tensors) -> Encoded:
        """Project; a text without known terms is a zero vector."""
        sums = nn.functional.embedding_bag(
            tensors["ids"], self.projection, per_sample_weights=tensors["values"], mode="sum"
        )
        vectors = nn.functional.normalize(sums, dim=1)
        mask = torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device)
        return Encoded(vectors.unsqueeze(1), mask)

    def fit_target(self, values: Any, target: np.ndarray, task: Task, valid: tuple[Any, np.ndarray], seed: int) -> None:
        """Fit a linear predictor on the weights; its regularisation is chosen on `valid`."""
        if not self.terms:
            self.fit(values)
        linear = fit_linear(self._sparse(values), target, task, (self._sparse(valid[0]), valid[1]), seed)
        self.task = task
        self.weights, self.bias = (torch.from_numpy(np.ascontiguousarray(part)) for part in linear)

    def predict_scores(self, values: Any) -> np.ndarray:
        """Shape (rows, outputs): class probabilities, label probabilities, or values."""
        if self.task is None:
            raise ConfigError("text_tfidf: predict_scores before fit_target; fit it on labelled texts first")
        return scores_of((self.weights.cpu().numpy(), self.bias.cpu().numpy()), self._sparse(values), self.task)

    def _sparse(self, values: Sequence[str]) -> Any:
        from scipy.sparse import csr_array

        rows = [self.decode(value) for value in values]
        starts = np.cumsum([0, *(len(ids) for ids, _ in rows)])
        ids = np.concatenate([np.zeros(0, np.int64), *(ids for ids, _ in rows)])
        weights = np.concatenate([np.zeros(0), *(weights for _, weights in rows)])
        return csr_array((weights, ids, starts), shape=(len(rows), max(len(self.terms), 1)))

    def learned(self) -> Mapping[str, Any]:
        """Vocabulary in the order of its ids, unit, and the task where a predictor was fitted."""
        task = None if self.task is None else {"kind": self.task.kind, "classes": list(self.task.classes)}
        return {"terms": self.terms, "unit": self.unit, "task": task}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back the vocabulary and shape the buffers for it."""
        saved = learned["task"]
        task = None if saved is None else Task(saved["kind"], tuple(saved["classes"]))
        self._take(learned["terms"], learned["unit"], task)


def _vectorizer(unit: str, **settings: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if unit == "char":
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, **settings)
    # One-letter words count too: "a", "I" and single digits tell questions and titles apart.
    return TfidfVectorizer(ngram_range=(1, 2), token_pattern=WORD, sublinear_tf=True, **settings)
