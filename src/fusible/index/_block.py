"""Vectors of one view as they are, in a file that is mapped: exact search answers at once, without LanceDB.

A block lies in a folder of its own: `vectors.npy`, `numbers.npy` (row number of each) and `block.json`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.lib.format import open_memmap

from fusible.errors import DataError
from fusible.index import _pointer
from fusible.index._exact import Found, nearest


class Block:
    """Row `numbers` (n,) and `vectors` (n, width); `last` is the highest number that was there when it was written."""

    def __init__(self, numbers: np.ndarray, vectors: np.ndarray, last: int) -> None:
        self.numbers, self.vectors, self.last = numbers, vectors, last

    @classmethod
    def none(cls, width: int) -> Block:
        """No rows."""
        return cls(np.empty(0, np.int64), np.empty((0, width), np.float32), -1)

    @classmethod
    def open(cls, folder: Path, width: int) -> Block:
        """Map a block; raises `DataError` where it is missing or damaged."""
        try:
            settings = _pointer.read_json(folder / "block.json")
            numbers, vectors = (_mapped(folder / name) for name in ("numbers.npy", "vectors.npy"))
            kinds = (numbers.dtype, numbers.ndim, vectors.dtype, vectors.shape, type(settings.get("last")))
            if kinds != (np.int64, 1, np.float32, (len(numbers), width), int):
                raise ValueError(f"{kinds}")
        except (OSError, ValueError, EOFError) as error:
            line = " ".join(str(error).split())[-200:]
            raise DataError(f"{folder}: missing or damaged ({line}); open the index again, or `compact` it") from None
        return cls(np.asarray(numbers), np.asarray(vectors), settings["last"])

    def scan(self, queries: np.ndarray, k: int, mask: np.ndarray | None) -> Found:
        """Find the `k` nearest rows of each query by comparing all that `mask` marks."""
        if mask is None:
            return nearest(queries, self.vectors, self.numbers, k)
        return nearest(queries, self.vectors[mask], self.numbers[mask], k)


def _mapped(path: Path) -> Any:
    if not _pointer.is_plain(path):
        raise ValueError("no plain file")
    return np.load(path, mmap_mode="r", allow_pickle=False)


def write(folder: Path, parts: Iterable[tuple[np.ndarray, np.ndarray]], rows: int, width: int) -> str:
    """Write numbers and vectors that come part by part into a new folder below `folder`; its name."""
    name = f"block-{uuid4().hex[:12]}"
    place = folder / name
    place.mkdir()
    numbers = open_memmap(place / "numbers.npy", "w+", np.int64, (rows,))
    vectors = open_memmap(place / "vectors.npy", "w+", np.float32, (rows, width))
    start = 0
    for names, held in parts:
        numbers[start : start + len(names)], vectors[start : start + len(names)] = names, held
        start += len(names)
    for part in (numbers, vectors):
        part.flush()
    _pointer.write_json(place / "block.json", {"last": int(numbers.max(initial=-1))})
    _pointer.flush_folder(folder)
    return name
