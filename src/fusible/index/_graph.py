"""A navigable small-world graph (HNSW, Malkov & Yashunin 2018) in faiss, mapped from disk.

A graph lies in a folder of its own: `graph.faiss`, `numbers.npy` (row number of every node) and `graph.json` (how it
was built, how wide it is searched and the recall that this was measured to give).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

import numpy as np

from fusible.errors import DataError, MissingExtraError
from fusible.index import _pointer
from fusible.index._exact import Found, merged, nearest

LINKS = 24
"""Neighbours of a node; twice as many on the ground level."""
BREADTH = 128
"""Candidates that are looked at to place a node."""
K = 10
TARGET = 0.95
"""Recall at 10 that a search width must reach by a standard error more to be chosen."""
WIDTHS = (16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 224, 240, 256, 288, 320, 384, 448, 512)
NEAR = (1 / 2000, 1 / 200)
"""Which of its neighbours a node is mixed with to make a query: their ranks as shares of all nodes."""
POOL = 100_000
"""Nodes among which these neighbours are looked for."""
_STEP = 4096
_BLOCK = 16_384

Advance = Callable[[int], None]


def faiss_module() -> Any:
    """Import faiss; raises `MissingExtraError`."""
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError.of("faiss-cpu", "index", "an approximate index") from error
    return faiss


class Graph:
    """A graph on disk: `numbers` (nodes,) of the rows in the order of nodes, `settings` as in `graph.json`."""

    def __init__(self, index: Any, numbers: np.ndarray, settings: dict[str, Any]) -> None:
        self.index, self.numbers, self.settings = index, numbers, settings
        faiss = faiss_module()
        self._store = faiss.downcast_index(index.storage)
        codes = self._store.codes
        held = faiss.rev_swig_ptr(codes.data(), codes.size()) if len(numbers) else np.empty(0, np.uint8)
        self._halves: np.ndarray = held.view(np.float16).reshape(len(numbers), index.d)

    @classmethod
    def open(cls, folder: Path, width: int, *, mapped: bool = True) -> Graph:
        """Map a graph, or read it whole to add to it; raises `DataError` where it is missing or damaged."""
        faiss = faiss_module()
        path = folder / "graph.faiss"
        try:
            settings = _pointer.read_json(folder / "graph.json")
            if not all(_pointer.is_plain(folder / name) for name in ("graph.faiss", "numbers.npy")):
                raise ValueError("no plain file")
            numbers = np.load(folder / "numbers.npy", mmap_mode="r", allow_pickle=False)
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if mapped else 0)
            _check(faiss, index, numbers, width)
            chosen, last = settings.get("search_width"), settings.get("last")
            if not isinstance(chosen, int) or not isinstance(last, int) or not 0 < chosen <= WIDTHS[-1]:
                raise ValueError(f"search width {chosen!r}, last row {last!r}")
        except (OSError, ValueError, RuntimeError, AttributeError, MemoryError) as error:
            line = " ".join(str(error).split())[-200:]
            raise DataError(
                f"{folder}: graph missing or damaged ({line}); open the index again, or `compact` it"
            ) from None
        return cls(index, np.asarray(numbers), settings)

    @property
    def width(self) -> int:
        """Search width that was chosen at build."""
        return int(self.settings["search_width"])

    @property
    def last(self) -> int:
        """Highest row number that was there when the graph was built: later rows are none of its nodes."""
        return int(self.settings.get("last", -1))

    @property
    def tuned(self) -> bool:
        """Whether a search width was chosen."""
        return "search_width" in self.settings

    def vectors(self, rows: slice | np.ndarray) -> np.ndarray:
        """Vectors of some nodes as float32."""
        return self._halves[rows].astype(np.float32)

    def scan(self, queries: np.ndarray, k: int, mask: np.ndarray | None) -> Found:
        """Find the `k` nearest nodes of each query by comparing all that `mask` marks."""
        found: Found = [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
        marked = np.arange(len(self.numbers)) if mask is None else np.flatnonzero(mask)
        for start in range(0, len(marked), _BLOCK):
            rows = marked[start : start + _BLOCK]
            part = slice(start, start + len(rows)) if mask is None else rows
            found = merged(found, nearest(queries, self.vectors(part), self.numbers[part], k), k)
        return found

    def search(self, queries: np.ndarray, k: int, width: int, bits: np.ndarray | None = None) -> Found:
        """Find about the `k` nearest nodes of each query; `bits` marks the nodes that may be found, eight to a byte."""
        faiss = faiss_module()
        parameters = faiss.SearchParametersHNSW(efSearch=max(width, k))
        if bits is not None:
            parameters.sel = selector = faiss.IDSelectorBitmap(bits)  # noqa: F841  # must outlive the search
        scores, places = self.index.search(queries, k, params=parameters)
        if places.min(initial=0) >= 0:
            return list(zip(self.numbers[places], scores, strict=True))
        return [(self.numbers[row[row >= 0]], score[row >= 0]) for row, score in zip(places, scores, strict=True)]

    def add(self, parts: Iterable[tuple[np.ndarray, np.ndarray]], advance: Advance) -> None:
        """Add numbers and vectors, part by part."""
        numbers, begun = [self.numbers], perf_counter()
        for names, vectors in parts:
            for start in range(0, len(names), _STEP):
                self.index.add(vectors[start : start + _STEP])
                advance(len(names[start : start + _STEP]))
            numbers.append(names)
        last = max((int(part.max()) for part in numbers if len(part)), default=-1)
        spent = self.settings.get("build_seconds", 0.0) + perf_counter() - begun
        settings = self.settings | {"build_width": BREADTH, "build_seconds": spent, "last": last}
        self.__init__(self.index, np.concatenate(numbers), settings)  # type: ignore[misc]

    def between(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Make queries that no node equals: halfway between a node and one of its nearest (`NEAR`).

        In 100,000 and 1,000,000 sentence encodings these are found about as well as sentences that are not in the
        graph, at every search width; nodes themselves are found at widths that miss .1 of a new sentence's nearest.
        """
        size = len(self.numbers)
        nodes = np.sort(random.choice(size, min(count, size), replace=False))
        pool = np.sort(random.choice(size, min(POOL, size), replace=False))
        first, last = (min(max(1, round(share * len(pool))), len(pool) - 1) for share in NEAR)
        vectors, others = self.vectors(nodes), self.vectors(pool)
        near = nearest(vectors, others, np.arange(len(pool)), last + 1)
        ranks = random.integers(first, last + 1, len(nodes))
        mixed = vectors + others[[places[rank] for (places, _), rank in zip(near, ranks, strict=True)]]
        norms = np.linalg.norm(mixed, axis=1, keepdims=True)
        return np.asarray(mixed / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)

    def tune(self, samples: Mapping[str, np.ndarray]) -> None:
        """Choose the search width for the recall that is wanted, and measure on other queries what it gives.

        `samples` holds vectors per asking view, none of them in the graph: what is in it is easier to find.
        """
        held = {name: (queries, self.scan(queries, K, None)) for name, queries in samples.items()}
        for width in WIDTHS:
            shares = [self._shares(*part, width, 0) for part in held.values()]
            if all(part.mean() - part.std() / max(1, len(part)) ** 0.5 >= TARGET for part in shares):
                break
        recalls = {name: float(self._shares(*part, width, 1).mean()) for name, part in held.items()}
        counts = {name: len(queries) // 2 for name, queries in samples.items()}
        self.settings |= {"search_width": width, "target": TARGET, "recall": recalls, "queries": counts}

    def _shares(self, queries: np.ndarray, truth: Found, width: int, half: int) -> np.ndarray:
        """Share of the nearest that every other query finds, beginning with the first or the second."""
        found = self.search(queries[half::2], K, width)
        shares = [np.isin(right, got).mean() for (right, _), (got, _) in zip(truth[half::2], found, strict=True)]
        return np.array(shares or [1.0])

    def write(self, folder: Path) -> str:
        """Write into a new folder below `folder`; its name."""
        faiss = faiss_module()
        name = f"graph-{uuid4().hex[:12]}"
        place = folder / name
        place.mkdir()
        faiss.write_index(self.index, str(place / "graph.faiss"))
        np.save(place / "numbers.npy", self.numbers)
        for file in ("graph.faiss", "numbers.npy"):
            with (place / file).open("rb") as handle:
                os.fsync(handle.fileno())
        _pointer.write_json(place / "graph.json", self.settings)
        _pointer.flush_folder(folder)
        return name


def empty(width: int) -> Graph:
    """Begin a graph for vectors of a width; they are kept as half-precision numbers."""
    faiss = faiss_module()
    index = faiss.IndexHNSWSQ(width, faiss.ScalarQuantizer.QT_fp16, LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = BREADTH
    return Graph(index, np.empty(0, np.int64), {"library": f"faiss {faiss.__version__}", "links": LINKS})


def _check(faiss: Any, index: Any, numbers: np.ndarray, width: int) -> None:
    """Refuse a file that another kind of index wrote, or whose parts contradict one another.

    Links, levels and offsets of the graph are checked by faiss itself (1.15.1) as it reads them.
    """
    nodes = index.ntotal
    if type(index) is not faiss.IndexHNSWSQ or index.d != width or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise ValueError(f"{type(index).__name__}, expected IndexHNSWSQ of width {width}")
    store, graph = faiss.downcast_index(index.storage), index.hnsw
    if store.sq.qtype != faiss.ScalarQuantizer.QT_fp16 or (store.d, store.ntotal) != (width, nodes):
        raise ValueError("vectors of another kind")
    if not nodes or store.codes.size() != 2 * nodes * width:
        raise ValueError(f"{nodes} nodes, {store.codes.size()} bytes of vectors")
    if numbers.ndim != 1 or numbers.dtype != np.int64 or len(numbers) != nodes:
        raise ValueError(f"{nodes} nodes, {len(numbers)} numbers, expected as many")
    levels = faiss.vector_to_array(graph.levels)
    if len(levels) != nodes or not 0 <= graph.entry_point < nodes:
        raise ValueError("an entry that is no node")
    if graph.max_level != levels.max() - 1 or levels[graph.entry_point] != levels.max():
        raise ValueError("levels and links contradict one another")
