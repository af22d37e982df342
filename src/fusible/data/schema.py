"""What each column is, and why: inference of modality and role, with overrides.

The rules, first match wins (a target column skips those that would ignore it):

1. `split`: named `split`, every value one of train, valid, validation, val, dev, test. `group`: named `group`.
2. bytes: media by their first bytes; lists of text: category (a set of labels); other nested cells: ignored.
3. booleans: category; dates and times: number (seconds); integers and floats: number, but a column named `id` or
   `..._id`, or integers that count the rows (all different, without a gap), is an entity and ignored.
4. text of paths with media endings (nine of ten cells): that medium.
5. text that is all numbers (or ISO dates): number; digits with leading zeros are codes.
6. text named `id` or `..._id`, or almost all different, short and without blanks: entity, ignored.
7. text like sentences (four words on average): text. Few different values (at most 50 and at most half of the rows;
   or under 5 % of the rows and short): category. Everything else: text.

A column that is all null, or the same in every row, is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from fusible.data.guess import Guess, guess
from fusible.data.profile import profile
from fusible.errors import SchemaError, TargetError
from fusible.types import Column, Modality, Problem, Role

Override = tuple[Modality | None, Role | None]


def infer(
    table: pa.Table,
    root: Path | None,
    overrides: Mapping[str, str] | None = None,
    target: str | Sequence[str] | None = None,
    *,
    textual: bool = False,
    problems: list[Problem] | None = None,
) -> dict[str, Column]:
    """Infer modality and role of every column, each with its reason.

    Parameters
    ----------
    table : pyarrow.Table
        As `fusible.data.files.load_file` gives it.
    root : Path or None
        Folder that paths in cells are relative to.
    overrides : mapping, optional
        `{column: "modality[:role]"}`, or only `"role"` or `":role"`.
    target : str or sequence of str, optional
        Columns to predict.
    textual : bool
        Whether the file format has no types, so that text cells of digits are numbers, however few they are.
    problems : list, optional
        Findings (paths of which no file exists) are appended here.

    Raises
    ------
    SchemaError
        An override of an unknown column, modality or role.
    TargetError
        An unknown target.

    >>> table = pa.table({"age": [31, 32, 54], "photo": ["a.png", "b.png", "c.png"]})
    >>> [column.modality.value for column in infer(table, None).values()]
    ['number', 'image']
    """
    given = {known(name, table.column_names): parse(name, text) for name, text in (overrides or {}).items()}
    targets = target_names(target, table.column_names)
    columns: dict[str, Column] = {}
    for name in table.column_names:
        modality, role = given.get(name, (None, None))
        is_target = name in targets or role is Role.TARGET
        found = guess(profile(name, table.column(name), root), textual=textual, is_target=is_target)
        column = _override(Column(name, found.modality, found.role, found.reason), modality, role)
        columns[name] = replace(column, role=Role.TARGET) if name in targets else column
        if problems is not None and column.role is Role.INPUT:
            problems.extend(_problems(found, name))
    return columns


def _override(column: Column, modality: Modality | None, role: Role | None) -> Column:
    """Apply what the user said; a modality makes an ignored column an input."""
    if modality is None and role is None:
        return column
    said = ":".join(part.value for part in (modality, role) if part is not None)
    if role is None:
        role = Role.INPUT if column.role is Role.IGNORE else column.role
    return Column(column.name, modality or column.modality, role, f"set to {said} (guess: {column.reason})")


def _problems(found: Guess, name: str) -> list[Problem]:
    if not found.problem:
        return []
    return [Problem("missing files", name, found.problem, count=found.problem_count)]


def parse(name: str, text: str) -> Override:
    """Read an override: `modality`, `modality:role`, `role` or `:role`.

    >>> parse("x", "category:target")
    (<Modality.CATEGORY: 'category'>, <Role.TARGET: 'target'>)
    """
    first, _, second = (part.strip().lower() for part in text.partition(":"))
    modality = _member(Modality, first)
    role = _member(Role, second) if second else (_member(Role, first) if modality is None else None)
    bad = (first and modality is None and (role is None or second)) or (second and role is None)
    if bad or modality is Modality.TABLE or (modality is None and role is None):
        raise SchemaError(_bad_override(name, text))
    return (modality, role)  # type: ignore[return-value]  # `_member` gives members of the enumeration asked for


def _member(kind: type[Modality] | type[Role], text: str) -> Modality | Role | None:
    return next((member for member in kind if member.value == text), None)


def _bad_override(name: str, text: str) -> str:
    modalities = [m.value for m in Modality if m is not Modality.TABLE]
    roles = [r.value for r in Role]
    near = [match for part in text.lower().split(":") for match in get_close_matches(part, [*modalities, *roles], n=1)]
    hint = f"; did you mean {':'.join(near)!r}?" if near and ":".join(near) != text.lower() else ""
    expected = f"expected modality[:role] of {', '.join(modalities)} and {', '.join(roles)}"
    return f"column {name!r}: {expected}, got {text!r}{hint}"


def target_names(target: str | Sequence[str] | None, names: Sequence[str]) -> tuple[str, ...]:
    """Give names of the target columns; raises `TargetError` with near names for an unknown one."""
    targets = () if target is None else (target,) if isinstance(target, str) else tuple(target)
    for name in targets:
        if name not in names:
            raise TargetError(f"target {name!r}: no such column; {near_names(name, names)}")
    return targets


def known(name: str, names: Sequence[str]) -> str:
    """Return the name; raises `SchemaError` with near names where no column is called so."""
    if name not in names:
        raise SchemaError(f"column {name!r}: no such column; {near_names(name, names)}")
    return name


def near_names(name: str, names: Sequence[str], what: str = "columns") -> str:
    """Say which names are meant perhaps; `what` they are the names of.

    >>> near_names("prise", ["price", "area"])
    "did you mean 'price'?"
    """
    near = get_close_matches(name, names, n=3)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    shown = ", ".join(map(repr, names[:12]))
    return f"{what} are {shown}{' …' if len(names) > 12 else ''}"
