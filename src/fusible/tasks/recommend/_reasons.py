"""Reasons: the terms of a score, put together by what they come from, the greatest first.

A fused score is a sum of parts that are each linear in what the user had (`_parts`), so that it is exactly the sum of
what every item had adds, by every part, and, in the content part, by every view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from fusible.tasks.recommend._parts import ALS, COLLABORATIVE, CONTENT, EASE, POPULAR, Parts, centre
from fusible.tasks.recommend._people import People
from fusible.tasks.recommend._scorers import COUNTED
from fusible.tasks.recommend.items import TEXT, Items
from fusible.tasks.recommend.ratings import Ratings

TOGETHER, USERS, WISH = "together", "users", "wish"
EXAMPLES = 2
"""Items had that a reason names."""
LEAST = 0.05
"""Share of a score below which a part is no reason."""
SHARED = 3
"""Terms that a reason names."""


@dataclass(slots=True)
class Asked:
    """Somebody: what they had (1, items), what is known of them (1, attributes), how they rated {item: rating}."""

    had: csr_matrix
    attributes: np.ndarray | None = None
    rated: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wished:
    """What a wish adds to the score of every item (items,): its `words`, and `popular`; `likeness` are cosines.

    `scale` is what scores of the one who wishes are multiplied by beside these.
    """

    words: np.ndarray
    popular: np.ndarray
    likeness: np.ndarray
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of a score: its `kind` (`together`, `popular`, `users`, `wish` or a view), what it adds, and words.

    `share` is what it adds, of all that is added by parts above zero; `because` are the items had that count most.
    """

    kind: str
    adds: float
    share: float
    text: str
    because: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        plain = {"kind": self.kind, "adds": round(self.adds, 4), "share": round(self.share, 4), "text": self.text}
        return {**plain, "because": list(self.because)}


@dataclass
class Reasons:
    """Takes scores apart."""

    parts: Parts
    items: Items
    ratings: Ratings
    people: People | None
    kernels: Mapping[str, np.ndarray]
    _last: tuple[Asked, dict[str, np.ndarray]] | None = field(default=None, init=False)

    def of(self, asked: Asked | None, item: int, most: int = 3, wished: Wished | None = None) -> list[Reason]:
        """The greatest reasons for one item; those that count against it are left out."""
        terms = {} if asked is None else self.terms(asked, item)
        if wished is not None:
            terms = {kind: wished.scale * values for kind, values in terms.items()}
            terms[WISH] = wished.words[[item]]
            terms[POPULAR] = np.append(terms.get(POPULAR, np.zeros(0)), wished.popular[item])
        added = {kind: float(values.sum()) for kind, values in terms.items()}
        whole = sum(value for value in added.values() if value > 0)
        kinds = sorted((kind for kind, value in added.items() if value > 0), key=lambda kind: -added[kind])[:most]
        kinds = [kind for place, kind in enumerate(kinds) if not place or added[kind] >= LEAST * whole]
        found = []
        for kind in kinds:
            adds, share = added[kind], added[kind] / whole
            if kind == WISH and wished is not None:
                text = f"its words are like the wish (cosine {wished.likeness[item]:.2f})"
                found.append(Reason(kind, adds, share, text))
            else:
                found.append(self._reason(kind, terms[kind], adds, share, asked, item))
        return found

    def terms(self, asked: Asked, item: int) -> dict[str, np.ndarray]:
        """What is added to an item's score {kind: one value per item had, attribute, or one alone}.

        All values together are the score, but for a number that is the same for all items.
        """
        had, each = asked.had, self._each(asked)
        places = had.indices
        if not len(places):
            return self._strange(asked, item)
        warm, weights = self.parts.warm, dict(self.parts.settings.weights)
        found: dict[str, np.ndarray] = {}
        content = weights.get(CONTENT, 0.0)
        for name in COLLABORATIVE:
            weight = weights.get(name, 0.0)
            if not weight:
                continue
            if not warm[item] and self.parts.content is not None:
                content += weight * (self.parts.stands or {}).get(name, 0.0)
                continue
            _, spread = centre(each[name], had, warm if not warm.all() else None)
            if name == ALS and self.parts.als is not None:
                _add(found, TOGETHER, weight / spread[0] * self.parts.als.terms(had, item))
            elif name == EASE and self.parts.ease is not None:
                values = weight / spread[0] * self.parts.ease.items[places, item]
                for kind, own in self._labelled(places, item).items():
                    _add(found, kind, np.where(own, values, 0.0))
                if len(self.parts.ease.users) and asked.attributes is not None:
                    told = asked.attributes[0] * self.parts.ease.users[:, item]
                    _add(found, USERS, weight / spread[0] * told)
        if content and self.parts.content is not None:
            _, spread = centre(each[CONTENT], had, None)
            for view, values in self.parts.content.by_view(item).items():
                _add(found, view or POPULAR, content / spread[0] * values[places])
        if weight := weights.get(POPULAR, 0.0):
            _, spread = centre(each[POPULAR], had, None)
            told = np.full(1, weight / spread[0] * np.log1p(self.parts.count[item]))
            found[POPULAR] = np.concatenate([found.get(POPULAR, np.zeros(0)), told])
        return found

    def _strange(self, asked: Asked, item: int) -> dict[str, np.ndarray]:
        """Somebody who had nothing: what others of their kind had, or what all had."""
        if asked.attributes is not None and self.parts.ease is not None and len(self.parts.ease.users):
            told = asked.attributes[0] * self.parts.ease.users[:, item]
            if told.any():
                return {USERS: told}
        return {POPULAR: np.array([np.log1p(self.parts.count[item])])}

    def _each(self, asked: Asked) -> dict[str, np.ndarray]:
        if self._last is None or self._last[0] is not asked:
            self._last = (asked, self.parts.each(asked.had, asked.attributes))
        return self._last[1]

    def _labelled(self, places: np.ndarray, item: int) -> dict[str, np.ndarray]:
        """What speaks for each pair of an item had and this one in EASE: {kind: bool (had,)}.

        The greatest of what was added to the matrix that EASE inverts: how many had both, or likeness by a view.
        """
        settings = self.parts.settings.ease
        assert settings is not None
        scale = (self.parts.count + COUNTED) ** -settings.damping
        penalty = settings.penalty * float((scale**2).mean())
        both = self._both(item)[places] * scale[places] * scale[item]
        direct = {TOGETHER: both}
        direct |= {view: penalty * weight * self.kernels[view][places, item] for view, weight in settings.views}
        first = np.argmax(np.stack(list(direct.values())), axis=0)
        return {kind: first == number for number, kind in enumerate(direct)}

    @cached_property
    def _had(self) -> csr_matrix:
        return self.ratings.matrix()

    def _both(self, item: int) -> np.ndarray:
        """How many users had each item and this one (items,)."""
        return np.asarray((self._had.T @ self._had[:, item]).todense()).ravel()

    def _reason(
        self, kind: str, values: np.ndarray, adds: float, share: float, asked: Asked | None, item: int
    ) -> Reason:
        if kind == POPULAR:
            count = int(self.parts.count[item])
            text = f"popular: {count:,} of {len(self.ratings.users):,} users had it"
            if not count:
                text = "of a kind that is popular"
            return Reason(kind, adds, share, text)
        if kind == USERS:
            assert self.people is not None
            told = [self.people.names[place] for place in np.argsort(-values)[:EXAMPLES] if values[place] > 0]
            return Reason(kind, adds, share, "liked by users with " + " and ".join(f"{c} {v}" for c, v in told))
        assert asked is not None
        places = asked.had.indices
        order = [place for place in np.argsort(-values, kind="stable")[:EXAMPLES] if values[place] > 0]
        because = tuple(self.items.ids[places[place]] for place in order)
        said = [self._named(int(places[place]), asked) for place in order]
        if kind == TOGETHER:
            both = self._both(item)
            shown = " and ".join(
                f"{name} ({int(both[places[place]])} had both)" for name, place in zip(said, order, strict=True)
            )
            return Reason(kind, adds, share, f"goes with {shown}", because)
        first = int(places[order[0]])
        shared = self._shared(kind, first, item)
        if shared:
            return Reason(kind, adds, share, f"same {shared} as {said[0]}", because)
        what = "its words are like those" if kind == TEXT else f"its {kind} is like that"
        return Reason(kind, adds, share, f"{what} of {' and '.join(said)}", because)

    def _named(self, place: int, asked: Asked) -> str:
        rating = asked.rated.get(place)
        return repr(self.items.names[place]) + ("" if rating is None else f" that you rated {rating:g}")

    def _shared(self, view: str, one: int, other: int) -> str:
        """What two items share in a view of named terms, the heaviest first."""
        if view not in self.items.terms:
            return self._same_cells(one, other) if view.startswith("table") else ""
        values = self.items.views[view]
        both = csr_matrix(values[one].multiply(values[other]))
        terms = [self.items.terms[view][both.indices[place]] for place in np.argsort(-both.data)[:SHARED]]
        kinds = dict.fromkeys(kind for kind, _ in terms)
        return ", ".join(f"{kind} ({', '.join(name for other, name in terms if other == kind)})" for kind in kinds)

    def _same_cells(self, one: int, other: int) -> str:
        """Columns of numbers and categories in which two items have the same."""
        if self.items.table is None:
            return ""
        names = [name for name in self.items.tabular if name in self.items.table.columns]
        same = [(name, self.items.table[name][one], self.items.table[name][other]) for name in names]
        return ", ".join(f"{name} ({a})" for name, a, b in same if a is not None and a == b)


def _add(found: dict[str, np.ndarray], kind: str, values: np.ndarray) -> None:
    found[kind] = found[kind] + values if kind in found else np.asarray(values, np.float64)
