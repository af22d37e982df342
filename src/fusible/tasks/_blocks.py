"""Which rows are not independent: those of one group of the table, and those that share an item of a view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fusible.tasks.source import Source
from fusible.types import MEDIA, Modality, View

FEWEST, LARGEST = 20, 0.2
"""Blocks without which no split keeps them whole; share of the rows that none, and no item in it, may hold more of."""


def blocks_of(source: Source, views: Sequence[View]) -> tuple[np.ndarray, str]:
    """Which rows are not independent: those of one group, and those that share an item of media or texts.

    Directly or through others; also what they share, in words, or nothing where all rows are alone. Where that leaves
    no blocks to split by, media alone hold rows together, else the view that repeats most, each with the group.
    """
    own, held = source.dataset.group_values(), _held(source, views)
    alone = np.arange(source.dataset.rows) if own is None else own
    grouped = ["group"] if len(np.unique(alone)) < len(alone) else []
    media = [view.name for view in views if view.name in held and view.modality in MEDIA]
    by_repeats = sorted(media or held, key=lambda name: len(np.unique(together([held[name]]))))
    for names in ([*held], media, by_repeats[:1]):
        blocks = whole([held[name] for name in names], own)
        if names and blocks is not None:
            return blocks, " or ".join([*grouped, *names])
    return alone, "".join(grouped)


def shown_notes(source: Source, views: Sequence[View], train: np.ndarray, test: np.ndarray) -> list[str]:
    """A note for each view of which training rows show items that test rows show too."""
    found = []
    for name, ids in _held(source, views).items():
        items = np.unique(ids[test][ids[test] >= 0])
        if shared := int(np.isin(items, ids[train]).sum()):
            found.append(
                f"{shared:,} of {len(items):,} items of {name} in test rows are in training rows, too: scores tell "
                "less of new ones"
            )
    return found


def whole(shared: Sequence[np.ndarray], own: np.ndarray | None) -> np.ndarray | None:
    """Blocks (rows,) by what rows share and by their group; None where they are too few, or one is too large.

    An item in more than `LARGEST` of the rows holds nothing together, or all would be one block.
    """
    links = [rare(ids) for ids in shared] + ([] if own is None else [own.reshape(-1, 1)])
    if not links:
        return None
    blocks = together(links)
    sizes = np.unique(blocks, return_counts=True)[1]
    return None if len(sizes) < FEWEST or sizes.max() > LARGEST * len(blocks) else blocks


def rare(ids: np.ndarray) -> np.ndarray:
    """The same numbers (rows, slots), -1 for an item that stands in more than `LARGEST` of the rows."""
    return np.where(_rows_of(ids)[ids] > LARGEST * len(ids), -1, ids)


def together(shared: Sequence[np.ndarray]) -> np.ndarray:
    """Int (rows,): rows that share an item, directly or through others, have one number; rows without are alone.

    Each of `shared` (rows, slots) numbers items of one kind from 0, -1 where there is none.
    """
    size = len(shared[0])
    lines, items = [], []
    for numbers in shared:
        line, slot = np.nonzero(numbers >= 0)
        lines.append(line)
        items.append(size + numbers[line, slot])
        size += int(numbers.max(initial=-1)) + 1
    line = np.concatenate(lines)
    links = coo_array((np.ones(len(line)), (line, np.concatenate(items))), shape=(size, size))
    return np.asarray(connected_components(links, directed=False)[1][: len(shared[0])])


def one_each(blocks: np.ndarray) -> np.ndarray:
    """The first row of every block."""
    return np.sort(np.unique(blocks, return_index=True)[1])


def codes_of(ids: np.ndarray) -> np.ndarray:
    """One number (rows,) per distinct set of items in `ids` (rows, slots), -1 where there is none."""
    codes = np.unique(ids, axis=0, return_inverse=True)[1].reshape(-1)
    return np.asarray(np.where((ids >= 0).any(axis=1), codes, -1))


def _held(source: Source, views: Sequence[View]) -> dict[str, np.ndarray]:
    """Numbers (rows, slots) of items by which rows hang together, of each view of media or texts that repeats some.

    A view of fewer items than `FEWEST` is a category in disguise, which all parts may share.
    """
    found = {}
    for view in views:
        if view.modality in MEDIA or view.modality is Modality.TEXT:
            ids = rare(source.data(view).ids)
            counts = _rows_of(source.data(view).ids)
            if (counts > 0).sum() >= FEWEST and _rows_of(ids).max(initial=0) > 1:
                found[view.name] = ids
    return found


def _rows_of(ids: np.ndarray) -> np.ndarray:
    """In how many rows each item stands, those that no row has last, as -1 finds them."""
    size = int(ids.max(initial=-1)) + 1
    line, slot = np.nonzero(ids >= 0)
    pairs = np.unique(line.astype(np.int64) * max(1, size) + ids[line, slot])
    return np.append(np.bincount(pairs % max(1, size), minlength=size), 0)
