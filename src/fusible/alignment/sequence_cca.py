"""Canonical correlation analysis of sequences: one set of weights for all steps of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from fusible.alignment._base import Aligner
from fusible.alignment._gram import accumulate
from fusible.alignment._kernel_fit import dense
from fusible.alignment._steps import filtered, windows
from fusible.alignment._views import Chunk, Views, finite
from fusible.alignment.mcca import Mcca
from fusible.errors import ArrayError, ConfigError

FRAMES = 8_192
"""Steps whose windows are held at once."""


class SequenceCca(Aligner):
    """CCA of windows of steps, for views that run on one clock, such as a talker's mouth and voice.

    A row of a view holds its steps one after the other, (steps × columns) in all. Every step of every row, with `reach`
    steps before and after it, is one observation of ordinary CCA (MCCA for more than two views), so that a few hundred
    clips give tens of thousands; what is learned is a filter per view (frame by frame: Slaney and Covell, "FaceSync",
    NIPS 2000; filters: de Cheveigné et al., "Decoding the auditory brain with CCA", 2018). Beyond its ends a sequence
    holds its first and last step.

    Parameters: `components` per step (None: as many as the ranks allow), so that scores have `steps` × `components`
    columns; `steps` of a row in every view; `reach`, at most `steps` - 1 of it; `ridge` and `widths` as of `Cca`.
    Columns of scores are the components of the steps, those that correlate most first, so that a few of the first say
    most; `order_` tells their places step by step. Each has mean zero over training rows; before that, components have
    unit variance over all steps, on average over views. With one step it is CCA.

    Learned besides what every aligner learns: `filters_` (per view: 2 × reach + 1, columns, components), `means_`,
    `order_`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> course = rng.normal(size=(40, 50, 1))  # another in every clip
    >>> mouth, voice = (course @ rng.normal(size=(1, 3)) + rng.normal(size=(40, 50, 3)) for _ in range(2))
    >>> views = {"mouth": mouth.reshape(40, 150), "voice": voice.reshape(40, 150)}
    >>> scores = SequenceCca(components=1, steps=50).fit(views).transform(views)
    >>> {view: array.shape for view, array in scores.items()}
    {'mouth': (40, 50), 'voice': (40, 50)}
    >>> units = [array / np.linalg.norm(array, axis=1, keepdims=True) for array in scores.values()]
    >>> bool(((units[0] @ units[1].T).argmax(axis=1) == np.arange(40)).mean() > 0.9)
    True
    """

    def __init__(
        self,
        components: int | None = None,
        *,
        steps: int = 1,
        reach: int = 4,
        ridge: float | Sequence[float] = 0.0,
        widths: Sequence[int] | None = None,
    ) -> None:
        self.components = components
        self.steps = steps
        self.reach = reach
        self.ridge = ridge
        self.widths = widths

    def projection(self, view: str | int) -> Any:
        """A torch module (rows, columns of the view) -> (rows, steps × components): what `transform_view` does."""
        import torch

        from fusible.alignment._projections import SequenceProjection

        check_is_fitted(self)
        place = self._place(view)
        mean, weight = self.means_[place], self.filters_[place]
        module = SequenceProjection(len(mean), int(self.n_components_), int(self.steps), (len(weight) - 1) // 2)
        module.mean.copy_(torch.from_numpy(mean))
        module.weight.copy_(torch.from_numpy(weight))
        module.order.copy_(torch.from_numpy(self.order_))
        return module

    def _fit(self, views: Views) -> None:
        reach = self._checked_reach(views)
        width = 2 * reach + 1
        inner = Mcca(self.components, ridge=self.ridge)
        sizes = [width * count // self.steps for count in views.widths]
        inner.fit_gram(accumulate(views.names, sizes, _stepwise(views, self.steps, reach)))
        self.filters_ = tuple(weights.reshape(width, -1, inner.n_components_) for weights in inner.weights_)
        self.means_ = tuple(_mean(views, place) for place in range(len(views.names)))
        self.n_components_ = self.steps * inner.n_components_
        self.order_ = np.arange(self.n_components_)
        found = super()._own_correlations(views)
        # Rounded, so that rounding errors decide nothing among those that correlate alike.
        self.order_ = np.argsort(-np.nan_to_num(found).round(8), kind="stable")
        self._correlations = found[self.order_]

    def _own_correlations(self, views: Views) -> np.ndarray:
        """Known from the fit."""
        return np.asarray(self._correlations)

    def _project(self, array: Any, place: int) -> np.ndarray:
        rows = dense(array, self.view_names_[place]) - self.means_[place]
        return filtered(rows, self.filters_[place], self.steps)[:, self.order_]

    def _checked_reach(self, views: Views) -> int:
        """Steps before and after that a window holds; raises where the settings do not fit the views."""
        given: tuple[tuple[str, Any, int], ...] = (("steps", self.steps, 1), ("reach", self.reach, 0))
        for name, value, least in given:
            if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
                raise ConfigError(f"SequenceCca: {name} must be a whole number of at least {least}, got {value!r}")
        for name, count in zip(views.names, views.widths, strict=True):
            if count % self.steps:
                raise ArrayError(
                    f"view {name!r}: expected columns for each of steps={self.steps}, got {count}, no multiple; give "
                    "sequences of one length on one clock, such as video_sequence and audio_sequence make"
                )
        return min(int(self.reach), int(self.steps) - 1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _stepwise(views: Views, steps: int, reach: int) -> Iterator[Chunk]:
    """Windows of all steps as observations, some rows at a time; every step has its row's presence and weight."""
    size = max(1, FRAMES // steps)
    for start in range(0, views.rows, size):
        chunk = views.take(slice(start, start + size))
        arrays = []
        for place, (array, name) in enumerate(zip(chunk.arrays, views.names, strict=True)):
            present = None if chunk.presence is None else np.flatnonzero(chunk.presence[:, place])
            finite(array if present is None else array[present], name, start, present)
            rows = array.toarray() if scipy.sparse.issparse(array) else np.asarray(array)
            arrays.append(windows(rows.astype(np.float64), steps, reach))
        marks = [None if one is None else np.repeat(one, steps, axis=0) for one in (chunk.presence, chunk.weight)]
        yield Chunk(tuple(arrays), *marks)


def _mean(views: Views, place: int) -> np.ndarray:
    """Mean of the columns of one view over rows where it is present."""
    total, count = np.zeros(views.widths[place]), 0.0
    for chunk in views:
        weight = np.ones(chunk.rows) if chunk.weight is None else chunk.weight
        here = weight > 0 if chunk.presence is None else chunk.presence[:, place] & (weight > 0)
        total += np.asarray(weight[here] @ chunk.arrays[place][here])
        count += float(weight[here].sum())
    return total / count
