"""Kernel canonical correlation analysis of two views: exact, or with landmarks (Nyström)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from fusible.alignment._base import Aligner
from fusible.alignment._views import Views
from fusible.errors import ArrayError, ConfigError

MOST_ROWS = 20_000
"""Rows beyond which the exact form is refused: two kernels of 3 GB."""


class KernelCca(Aligner):
    """Ridge CCA in the feature spaces of kernels (Bach and Jordan 2002; Hardoon, Szedmak and Shawe-Taylor 2004).

    Parameters, those of a view as one value or one per view:

    - `kernel`: "linear", "rbf", "poly", "cosine" or "chi2" (histograms); the first three about the training mean.
    - `gamma`: "median" (1 / 2m, m being the median squared distance of training rows; chi2: 1 / m), "width" (1 / the
      view's columns), or a number; `degree` and `coef0` are those of "poly".
    - `ridge`: added to each covariance in feature space as a share of the view's *total* variance there, above 0. A
      linear kernel with ridge r equals `Cca` with ridge r × columns, whose share is of the mean variance.
    - `landmarks`: None is exact, in memory and time of rows² and rows³, up to 20,000 rows. A number takes that many
      landmark rows (Nyström; Williams and Seeger 2001) and linear CCA of the features that they span, chunk by chunk.
    - `sampling`: landmarks are centres of "kmeans" or "random" rows; `seed` draws them.

    The exact form uses rows in which both views are present. `weights_` (landmarks, components) of each view weigh
    kernels with the rows of `landmarks_`. Scores of training rows have unit variance.

    >>> import numpy as np
    >>> angle = np.random.default_rng(0).uniform(0, 6.3, size=(300, 1))
    >>> views = {"circle": np.hstack([np.cos(angle), np.sin(angle)]), "doubled": np.cos(2 * angle)}
    >>> bool(KernelCca(components=1).fit(views).correlations_[0] > 0.99)
    True
    """

    most_views: ClassVar[int] = 2
    streams: ClassVar[bool] = False

    def __init__(
        self,
        components: int = 2,
        *,
        kernel: str | Sequence[str] = "rbf",
        gamma: str | float | Sequence[str | float] = "median",
        degree: int = 3,
        coef0: float = 1.0,
        ridge: float | Sequence[float] = 0.01,
        landmarks: int | None = None,
        sampling: str = "kmeans",
        seed: int = 0,
        widths: Sequence[int] | None = None,
    ) -> None:
        self.components = components
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.ridge = ridge
        self.landmarks = landmarks
        self.sampling = sampling
        self.seed = seed
        self.widths = widths

    def projection(self, view: str | int) -> Any:
        """A torch module (rows, columns of the view) -> (rows, components) that does what `transform_view` does."""
        check_is_fitted(self)
        return deepcopy(self._maps[self._place(view)])

    def _fit(self, views: Views) -> None:
        from fusible.alignment._kernel_fit import exact, nystroem, settings

        if self.components is None:
            raise ConfigError("KernelCca: components: expected a whole number of at least 1, got None")
        of_view = settings(self.kernel, self.gamma, self.degree, self.coef0, self.ridge)
        if self.landmarks is None:
            together = _together(views)
            self._maps, self._correlations = exact(together, of_view, self.components)
        else:
            self._maps, self._correlations = nystroem(
                views, of_view, self.components, self.landmarks, self.sampling, self.seed
            )
        self.n_components_ = self.components
        self.weights_ = tuple(part.weight.numpy() for part in self._maps)
        self.landmarks_ = tuple((part.landmarks + part.mean).numpy() for part in self._maps)
        self.gammas_ = tuple(part.gamma for part in self._maps)

    def _own_correlations(self, views: Views) -> np.ndarray:
        """Known from the fit."""
        return np.asarray(self._correlations)

    def _project(self, array: Any, place: int) -> np.ndarray:
        import torch

        from fusible.alignment._kernel_fit import dense
        from fusible.alignment._kernels import check_histograms

        rows = dense(array, self.view_names_[place])
        if self._maps[place].kernel == "chi2":
            check_histograms(rows, self.view_names_[place])
        found: np.ndarray = self._maps[place].scores(torch.from_numpy(rows)).numpy()
        return found

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _together(views: Views) -> Views:
    """Rows that count and have both views; raises where they are too few or too many."""
    use = np.ones(views.rows, bool) if views.presence is None else views.presence.all(axis=1)
    if views.weight is not None:
        use &= views.weight > 0.0
    count = int(use.sum())
    if count < 2:
        raise ArrayError(f"KernelCca: expected at least 2 rows with both views, got {count} sample(s)")
    if count > MOST_ROWS:
        raise ArrayError(
            f"KernelCca: exact kernels take up to {MOST_ROWS} rows, got {count}; set landmarks, such as landmarks=500"
        )
    return (
        Views(views.names, views.arrays, None, views.weight, views.form).subset(np.flatnonzero(use))
        if count < views.rows
        else views
    )
