"""What the linear aligners share: streaming fit, whitening by the cheapest exact way, weights, loadings, prediction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from fusible.alignment._base import Aligner
from fusible.alignment._gram import Covariance, Gram, accumulate, covariance
from fusible.alignment._missing import most_likely
from fusible.alignment._refine import refined
from fusible.alignment._report import condition_report, warn_of
from fusible.alignment._solvers import leading_eigh
from fusible.alignment._views import Views
from fusible.alignment._whiten import Whitened, from_gram, from_rows, white_correlations
from fusible.errors import ArrayError, ConfigError


class LinearAligner(Aligner):
    """Base of aligners that need nothing but moments: a leaf writes `_solve`.

    Learned besides what every aligner learns: `weights_` (per view: columns, components; scores are centred rows times
    weights), `means_`, `loadings_` (per view: correlation of columns with their scores), `condition_` (per view:
    condition number, rank, constant and duplicate columns, the way it was computed), `method_`, `gram_` (the moments of
    all rows seen).
    """

    streams: ClassVar[bool] = True
    likelihood: ClassVar[bool] = True
    """Whether missing views are accounted for by maximum likelihood; else by pairwise counts."""

    whitens: ClassVar[bool] = True
    """Whether the method needs inverses of covariances, and so their condition matters."""

    def __init__(
        self,
        components: int | None = None,
        *,
        ridge: float | Sequence[float] = 0.0,
        widths: Sequence[int] | None = None,
    ) -> None:
        self.components = components
        self.ridge = ridge
        self.widths = widths

    def partial_fit(self, views: Any, y: Any = None, *, presence: Any = None, sample_weight: Any = None) -> Self:
        """Add rows to those seen so far, by `fit` too, and solve again; equals `fit` on all as far as a Gram can.

        A Gram is exact for covariances of condition numbers up to about 1e8; `fit` reads rows again by QR beyond.
        """
        first = not hasattr(self, "gram_")
        checked = self._checked(views, presence=presence, weight=sample_weight, reset=first)
        # Apart first, so that rows that are refused leave nothing behind.
        gram = accumulate(checked.names, checked.widths, checked)
        self._learn(gram if first else self.gram_.merge(gram), None)
        return self

    def fit_gram(self, gram: Gram) -> Self:
        """Solve from moments alone, such as those of several streams merged."""
        self.view_names_, self.widths_ = gram.names, gram.widths
        self._learn(gram, None)
        return self

    def predict_view(self, X: Any, source: str | int, target: str | int) -> np.ndarray:
        """Predict the columns of one view from another: least squares on its scores (reduced-rank regression)."""
        start, end = self._place(source), self._place(target)
        scores = self.transform_view(X, source)
        predicted: np.ndarray = self.means_[end] + scores @ self._regressions[start][end]
        return predicted

    def projection(self, view: str | int) -> Any:
        """A torch module (rows, columns of the view) -> (rows, components) that does what `transform_view` does."""
        import torch

        from fusible.alignment._projections import Affine

        check_is_fitted(self)
        place = self._place(view)
        module = Affine(*self.weights_[place].shape)
        module.mean.copy_(torch.from_numpy(self.means_[place]))
        module.weight.copy_(torch.from_numpy(self.weights_[place]))
        return module

    @abstractmethod
    def _solve(self, cov: Covariance, white: Whitened | None) -> list[np.ndarray]:
        """Weights per view (columns, components) of standardised columns, best components first."""

    def _covariance(self, gram: Gram, *, varying: bool = True) -> Covariance:
        """What the method solves from: with views missing, the most likely covariance where `likelihood` is set."""
        cov = covariance(gram, varying=varying)
        return most_likely(cov) if self.likelihood and not cov.complete else cov

    def _weights_of(self, cov: Covariance) -> list[np.ndarray]:
        """Weights of standardised columns from a covariance alone."""
        white = from_gram(cov, self._ridges(len(cov.names)), last=True) if self.whitens else None
        self._room_for(cov, white)
        return self._solve(cov, white)

    def _fit(self, views: Views) -> None:
        gram = accumulate(views.names, views.widths, views, single=_is_single(views))
        self._learn(gram, views)

    def _own_correlations(self, views: Views) -> np.ndarray:
        """Known from the Gram."""
        return np.asarray(self.correlations_)

    def _learn(self, gram: Gram, views: Views | None) -> None:
        """Solve from moments, reading the rows again where they are at hand and the condition asks for it."""
        self.gram_ = gram
        ridge = self._ridges(len(gram.names))
        cov = self._covariance(gram)
        white = None
        if self.whitens:
            white = from_gram(cov, ridge, last=views is None)
            if white is None and views is not None and gram.single:
                self._learn(accumulate(gram.names, gram.widths, views), views)
                return
            if white is None and views is not None:
                white = from_rows(cov, ridge, views)
                white = white if any(ridge) else refined(cov, white, views)
        self._room_for(cov, white)
        self._finish(cov, white, self._untied(cov, white, self._solve(cov, white)))
        self.method_ = white.method if white is not None else "float32 Gram" if gram.single else "float64 Gram"
        self.condition_ = condition_report(cov, white, self.method_)
        warn_of(type(self).__name__, cov, self.condition_, whitens=self.whitens and not any(ridge))

    def _ridges(self, views: int) -> list[float]:
        given: list[Any] = list(self.ridge) if isinstance(self.ridge, Sequence | np.ndarray) else [self.ridge] * views
        name = type(self).__name__
        if wrong := [value for value in given if not isinstance(value, Real)]:
            raise ConfigError(f"{name}: ridge: expected a number, or one for each view, got {wrong[0]!r}")
        values = [float(value) for value in given]
        if len(values) != views:
            raise ConfigError(f"{name}: ridge: expected one number or {views}, one for each view, got {len(values)}")
        if bad := [value for value in values if not 0.0 <= value < np.inf]:
            raise ConfigError(f"{name}: ridge: expected numbers of at least 0, got {bad[0]}; 0 is no regularisation")
        return values

    def _room_for(self, cov: Covariance, white: Whitened | None) -> None:
        """Set `n_components_`: all that the ranks allow, or what is asked for; raises where that is more."""
        ranks = [w.rank for w in white.whiteners] if white is not None else [int(k.sum()) for k in cov.kept]
        place = int(np.argmin(ranks))
        if self.components is not None and self.components > ranks[place]:
            raise ArrayError(
                f"view {cov.names[place]!r}: expected a rank of at least components={self.components}, "
                f"got {ranks[place]} ({len(cov.kept[place])} columns, {cov.rows} rows); "
                "ask for fewer components, or None for all"
            )
        self.n_components_ = ranks[place] if self.components is None else self.components

    def _untied(self, cov: Covariance, white: Whitened | None, standard: list[np.ndarray]) -> list[np.ndarray]:
        """Choose among components that correlate perfectly by the variance of the first view that they explain.

        Any rotation of them is as good; without a choice, rounding errors would make it.
        """
        asked = self.n_components_
        tied = _perfect(cov, standard)
        if tied < 2 or white is None:
            return standard
        if tied == asked < (most := min(w.rank for w in white.whiteners)):
            self.n_components_ = most
            standard = self._solve(cov, white)
            self.n_components_, tied = asked, _perfect(cov, standard)
        loads = cov.loads(0, 0, standard[0][:, :tied])
        _, turn = leading_eigh(loads.T @ loads, tied)
        return [np.hstack([part[:, :tied] @ turn, part[:, tied:]])[:, :asked] for part in standard]

    def _finish(self, cov: Covariance, white: Whitened | None, standard: list[np.ndarray]) -> None:
        """From weights of standardised columns to weights, loadings, correlations and regressions."""
        standard = _signed(standard, cov)
        scales = [cov.spread(i, standard[i]) for i in cov.views]
        found = correlations(cov, standard) if white is None else white_correlations(white, standard)
        self.correlations_ = np.clip(found, -1.0, 1.0)
        self.means_ = tuple(cov.means)
        self.weights_ = tuple(w / d[:, None] for w, d in zip(standard, cov.deviations, strict=True))
        self.loadings_ = tuple(
            cov.loads(i, i, standard[i]) / np.where(scales[i] > 0, scales[i], 1.0) for i in cov.views
        )
        self._regressions = [[_regression(cov, standard, i, j) for j in cov.views] for i in cov.views]

    def _project(self, array: Any, place: int) -> np.ndarray:
        weights, mean = self.weights_[place], self.means_[place]
        if scipy.sparse.issparse(array):
            return np.asarray(array @ weights - mean @ weights)
        return np.asarray((array - mean) @ weights)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _is_single(views: Any) -> bool:
    """Whether all views are dense arrays in single precision, so that products in it lose nothing that they had."""
    arrays = getattr(views, "arrays", (None,))
    return all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in arrays)


def correlations(cov: Covariance, standard: Sequence[np.ndarray]) -> np.ndarray:
    """Correlation per component, mean over pairs of views, of weights of standardised columns."""
    spread = [cov.spread(i, weights) for i, weights in enumerate(standard)]
    pairs = []
    for i in cov.views:
        for j in range(i + 1, len(standard)):
            shared = cov.shared(i, standard[i], j, standard[j])
            scale = spread[i] * spread[j]
            pairs.append(np.divide(shared, scale, out=np.zeros_like(shared), where=scale > 0))
    return np.asarray(np.mean(pairs, axis=0))


def _perfect(cov: Covariance, standard: Sequence[np.ndarray]) -> int:
    """How many leading components correlate perfectly in all views."""
    below = correlations(cov, standard) < 1.0 - 1e-9
    return int(below.argmax()) if below.any() else len(below)


def _regression(cov: Covariance, standard: list[np.ndarray], i: int, j: int) -> np.ndarray:
    """Coefficients (components, columns of j) of view j on the scores of view i."""
    cross = cov.loads(j, i, standard[i]).T * cov.deviations[j]
    return np.asarray(np.linalg.lstsq(cov.among(i, standard[i]), cross, rcond=None)[0])


def _signed(standard: list[np.ndarray], cov: Covariance) -> list[np.ndarray]:
    """Turn each component so that the loading of largest size in the first view is positive, whatever the solver."""
    loadings = cov.loads(0, 0, standard[0])
    largest = loadings[np.abs(loadings).argmax(axis=0), np.arange(loadings.shape[1])]
    sign = np.where(largest < 0, -1.0, 1.0)
    return [weights * sign for weights in standard]
