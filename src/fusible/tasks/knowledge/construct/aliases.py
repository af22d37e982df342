"""Which names are one entity: evidence by rules, best first, and never against what keeps names apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from fusible.tasks.knowledge.construct._alias_names import Named, differ, key_of, telling
from fusible.tasks.knowledge.construct._alias_rules import (
    Encode,
    Merge,
    acronyms,
    meanings,
    mistakes,
    spellings,
    surnames,
)


def merge_names(
    names: Sequence[Named], *, encode: Encode | None = None, apart: Collection[str] = ()
) -> tuple[dict[str, str], list[Merge]]:
    """The entity of each name (the name that stands for it), and the evidence of each merge that was made.

    Rules: `spelling`, `legal form`, `acronym`, `surname`, `initials`, `mistake`, and with `encode` `meaning`. Merges
    are made from the best score down; one that would bring together names that differ in numbers, in words such as
    "north", or in clear types, over however many others, is left out. Names in `apart` stay for themselves. Nothing
    depends on the order of the names. It is called by its most frequent name, of these the longest with a capital.

    >>> some = [Named(name, "ORG", 1, frozenset({"a"})) for name in ("United Nations", "UN", "the united nations")]
    >>> merge_names(some)[0]["UN"]
    'United Nations'
    """
    free = sorted((name for name in names if name.name not in set(apart)), key=lambda name: name.name)
    rules = [spellings(free), acronyms(free), surnames(free), mistakes(free)]
    found = chain(*rules, meanings(free, encode) if encode is not None else ())
    groups = {name.name: _Group([name], {telling(name): name}) for name in names}
    made = [merge for merge in _best_first(found) if _join(groups, merge)]
    distinct = {id(group): group for group in groups.values()}
    called = {place: min(group.names, key=_calling).name for place, group in distinct.items()}
    return {name: called[id(group)] for name, group in groups.items()}, made


@dataclass(slots=True)
class _Group:
    """Names of one entity, and of those that differ from the same others one each."""

    names: list[Named]
    kinds: dict[tuple[object, ...], Named]


def _calling(name: Named) -> tuple[int, int, bool, str]:
    return -name.count, -len(key_of(name.name)), name.name[0].islower(), name.name


def _best_first(merges: Iterable[Merge]) -> list[Merge]:
    best: dict[tuple[str, str], Merge] = {}
    for merge in merges:
        pair = (min(merge.name, merge.other), max(merge.name, merge.other))
        if pair not in best or merge.score > best[pair].score:
            best[pair] = merge
    return [merge for _, merge in sorted(best.items(), key=lambda item: (-item[1].score, item[0]))]


def _join(groups: dict[str, _Group], merge: Merge) -> bool:
    """Put two groups together where no two of their names differ; whether that was so."""
    one, other = groups[merge.name], groups[merge.other]
    if one is other:
        return False
    if any(differ(a, b) for a in one.kinds.values() for b in other.kinds.values()):
        return False
    if len(one.names) < len(other.names):
        one, other = other, one
    one.names.extend(other.names)
    one.kinds |= other.kinds
    for name in other.names:
        groups[name.name] = one
    return True
