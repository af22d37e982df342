"""The systems that `index.py` compares: how each is built, opened and asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

K = 10
WIDTHS = (16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 224, 256, 320, 384, 512)
PART = 10_000
HAS_USEARCH = find_spec("usearch") is not None

Search = Callable[[np.ndarray], np.ndarray]


@dataclass
class System:
    """Something that answers queries (q, width) with places (q, K); `seconds` of a processor is what its build took."""

    name: str
    settings: str
    search: Search
    place: Path | None = None
    seconds: float | None = None

    def files(self) -> list[Path]:
        """All that was written of it."""
        if self.place is None:
            return []
        return [file for file in (self.place, *self.place.rglob("*")) if file.is_file()]

    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.files())


@dataclass
class Peer:
    """A library with settings: `build` writes a file, `open` reads it, `ask` searches with a width."""

    name: str
    settings: str
    build: Callable[[np.ndarray, Path], None]
    open: Callable[[Path], Any]
    ask: Callable[[Any, np.ndarray, int], np.ndarray]

    def ready(self, folder: Path, base: np.ndarray) -> Tuned:
        """Build where that was not done, and open."""
        place = folder / self.name.replace(" ", "-")
        seconds = timed(place, lambda: self.build(base, place))
        return Tuned(
            self.name, self.settings, lambda _: np.empty(0), place, seconds, peer=self, handle=self.open(place)
        )


@dataclass
class Tuned(System):
    """A peer that is open and has a search width."""

    peer: Peer | None = None
    handle: Any = None

    def tune(self, recall: Callable[[np.ndarray], float], queries: np.ndarray, target: float) -> None:
        """Take the smallest width that reaches a recall on validation queries."""
        assert self.peer is not None
        for width in WIDTHS:
            found = np.concatenate([self.peer.ask(self.handle, query[None], width) for query in queries])
            if recall(found) >= target:
                break
        peer, handle, chosen = self.peer, self.handle, width
        self.search = lambda query: peer.ask(handle, query, chosen)
        self.settings = f"{self.settings}, width {chosen}"
        (self.place.parent / f"{self.place.name}.width").write_text(str(chosen))  # type: ignore[union-attr]


def timed(place: Path, build: Callable[[], None]) -> float:
    """Processor seconds of a build, remembered beside it; what is there already is not built again."""
    note = place.parent / f"{place.name}.seconds"
    if not note.is_file():
        begun = process_time()
        build()
        note.write_text(json.dumps(process_time() - begun))
    return float(json.loads(note.read_text()))


def fusible_index(place: Path, base: np.ndarray) -> System:
    """Fusible's index with a number column; the search width is the one that it chose."""
    from fusible.index.store import Index

    seconds = timed(place, lambda: _write(place, base))
    index = Index.open(place)
    graph = index.describe()["views"]["text"]
    how = "fp16, {links} links, build width {build_width}, width {search_width}" if "links" in graph else "exact"
    return System("fusible", how.format(**graph), _ask_fusible(index), place, seconds)


def _write(place: Path, base: np.ndarray) -> None:
    import pyarrow as pa

    from fusible.index.items import Items
    from fusible.index.store import Index

    index = Index.create(place, {"text": base.shape[1]}, pa.schema([("number", pa.int64())]), {})
    with index.writing("benchmark") as writer:
        for start in range(0, len(base), PART):
            rows = range(start, min(start + PART, len(base)))
            names = [str(row) for row in rows]
            if not writer.done(names).all():
                writer.put(Items(names, {"text": base[start : start + PART]}, pa.table({"number": list(rows)})))


def _ask_fusible(index: Any) -> Search:
    return lambda query: np.array([[int(name) for name in names] for names in index.search("text", query, K).ids])


def systems() -> list[Peer]:
    """Every peer as it comes (usearch keeps half precision), and faiss in half precision too, which is faster."""
    peers = [
        _faiss("faiss half", 24, 128, half=True),
        _usearch("usearch", "bf16"),
        _faiss("faiss", 32, 40, half=False),
        Peer("lancedb", "IVF_HNSW_SQ, m 20, build width 300, refine 2", _build_lance, _open_lance, _ask_lance),
    ]
    return [peer for peer in peers if HAS_USEARCH or peer.name != "usearch"]


def _faiss(name: str, links: int, breadth: int, *, half: bool) -> Peer:
    import faiss

    def build(base: np.ndarray, place: Path) -> None:
        faiss.omp_set_num_threads(1)
        width, metric = base.shape[1], faiss.METRIC_INNER_PRODUCT
        kind = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexHNSWSQ(width, kind, links, metric) if half else faiss.IndexHNSWFlat(width, links, metric)
        index.hnsw.efConstruction = breadth
        for start in range(0, len(base), PART):
            index.add(base[start : start + PART])
        faiss.write_index(index, str(place))

    def ask(index: Any, query: np.ndarray, width: int) -> np.ndarray:
        return index.search(query, K, params=faiss.SearchParametersHNSW(efSearch=width))[1]

    kind = "fp16" if half else "float32"
    return Peer(name, f"{kind}, {links} links, build width {breadth}", build, open_faiss, ask)


def open_faiss(place: Path) -> Any:
    """Map a faiss file."""
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss.read_index(str(place), faiss.IO_FLAG_MMAP_IFC)


def _usearch(name: str, kind: str) -> Peer:
    def build(base: np.ndarray, place: Path) -> None:
        from usearch.index import Index

        index = Index(ndim=base.shape[1], metric="ip", dtype=kind)
        index.add(np.arange(len(base)), base, threads=1)
        index.save(str(place))

    def ask(index: Any, query: np.ndarray, width: int) -> np.ndarray:
        index.expansion_search = width
        return np.atleast_2d(index.search(query, K, threads=1).keys)

    return Peer(name, f"{kind}, 16 links, build width 128", build, open_usearch, ask)


def open_usearch(place: Path) -> Any:
    """Map a usearch file."""
    from usearch.index import Index

    return Index.restore(str(place), view=True)


def _build_lance(base: np.ndarray, place: Path) -> None:
    import lancedb
    import pyarrow as pa
    from lancedb.index import IvfHnswSq

    width = base.shape[1]
    form = pa.schema([("number", pa.int64()), ("vector", pa.list_(pa.float32(), width))])
    table = lancedb.connect(place).create_table("rows", schema=form)
    for start in range(0, len(base), PART):
        part = base[start : start + PART]
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), width)
        table.add(pa.table([pa.array(range(start, start + len(part))), vectors], schema=form))
    table.create_index("vector", config=IvfHnswSq(distance_type="dot", num_partitions=1))


def _open_lance(place: Path) -> Any:
    import lancedb

    return lancedb.connect(place).open_table("rows")


def _ask_lance(table: Any, query: np.ndarray, width: int) -> np.ndarray:
    found = (
        table.search(query[0]).distance_type("dot").ef(max(width, 2 * K)).refine_factor(2).limit(K).select(["number"])
    )
    return np.array([found.to_arrow()["number"].to_pylist()])


def first_query(name: str, place: str) -> float:
    """Milliseconds from opening what was built to the end of the first query; packages are imported before."""
    import faiss  # noqa: F401
    import lancedb  # noqa: F401

    from fusible.index.store import Index

    query = np.full((1, 384), 384**-0.5, np.float32)
    peer = next((peer for peer in systems() if peer.name == name), None)
    if peer is None:
        begun = perf_counter()
        Index.open(place).search("text", query, K)
        return 1000 * (perf_counter() - begun)
    if name == "usearch":
        import usearch.index  # noqa: F401
    width = int(Path(f"{place}.width").read_text())
    begun = perf_counter()
    peer.ask(peer.open(Path(place)), query, width)
    return 1000 * (perf_counter() - begun)
