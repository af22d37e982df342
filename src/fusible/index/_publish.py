"""Making a version visible: everything beside the pointer first, then the pointer, then what nobody names goes.

What the version before names stays until the next one: who has it open reads graphs when they are first asked for.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from fusible.errors import DataError
from fusible.index import _pointer, _table
from fusible.index._pointer import WORK, Pointer
from fusible.index._roster import Roster

FAILURES = "work-failures.jsonl"
KEYS = {"id", "view", "message"}
"""What a failure says."""
FRAGMENTS = 64
"""Files of rows from which on a commit joins them."""
UNINDEXED = 20_000
"""Rows outside the full-text index, searched one by one, from which on a commit builds it anew."""

Failure = Mapping[str, str]
Graphs = Callable[[Any, Pointer, Roster], dict[str, str]]


def settle(table: Any, pointer: Pointer) -> None:
    """Bring the table back to the visible version; what lies beyond it was never finished."""
    table.checkout_latest()
    if table.version != pointer.table:
        table.checkout(pointer.table)
        table.restore()


def opened(folder: Path, pointer: Pointer) -> Roster:
    """Roster of the visible version."""
    return Roster.open(folder / pointer.roster, pointer.rows) if pointer.roster else Roster.none()


def publish(folder: Path, table: Any, pointer: Pointer, failures: Iterable[Failure], graphs: Graphs) -> Pointer:
    """Write roster, failures and graphs of the table as it is, move the pointer, remove what is older than the last."""
    before = pointer
    if not pointer.words and table.count_rows(f"{_table.TEXT} != ''"):
        index_words(table)
        pointer = replace(pointer, words=True)
    elif pointer.words and _unindexed(table) > max(UNINDEXED, 0.1 * table.count_rows()):
        index_words(table)
    roster = Roster.scan(table)
    version = pointer.version + 1
    pointer = replace(pointer, version=version, table=table.version, rows=len(roster), roster=f"roster-{version}.arrow")
    roster.write(folder / pointer.roster)
    pointer = _with_failures(folder, pointer, iter(failures))
    pointer = replace(pointer, graphs=graphs(table, pointer, roster))
    pointer.write(folder)
    _table.tag(table)
    settled(folder)
    sweep(folder, pointer, before)
    return pointer


def _with_failures(folder: Path, pointer: Pointer, failures: Iterator[Failure]) -> Pointer:
    """Write failures as they come; no file where there are none."""
    first = next(failures, None)
    if first is None:
        return replace(pointer, failures="", failed=0)
    name = f"failures-{pointer.version}.jsonl"
    return replace(pointer, failures=name, failed=_pointer.put_lines(folder / name, chain([first], failures)))


def settled(folder: Path) -> None:
    """Note that no job is unfinished."""
    for path in (folder / WORK, folder / FAILURES, *folder.glob(".*.part")):
        path.unlink(missing_ok=True)


def sweep(folder: Path, *pointers: Pointer) -> None:
    """Remove rosters, failures and graphs that none of the pointers names."""
    named = {name for one in pointers for name in (one.roster, one.failures, *one.graphs.values())}
    for path in [
        *folder.glob("roster-*"),
        *folder.glob("failures-*"),
        *folder.glob("graph-*"),
        *folder.glob("block-*"),
    ]:
        if path.name not in named:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def index_words(table: Any) -> None:
    """Build LanceDB's full-text index (BM25; English stems, no stop words) anew."""
    from lancedb.index import FTS

    table.create_index(_table.TEXT, config=FTS(with_position=False), replace=True)


def _unindexed(table: Any) -> int:
    name = next((index.name for index in table.list_indices() if list(index.columns) == [_table.TEXT]), None)
    stats = None if name is None else table.index_stats(name)
    return int(table.count_rows() if stats is None else stats.num_unindexed_rows)


def noted(folder: Path, failures: Sequence[Failure], again: Sequence[str] = ()) -> None:
    """Add failures to those of the unfinished job; what it noted of the ids that are put `again` counts no more."""
    lines: list[Mapping[str, Any]] = [{"again": list(again)}] if again else []
    lines += [_plain(failure) for failure in failures]
    if lines:  # on a line of their own, even after one that a full disk cut short
        _pointer.append(folder / FAILURES, "\n" + "".join(json.dumps(line) + "\n" for line in lines))


def own_failures(folder: Path) -> list[dict[str, str]]:
    """Failures of the unfinished job; the last time that an id was put counts."""
    path = folder / FAILURES
    found: dict[str, dict[str, dict[str, str]]] = {}
    for line in path.read_bytes().split(b"\n") if path.is_file() else []:
        entry = _whole(line)
        for name in entry.get("again", ()):
            found.pop(name, None)
        if "id" in entry:
            found.setdefault(entry["id"], {})[entry["view"]] = entry
    return [failure for views in found.values() for failure in views.values()]


def _plain(failure: Failure) -> dict[str, str]:
    if set(failure) != KEYS:
        raise DataError(f"index: a failure with {sorted(failure)}, expected id, view and message")
    return {key: str(failure[key]) for key in ("id", "view", "message")}


def read_failures(folder: Path, pointer: Pointer) -> Iterator[dict[str, str]]:
    """Failures of the visible version, one by one; raises `DataError` where the file is damaged."""
    if not pointer.failures:
        return
    path = folder / pointer.failures
    for failure in _pointer.read_lines(path) if path.suffix == ".jsonl" else _of_format_1(path):
        if not isinstance(failure, dict) or set(failure) != KEYS or not all(map(_is_text, failure.values())):
            raise DataError(f"{path}: the index is damaged; build it again")
        yield failure


def _of_format_1(path: Path) -> list[Any]:
    """Failures of format 1: one object, however large it became."""
    held = _pointer.read_json(path, bounded=False).get("failures")
    if not isinstance(held, list):
        raise DataError(f"{path}: the index is damaged; build it again")
    return held


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def all_failures(folder: Path, pointer: Pointer, touched: set[str]) -> Iterator[dict[str, str]]:
    """Failures of the rows that the unfinished job left alone, and its own."""
    own = own_failures(folder)
    touched = touched | {failure["id"] for failure in own}
    yield from (failure for failure in read_failures(folder, pointer) if failure["id"] not in touched)
    yield from own


def _whole(line: bytes) -> dict[str, Any]:
    """Parse a line; nothing for an empty one, nor for one cut short, whose rows were not written either."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
