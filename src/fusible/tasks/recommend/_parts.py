"""The parts of a fused scorer, fitted on some interactions, and what they say for any user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from fusible.tasks.recommend._als import Als, AlsSettings
from fusible.tasks.recommend._content import Content, ContentSettings
from fusible.tasks.recommend._scorers import Ease, EaseSettings, ease, popular

EASE, ALS, CONTENT, POPULAR = "ease", "als", "content", "popular"
COLLABORATIVE = (EASE, ALS)
"""Parts that know nothing of an item that nobody had."""
MOST_COMPARED = 4_000
"""Users over whom parts are compared, at most."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How each part is fitted, and `weights` {part: weight} of their standardised scores in the sum."""

    ease: EaseSettings | None = None
    als: AlsSettings | None = None
    content: ContentSettings | None = None
    weights: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class Parts:
    """Fitted parts; `count` (items,) says how many users had each item, `stands` {part: share} what stands in.

    For an item that nobody had, a collaborative part is guessed from the content part: its standardised score times
    `stands`, the correlation of both over the items that somebody had.
    """

    settings: Settings
    count: np.ndarray
    ease: Ease | None = None
    als: Als | None = None
    content: Content | None = None
    stands: Mapping[str, float] | None = None

    @property
    def warm(self) -> np.ndarray:
        """Bool (items,): whether somebody had the item."""
        return self.count > 0

    def each(self, had: csr_matrix, attributes: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Scores (users, items) of each part, by histories `had` (users, items) and attributes of users."""
        found: dict[str, np.ndarray] = {}
        if self.ease is not None:
            found[EASE] = np.asarray(had @ self.ease.items)
            if len(self.ease.users) and attributes is not None:
                found[EASE] = found[EASE] + attributes @ self.ease.users
        if self.als is not None:
            found[ALS] = self.als.scores(had)
        if self.content is not None:
            found[CONTENT] = np.asarray(had @ self.content.items)
        found[POPULAR] = np.broadcast_to(np.log1p(self.count), had.shape)
        return found

    def fused(self, had: csr_matrix, each: Mapping[str, np.ndarray]) -> np.ndarray:
        """The weighted sum (users, items) of standardised scores; popularity alone for a user that had nothing."""
        alike = {name: standardised(each[name], had, self._known(name)) for name, _ in self._weights}
        stands = standardised(each[CONTENT], had, None) if CONTENT in each else None
        total = np.zeros(had.shape, np.float32)
        for name, weight in self._weights:
            values = alike[name]
            if stands is not None and name in COLLABORATIVE and not self.warm.all():
                values = np.where(self.warm, values, (self.stands or {}).get(name, 0.0) * stands)
            total += np.float32(weight) * values
        empty = np.diff(had.indptr) == 0
        if empty.any():
            total[empty] = self._strange(each, empty)
        return total

    @property
    def _weights(self) -> list[tuple[str, float]]:
        return [(name, weight) for name, weight in self.settings.weights if weight]

    def _strange(self, each: Mapping[str, np.ndarray], empty: np.ndarray) -> np.ndarray:
        """Scores of users that had nothing: how popular items are, among users of their attributes where told."""
        if self.ease is not None and len(self.ease.users):
            told = np.asarray(each[EASE][empty])
            if np.abs(told).max(initial=0.0) > 0:
                return told
        return np.asarray(each[POPULAR][empty], np.float32)

    def _known(self, name: str) -> np.ndarray | None:
        return self.warm if name in COLLABORATIVE and not self.warm.all() else None


def fit_parts(
    had: csr_matrix,
    settings: Settings,
    kernels: Mapping[str, np.ndarray],
    attributes: np.ndarray | None = None,
    seed: int = 0,
) -> Parts:
    """Fit every part that has settings."""
    count = popular(had)
    parts = Parts(settings, count)
    if settings.ease is not None:
        parts.ease = ease(had, settings.ease, kernels, attributes)
    if settings.als is not None:
        parts.als = Als.fit(had, settings.als, seed)
    if settings.content is not None:
        parts.content = Content.fit(kernels, count > 0, settings.content)
        rows = np.arange(0, had.shape[0], 1 + had.shape[0] // MOST_COMPARED)
        each = parts.each(had[rows], None if attributes is None else attributes[rows])
        parts.stands = stands_in(each, had[rows], count > 0)
    return parts


def stands_in(each: Mapping[str, np.ndarray], had: csr_matrix, warm: np.ndarray) -> dict[str, float]:
    """Correlation of each collaborative part with the content part, over pairs that somebody had and the user not."""
    shown = ~(had.toarray() > 0) & warm
    content = standardised(each[CONTENT], had, None)[shown]
    found = {}
    for name in COLLABORATIVE:
        if name in each:
            other = standardised(each[name], had, warm)[shown]
            both = np.corrcoef(content, other)[0, 1] if len(content) > 1 and content.std() and other.std() else 0.0
            found[name] = float(max(both, 0.0))
    return found


def standardised(scores: np.ndarray, had: csr_matrix, known: np.ndarray | None) -> np.ndarray:
    """Scores of each user less their mean, by their spread, over items not had (and `known`); float32."""
    place, spread = centre(scores, had, known)
    return np.asarray((scores - place[:, None]) / spread[:, None], np.float32)


def centre(scores: np.ndarray, had: csr_matrix, known: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread (users,) of scores over the items that a user has not had (and are `known`)."""
    shown = np.ones(scores.shape, np.float32) if known is None else np.tile(known.astype(np.float32), (len(scores), 1))
    shown[had.nonzero()] = 0.0
    number = np.maximum(shown.sum(axis=1), 1.0)
    mean = np.einsum("ij,ij->i", scores, shown) / number
    square = np.einsum("ij,ij,ij->i", scores, scores, shown) / number
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    return mean, np.where(spread > 1e-9, spread, 1.0)
