"""Choosing settings on validation interactions, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy.sparse import csr_matrix

from fusible.evaluation.recommendation import quick_ndcg
from fusible.tasks.recommend._als import Als, AlsSettings
from fusible.tasks.recommend._content import Content, ContentSettings
from fusible.tasks.recommend._parts import ALS, CONTENT, EASE, POPULAR, standardised
from fusible.tasks.recommend._scorers import EaseSettings, ease, popular

PENALTIES = (50.0, 100.0, 200.0, 400.0, 800.0)
FACTORS = (0.5, 0.75, 1.0, 1.5)
"""Of a penalty, when it is looked at again."""
DAMPINGS = (0.0, 0.1, 0.2, 0.3)
SHARES = (0.0, 0.03, 0.07, 0.15, 0.3)
"""Weights of a view in EASE, as shares of the penalty."""
USERS = (0.0, 0.15, 0.3, 0.6)
ALS_FACTORS, ALS_PENALTIES = (32, 64), (10.0, 30.0, 100.0)
CONTENT_PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)
CONTENT_WEIGHTS = (0.0, 0.3, 1.0, 3.0, 10.0)
FUSED = {
    ALS: (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.1, 1.5),
    CONTENT: (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5),
    POPULAR: (-0.4, -0.3, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2),
}
"""Weights of parts beside that of EASE, which is 1."""
SWEEPS = 2
S = TypeVar("S")


@dataclass(slots=True)
class Chooser:
    """Interactions of training and what is known of items and users; candidates are judged by NDCG@10 on `valid`.

    `asked` are the users that are looked at.
    """

    train: csr_matrix
    valid: csr_matrix
    kernels: Mapping[str, np.ndarray]
    attributes: np.ndarray | None
    asked: np.ndarray
    seed: int = 0

    def value(self, scores: np.ndarray) -> float:
        """Mean NDCG@10 of scores (users asked, items) on validation interactions."""
        return quick_ndcg(scores, self._seen, self._wanted)

    @property
    def _seen(self) -> np.ndarray:
        return np.asarray(self._history.toarray() > 0)

    @property
    def _wanted(self) -> np.ndarray:
        return np.asarray(self.valid[self.asked].toarray() > 0)

    @property
    def _history(self) -> csr_matrix:
        return self.train[self.asked]

    def ease(self) -> EaseSettings:
        """The penalty of plain EASE."""
        return self._best(EaseSettings(), [self._field("penalty", PENALTIES)], self._ease, sweeps=1)

    def ease_damped(self, plain: EaseSettings) -> EaseSettings:
        """Damping, and the penalty again, from plain EASE on."""
        penalties = [plain.penalty * factor for factor in FACTORS]
        return self._best(plain, [self._field("damping", DAMPINGS), self._field("penalty", penalties)], self._ease)

    def ease_told(self, plain: EaseSettings) -> EaseSettings:
        """Weights of views and of users' attributes, and damping and penalty again, from damped EASE on."""
        options: list[Callable[[EaseSettings], Sequence[EaseSettings]]] = [self._field("damping", DAMPINGS)]
        options += [_weighed(view, SHARES) for view in self.kernels]
        if self.attributes is not None:
            options.append(self._field("users", USERS))
        penalties = [plain.penalty * factor for factor in FACTORS]
        return self._best(plain, [*options, self._field("penalty", penalties)], self._ease)

    def als(self) -> AlsSettings:
        """The number of factors and their penalty."""
        tried = [AlsSettings(factors, penalty) for factors in ALS_FACTORS for penalty in ALS_PENALTIES]
        return max(tried, key=lambda one: self.value(Als.fit(self.train, one, self.seed).scores(self._history)))

    def content(self, views: Sequence[str] | None = None) -> ContentSettings:
        """Penalty and weights of views; every item is told as if nobody had had it, in validation as in use."""
        names = list(self.kernels if views is None else views)
        first = ContentSettings(views=tuple((name, 1.0) for name in names))
        options = [self._field("penalty", CONTENT_PENALTIES), *(_weighed(name, CONTENT_WEIGHTS) for name in names)]
        return self._best(first, options, self._content, sweeps=1)

    def weights(self, each: Mapping[str, np.ndarray], first: str = EASE) -> tuple[tuple[str, float], ...]:
        """Weights of parts' standardised scores; that of `first` is 1."""
        warm = popular(self.train) > 0
        alike = {name: standardised(each[name], self._history, warm) for name in each if name == first or name in FUSED}
        chosen = {name: float(name == first) for name in alike}

        def score(weights: Mapping[str, float]) -> float:
            return self.value(np.sum([weight * alike[name] for name, weight in weights.items()], axis=0))

        best = score(chosen)
        for _ in range(SWEEPS):
            for name in alike:
                for weight in FUSED.get(name, ()) if name != first else ():
                    tried = chosen | {name: weight}
                    if (found := score(tried)) > best:
                        chosen, best = tried, found
        return tuple(chosen.items())

    def _ease(self, settings: EaseSettings) -> float:
        found = ease(self.train, settings, self.kernels, self.attributes)
        scores = np.asarray(self._history @ found.items)
        if len(found.users) and self.attributes is not None:
            scores = scores + self.attributes[self.asked] @ found.users
        return self.value(scores)

    def _content(self, settings: ContentSettings) -> float:
        found = Content.fit(self.kernels, popular(self.train) > 0, settings)
        return self.value(np.asarray(self._history @ found.items))

    @staticmethod
    def _field(name: str, values: Sequence[float]) -> Callable[[S], Sequence[S]]:
        return lambda old: [replace(old, **{name: value}) for value in values]  # type: ignore[type-var]

    def _best(
        self,
        first: S,
        options: Sequence[Callable[[S], Sequence[S]]],
        value: Callable[[S], float],
        sweeps: int = SWEEPS,
    ) -> S:
        """Change one setting after the other to its best value, as often as `sweeps`; each is looked at once."""
        seen = {first: value(first)}
        best = first
        for _ in range(sweeps):
            for option in options:
                for tried in option(best):
                    if tried not in seen:
                        seen[tried] = value(tried)
                best = max(option(best), key=lambda one: (seen[one], one == best))
        return best


def _weighed(view: str, weights: Sequence[float]) -> Callable[[S], Sequence[S]]:
    """Settings with each weight of a view."""

    def tried(old: S) -> Sequence[S]:
        others = [(name, held) for name, held in old.views if name != view]  # type: ignore[attr-defined]
        held = [tuple(sorted([*others, *([(view, weight)] if weight else [])])) for weight in weights]
        return [replace(old, views=one) for one in held]  # type: ignore[type-var]

    return tried
