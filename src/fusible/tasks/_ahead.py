"""Decoding ahead: items of one encoder decoded in threads, in order, a bounded number before they are asked for.

And what is said of those that cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from fusible.errors import DataError
from fusible.types import Problem, View

BEFORE = 64
"""Items that are decoded before they are asked for."""

Decode = Callable[[Any], Any]
Decoded = tuple[int, Any]


def begin(decode: Decode, values: Any, ids: Sequence[int], pool: ThreadPoolExecutor) -> dict[int, Future[Decoded]]:
    """Begin to decode the first of some items, by id: while something else is encoded, which hides it."""
    return {i: pool.submit(_one, decode, values, i) for i in ids[:BEFORE]}


def in_order(
    decode: Decode, values: Any, ids: Sequence[int], workers: int, begun: dict[int, Future[Decoded]]
) -> Iterator[Decoded]:
    """Id and decoded item, or the `DataError` that says why there is none; what was begun is taken from there."""
    with ThreadPoolExecutor(max(1, workers)) as pool:

        def ask(i: int) -> Future[Decoded]:
            return begun.pop(i, None) or pool.submit(_one, decode, values, i)

        queue = iter(ids)
        ahead = [ask(i) for i in islice(queue, BEFORE)]
        while ahead:
            found = ahead.pop(0).result()
            ahead += [ask(i) for i in islice(queue, 1)]
            yield found


def _one(decode: Decode, values: Any, i: int) -> Decoded:
    try:
        return i, decode(values[i])
    except DataError as error:
        return i, error


def by_length(values: Any, ids: Sequence[int]) -> Sequence[int]:
    """Texts by length, so that a batch pads little; other items in their order."""
    if not len(ids) or not isinstance(values[ids[0]], str):
        return ids
    return sorted(ids, key=lambda i: len(values[i]))


def unreadable(view: View, messages: Sequence[str], rows: np.ndarray) -> Problem:
    """The problem that items of a view could not be read; `rows` hold them."""
    shown = "; ".join(messages[:3])
    more = f" and {len(messages) - 3} more" if len(messages) > 3 else ""
    text = f"{len(messages)} unreadable {view.modality} item(s) are treated as absent: {shown}{more}"
    return Problem("unreadable", view.name, text, tuple(int(r) for r in rows[:100]), len(rows))
