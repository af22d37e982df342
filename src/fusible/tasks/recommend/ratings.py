"""Ratings: who had which item, read from any table, each pair once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from fusible.data.cells import as_names, as_numbers
from fusible.data.read import read
from fusible.errors import DataError, SchemaError
from fusible.types import Problem

GUESSES: Mapping[str, tuple[str, ...]] = {
    "user": ("user", "user_id", "userid", "uid", "customer", "customer_id", "reviewer", "reviewer_id"),
    "item": ("item", "item_id", "itemid", "iid", "movie", "movie_id", "movieid", "product", "product_id", "asin"),
    "rating": ("rating", "ratings", "stars", "score"),
    "time": ("timestamp", "time", "date", "datetime"),
}
"""Names by which a column is taken for one of these, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """Interactions: places `user` and `item` (rows,) in the names `users` and `items`, no pair twice.

    `rating` float (rows,), NaN where there is none; `columns` says which columns were taken, `problems` what was left
    out.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    columns: Mapping[str, str]
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.user)

    def matrix(self, rows: np.ndarray | None = None) -> csr_matrix:
        """Float32 (users, items): 1 where the user had the item, of all interactions or some `rows`."""
        user, item = (self.user, self.item) if rows is None else (self.user[rows], self.item[rows])
        shape = (len(self.users), len(self.items))
        return csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=shape)

    def with_items(self, names: Sequence[str]) -> Ratings:
        """The same with further items, of which nobody had one, after its own."""
        known = set(self.items)
        items = (*self.items, *(name for name in names if name not in known))
        return Ratings(self.users, items, self.user, self.item, self.rating, self.columns, self.problems)


def read_ratings(table: Any, columns: Mapping[str, str | None] | None = None, *, least: float | None = None) -> Ratings:
    """Read a table of ratings: columns of users and items, of ratings and times where there are such.

    `columns` {"user" | "item" | "rating" | "time": name} says what the guess (`GUESSES`) would not find. Of a pair that
    is rated twice the latest counts: by time, else by place in the table. With `least`, ratings below it count as if
    the user never had the item.

    Raises `SchemaError` for a column that is not there, `DataError` where nothing is left.
    """
    cells = read(table).table
    chosen = _columns(cells.column_names, columns or {})
    problems: list[Problem] = []
    users, items = (as_names(cells.column(chosen[what])) for what in ("user", "item"))
    rating = _numbers(cells, chosen.get("rating"))
    good = np.array([u is not None and i is not None for u, i in zip(users, items, strict=True)], bool)
    _left_out(problems, ~good, "unnamed", "name no user or no item and are left out")
    if "rating" in chosen:
        absent = good & ~np.isfinite(rating)
        _left_out(problems, absent, "no rating", "have no rating that is a number; they count as had, unrated")
    if least is not None:
        if "rating" not in chosen:
            raise SchemaError("ratings: a least rating needs a column of ratings; name it, or leave the limit out")
        good &= ~(rating < least)
    kept = _latest(users, items, _numbers(cells, chosen.get("time")), np.flatnonzero(good), problems)
    if not len(kept):
        raise DataError(
            "ratings: no row names both a user and an item"
            + ("" if least is None else f" and has a rating of at least {least:g}")
            + "; expected one interaction per row"
        )
    (who, user), (what, item) = (_coded(names[kept]) for names in (users, items))
    return Ratings(who, what, user, item, rating[kept], chosen, tuple(problems))


def _columns(names: Sequence[str], given: Mapping[str, str | None]) -> dict[str, str]:
    found: dict[str, str] = {}
    lower = {name.lower(): name for name in names}
    for what, guesses in GUESSES.items():
        asked = given.get(what)
        if asked is not None and asked not in names:
            raise SchemaError(f"ratings: no column {asked!r}; expected one of {', '.join(names)}")
        guess = asked or next((lower[one] for one in guesses if one in lower), None)
        if guess is not None:
            found[what] = guess
        elif what in {"user", "item"}:
            raise SchemaError(
                f"ratings: which column names the {what}? The table has {', '.join(names)}; say --{what}-column NAME"
            )
    return found


def _numbers(cells: pa.Table, name: str | None) -> np.ndarray:
    """Numbers (rows,) of a column, NaN where there is none."""
    return np.full(cells.num_rows, np.nan) if name is None else as_numbers(cells.column(name))


def _latest(
    users: np.ndarray, items: np.ndarray, time: np.ndarray, rows: np.ndarray, problems: list[Problem]
) -> np.ndarray:
    """Rows, rising, of which no two have the same user and item: the latest of each pair."""
    order = rows[np.argsort(np.nan_to_num(time[rows], nan=-np.inf), kind="stable")]
    last = {(users[row], items[row]): row for row in order}
    if gone := len(rows) - len(last):
        text = f"{gone} row(s) have the user and item of another; the latest of each pair counts"
        problems.append(Problem("duplicate", "ratings", text, (), gone))
    return np.sort(np.fromiter(last.values(), np.int64, len(last)))


def _coded(names: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Distinct names in order of their first place, and the place of each."""
    places: dict[str, int] = {}
    found = np.array([places.setdefault(name, len(places)) for name in names], np.int64)
    return tuple(places), found


def _left_out(problems: list[Problem], rows: np.ndarray, kind: str, what: str) -> None:
    if count := int(rows.sum()):
        shown = tuple(np.flatnonzero(rows)[:100].tolist())
        problems.append(Problem(kind, "ratings", f"{count} row(s) {what}; the first is row {shown[0]}", shown, count))
