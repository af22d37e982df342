"""An index on disk: rows with their vectors, columns and texts, searched by vector, by words and by filter.

LanceDB holds every row. Beside it lie, per version, the roster (ids in a file that is mapped), the rows that failed,
and graphs (HNSW) of the views with many rows. One pointer file names the visible version; it is renamed into place when
everything it names is on disk, so that a process killed at any moment leaves the last whole version, and the same job
run again goes on where it was.

A graph's building is told to `advance(vectors added)`, since that of a large one takes minutes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from fusible.errors import ConfigError, DataError
from fusible.index import _graphs, _pointer, _publish, _table
from fusible.index._graph import Advance
from fusible.index._pointer import NAME, WORK, Pointer
from fusible.index._publish import Graphs
from fusible.index._reader import Reader
from fusible.index._roster import Roster
from fusible.index._writer import Writer


def _ignore(_: int) -> None:
    """Show nothing."""


class Index(Reader):
    """One whole version of an index; later versions are seen after opening it again.

    `info` is what was stored beside (model, data …), `version` counts commits, `rows` the rows, `widths` the width of
    every view's vectors, and `columns` maps the user's columns to their names in filters.
    """

    @classmethod
    def create(cls, folder: str | Path, widths: Mapping[str, int], columns: pa.Schema, info: dict[str, Any]) -> Index:
        """Begin an index for vectors of `widths` per view and rows with own `columns`.

        Where a first build of the same form was killed it goes on. Raises `DataError` where the folder holds anything
        else, `ConfigError` for widths or columns that cannot be stored.
        """
        place = Path(folder)
        if not widths or len(widths) > _table.MOST_VIEWS or min(widths.values()) < 1:
            raise ConfigError(
                f"index: widths {dict(widths)}, expected 1 to {_table.MOST_VIEWS} views of width 1 or more"
            )
        names = _table.stored_names(columns)
        form = _table.schema(widths, columns, names)
        pointer = Pointer(0, 0, 0, 0, dict(widths), names, dict(info))
        if place.exists() and (not place.is_dir() or (not (place / NAME).is_file() and _strangers(place))):
            raise DataError(f"{place}: expected a new path, an empty folder or an index, got other files")
        place.mkdir(parents=True, exist_ok=True)
        with _pointer.locked(place):
            begun = _begun(place, pointer, form)
            if begun is None:
                _clear(place)
                table = _table.connect(place).create_table(_table.ROWS, schema=form)
                begun = replace(pointer, table=table.version)
                begun.write(place)
        return cls(place, begun, Roster.none())

    @classmethod
    def open(cls, folder: str | Path) -> Index:
        """Open the last whole version; nothing is written.

        Raises `DataError` for what is no index, is damaged, newer than this version knows, or was never finished.
        """
        place = Path(folder)
        pointer = Pointer.read(place)
        if not pointer.version:
            raise DataError(f"{place}: the first build of this index was not finished; run the same command again")
        try:
            return cls(place, pointer, _publish.opened(place, pointer))
        except DataError:
            later = Pointer.read(place)  # another process may have published in between
            if later == pointer:
                raise
            return cls(place, later, _publish.opened(place, later))

    @property
    def unfinished(self) -> str | None:
        """Name of a job that was begun after this version and not finished."""
        work = self.folder / WORK
        left = _pointer.read_json(work) if work.is_file() else {}
        return str(left["job"]) if left.get("base") == self._pointer.table else None

    def describe(self) -> dict[str, Any]:
        """What is in the index: rows, bytes on disk, and per view how it is searched, why, and how well.

        A view searched through a graph has its `recall` at 10 per asking view, measured on stored vectors that had no
        part in choosing the search width, and `fresh`, the rows that are searched exactly beside the graph.
        """
        failed = self._pointer.failed
        return {
            "rows": self.rows,
            "version": self.version,
            "bytes": _bytes(self.folder),
            "views": {view: _graphs.describe(self.folder, self._pointer, self._roster, view) for view in self.widths},
            "words": self._pointer.words,
            "failures": sum(1 for _ in self.each_failure()) if failed is None else failed,
            "unfinished": self.unfinished,
        }

    @contextmanager
    def writing(self, job: str, advance: Advance = _ignore) -> Iterator[Writer]:
        """Change the index: what is put inside becomes one new version when the block is left without an exception.

        `job` names the work: the same job after a kill or an exception goes on, another one drops what was left.
        Raises `ConfigError` where another process is writing.
        """
        with _pointer.locked(self.folder):
            writer = Writer(self.folder, Pointer.read(self.folder), job)
            yield writer
            pointer = writer.commit(self._graphs(advance, tidy=False))
        self._show(pointer, _publish.opened(self.folder, pointer))

    def compact(self, advance: Advance = _ignore) -> None:
        """Join small files, bring graphs and the full-text index up to date, and drop old versions.

        Who holds an older version open must open it again. Raises `ConfigError` where a job is unfinished.
        """
        with _pointer.locked(self.folder):
            pointer = Pointer.read(self.folder)
            self._show(pointer, _publish.opened(self.folder, pointer))
            if self.unfinished is not None or not pointer.version:
                raise ConfigError(f"{self.folder}: job {self.unfinished!r} is not finished; run it again, then compact")
            table = _table.connect(self.folder).open_table(_table.ROWS)
            _publish.settle(table, pointer)
            _table.tidy(table)
            failures = _publish.read_failures(self.folder, pointer)
            pointer = _publish.publish(self.folder, table, pointer, failures, self._graphs(advance, tidy=True))
            _publish.sweep(self.folder, pointer)
            _table.drop_old(table)
        self._show(pointer, _publish.opened(self.folder, pointer))

    def _graphs(self, advance: Advance, *, tidy: bool) -> Graphs:
        return partial(_graphs.renew, self.folder, advance=advance, tidy=tidy)


def _begun(place: Path, wanted: Pointer, form: pa.Schema) -> Pointer | None:
    """Pointer of a first build of the wanted form that was killed; None where none is, and all may be cleared."""
    found = _strangers(place)
    if not (place / NAME).is_file():
        if found:
            raise DataError(f"{place}: expected a new path, an empty folder or an index, got other files")
        return None
    pointer = Pointer.read(place)
    if pointer.version:
        raise DataError(f"{place}: already holds an index; open it to add to it, or choose another path")
    if replace(pointer, table=0) == wanted and Index(place, pointer, Roster.none())._table.schema == form:
        return pointer
    if found:
        raise DataError(f"{place}: an unfinished index of another form, and other files such as {found[0]!r}")
    if place.is_symlink():
        raise DataError(
            f"{place}: an unfinished index of another form behind a link; remove it, or choose another path"
        )
    return None


def _bytes(folder: Path) -> int:
    """Bytes of all files; what another process removes meanwhile counts for nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(place) / name).stat().st_size
    return total


def _clear(folder: Path) -> None:
    """Remove all but the lock that is held; the pointer first, so that a kill leaves nothing that looks begun."""
    (folder / NAME).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.name != _pointer.LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _strangers(folder: Path) -> list[str]:
    """Files that no index has."""
    own = {f"{_table.ROWS}.lance", NAME, WORK, _pointer.LOCK, _publish.FAILURES}
    kinds = ("roster-*", "failures-*", "graph-*", "block-*", ".*.part")
    return sorted(path.name for path in folder.iterdir() if path.name not in own and not any(map(path.match, kinds)))
