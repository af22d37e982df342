"""Writing to an index: rows go to new versions of the table, which nobody sees until the pointer names the last one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusible.errors import ConfigError
from fusible.index import _pointer, _publish, _table
from fusible.index._pointer import WORK, Pointer
from fusible.index._publish import Failure, Graphs
from fusible.index._roster import Roster
from fusible.index.items import Items

FLUSH_ROWS = 16_384
FLUSH_BYTES = 64 * 2**20
FLUSH_SECONDS = 20.0
"""Rows are written when this many are waiting, or at the next `put` after these seconds; a kill costs no more."""


class Writer:
    """One job's changes to an index; `info` is stored with the version."""

    def __init__(self, folder: Path, pointer: Pointer, job: str) -> None:
        self.info: dict[str, Any] = dict(pointer.info)
        self._folder, self._pointer, self._job = folder, pointer, job
        self._table = _table.connect(folder).open_table(_table.ROWS)
        self._schema = self._table.schema
        self._waiting: list[pa.Table] = []
        self._since = monotonic()
        self._gone: list[str] = []
        self._before: Roster | None = None
        self._held: dict[str, str] = {}
        self._failed: set[str] = set()
        self._next = pointer.next
        self._resume()

    def _resume(self) -> None:
        """Go on with this job where it was left; what another job left is dropped."""
        work = self._folder / WORK
        left = _pointer.read_json(work) if work.is_file() else {}
        if left == {"job": self._job, "base": self._pointer.table}:
            held = Roster.scan(self._table, self._pointer.next)
            self._held = dict(zip(held.ids.to_pylist(), held.keys.to_pylist(), strict=True))
            self._next = int(held.numbers[-1]) + 1 if len(held) else self._next
            self._failed = {failure["id"] for failure in _publish.own_failures(self._folder)}
            return
        _publish.settle(self._table, self._pointer)
        (self._folder / _publish.FAILURES).unlink(missing_ok=True)
        _pointer.write_json(work, {"job": self._job, "base": self._pointer.table})

    def done(self, ids: Sequence[str], keys: Sequence[str] | None = None) -> np.ndarray:
        """Bool per id: whether this unfinished job has written it already.

        With `keys` also whether the visible version has the row with that content key, so that nothing is to be done.
        """
        done = np.array([name in self._held for name in ids], dtype=bool)
        if keys is None:
            return done
        if len(keys) != len(ids):
            raise ConfigError(f"index: {len(keys)} keys for {len(ids)} ids, expected as many")
        wanted = np.array(list(keys), dtype=object)
        done &= np.array([self._held.get(name) == key for name, key in zip(ids, keys, strict=True)], dtype=bool)
        before = self._visible()
        at = before.find(list(ids))
        known = np.flatnonzero((at >= 0) & (wanted != "") & [name not in self._held for name in ids])
        same = np.array(before.keys.take(pa.array(at[known])).to_pylist(), dtype=object) == wanted[known]
        done[known[same]] = True
        return done

    def put(self, items: Items, failures: Iterable[Failure] = ()) -> None:
        """Add rows; one whose id is there already takes its place when the job is done.

        `failures` are mappings of `id`, `view` and `message`: what could not be read.
        """
        items.check(self._pointer.widths)
        noted = list(failures)
        _publish.noted(self._folder, noted, [name for name in items.ids if name in self._failed])
        self._failed |= {str(failure["id"]) for failure in noted}
        if not len(items.ids):
            return
        numbers = np.arange(self._next, self._next + len(items.ids))
        rows = _table.table_of(items, numbers, self._schema, self._pointer.widths, self._pointer.columns)
        self._next += len(items.ids)
        self._held.update(zip(items.ids, items.keys or [""] * len(items.ids), strict=True))
        self._waiting.append(rows)
        size = sum(part.num_rows for part in self._waiting), sum(part.nbytes for part in self._waiting)
        if size[0] >= FLUSH_ROWS or size[1] >= FLUSH_BYTES or monotonic() - self._since > FLUSH_SECONDS:
            self.flush()

    def delete(self, ids: Iterable[str]) -> None:
        """Take rows of the visible version out when the job is done; unknown ids are no error.

        A row that this job puts stays, whichever comes first, so that a job that was killed can run again.
        """
        self._gone.extend(ids)

    def flush(self) -> None:
        """Write what is waiting; a killed job finds it again."""
        if self._waiting:
            self._table.add(pa.concat_tables(self._waiting))
            self._waiting.clear()
        self._since = monotonic()

    def _visible(self) -> Roster:
        if self._before is None:
            self._before = _publish.opened(self._folder, self._pointer)
        return self._before

    def commit(self, graphs: Graphs) -> Pointer:
        """Write all that waits, take out what was replaced, build what a search needs, and move the pointer.

        Nothing is written, and no version is made, where nothing changed.
        """
        if self._idle():
            _publish.settled(self._folder)
            return self._pointer
        self.flush()
        now = Roster.scan(self._table)
        _table.delete(self._table, self._replaced(now))
        crowded = _table.fragments(self._table) > _publish.FRAGMENTS
        if crowded:
            _table.tidy(self._table)
        touched = set(self._held) | set(self._gone)
        failures = _publish.all_failures(self._folder, self._pointer, touched)
        after = int(now.numbers[-1]) + 1 if len(now) else 0
        pointer = replace(self._pointer, info=self.info, job=self._job, next=max(self._next, after))
        published = _publish.publish(self._folder, self._table, pointer, failures, graphs)
        if crowded and published.version == 1:  # nobody reads an older version yet
            _table.drop_old(self._table)
        return published

    def _idle(self) -> bool:
        """Whether this job changes nothing of a version that is there."""
        same = self._pointer.version and self.info == self._pointer.info and not (self._held or self._failed)
        return bool(same) and not (self._visible().find(self._gone) >= 0).any()

    def _replaced(self, now: Roster) -> np.ndarray:
        """Numbers of rows that are deleted, or that a later row of the same id replaces."""
        new = now.numbers >= self._pointer.next
        fresh = now.ids.filter(pa.array(new))
        gone = pc.is_in(now.ids, value_set=pa.concat_arrays([fresh, pa.array(self._gone, pa.string())]))
        old = now.numbers[~new & gone.to_numpy(zero_copy_only=False)]
        places = np.flatnonzero(new)[::-1]
        codes = fresh.dictionary_encode().indices.to_numpy(zero_copy_only=False)[::-1]
        _, first = np.unique(codes, return_index=True)
        return np.concatenate([old, now.numbers[np.delete(places, first)]])
