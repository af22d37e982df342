"""Ridge and number of components chosen by cross-validation, from one Gram per fold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import Tags

from fusible.alignment._base import Aligner
from fusible.alignment._gram import Gram
from fusible.alignment._linear import LinearAligner
from fusible.alignment._views import Chunk, Views
from fusible.errors import ConfigError, FusibleError

RIDGES = (1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Ridges tried by default, as shares of a view's mean variance."""


class LinearSearch(Aligner):
    """A linear aligner with the ridge that correlates held-out folds most, and with the components that hold there.

    Rows go to `folds` folds at random (seeded), one Gram per fold is accumulated in one pass, and every candidate is
    fitted and scored from Grams alone. The ridge is the one with the greatest mean of held-out correlations over
    components. `components` is a number, or None: then leading components count as long as their held-out correlation
    is above zero by two standard errors over folds, or of the correlation of noise if those are greater (at least one).

    Learned: `best_` (the aligner fitted on all rows), `ridge_`, `cv_correlations_` (ridges, folds, components), and
    what the aligner itself learned.
    """

    streams: ClassVar[bool] = True
    part: ClassVar[type[LinearAligner]]

    def __init__(
        self,
        components: int | None = None,
        *,
        ridges: Sequence[float] = RIDGES,
        folds: int = 5,
        seed: int = 0,
        widths: Sequence[int] | None = None,
    ) -> None:
        self.components = components
        self.ridges = ridges
        self.folds = folds
        self.seed = seed
        self.widths = widths

    def predict_view(self, X: Any, source: str | int, target: str | int) -> np.ndarray:
        """Predict the columns of one view from another; see the aligner that was chosen."""
        return self.best_.predict_view(X, source, target)

    def projection(self, view: str | int) -> Any:
        """A torch module that does what `transform_view` does."""
        return self.best_.projection(view)

    def _fit(self, views: Views) -> None:
        name = type(self).__name__
        if not len(self.ridges):
            raise ConfigError(f"{name}: ridges: expected at least one, got none")
        if self.folds < 2:
            raise ConfigError(f"{name}: folds: expected at least 2, got {self.folds}")
        grams = fold_grams(views, min(self.folds, views.rows), self.seed)
        self.cv_correlations_ = self._held_out(grams, self._most(views))
        whole = merged(grams)
        at, count = _chosen(self.cv_correlations_, self.components, whole.rows)
        self.ridge_ = float(self.ridges[at])
        self.best_ = self.part(count, ridge=self.ridge_, widths=self.widths)
        self.best_.view_names_, self.best_.widths_ = views.names, views.widths
        self.best_._learn(whole, views)
        self.n_components_ = self.best_.n_components_
        self.weights_, self.means_, self.loadings_ = self.best_.weights_, self.best_.means_, self.best_.loadings_
        self.condition_, self.method_ = self.best_.condition_, self.best_.method_

    def _most(self, views: Views) -> int:
        return self.components or min(*views.widths, max(1, views.rows - views.rows // self.folds - 1))

    def _held_out(self, grams: Sequence[Gram], count: int) -> np.ndarray:
        """Held-out correlation (ridges, folds, components) of every candidate."""
        found = np.zeros((len(self.ridges), len(grams), count))
        for k, held in enumerate(grams):
            pairs = _pairs(held)
            rest = self.part()._covariance(merged([gram for i, gram in enumerate(grams) if i != k]), varying=False)
            if not pairs or not all(kept.any() for kept in rest.kept):
                continue
            for r, ridge in enumerate(self.ridges):
                aligner = self.part(count if self.components else None, ridge=ridge)
                weights = aligner._weights_of(rest)
                turned = [w / scale[:, None] for w, scale in zip(weights, rest.deviations, strict=True)]
                held_out = _correlations(pairs, turned)[:count]
                found[r, k, : len(held_out)] = held_out
        return found

    def _own_correlations(self, views: Views) -> np.ndarray:
        return np.asarray(self.best_.correlations_)

    def _project(self, array: Any, place: int) -> np.ndarray:
        return self.best_._project(array, place)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def fold_grams(views: Views, folds: int, seed: int) -> list[Gram]:
    """One Gram per fold in one pass; rows go to folds at random, evenly within each chunk."""
    if views.rows < 2:
        raise FusibleError(f"cross-validation: expected at least 2 rows, got {views.rows}")
    rng = np.random.default_rng(seed)
    grams = [Gram(views.names, views.widths) for _ in range(folds)]
    for chunk in views:
        place = rng.permutation(np.arange(chunk.rows) % folds)
        for k, gram in enumerate(grams):
            rows = np.flatnonzero(place == k)
            if len(rows):
                gram.update(_taken(chunk, rows))
    return grams


def _pairs(gram: Gram) -> list[tuple[int, int, np.ndarray]]:
    """Pairs of views with their centred products side by side, over the rows in which both are present."""
    places = combinations(range(len(gram.names)), 2)
    found = [(i, j, gram.pair(i, j)) for i, j in places]
    return [(i, j, moments.full()) for i, j, moments in found if moments is not None]


def _correlations(pairs: Sequence[tuple[int, int, np.ndarray]], weights: Sequence[np.ndarray]) -> np.ndarray:
    """Correlation per component, mean over pairs of views, each over the rows in which both are present."""
    each = []
    for i, j, products in pairs:
        one, other, edge = weights[i], weights[j], len(weights[i])
        shared = np.einsum("pk,pk->k", one, products[:edge, edge:] @ other)
        own = np.einsum("pk,pk->k", one, products[:edge, :edge] @ one)
        spread = np.sqrt(np.maximum(own * np.einsum("pk,pk->k", other, products[edge:, edge:] @ other), 0.0))
        each.append(np.divide(shared, spread, out=np.zeros_like(shared), where=spread > 0))
    return np.asarray(np.mean(each, axis=0))


def merged(grams: Sequence[Gram]) -> Gram:
    """The Gram of all rows of several."""
    total = Gram(grams[0].names, grams[0].widths)
    for gram in grams:
        total.merge(gram)
    return total


def _chosen(held_out: np.ndarray, components: int | None, rows: int) -> tuple[int, int]:
    """Place of the best ridge, and the number of components."""
    mean = held_out.mean(axis=1)
    at = int(np.maximum(mean, 0.0).sum(axis=1).argmax())
    if components is not None:
        return at, components
    error = held_out[at].std(axis=0, ddof=1) / np.sqrt(held_out.shape[1])
    error = np.maximum(error, 1.0 / np.sqrt(max(rows, 1)))  # a few folds may agree by chance
    above = mean[at] > 2.0 * error
    return at, max(1, int(above.argmin()) if not above.all() else len(above))


def _taken(chunk: Chunk, rows: np.ndarray) -> Chunk:
    cut = (None if a is None else a[rows] for a in (chunk.presence, chunk.weight))
    return Chunk(tuple(array[rows] for array in chunk.arrays), *cut)
