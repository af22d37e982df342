"""What training triples call that which texts call otherwise, by relation and role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from fusible.evaluation.names import written

Names: TypeAlias = dict[str, dict[str, dict[str, str]]]
"""Relation, role (head or tail) and surface to the name that triples have."""

OFTEN = 2
"""Times that a surface must have been seen in its role."""
SURE = 0.8
"""Least share of these that had one and the same name."""


def surface(said: str) -> str:
    """What a text says, as names are looked up."""
    return " ".join(said.lower().split())


def names_of(seen: Iterable[tuple[str, str, str, str]]) -> Names:
    """Learn names of (relation, role, what the text says, name in the triple); those that say the same are left out.

    >>> seen = [("language", "tail", "English", "English_language")] * 2
    >>> names_of([*seen, ("language", "head", "Aida", "Aida")])
    {'language': {'tail': {'english': 'English language'}}}
    """
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    spelled: dict[tuple[str, str, str], set[str]] = {}
    for relation, role, said, name in seen:
        key = relation, role, surface(said)
        counts.setdefault(key, Counter())[written(name)] += 1
        spelled.setdefault(key, set()).add(said)
    found: Names = {}
    for (relation, role, said), names in counts.items():
        name, often = names.most_common(1)[0]
        if often >= max(OFTEN, SURE * names.total()) and spelled[relation, role, said] != {name}:
            found.setdefault(relation, {}).setdefault(role, {})[said] = name
    return found


def size(names: Mapping[str, Mapping[str, Mapping[str, str]]]) -> int:
    """How many names are held.

    >>> size({"language": {"tail": {"english": "English language"}}})
    1
    """
    return sum(len(held) for roles in names.values() for held in roles.values())
