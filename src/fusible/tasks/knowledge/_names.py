"""Names of a graph: where they stand, near ones where there is no such, and facts as they are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from fusible.errors import ConfigError

SPECIAL = re.compile(r"""[(),"'?&∧:]""")


def place(what: str, names: Sequence[str], name: str, where: str = "") -> int:
    """Place of a name; `ConfigError` with near names where there is none."""
    try:
        return names.index(name)
    except ValueError:
        near = _near(name, names)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"none of {len(names):,} is near it"
        raise ConfigError(f"graph: no {what} {name!r} in this graph{where}: {hint}") from None


def _near(name: str, names: Sequence[str]) -> list[str]:
    """Up to three names that hold this one, shortest first; else such as are written alike."""
    folded = name.casefold()
    holding = [one for one in names if folded in one.casefold()]
    return sorted(holding, key=len)[:3] or get_close_matches(name, names, n=3, cutoff=0.5)


def said(relation: str, head: str, tail: str) -> str:
    """A fact as it is read, `relation(head, tail)`; names that hold marks of that notation stand in quotes."""
    return f"{quoted(relation)}({quoted(head)}, {quoted(tail)})"


def quoted(name: str) -> str:
    """A name as it is read: in quotes where it holds marks of the notation."""
    if not SPECIAL.search(name):
        return name
    escaped = re.sub(r'(["\\])', r"\\\1", name)
    return f'"{escaped}"'
