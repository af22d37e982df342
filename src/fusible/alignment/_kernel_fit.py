"""Fits of kernel CCA: the exact one on all rows, and the Nyström one on the features that landmarks span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch

from fusible.alignment._gram import accumulate
from fusible.alignment._kernels import CENTRED, KERNELS, check_histograms, kernel_matrix, median_gamma
from fusible.alignment._krylov import Smoother, leading_directions
from fusible.alignment._projections import KernelProjection
from fusible.alignment._views import CHUNK, Chunk, Views, finite
from fusible.errors import ArrayError, ConfigError

SPAN = 1e-10
"""Share of a landmark kernel's largest eigenvalue below which a direction is dropped."""
PER_LANDMARK = 20
"""Rows that k-means sees per landmark."""

Fitted = tuple[list[KernelProjection], np.ndarray]
"""Projection of each view, and correlations of training scores."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Kernel and ridge of one view."""

    kernel: str
    gamma: str | float
    degree: int
    coef0: float
    ridge: float

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise ConfigError(f"KernelCca: kernel {self.kernel!r} is unknown: expected one of {', '.join(KERNELS)}")
        if isinstance(self.gamma, str) and self.gamma not in {"median", "width"}:
            raise ConfigError(f"KernelCca: gamma: expected 'median', 'width' or a number, got {self.gamma!r}")
        if not isinstance(self.gamma, str) and not 0.0 < self.gamma < np.inf:
            raise ConfigError(f"KernelCca: gamma: expected a number above 0, got {self.gamma}")
        if self.degree < 1 or self.degree != int(self.degree):
            raise ConfigError(f"KernelCca: degree: expected a whole number of at least 1, got {self.degree}")
        if not 0.0 <= self.coef0 < np.inf:
            raise ConfigError(f"KernelCca: coef0: expected a number of at least 0, got {self.coef0}")
        if not 1e-12 <= self.ridge < np.inf:
            raise ConfigError(
                f"KernelCca: ridge: expected at least 1e-12, got {self.ridge}; without it any two views correlate by 1"
            )


def settings(kernel: Any, gamma: Any, degree: int, coef0: float, ridge: Any) -> list[Setting]:
    """Settings of both views, from one value or one per view; raises `ConfigError` for those out of range."""
    spread = []
    for name, value in (("kernel", kernel), ("gamma", gamma), ("ridge", ridge)):
        values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value, value]
        if len(values) != 2:
            raise ConfigError(f"KernelCca: {name}: expected one value or 2, one for each view, got {len(values)}")
        spread.append(values)
    return [Setting(k, g, degree, coef0, float(r)) for k, g, r in zip(*spread, strict=True)]


def exact(views: Views, of_view: Sequence[Setting], components: int) -> Fitted:
    """Solve on all rows, each of which has both views: two Cholesky factors and a block Krylov search."""
    share = np.full(views.rows, 1.0 / views.rows) if views.weight is None else views.weight / views.weight.sum()
    root = np.sqrt(share)[:, None]
    maps, means, totals, smoothers = [], [], [], []
    for array, name, setting in zip(views.arrays, views.names, of_view, strict=True):
        part = _prepared(dense(array, name), share, setting, name)
        kernel = _kernel(part, part.landmarks).numpy()
        means.append(share @ kernel)
        totals.append(_centre(kernel, means[-1], share, name))
        kernel *= root * root.T / totals[-1]
        maps.append(part)
        smoothers.append(_smoother(kernel, setting, name))
    *found, values = leading_directions(smoothers[0], smoothers[1], components)
    _enough(len(values), components, views)
    scores = [smoother(vectors) for smoother, vectors in zip(smoothers, found, strict=True)]
    sign = _signs(scores[0] / root)
    sizes = [np.linalg.norm(score, axis=0) * sign for score in scores]
    for part, smoother, vectors, size, mean, total in zip(maps, smoothers, found, sizes, means, totals, strict=True):
        dual = root * smoother.solve(vectors / size) / total
        dual -= share[:, None] * dual.sum(axis=0)
        _load(part, dual, -mean @ dual)
    return maps, np.einsum("nk,nk->k", *scores) / (sizes[0] * sizes[1])


def nystroem(
    views: Views, of_view: Sequence[Setting], components: int, landmarks: int, sampling: str, seed: int
) -> Fitted:
    """Solve linear CCA on features of landmark kernels, read chunk by chunk."""
    from fusible.alignment.cca import Cca

    if landmarks < 2:
        raise ConfigError(f"KernelCca: landmarks: expected at least 2, got {landmarks}")
    if sampling not in {"kmeans", "random"}:
        raise ConfigError(f"KernelCca: sampling: expected 'kmeans' or 'random', got {sampling!r}")
    maps, bases = [], []
    for place, setting in enumerate(of_view):
        sample = _sample(views, place, landmarks, seed)
        part = _prepared(sample, np.full(len(sample), 1.0 / len(sample)), setting, views.names[place])
        part.landmarks = torch.from_numpy(_landmarks(part.landmarks.numpy(), landmarks, sampling, seed))
        values, vectors = np.linalg.eigh(_kernel(part, part.landmarks).numpy())
        kept = values > SPAN * values[-1]
        maps.append(part)
        bases.append(vectors[:, kept] / np.sqrt(values[kept]))
    widths = [basis.shape[1] for basis in bases]
    gram = accumulate(views.names, widths, _features(views, maps, bases))
    ridges = [setting.ridge * width for setting, width in zip(of_view, widths, strict=True)]
    linear = Cca(components=components, ridge=ridges).fit_gram(gram)
    for part, basis, weights, mean in zip(maps, bases, linear.weights_, linear.means_, strict=True):
        _load(part, basis @ weights, -mean @ weights)
    return maps, linear.correlations_


def dense(array: Any, name: str, start: int = 0) -> np.ndarray:
    """Rows as a dense float64 array; raises `ArrayError` where one is not finite."""
    finite(array, name, start)
    return np.ascontiguousarray(array.toarray() if scipy.sparse.issparse(array) else array, dtype=np.float64)


def _prepared(rows: np.ndarray, share: np.ndarray, setting: Setting, name: str) -> KernelProjection:
    """A projection whose landmarks are `rows`, with their mean and a kernel width, and without weights yet."""
    mean = share @ rows if setting.kernel in CENTRED else np.zeros(rows.shape[1])
    if setting.kernel == "chi2":
        check_histograms(rows, name)
    centred = torch.from_numpy(rows - mean)
    gamma = setting.gamma
    if gamma == "width":
        gamma = 1.0 / rows.shape[1]
    elif gamma == "median":
        gamma = 1.0 if setting.kernel in {"linear", "cosine"} else median_gamma(centred, share, setting.kernel)
    part = KernelProjection(
        rows.shape[1], 0, 0, setting.kernel, float(gamma), int(setting.degree), float(setting.coef0)
    )
    part.mean, part.landmarks = torch.from_numpy(mean), centred
    return part


def _kernel(part: KernelProjection, rows: torch.Tensor) -> torch.Tensor:
    return kernel_matrix(rows, part.landmarks, part.kernel, part.gamma, part.degree, part.coef0)


def _centre(kernel: np.ndarray, means: np.ndarray, share: np.ndarray, name: str) -> float:
    """Centre a kernel in place about the weighted mean in feature space; gives the total variance there."""
    kernel -= means[:, None]
    kernel -= means
    kernel += share @ means
    total = float(share @ np.diag(kernel))
    if not np.isfinite(total):
        raise ArrayError(f"view {name!r}: values so large that their kernel is infinite; rescale it")
    if total <= 1e-13 * abs(share @ means):
        raise ArrayError(f"view {name!r}: its kernel does not vary between rows, nothing can be aligned; leave it out")
    return total


def _smoother(kernel: np.ndarray, setting: Setting, name: str) -> Smoother:
    try:
        return Smoother.of(kernel, setting.ridge)
    except np.linalg.LinAlgError:
        raise ConfigError(
            f"KernelCca: ridge {setting.ridge:g} is too small for view {name!r} in double precision; take 1e-8 or more"
        ) from None


def _signs(scores: np.ndarray) -> np.ndarray:
    """The sign of each column's number of largest size, so that directions do not depend on the solver."""
    return np.where(scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])] < 0.0, -1.0, 1.0)


def _load(part: KernelProjection, weight: np.ndarray, offset: np.ndarray) -> None:
    part.weight, part.offset = torch.from_numpy(np.ascontiguousarray(weight)), torch.from_numpy(offset)


def _enough(found: int, components: int, views: Views) -> None:
    if found < components:
        raise ArrayError(
            f"views {' and '.join(map(repr, views.names))}: expected kernels of a rank of at least "
            f"components={components}, got {found} ({views.rows} rows); ask for fewer components"
        )


def _sample(views: Views, place: int, landmarks: int, seed: int) -> np.ndarray:
    """Rows of a view for choosing landmarks and the kernel's width: spread evenly at random, in order."""
    there = np.arange(views.rows) if views.presence is None else np.flatnonzero(views.presence[:, place])
    if views.weight is not None:
        there = there[views.weight[there] > 0.0]
    most = max(PER_LANDMARK * landmarks, 2000)
    if len(there) > most:
        there = np.sort(np.random.default_rng(seed).choice(there, most, replace=False))
    return dense(views.arrays[place][there], views.names[place])


def _landmarks(sample: np.ndarray, count: int, sampling: str, seed: int) -> np.ndarray:
    distinct = np.unique(sample, axis=0)
    if len(distinct) <= count:
        return distinct
    if sampling == "random":
        return distinct[np.sort(np.random.default_rng(seed).choice(len(distinct), count, replace=False))]
    from sklearn.cluster import KMeans

    return np.asarray(KMeans(count, n_init=1, max_iter=20, random_state=seed).fit(sample).cluster_centers_)


def _features(views: Views, maps: Sequence[KernelProjection], bases: Sequence[np.ndarray]) -> Iterator[Chunk]:
    """Features of each chunk of rows; zeros where a view is absent."""
    start = 0
    for chunk in views:
        found = []
        for place, (part, basis) in enumerate(zip(maps, bases, strict=True)):
            here = np.ones(chunk.rows, bool) if chunk.presence is None else chunk.presence[:, place]
            rows = dense(chunk.arrays[place][here], views.names[place], start)
            features = np.zeros((chunk.rows, basis.shape[1]))
            features[here] = _kernel(part, torch.from_numpy(rows) - part.mean).numpy() @ basis
            found.append(features)
        yield Chunk(tuple(found), chunk.presence, chunk.weight)
        start += CHUNK
