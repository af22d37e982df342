"""Recommenders: items ranked for a user, a history, an item or a wish, with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from fusible.data.read import read
from fusible.errors import ConfigError, DataError
from fusible.tasks.recommend._diverse import pick
from fusible.tasks.recommend._parts import Parts
from fusible.tasks.recommend._people import People
from fusible.tasks.recommend._reasons import Asked, Reasons, Wished
from fusible.tasks.recommend._where import matching
from fusible.tasks.recommend.items import TEXT, Items, directions
from fusible.tasks.recommend.ratings import Ratings
from fusible.tasks.source import Source
from fusible.tasks.vectors import pooled
from fusible.types import Modality, View

POPULARITY = 0.2
"""Weight of popularity beside a wish, whose words weigh 1: both are standardised over items."""


@dataclass(eq=False)
class Recommender:
    """Ranks items; made by `fit_recommender`, or from a folder by `load_recommender`.

    `ratings` are the interactions that it was fitted on, `items` what is known of items, `parts` the fitted scorers,
    `people` and `attributes` what is known of users, where something is.
    """

    ratings: Ratings
    items: Items
    parts: Parts
    people: People | None = None
    attributes: np.ndarray | None = None
    info: dict[str, Any] = field(default_factory=dict)

    def recommend(
        self,
        user: str | int | None = None,
        *,
        history: Sequence[str | int] | None = None,
        about: Mapping[str, Any] | None = None,
        item: str | int | None = None,
        wish: str | None = None,
        k: int = 10,
        where: str | None = None,
        allow: Sequence[str | int] | None = None,
        deny: Sequence[str | int] = (),
        seen: bool = False,
        diversity: float = 0.0,
        popularity: float = POPULARITY,
        reasons: int = 3,
    ) -> pd.DataFrame:
        """The `k` best items: `item`, `name`, `score`, and `reasons`, the parts of the score that count most.

        Parameters
        ----------
        user : str or int, optional
            A user of the ratings.
        history : sequence of str, optional
            Instead of a user: the items that somebody had; nothing is fitted anew.
        about : mapping, optional
            What is known of a user {column: value}, where a table told of users; beside a history, or alone.
        item : str, optional
            Items that go with this one.
        wish : str, optional
            Words: items whose words are like these, and popularity with the weight `popularity`; with a user also what
            is said for that user.
        where : str, optional
            An SQL condition on the columns of the table of items: `year >= 1990 and genre contains Comedy`.
        allow, deny : sequence of str
            Items that alone may be shown, and items that may not.
        seen : bool
            Also items that the user had.
        diversity : float
            From 0, the best items, to 1: each shown item as unlike those before it as can be.

        Raises
        ------
        ConfigError
            For names that are not known, with near ones, and questions that ask for nothing or for two things.
        DataError
            Where no item is left to show.
        """
        _check(k, diversity, popularity, {"history": history, "allow": allow, "deny": deny})
        asked = self.asked(user, history=history, about=about, item=item)
        if asked is None and wish is None:
            raise ConfigError("recommend: give a user, a history, what is known of a user, an item or a wish")
        scores = np.zeros(len(self.items.ids)) if asked is None else self.scores(asked)
        wished = None
        if wish is not None:
            words, popular = self.likeness(wish), popularity * _standard(np.log1p(self.parts.count))
            wished = Wished(_standard(words), popular, words, 1.0 / _spread(scores))
            scores = (0.0 if asked is None else _standard(scores)) + wished.words + popular
        shown = np.ones(len(scores), bool) if wished is None else np.isfinite(wished.likeness)
        shown &= self._allowed(where, allow, deny)
        if asked is not None and (item is not None or not seen):
            shown[asked.had.indices] = False
        if not shown.any():
            limits = {"where": where, "allow": allow, "deny": deny or None, "had already": not seen or None}
            said = ", ".join(name for name, given in limits.items() if given is not None)
            raise DataError(f"recommend: no item of {len(scores):,} is left to show (limits: {said}); loosen them")
        places = pick(np.where(shown, scores, -np.inf), k, diversity, self._alike)
        why = Reasons(self.parts, self.items, self.ratings, self.people, self.kernels)
        found = [why.of(asked, int(place), max(reasons, 0), wished) for place in places]
        return pd.DataFrame(
            {
                "item": [self.items.ids[place] for place in places],
                "name": [self.items.names[place] for place in places],
                "score": scores[places].astype(float),
                "reasons": [[one.to_json() for one in said] for said in found],
            }
        )

    def asked(
        self,
        user: str | int | None = None,
        *,
        history: Sequence[str | int] | None = None,
        about: Mapping[str, Any] | None = None,
        item: str | int | None = None,
    ) -> Asked | None:
        """What somebody had and what is known of them; None where nothing is asked."""
        given = [name for name, value in (("user", user), ("history", history), ("item", item)) if value is not None]
        if len(given) > 1:
            raise ConfigError(f"recommend: give one of user, history and item, got {' and '.join(given)}")
        if not given and about is None:
            return None
        told = None
        if about is not None:
            if self.people is None:
                raise ConfigError("recommend: nothing was told of users when this was fitted; give a table of users")
            told = self.people.encode_one(about)
        if user is not None:
            row = place_of("user", self._user_places, user)
            own = None if self.attributes is None else self.attributes[row : row + 1]
            rows = np.flatnonzero(self.ratings.user == row)
            return Asked(self._had(self.ratings.item[rows]), told if told is not None else own, self._rated(rows))
        names = [item] if item is not None else list(history or ())
        return Asked(self._had(np.unique([place_of("item", self._item_places, name) for name in names])), told)

    def scores(self, asked: Asked) -> np.ndarray:
        """Scores (items,) for somebody."""
        each = self.parts.each(asked.had, asked.attributes)
        return np.asarray(self.parts.fused(asked.had, each)[0], np.float64)

    def likeness(self, wish: str) -> np.ndarray:
        """Cosines (items,) of a wish with each item's words, NaN where there are none."""
        if self.items.encoder is None or self.items.centre is None:
            raise ConfigError("wish: nothing is known of items in words; fit with a table of items that has text")
        if not isinstance(wish, str) or not wish.strip():
            raise ConfigError("wish: empty, expected some words")
        row = read(pd.DataFrame({TEXT: [wish]}), columns={TEXT: "text"})
        view = View(TEXT, Modality.TEXT, (TEXT,))
        vector = pooled(Source(row).feed(view, self.items.encoder, encoded=True), np.arange(1)).astype(np.float64)
        if not vector.any():
            raise ConfigError("wish: no word of it is known from at least two items; say it in other words")
        words = np.asarray(self.items.views[TEXT], np.float64)
        found = words @ directions(vector - self.items.centre)[0]
        found[~words.any(axis=1)] = np.nan
        return np.asarray(found)

    @cached_property
    def kernels(self) -> dict[str, np.ndarray]:
        """Likeness (items, items) by each view."""
        content = self.parts.content
        return dict(content.kernels) if content is not None else self.items.kernels()

    def save(self, folder: str | Path) -> Path:
        """Write the model's folder of plain files, whole or not at all."""
        from fusible.tasks.recommend.stored import save

        return save(self, Path(folder))

    @cached_property
    def _user_places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.ratings.users)}

    @cached_property
    def _item_places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.items.ids)}

    def _had(self, places: np.ndarray) -> csr_matrix:
        shape = (1, len(self.items.ids))
        places = np.sort(places.astype(np.int64))
        return csr_matrix((np.ones(len(places), np.float32), (np.zeros(len(places), np.int64), places)), shape=shape)

    def _rated(self, rows: np.ndarray) -> dict[int, float]:
        pairs = zip(self.ratings.item[rows].tolist(), self.ratings.rating[rows].tolist(), strict=True)
        return {place: rating for place, rating in pairs if not np.isnan(rating)}

    def _allowed(self, where: str | None, allow: Sequence[str | int] | None, deny: Sequence[str | int]) -> np.ndarray:
        shown = np.ones(len(self.items.ids), bool)
        if where is not None:
            if self.items.table is None:
                raise ConfigError("where: no table told of items when this was fitted; there is nothing to compare")
            shown &= matching(self.items.table, where)
        if allow is not None:
            shown &= np.isin(np.arange(len(shown)), [place_of("item", self._item_places, one) for one in allow])
        shown[[place_of("item", self._item_places, one) for one in deny]] = False
        return shown

    def _alike(self, places: np.ndarray) -> np.ndarray:
        """Likeness of items to one another: the mean of cosines by their views and by the factors of who had them."""
        parts = [kernel[np.ix_(places, places)] for kernel in self.kernels.values()]
        if self.parts.als is not None:
            own = directions(self.parts.als.items[places].astype(np.float64))
            parts.append(own @ own.T)
        elif self.parts.ease is not None and not parts:
            parts.append(self.parts.ease.items[np.ix_(places, places)])
        return np.mean(parts, axis=0) if parts else np.eye(len(places))


def place_of(what: str, places: Mapping[str, int], name: str | int) -> int:
    """Place of a user or item; `ConfigError` for one that is not known, with near names."""
    if isinstance(name, int | np.integer):  # names are kept as text
        name = str(name)
    if name in places:
        return places[name]
    near = get_close_matches(str(name), list(places), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"such as {next(iter(places))!r}"
    raise ConfigError(f"recommend: no {what} {name!r} in these ratings; {hint}")


def _standard(scores: np.ndarray) -> np.ndarray:
    """Scores less their mean, by their spread, over those that are finite."""
    return np.asarray((scores - scores[np.isfinite(scores)].mean()) / _spread(scores))


def _spread(scores: np.ndarray) -> float:
    return max(float(scores[np.isfinite(scores)].std()), 1e-9)


def _check(k: int, diversity: float, popularity: float, lists: Mapping[str, Sequence[str | int] | None]) -> None:
    """Refuse what is of another kind than asked for, such as one name where a list of names belongs."""
    if not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(f"recommend: k = {k!r}, expected a whole number of at least 1")
    if not isinstance(diversity, int | float) or not 0 <= diversity <= 1:
        raise ConfigError(f"diversity {diversity!r}: expected a number from 0 to 1")
    if not isinstance(popularity, int | float) or not 0 <= popularity < np.inf:
        raise ConfigError(f"popularity {popularity!r}: expected a number of at least 0")
    if one := next((name for name, given in lists.items() if isinstance(given, str)), None):
        raise ConfigError(f"recommend: {one} is one text, expected a list of items: [{lists[one]!r}]")
