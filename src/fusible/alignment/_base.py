"""The contract of every aligner (design, section 4): a scikit-learn estimator over several views."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fusible.alignment._scores import component_correlations
from fusible.alignment._stream import Stream
from fusible.alignment._views import (
    CHUNK,
    Views,
    as_views,
    check_array,
    finite,
    is_mapping,
    is_several,
    present_somewhere,
)
from fusible.errors import ArrayError, ConfigError


class Aligner(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Projects several views into one space of `components` dimensions.

    `views` is a mapping {name: array (rows, columns)}, a sequence of arrays, or one array whose columns are divided
    into the views by the parameter `widths` (default: two halves), as scikit-learn's pipelines want it.

    Learned by every aligner: `view_names_`, `widths_`, `n_components_` (what the data allow of `components`),
    `correlations_` (per component: mean correlation over pairs of views, on training rows).
    A leaf writes `_fit(views)`, which sets `n_components_`, and `_project(array, place)`.
    """

    most_views: ClassVar[int | None] = None
    """The number of views that the method is defined for, if it is not any."""

    streams: ClassVar[bool] = False
    """Whether `fit` takes a `Stream`."""

    components: int | None
    widths: Sequence[int] | None

    def fit(self, views: Any, y: Any = None, *, presence: Any = None, sample_weight: Any = None) -> Self:
        """Learn the common space. `y` is ignored; `presence` (rows, views) bool marks where a view is there.

        Raises `ArrayError` for arrays that cannot be used and `ConfigError` for settings out of range.
        """
        checked = self._checked(views, presence=presence, weight=sample_weight, reset=True)
        present_somewhere(checked)
        self._fit(checked)
        self.correlations_ = self._own_correlations(checked)
        return self

    def transform(self, views: Any, presence: Any = None) -> Any:
        """Scores of every view, (rows, components) each, as a mapping or list as given; side by side for one array.

        Rows in which a view is absent are NaN.
        """
        check_is_fitted(self)
        checked = self._checked(views, presence=presence)
        scores = self._scores_of(checked)
        if checked.form == "array":
            return np.hstack(scores)
        return scores if checked.form == "sequence" else dict(zip(checked.names, scores, strict=True))

    def transform_view(self, X: Any, view: str | int) -> np.ndarray:
        """Scores (rows, components) of one view alone, by its name or place."""
        check_is_fitted(self)
        place = self._place(view)
        name = self.view_names_[place]
        array = check_array(X, name)
        if array.shape[1] != self.widths_[place]:
            raise ArrayError(f"view {name!r}: expected {self.widths_[place]} columns as in fit, got {array.shape[1]}")
        return self._project_rows(array, place)

    def correlations(self, views: Any, presence: Any = None) -> np.ndarray:
        """Correlation of each component on given rows, mean over pairs of views, each where both are present."""
        check_is_fitted(self)
        checked = self._checked(views, presence=presence)
        return component_correlations(self._scores_of(checked), checked.weight)

    def score(self, views: Any, y: Any = None, presence: Any = None) -> float:
        """Mean over components of the correlations on given rows."""
        return float(np.mean(self.correlations(views, presence)))

    @abstractmethod
    def projection(self, view: str | int) -> Any:
        """A torch module (rows, columns of the view) -> (rows, components) that does what `transform_view` does."""

    @abstractmethod
    def _fit(self, views: Views) -> None:
        """Learn; sets `n_components_`."""

    @abstractmethod
    def _project(self, array: Any, place: int) -> np.ndarray:
        """Scores (rows, components) of some rows of the view at `place`; rows are finite."""

    def _own_correlations(self, views: Views) -> np.ndarray:
        """Correlation of each component on the training rows."""
        return component_correlations(self._scores_of(views), views.weight)

    @property
    def _n_features_out(self) -> int:
        return int(self.n_components_) * len(self.view_names_)

    def _checked(self, given: Any, *, presence: Any = None, weight: Any = None, reset: bool = False) -> Any:
        """Check views; `reset` learns their names and widths, else they must be those learned."""
        if reset and not _is_count(self.components):
            raise ConfigError(
                f"{type(self).__name__}: components must be at least 1 (a whole number, or None for all), "
                f"got {self.components!r}"
            )
        if isinstance(given, Stream):
            if presence is not None or weight is not None:
                raise ArrayError("stream: expected no presence or sample_weight beside it; chunks hold the presence")
            return self._streamed(given, reset=reset)
        if not is_mapping(given) and not is_several(given):
            accepted: dict[str, Any] = {"dtype": None, "accept_sparse": "csr", "ensure_all_finite": False}
            given = validate_data(self, given, reset=reset, ensure_min_samples=2 if reset else 1, **accepted)
        if reset:
            views = as_views(given, presence=presence, weight=weight, widths=self.widths)
            self._learn_views(views.names, views.widths)
            return views
        return as_views(given, presence=presence, names=self.view_names_, widths=self.widths_, weight=weight)

    def _learn_views(self, names: tuple[str, ...], widths: tuple[int, ...]) -> None:
        if self.most_views is not None and len(names) > self.most_views:
            raise ArrayError(
                f"{type(self).__name__}: expected {self.most_views} views, got {len(names)} ({', '.join(names)}); "
                "take a method for any number of views, such as mcca"
            )
        self.view_names_, self.widths_ = names, widths

    def _streamed(self, stream: Stream, *, reset: bool) -> Stream:
        if not self.streams:
            raise ArrayError(f"{type(self).__name__}: expected arrays, got a stream; give memory maps instead")
        if reset:
            self._learn_views(stream.names, stream.widths)
        elif (stream.names, stream.widths) != (self.view_names_, self.widths_):
            raise ArrayError(f"stream: expected views {self.view_names_} as in fit, got {stream.names}")
        return stream

    def _place(self, view: str | int) -> int:
        """Place of a view by its name or number."""
        if isinstance(view, str) and view in self.view_names_:
            return self.view_names_.index(view)
        if isinstance(view, int | np.integer) and 0 <= view < len(self.view_names_):
            return int(view)
        raise ArrayError(f"view {view!r} is unknown: expected one of {', '.join(self.view_names_)}")

    def _scores_of(self, views: Views | Stream) -> list[np.ndarray]:
        if isinstance(views, Stream):
            parts = [self._scores_of(Views(views.names, chunk.arrays, chunk.presence)) for chunk in views]
            return [np.concatenate(part) for part in zip(*parts, strict=True)]
        found = []
        for place, array in enumerate(views.arrays):
            here = None if views.presence is None else views.presence[:, place]
            found.append(self._project_rows(array, place, here))
        return found

    def _project_rows(self, array: Any, place: int, present: np.ndarray | None = None) -> np.ndarray:
        """Project chunk by chunk; absent rows are NaN."""
        rows = array.shape[0]
        scores = np.full((rows, self.n_components_), np.nan)
        for start in range(0, rows, CHUNK):
            here = np.arange(start, min(start + CHUNK, rows))
            if present is not None:
                here = here[present[here]]
            part = array[here] if present is not None else array[start : start + CHUNK]
            finite(part, self.view_names_[place], rows=here)
            if len(here):
                scores[here] = self._project(part, place)
        return scores


def _is_count(components: Any) -> bool:
    return components is None or (isinstance(components, Integral) and int(components) > 0)
