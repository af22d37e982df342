"""The same strategies on several tables: one study each, then ranks over all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.errors import ConfigError, SchemaError
from fusible.evaluation.several import SeveralResult, TableStudy, several
from fusible.evaluation.study import StudyResult, plain
from fusible.tasks.compare import compare
from fusible.tasks.results import versions
from fusible.tasks.source import Progress, stage

INDIFFERENT = frozenset({"progress", "cache", "workers", "command"})
"""Options that change how a study runs, and nothing in what it finds."""
RESERVED = frozenset({"report.html", "studies.json"})
"""What stands beside the folders of studies."""
TO_SOME = ("columns", "views", "encoders", "strategies")
"""Options that name columns or views, which not every table has."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of several: its name, its data, its target, and the options of its study.

    `key` is a digest of the cells, the target, the options and the versions: equal keys, equal studies, as long as the
    files that cells name stay the same.
    """

    name: str
    data: Any
    target: str
    options: dict[str, Any]
    key: str

    @property
    def where(self) -> str:
        """Path, or what kind of table it is."""
        return str(self.data) if isinstance(self.data, str | Path) else f"a {type(self.data).__name__}"


class Store(Protocol):
    """Where finished studies are kept, so that a run that was ended goes on where it was."""

    def find(self, table: Table) -> TableStudy | None:
        """Give the finished study of a table with this key, if there is one."""

    def keep(self, table: Table, result: StudyResult) -> TableStudy:
        """Keep a study that has just ended."""


def compare_all(
    tables: Sequence[Any] | Mapping[str, Any],
    target: str | Sequence[str],
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    command: str = "",
    **options: Any,
) -> SeveralResult:
    """Run `compare` on each table with the same strategies, and rank the strategies over all.

    Parameters
    ----------
    tables : sequence of data, or mapping of names to data
        Two or more of what `fusible.read` takes; a file's name without its suffix names it.
    target : str or sequence of str
        The column to predict: one for all tables, or one per table.
    store : object, optional
        Finds and keeps finished studies.
    progress, command
        As in `compare`.
    **options
        As in `compare`. `columns`, `views`, `encoders` and strategies `single:<view>` go to the tables that have such
        columns and views; one that no table has is an error.

    Raises
    ------
    FusibleError
        As in `compare`; every table is read, and its target looked up, before the first study begins.
    """
    plans = plan(tables, target, options)
    done: list[TableStudy] = []
    with stage(progress, "studies", len(plans)) as bar:
        for table in plans:
            found = store.find(table) if store is not None else None
            if found is None:
                found = _run(table, store, progress, command)
            done.append(found)
            bar.advance(1)
    return several(done, command)


def plan(
    tables: Sequence[Any] | Mapping[str, Any], target: str | Sequence[str], options: Mapping[str, Any]
) -> list[Table]:
    """Name the tables, give each its target and the options that fit it, and read each once to check them."""
    named = dict(tables) if isinstance(tables, Mapping) else dict(zip(_names(tables), tables, strict=True))
    _check_names(list(named))
    if len(named) < 2:
        raise ConfigError(f"comparing over several tables: expected at least two, got {len(named)}; use compare")
    targets = [target] if isinstance(target, str) else list(target)
    if len(targets) not in {1, len(named)}:
        raise ConfigError(
            f"target: expected one for all tables or one for each of {len(named)}, got {len(targets)}: {targets}"
        )
    targets = targets * len(named) if len(targets) == 1 else targets
    fitting = [_fitting(data, options) for data in named.values()]
    for option in TO_SOME:
        for name in options.get(option) or ():
            if not any(name in (found.get(option) or ()) for found in fitting):
                raise SchemaError(f"{option} {name!r}: no table has what it names; tables are {', '.join(named)}")
    return [
        Table(name, data, goal, found, _key(data, goal, found))
        for (name, data), goal, found in zip(named.items(), targets, fitting, strict=True)
    ]


def _run(table: Table, store: Store | None, progress: Progress | None, command: str) -> TableStudy:
    with stage(progress, f"study of {table.name}"):
        result = compare(table.data, table.target, progress=progress, command=command, **table.options)
    if store is not None:
        return store.keep(table, result)
    return TableStudy(table.name, table.where, result.to_json())


def _names(tables: Sequence[Any]) -> list[str]:
    """Names that are distinct and can be folders: of files, without suffix; else table1, table2 …."""
    if isinstance(tables, str | Path):
        raise ConfigError(f"tables {str(tables)!r}: expected a list of two or more, got one; use compare")
    names: list[str] = []
    for k, data in enumerate(tables, start=1):
        stem = re.sub(r"\W+", "-", Path(data).name.partition(".")[0]) if isinstance(data, str | Path) else ""
        base = name = stem.strip("-") or f"table{k}"
        number = 1
        while name.casefold() in {taken.casefold() for taken in names}:
            number += 1
            name = f"{base}-{number}"
        names.append(name)
    return names


def _check_names(names: Sequence[Any]) -> None:
    """Refuse names that could not all be folders beside the report."""
    taken: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w .-]*", name) or name.casefold() in RESERVED:
            raise ConfigError(
                f"table name {name!r}: expected a word, for it names a folder: letters, digits, '_', '-', '.', spaces"
            )
        if name.casefold() in taken:
            raise ConfigError(
                f"table names {taken[name.casefold()]!r} and {name!r}: expected names that differ in more than case"
            )
        taken[name.casefold()] = name


def _fitting(data: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of the options `TO_SOME` what the table has; all others as they are."""
    kept = dict(options)
    if not any(options.get(name) for name in TO_SOME):
        return kept
    names = set(read(data).columns)
    columns = {name: said for name, said in (options.get("columns") or {}).items() if name in names}
    views = {name: joined for name, joined in (options.get("views") or {}).items() if names.issuperset(joined)}
    known = read(data, columns=columns or None, views=views or None).views
    encoders = {view: name for view, name in (options.get("encoders") or {}).items() if view in known}
    if options.get("strategies") is not None:
        wanted = [(name, name.partition(":")) for name in options["strategies"]]
        kept["strategies"] = [name for name, (family, _, view) in wanted if family != "single" or view in known]
    return {**kept, "columns": columns or None, "views": views or None, "encoders": encoders or None}


def _key(data: Any, target: str, options: Mapping[str, Any]) -> str:
    dataset: Dataset = read(data, columns=options.get("columns"), views=options.get("views"), target=target)
    settings = {name: plain(value) for name, value in options.items() if name not in INDIFFERENT and value is not None}
    views = [(view.name, str(view.modality), view.columns) for view in dataset.views.values()]
    whole = json.dumps([dataset.fingerprint, views, target, settings, versions()], sort_keys=True)
    return blake2b(whole.encode(), digest_size=16).hexdigest()
