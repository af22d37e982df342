"""Splits: training, validation and test rows, from the table or drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fusible.data.guess import PARTS
from fusible.errors import SplitError

if TYPE_CHECKING:
    from fusible.data.dataset import Dataset

NAMES = ("train", "valid", "test")
BINS = 10
"""Numeric targets with more different values than twice this are stratified by so many quantiles."""


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers of the three parts, each sorted and none in two."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """Parts by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @property
    def sizes(self) -> dict[str, int]:
        """Number of rows of each part."""
        return {name: len(rows) for name, rows in self.parts.items()}


def from_names(names: np.ndarray) -> Split:
    """Read parts off a `split` column (`train`, `valid` or `dev`, `test` …); rows without a part are in none.

    >>> from_names(np.array(["train", "dev", None, "test"], dtype=object)).sizes
    {'train': 1, 'valid': 1, 'test': 1}
    """
    parts = [None if name is None else PARTS.get(name.strip().lower(), name) for name in names.tolist()]
    unknown = sorted({part for part in parts if part is not None and part not in NAMES})
    if unknown:
        raise SplitError(f"split column: expected train, valid or test, got {unknown[0]!r}")
    column = np.array([*parts, None], dtype=object)[:-1]
    return Split(*(np.flatnonzero(column == name) for name in NAMES))


def make_split(
    dataset: Dataset,
    target_values: Any = None,
    *,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    stratify: bool = True,
    groups: np.ndarray | None = None,
) -> Split:
    """Use the table's split column, or draw a seeded split, stratified by target, groups kept whole.

    Parameters
    ----------
    dataset : Dataset
        Its `split` column decides where there is one; one without `valid` rows gives 15 % of `train` to it.
    target_values : array of shape (rows,) or (rows, labels), optional
        Strata: classes, label sets, or quantiles of numbers. Rows whose target is missing (None, NaN) are in no part.
    seed : int
        Same seed, same split.
    fractions : tuple of float
        Shares of train, valid and test.
    groups : int array of shape (rows,), optional
        Groups of rows that go to one part each (default: those of the data set's `group` column).
    stratify : bool
        Whether each class has its share in each part, within one row (without groups). A class with one row trains.

    Raises
    ------
    SplitError
        A part without rows.
    """
    present, strata = _strata(target_values, dataset.rows)
    strata = strata if stratify else np.zeros(dataset.rows, dtype=np.int64)
    groups = dataset.group_values() if groups is None else groups
    draw = np.random.default_rng(seed)
    given = dataset.split()
    if given is None:
        split = Split(*_draw(np.flatnonzero(present), strata, groups, np.array(fractions), draw))
        return _whole(split, "rows" if groups is None else "rows and groups")
    split = Split(*(rows[present[rows]] for rows in given.parts.values()))
    if not len(split.valid):
        train, valid = _draw(split.train, strata, groups, np.array([0.85, 0.15]), draw)
        split = Split(train, valid, split.test)
    return _whole(split, "rows in its split column")


def _whole(split: Split, what: str) -> Split:
    for name, rows in split.parts.items():
        if not len(rows):
            sizes = ", ".join(f"{part} {size}" for part, size in split.sizes.items())
            raise SplitError(f"the {name} part has no row with a target ({sizes}): the table needs more {what}")
    return split


def _strata(target: Any, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Give which rows have a target, and a stratum number per row."""
    if target is None:
        return np.ones(rows, dtype=bool), np.zeros(rows, dtype=np.int64)
    values = np.asarray(target)
    if len(values) != rows:
        raise SplitError(f"target values: expected {rows}, one per row, got {len(values)}")
    if values.ndim == 2:
        _, codes = np.unique(values, axis=0, return_inverse=True)
        return np.ones(rows, dtype=bool), codes.reshape(-1)
    if values.dtype.kind in "fiu":
        return _numeric_strata(values)
    cells = [None if value is None or value != value else _label(value) for value in values.tolist()]  # noqa: PLR0124
    present = np.array([cell is not None for cell in cells], dtype=bool)
    _, codes = np.unique(np.array([cell or "" for cell in cells], dtype=object).astype(str), return_inverse=True)
    return present, codes


def _label(value: Any) -> str:
    return "\n".join(sorted(map(str, value))) if isinstance(value, list | tuple | set | np.ndarray) else str(value)


def _numeric_strata(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    present = np.isfinite(values)
    codes = np.zeros(len(values), dtype=np.int64)
    levels = np.unique(values[present])
    if len(levels) > 2 * BINS:
        levels = np.quantile(values[present], np.linspace(0, 1, BINS + 1)[1:-1])
        codes[present] = np.searchsorted(levels, values[present], side="right")
    else:
        codes[present] = np.searchsorted(levels, values[present])
    return present, codes


def _draw(
    rows: np.ndarray, strata: np.ndarray, groups: np.ndarray | None, shares: np.ndarray, draw: np.random.Generator
) -> list[np.ndarray]:
    """Deal rows into parts of the given shares."""
    _, codes = np.unique(strata[rows], return_inverse=True)
    if groups is None:
        part = _deal_rows(codes, shares, draw)
    else:
        _, group = np.unique(groups[rows], return_inverse=True)
        part = _deal_groups(codes, group, shares, draw)
    return [rows[part == index] for index in range(len(shares))]


def _deal_rows(codes: np.ndarray, shares: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Give every stratum its share of each part, within one row, and the parts their sizes."""
    part = np.empty(len(codes), dtype=np.int64)
    order = draw.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    owed = np.zeros(len(shares))
    for members in np.split(order, np.cumsum(np.bincount(codes))[:-1]) if len(codes) else []:
        quota = shares * len(members)
        counts = np.floor(quota + 1e-9).astype(np.int64)
        owed += quota - counts
        left = len(members) - int(counts.sum())
        chosen = [0] if len(members) == 1 else np.argsort(-owed, kind="stable")[:left]
        counts[chosen] += 1
        owed[chosen] -= 1
        part[members] = np.repeat(np.arange(len(shares)), counts)
    return part


def _deal_groups(codes: np.ndarray, group: np.ndarray, shares: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Give whole groups, large ones first, each to the part that comes closest to its share of every stratum."""
    table = np.zeros((int(group.max(initial=-1)) + 1, int(codes.max(initial=-1)) + 1))
    np.add.at(table, (group, codes), 1)
    table = np.hstack([table, table.sum(axis=1, keepdims=True)])  # the last stratum is all rows: sizes count, too
    wanted = shares[:, None] * table.sum(axis=0)[None, :]
    weight = 1.0 / np.maximum(wanted, 1e-9)
    have = np.zeros_like(wanted)
    order = draw.permutation(len(table))
    order = order[np.argsort(-table[order, -1], kind="stable")]
    home = np.zeros(len(table), dtype=np.int64)
    for index in order:
        gain = (weight * (2 * (have - wanted) + table[index]) * table[index]).sum(axis=1)
        home[index] = int(np.argmin(gain))
        have[home[index]] += table[index]
    part: np.ndarray = home[group]
    return part
