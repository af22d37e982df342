"""Which items a condition holds for: the filters of `fusible search`, evaluated by SQLite on a table in memory."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.cells import NUMBER
from fusible.errors import ConfigError
from fusible.index._filter import checked

QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`")
CONTAINS = re.compile(
    rf"(\"[^\"]+\"|`[^`]+`|[^\W\d]\w*)\s+contains\s+('(?:[^']|'')*'|[\w'-]+)|{QUOTED.pattern}", re.IGNORECASE
)
"""The word `contains` between a column and a word; quoted parts without it are matched as well, so as to be passed."""
STEPS = 50_000_000
"""Steps of SQLite's machine after which a condition is given up."""
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}


def matching(table: pd.DataFrame, where: str) -> np.ndarray:
    """Bool (rows,): whether an SQL condition on the table's columns holds; it does not where it is unknown.

    `COLUMN contains WORD` asks whether text holds a word, whatever its case. Nothing else than a condition can be said:
    it is looked at first as filters of an index are, and SQLite may read this one table only. Raises `ConfigError`.

    >>> films = pd.DataFrame({"year": [1995, 1980], "genre": ["Comedy Drama", "Drama"]}, dtype=object)
    >>> matching(films, "year >= 1990 and genre contains comedy").tolist()
    [True, False]
    """
    told = CONTAINS.sub(_contains, where) if isinstance(where, str) else where
    condition = checked(told, table.columns)
    if re.search(r"\bselect\b", QUOTED.sub("", condition), re.IGNORECASE):
        raise ConfigError("where: expected one condition on the columns of items, got a query in it")
    names = list(table.columns)
    cells = table.map(_plain)
    numeric = {name for name in names if _mostly_numbers(cells[name])}
    for name in numeric:  # a text among numbers would be greater than any of them
        cells[name] = [one if _is_number(one) else None for one in cells[name]]
    columns = ", ".join(_quoted(name) + (" numeric" if name in numeric else "") for name in names)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as held:
        held.create_function("contains", 2, _has, deterministic=True)
        try:
            held.execute(f"create table items ({columns})")
            marks = ", ".join("?" * len(names))
            held.executemany(f"insert into items values ({marks})", cells.itertuples(index=False, name=None))  # noqa: S608
            held.set_authorizer(_authorise)
            held.set_progress_handler(lambda: 1, STEPS)
            rows = held.execute(f"select rowid from items where {condition}").fetchall()  # noqa: S608
        except sqlite3.Error as error:
            raise ConfigError(_said(str(error), names)) from None
    found = np.zeros(len(table), bool)
    found[[row - 1 for (row,) in rows]] = True
    return found


def _said(error: str, names: list[str]) -> str:
    if error.startswith("no such column: "):
        return f"where: no column {error[16:]!r} of items; expected one of {', '.join(names)}, or 'text' in quotes"
    if error.startswith("duplicate column name: "):
        return f"where: columns of items differ from {error[23:]!r} by capitals alone; rename one of them"
    if error == "interrupted":
        return "where: the condition takes too long; write a simpler one"
    return f'where: expected an SQL condition such as "year >= 1990 and genre contains Comedy"; {error[:150]}'


def _authorise(action: int, first: str | None, second: str | None, *_: object) -> int:
    """Reading the one table and calling plain functions."""
    fine = action in _ALLOWED and (action != sqlite3.SQLITE_READ or first == "items")
    if action == sqlite3.SQLITE_FUNCTION and second in {"load_extension", "readfile", "writefile"}:
        fine = False
    return sqlite3.SQLITE_OK if fine else sqlite3.SQLITE_DENY


def _contains(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    word = match[2] if match[2].startswith("'") else "'" + match[2].replace("'", "''") + "'"
    return f"contains({match[1]}, {word})"


def _mostly_numbers(cells: pd.Series[Any]) -> bool:
    there = [cell for cell in cells if cell is not None]
    return 2 * sum(map(_is_number, there)) > len(there)


def _is_number(cell: object) -> bool:
    if isinstance(cell, int | float):
        return True
    return isinstance(cell, str) and re.match(NUMBER, cell.strip()) is not None


def _has(text: object, word: object) -> bool | None:
    return None if text is None or word is None else str(word).lower() in str(text).lower()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(cell: Any) -> object:
    """A cell as SQLite holds it: numbers, and all else as text."""
    if cell is None or pd.isna(cell):
        return None
    if isinstance(cell, bool | np.bool_):
        return int(cell)
    if isinstance(cell, int | np.integer):
        return int(cell)
    return float(cell) if isinstance(cell, float | np.floating) else str(cell)
