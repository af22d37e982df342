"""Importance learned from people's scores: ridge regression on encodings in their context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from fusible.errors import ArrayError, ConfigError
from fusible.evaluation.summaries import spearman
from fusible.tasks.video.importance import directions, diversity, novelty, ranks, representativeness

ALPHAS = tuple(10.0**power for power in range(-4, 3))
"""Ridge penalties that are tried, per row."""
FOLDS = 5


class LearnedImportance:
    """Importance of steps as people score it, learned from films that were scored, for films that were not.

    A step is described by the main components of its encoding, their means over `windows` steps on each side, the
    measures of `importance`, and its place in the film. People's scores are standardised, person by person, and
    averaged: only order within a film counts. The ridge penalty is the one of `alphas` with the greatest Spearman's ρ
    on films left out, in up to five folds. Learned are `alpha_` and `rho_` (steps, averaged over left-out films; NaN
    with one film, which nothing can be left out of: the strongest penalty is taken then).

    >>> random = np.random.default_rng(0)
    >>> films = [random.normal(size=(60, 8)) for _ in range(6)]
    >>> model = LearnedImportance().fit(films[:5], [film[:, 0] for film in films[:5]])
    >>> bool(spearman(model.predict(films[5]), films[5][None, :, 0])[0] > 0.8)
    True
    """

    def __init__(
        self, *, components: int = 128, windows: Sequence[int] = (4, 16), alphas: Sequence[float] = ALPHAS
    ) -> None:
        self.components = components
        self.windows = windows
        self.alphas = alphas

    def fit(self, films: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> Self:
        """Learn from encodings (steps, width) of films and scores (steps,) or (people, steps) of each.

        People who gave all steps of a film one score say nothing and are left out, as is a film without others.
        Raises `ArrayError` for shapes that do not fit, values that are not finite, and no film that says anything,
        `ConfigError` for settings out of range.
        """
        self._check()
        targets = [_target(film, given) for film, given in zip(films, scores, strict=True)]
        known = [(film, target) for film, target in zip(films, targets, strict=True) if target is not None]
        if not known or len({np.shape(film)[1] for film, _ in known}) > 1:
            raise ArrayError("importance: expected scored films, of encodings of one width, whose scores differ")
        self._learn_components([film for film, _ in known])
        rows = [self._describe(film) for film, _ in known]
        wanted = [target for _, target in known]
        stacked = np.concatenate(rows)
        self.middle_, self.scale_ = stacked.mean(axis=0), np.maximum(stacked.std(axis=0), 1e-9)
        rows = [(described - self.middle_) / self.scale_ for described in rows]
        found = _left_out(rows, wanted, self.alphas)
        best = int(np.argmax(found)) if np.isfinite(found).all() else len(self.alphas) - 1
        self.alpha_, self.rho_ = float(self.alphas[best]), float(found[best])
        self.weights_ = _ridge(rows, wanted, [self.alpha_])[:, 0]
        return self

    def predict(self, encodings: np.ndarray) -> np.ndarray:
        """Importance (steps,) in [0, 1] of encodings (steps, width): ranks of what people would score."""
        if not hasattr(self, "weights_"):
            raise ConfigError("importance: this model has not been fitted; call fit, or from_arrays, first")
        if np.ndim(encodings) != 2 or np.shape(encodings)[1] != len(self.mean_):
            raise ArrayError(
                f"importance: expected encodings (steps, {len(self.mean_)}), as learned from, got {np.shape(encodings)}"
            )
        return ranks((self._describe(encodings) - self.middle_) / self.scale_ @ self.weights_)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything learned, as arrays to be saved."""
        names = ("mean_", "axes_", "middle_", "scale_", "weights_")
        return {
            **{name: getattr(self, name) for name in names},
            "windows": np.asarray(self.windows, np.int64),
            "chosen": np.array([self.alpha_, self.rho_]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> LearnedImportance:
        """Build the model of which `arrays` were saved."""
        made = cls(components=len(arrays["axes_"]), windows=tuple(arrays["windows"].tolist()))
        for name in ("mean_", "axes_", "middle_", "scale_", "weights_"):
            setattr(made, name, np.asarray(arrays[name]))
        made.alpha_, made.rho_ = arrays["chosen"].tolist()
        return made

    def _check(self) -> None:
        if self.components < 1 or any(window < 1 for window in self.windows):
            raise ConfigError("importance: components and windows must be at least 1")
        if not self.alphas or min(self.alphas) <= 0:
            raise ConfigError("importance: alphas must be above 0")

    def _learn_components(self, films: Sequence[np.ndarray]) -> None:
        """Learn the main components of the directions of all steps, by their moments."""
        total = sum(len(film) for film in films)
        self.mean_ = np.sum([directions(film).sum(axis=0) for film in films], axis=0) / total
        centred = (directions(film) - self.mean_ for film in films)
        moments = np.sum([steps.T @ steps for steps in centred], axis=0)
        values, vectors = np.linalg.eigh(moments)
        kept = min(self.components, int((values > 1e-12 * max(values[-1], 1e-300)).sum()))
        self.axes_ = vectors[:, ::-1][:, :kept].T

    def _describe(self, film: np.ndarray) -> np.ndarray:
        own = (directions(film) - self.mean_) @ self.axes_.T
        place = (np.arange(len(own)) + 0.5) / len(own)
        measures = [ranks(measure(film)) for measure in (novelty, diversity, representativeness)]
        further = np.stack([*measures, place, np.abs(2 * place - 1)], axis=1)
        return np.concatenate([own, *(_around(own, window) for window in self.windows), further], axis=1)


def _around(steps: np.ndarray, window: int) -> np.ndarray:
    """Mean of each step and up to `window` steps on each side."""
    sums = np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0)])
    here = np.arange(len(steps))
    first, last = np.maximum(here - window, 0), np.minimum(here + window + 1, len(steps))
    return np.asarray((sums[last] - sums[first]) / (last - first)[:, None])


def _target(film: np.ndarray, scores: np.ndarray) -> np.ndarray | None:
    given = np.atleast_2d(np.asarray(scores, np.float64))
    if given.ndim != 2 or given.shape[1] != len(film) or not np.isfinite(given).all():
        raise ArrayError(
            f"importance: expected finite scores ({len(film)},) or (people, {len(film)}), got {given.shape}, or not "
            "finite"
        )
    spread = given.std(axis=1)
    told = given[spread > 1e-12]
    if not len(told):
        return None
    mean = ((told - told.mean(axis=1, keepdims=True)) / spread[spread > 1e-12][:, None]).mean(axis=0)
    return np.asarray(mean) if mean.std() > 1e-12 else None


def _left_out(rows: Sequence[np.ndarray], wanted: Sequence[np.ndarray], alphas: Sequence[float]) -> np.ndarray:
    """Mean ρ (alphas,) on films that were left out, in turn; NaN with one film."""
    if len(rows) < 2:
        return np.full(len(alphas), np.nan)
    folds = np.arange(len(rows)) % FOLDS
    found = []
    for fold in np.unique(folds):
        kept = [i for i in range(len(rows)) if folds[i] != fold]
        weights = _ridge([rows[i] for i in kept], [wanted[i] for i in kept], alphas)
        for i in np.flatnonzero(folds == fold).tolist():
            predicted = rows[i] @ weights
            found.append([spearman(column, wanted[i][None])[0] for column in predicted.T])
    return np.asarray(np.mean(found, axis=0))


def _ridge(rows: Sequence[np.ndarray], wanted: Sequence[np.ndarray], alphas: Sequence[float]) -> np.ndarray:
    """Weights (features, alphas), each film counting alike; targets have mean 0."""
    width = rows[0].shape[1]
    gram, cross = np.zeros((width, width)), np.zeros(width)
    for described, target in zip(rows, wanted, strict=True):
        gram += described.T @ described / len(described) / len(rows)
        cross += described.T @ target / len(described) / len(rows)
    values, vectors = np.linalg.eigh(gram)
    turned = vectors.T @ cross
    return np.asarray(vectors @ (turned[:, None] / (np.maximum(values, 0.0)[:, None] + np.asarray(alphas)[None])))
