"""Batches of rows: shuffled, grouped by a repeated item, prefetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from queue import Queue
from threading import Event, Thread
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def plain_batches(rows: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Shuffle rows into batches of `size`; the last, smaller one is merged into the one before it."""
    order = rng.permutation(rows)
    pieces = [order[i : i + size] for i in range(0, len(order), size)]
    if len(pieces) > 1 and len(pieces[-1]) < max(2, size // 2):
        last = pieces.pop()
        pieces[-1] = np.concatenate([pieces[-1], last])
    return pieces


def grouped_batches(rows: np.ndarray, items: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Shuffle items into batches of `size` items, each with all of its rows.

    Where rows share costly items (many questions on one picture), an epoch encodes each item once. `items` gives the
    item of each entry of `rows`.
    """
    order = np.argsort(items, kind="stable")
    starts = np.flatnonzero(np.diff(items[order], prepend=items[order][0] - 1)) if len(order) else np.array([], int)
    groups = np.split(rows[order], starts[1:])
    shuffled = rng.permutation(len(groups))
    return [np.concatenate([groups[g] for g in shuffled[i : i + size]]) for i in range(0, len(groups), size)]


def prefetch(make: Callable[[Any], T], work: Iterable[Any], depth: int = 2) -> Iterator[T]:
    """Apply `make` to each piece of work in one background thread, `depth` results ahead, in order."""
    queue: Queue[tuple[str, Any]] = Queue(maxsize=depth)
    stop = Event()

    def run() -> None:
        try:
            for piece in work:
                if stop.is_set():
                    return
                queue.put(("item", make(piece)))
        except BaseException as error:  # noqa: BLE001  (handed to the consumer, which raises it)
            queue.put(("error", error))
            return
        queue.put(("end", None))

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = queue.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        stop.set()
        while thread.is_alive():
            while not queue.empty():
                queue.get_nowait()
            thread.join(timeout=0.05)
