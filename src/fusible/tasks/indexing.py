"""Indexing: rows of a table as vectors on disk; reading, encoding and writing overlap, and a killed run goes on."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fusible.data.cache import ArrayCache
from fusible.data.dataset import Dataset
from fusible.errors import ConfigError, DataError
from fusible.index.items import FUSED, Items
from fusible.index.store import Index
from fusible.tasks import _index_rows as made
from fusible.tasks._index_failures import Failed, failed_cells, standing
from fusible.tasks._index_place import check_model, current, gone_of, info_of, open_model, opened, origin_of, read_some
from fusible.tasks.retriever import Retriever
from fusible.tasks.source import Progress, Source, Spaces, stage
from fusible.types import MEDIA, View

CHUNK = 1_024
"""Rows that are in memory at a time, three times: being read, encoded, and written."""
AHEAD = 2
"""Chunks that may wait to be written."""


@dataclass(slots=True)
class Indexed:
    """What indexing did: rows that were added, changed, left as they were and deleted, and what could not be read.

    `rows` is how many the index holds now; `failures` are those of this run (`notes` tell of earlier ones), `seconds`
    what it took, `items` how many were encoded and how many came from the feature cache, `index` what `Index.describe`
    says.
    """

    folder: str
    rows: int
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    items: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    index: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(slots=True)
class _Chunk:
    """Rows of the table, read but not encoded; `left` says which of them the index lacks."""

    rows: np.ndarray
    ids: list[str]
    keys: list[str]
    left: np.ndarray
    source: Source
    before: dict[str, np.ndarray] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    previews: dict[str, made.Previews] = field(default_factory=dict)
    media: dict[str, list[str | None]] = field(default_factory=dict)


def build_index(
    data: Any,
    model: Retriever | str | Path | None,
    output: str | Path,
    *,
    id: str | None = None,
    prune: bool = False,
    device: str = "cpu",
    workers: int | None = None,
    cache: str | Path | ArrayCache | None = None,
    progress: Progress | None = None,
) -> Indexed:
    """Write the rows of a table to an index, or bring one up to date.

    Rows whose id and content the index holds already are left; others are read, encoded and written, as one new version
    of the index once all are there. A run that was killed goes on where it was when it is run again.

    Parameters
    ----------
    data : path, pandas.DataFrame, pyarrow.Table or Dataset
        The table, with the columns of the model's views; see `fusible.read`. A view none of whose columns are there is
        absent, and `notes` say so.
    model : Retriever or path, optional
        A retriever or its folder, or that of an aligner (default: the one that the index was built with).
    output : path
        Folder of the index.
    id : str, optional
        Column whose cells name the rows. Without it rows are named by their numbers, and the index follows the table:
        numbers beyond its end are deleted. A table of another place, or another one in memory that would delete rows,
        is refused unless `prune` says to replace all.
    prune : bool
        Also delete rows whose ids are not in the table.
    device, workers, cache, progress
        As in `fusible.compare`.

    Raises
    ------
    FusibleError
        One line: a table, model or index that cannot be used, or an index of another model.
    """
    start, place = time.perf_counter(), Path(output)
    retriever, where = open_model(model, place)
    dataset, lacking = read_some(retriever, data)
    names = made.row_ids(dataset, id)
    texts = columns = made.own_columns(dataset)
    if made.is_untyped(data):
        columns = made.with_numbers(texts, {name for view in retriever.views for name in view.columns})
    index = opened(place, retriever, columns, info_of(retriever, where, place, data, dataset, id))
    check_model(index, retriever)
    about = (names, id, origin_of(data), dataset.fingerprint)
    gone_of(index, *about, prune=prune)  # refused before a job is begun
    columns, unknown = made.plain_schema(columns, texts, index.types, {n for view in lacking for n in view.columns})
    store = cache if isinstance(cache, ArrayCache) else ArrayCache(None if cache is None else Path(cache))
    run = _Run(retriever, dataset, names, columns, store, workers or 4, device)
    job = f"{dataset.fingerprint} {retriever.fingerprint} {id or ''} {'prune' if prune else ''}".strip()
    resumed = index.unfinished == job
    with index.writing(job) as writer:
        now = current(index)
        check_model(now, retriever)
        gone, before = gone_of(now, *about, prune=prune), now.rows
        writer.info = {**writer.info, **info_of(retriever, where, place, data, dataset, id)}
        writer.delete(gone)
        run.write(writer, progress)
    added = index.rows - before + len(gone)
    notes = [f"view {view.name!r} is absent: the table has no column {view.columns[0]!r}" for view in lacking]
    notes += [f"column {n!r} is not in the index and left out; build a new index to filter by it" for n in unknown]
    notes += ["went on where an earlier run was stopped"] if resumed else []
    notes += standing(index.each_failure(), run.failures)
    return Indexed(
        str(place), index.rows, added, max(0, run.written - added), dataset.rows - max(run.written, added), len(gone),
        run.failures, notes, run.counts, time.perf_counter() - start, index.describe(),
    )  # fmt: skip


def delete_rows(folder: str | Path, ids: Sequence[str]) -> Indexed:
    """Take rows out of an index by their ids.

    Raises `DataError` for an id that is not there, `ConfigError` where a job is unfinished, which this would drop.
    """
    start, index = time.perf_counter(), Index.open(folder)
    wanted = list(dict.fromkeys(map(str, ids)))
    if unknown := sorted(set(wanted) - set(index.ids())):
        raise DataError(f"{folder}: no row {unknown[0]!r} in this index; nothing is deleted")
    job = deletion(wanted)
    if index.unfinished not in {None, job}:
        raise ConfigError(f"{folder}: job {index.unfinished!r:.60} is not finished; run it again, then delete")
    with index.writing(job) as writer:
        writer.delete(wanted)
    return Indexed(
        str(folder), index.rows, deleted=len(wanted), seconds=time.perf_counter() - start, index=index.describe()
    )


def deletion(ids: Sequence[str]) -> str:
    """Name of the job that deletes rows, the same in any order."""
    held = json.dumps(sorted(ids)).encode()
    return f"delete {len(ids)} rows {blake2b(held, digest_size=16).hexdigest()}"


def compact_index(folder: str | Path, after: Indexed | None = None) -> Indexed:
    """Join small files, bring graphs and full text up to date, and drop old versions; see `Index.compact`.

    `after` is what was done before, which is then told together.
    """
    start, index = time.perf_counter(), Index.open(folder)
    index.compact()
    found = after or Indexed(str(folder), index.rows, unchanged=index.rows)
    return replace(found, index=index.describe(), seconds=found.seconds + time.perf_counter() - start)


class _Run:
    """One pass over a table: a thread reads the next chunk, the caller's encodes, another writes the one before."""

    def __init__(
        self,
        retriever: Retriever,
        dataset: Dataset,
        names: list[str],
        columns: pa.Table,
        cache: ArrayCache,
        workers: int,
        device: str,
    ) -> None:
        self.retriever, self.dataset, self.names, self.columns = retriever, dataset, names, columns
        self.views = tuple(dataset.views.values())
        self.cache, self.workers, self.device = cache, workers, device
        self.written = 0
        self.failures: list[dict[str, str]] = []
        self.counts = {"encoded": 0, "cached": 0}
        self.spaces: Spaces = {}

    def write(self, writer: Any, progress: Progress | None) -> None:
        """Write what the index lacks."""
        rows = self.dataset.rows
        parts = [np.arange(start, min(start + CHUNK, rows)) for start in range(0, rows, CHUNK)]
        waiting: deque[Future[None]] = deque()
        with (
            ThreadPoolExecutor(self.workers) as pool,
            ThreadPoolExecutor(1) as reader,
            ThreadPoolExecutor(1) as hand,
            stage(progress, "index", rows) as bar,
        ):
            coming = reader.submit(self._read, parts[0], writer, pool)
            for number in range(len(parts)):
                chunk = coming.result()
                if number + 1 < len(parts):
                    coming = reader.submit(self._read, parts[number + 1], writer, pool)
                if chunk.left.any():
                    items, failed = self._encode(chunk)
                    while len(waiting) >= AHEAD:
                        waiting.popleft().result()
                    waiting.append(hand.submit(writer.put, items, failed))
                bar.advance(len(chunk.rows))
            for one in waiting:
                one.result()

    def _read(self, rows: np.ndarray, writer: Any, pool: ThreadPoolExecutor) -> _Chunk:
        """Hash a chunk's items, ask what the index lacks, and begin to decode that and to make previews of it."""
        quiet = replace(self.dataset, problems=[])
        source = Source(
            quiet, cache=self.cache, workers=self.workers, device=self.device, rows=rows, spaces=self.spaces
        )
        held = [source.data(view) for view in self.views]
        ids = [self.names[row] for row in rows.tolist()]
        paths = {d.view.name: made.paths_of(self.dataset, d, rows) for d in held if d.view.modality in MEDIA}
        keys = made.row_keys(held, self.columns.slice(int(rows[0]), len(rows)), paths)
        left = ~writer.done(ids, keys)
        chunk = _Chunk(rows, ids, keys, left, source)
        if not left.any():
            return chunk
        if not left.all():
            chunk.source = source.hiding({view.name: ~left for view in self.views})
        places = np.flatnonzero(left)
        chunk.texts = made.full_texts(self.dataset, rows[places])
        for view, data in zip(self.views, held, strict=True):
            chunk.source.begin(view, self.retriever.encoders[view.name], pool)
            chunk.before[view.name] = chunk.source.data(view).ids.copy()
            if view.modality in MEDIA:
                items = made.media_of(data, places)
                chunk.media[view.name] = [paths[view.name][place] for place in places.tolist()]
                chunk.previews[view.name] = made.begin_previews(view, items, pool)
        return chunk

    def _encode(self, chunk: _Chunk) -> tuple[Items, list[dict[str, str]]]:
        """Vectors of a chunk's rows that the index lacks, and what could not be read."""
        every, left = np.arange(len(chunk.rows)), np.flatnonzero(chunk.left)
        vectors, failed = {}, []
        for view in self.views:
            found = self.retriever.embed(chunk.source, view, every)
            failed += self._failed(chunk, view, found)
            vectors[view.name] = found[left]
        vectors[FUSED] = self.retriever.fuse(vectors)
        for name in self.counts:
            self.counts[name] += chunk.source.counts[name]
        rows, again = pa.array(chunk.rows[left]), {one.row for one in failed if one.passing}
        ids = [chunk.ids[i] for i in left.tolist()]
        keys = ["" if i in again else chunk.keys[i] for i in left.tolist()]  # without a key it is tried again
        previews = {name: wait() for name, wait in chunk.previews.items()}
        items = Items(ids, vectors, self.columns.take(rows), chunk.texts, previews, chunk.media, keys)
        self.written += len(ids)
        lines = [{"id": chunk.ids[one.row], "view": one.view, "message": one.message} for one in failed]
        self.failures += lines
        return items, lines

    def _failed(self, chunk: _Chunk, view: View, vectors: np.ndarray) -> list[Failed]:
        data, before = chunk.source.data(view), chunk.before[view.name]
        encoder = self.retriever.encoders[view.name]
        found = failed_cells(self.dataset, view, encoder, chunk.rows, data, before, vectors)
        return [one for one in found if chunk.left[one.row]]
