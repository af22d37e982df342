"""Mining: which chains of steps foretell a relation, counted for all bodies of a length at once.

Candidates are counted on as many entities as the bounds allow, some of every relation's; what is kept is then counted
anew on the whole graph, or, where a body has more walks than bounds allow, on a sample that is named as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fusible.tasks.knowledge.rules._paths import LONGEST, Body, Paths, without

WALKS = 60_000_000
"""Walks of three steps that candidates are counted on, at most, and pairs of constants."""
RECOUNT = 3_000_000
"""Walks of one body that are counted, at most."""
DENSE = 20_000_000
"""Cells of a table of all pairs of entities, at most; with more of them, pairs are looked for among sorted ones."""
FAN = 1_000_000
"""Cells of where a body leads by every last step, at most, so that they are held with their zeros."""
DOUBT = 5
"""Pairs without the head that every rule is given, so that a few lucky ones do not make it sure (Meilicke 2019)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a rule must reach to be kept, and how many are, per relation and kind of rule: a length, or with names."""

    length: int = 3
    support: int = 3
    confidence: float = 0.1
    most: int = 100


class Heads:
    """What is to be foretold: which of `steps` lead from an entity to another, by pairs."""

    def __init__(self, paths: Paths) -> None:
        size = paths.entities
        cells = [edge.tocoo() for edge in paths.edges]
        keys = [cell.row.astype(np.int64) * size + cell.col for cell in cells]
        self.keys, places = np.unique(np.concatenate(keys), return_inverse=True)
        kinds = np.repeat(np.arange(paths.steps), [len(key) for key in keys])
        shape = (len(self.keys), paths.steps)
        self.kinds = sparse.csr_array((np.ones(len(places), np.int64), (places, kinds)), shape=shape)
        self._table = None
        if size * size <= DENSE:
            self._table = np.full(size * size, -1, np.int32)
            self._table[self.keys] = np.arange(len(self.keys))

    def places(self, keys: np.ndarray) -> np.ndarray:
        """Places of pairs `entity * entities + entity` among all that have a relation; -1 for others."""
        if self._table is not None:
            return np.asarray(self._table[keys])
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, at, -1)


def chains(paths: Paths, bounds: Bounds, rng: np.random.Generator) -> list[tuple[Body, int]]:
    """Bodies and the relation that each foretells, best first, `most` of each length; of guesses, twice as many."""
    heads, found = Heads(paths), []
    for length in range(1, bounds.length + 1):
        starts = some(paths, length, rng)
        share, guessed = _shares(paths, starts), len(starts) < paths.entities
        slack = 0.5 if guessed else 1.0
        best = Best(paths.relations, (2 if guessed else 1) * bounds.most)
        for prefix, bodies, supports in _tallies(paths, heads, length, starts):
            sure = supports / np.maximum(bodies, 1)[:, None]
            good = (supports >= np.maximum(bounds.support * share * slack, 1)) & (sure >= bounds.confidence * slack)
            if length == 1:
                good[np.arange(paths.relations), np.arange(paths.relations)] = False
            steps, kinds = np.nonzero(good)
            best.add(prefix, steps, kinds, supports[steps, kinds] / (bodies[steps] + DOUBT * share[kinds]))
        found += best.kept()
    return found


class Best:
    """The `most` best bodies of each relation, one length at a time: of a dense graph nearly all bodies are good.

    Long ones are many and alike, and would leave no room for others. Among equals the first to come is kept.
    """

    def __init__(self, relations: int, most: int) -> None:
        self.most = most
        self.room = 4 * relations * most
        self.least = np.full(relations, -1.0)
        self.bodies, self.kinds, self.ranks = np.zeros((0, LONGEST), np.int64), np.zeros(0, np.int64), np.zeros(0)
        self._new: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._count = 0

    def add(self, prefix: Body, steps: np.ndarray, kinds: np.ndarray, ranks: np.ndarray) -> None:
        """Take bodies of a prefix with some last steps, that foretell `kinds`, better ones with a greater rank."""
        good = ranks > self.least[kinds]
        bodies = np.full((int(good.sum()), LONGEST), -1, np.int64)
        bodies[:, : len(prefix)] = prefix
        bodies[:, len(prefix)] = steps[good]
        self._new.append((bodies, kinds[good], ranks[good]))
        self._count += len(bodies)
        if self._count > self.room:
            self._drop()

    def _drop(self) -> None:
        """Leave the best of each relation, and remember how good the last of them is where there is no room left."""
        held = [(self.bodies, self.kinds, self.ranks), *self._new]
        bodies, kinds, ranks = (np.concatenate([one[i] for one in held]) for i in range(3))
        order = np.lexsort((-ranks, kinds))
        starts = np.searchsorted(kinds[order], np.arange(len(self.least)))
        within = np.arange(len(order)) - starts[kinds[order]]
        last = order[within == self.most - 1]
        self.least[kinds[last]] = ranks[last]
        kept = np.sort(order[within < self.most])
        self.bodies, self.kinds, self.ranks = bodies[kept], kinds[kept], ranks[kept]
        self._new, self._count = [], 0

    def kept(self) -> list[tuple[Body, int]]:
        """Bodies and the relation that each foretells, best first."""
        self._drop()
        order = np.argsort(-self.ranks, kind="stable")
        bodies, kinds = self.bodies[order].tolist(), self.kinds[order].tolist()
        return [(tuple(step for step in body if step >= 0), kind) for body, kind in zip(bodies, kinds, strict=True)]


def some(paths: Paths, length: int, rng: np.random.Generator) -> np.ndarray:
    """Entities to count from: all, or so many that their walks keep to the bound; some that each step leaves from."""
    degrees = sum(np.diff(edge.indptr) for edge in paths.edges)
    whole = sum(paths.edges[1:], start=paths.edges[0])
    walks = degrees
    for _ in range(length - 1):
        walks = whole @ walks
    if walks.sum() <= WALKS:
        return np.arange(paths.entities)
    first = rng.permutation(paths.entities).argsort()
    for edge in paths.edges:
        leaving = rng.permutation(np.flatnonzero(np.diff(edge.indptr)))
        first[leaving] = np.minimum(first[leaving], np.arange(len(leaving)))
    order = np.lexsort((rng.random(paths.entities), first))
    return np.sort(order[: max(1, int((np.cumsum(walks[order]) <= WALKS).sum()))])


def _shares(paths: Paths, starts: np.ndarray) -> np.ndarray:
    """Share (relations,) of each relation's facts that begin at one of the entities."""
    counts = [np.diff(edge.indptr) for edge in paths.edges[: paths.relations]]
    return np.array([count[starts].sum() / max(count.sum(), 1) for count in counts])


def _tallies(
    paths: Paths, heads: Heads, length: int, starts: np.ndarray
) -> Iterator[tuple[Body, np.ndarray, np.ndarray]]:
    """Bodies without their last step, with what `_tally` gives of it with every last step."""
    every: sparse.csr_array | None = None
    facts: np.ndarray | None = None
    for prefix, held in _prefixes(paths, length, starts):
        fan = paths.fan(prefix, starts, FAN)
        if fan is not None:
            if facts is None:
                facts = np.stack([edge[starts].toarray().ravel() for edge in paths.edges[: paths.relations]], axis=1)
                facts = facts.astype(np.float32)
            joined = fan.reshape(paths.steps, -1)
            yield prefix, joined.sum(axis=1), np.rint(joined.astype(np.float32) @ facts).astype(np.int64)
            continue
        if every is None:
            every = sparse.hstack(paths.edges, format="csr")
        walks = every[starts] if held is None else held @ every
        if len(prefix) == 2:
            walks = walks - _turned(paths, heads, paths.edges[prefix[0]][starts], prefix[1], starts)
        yield prefix, *_tally(paths, heads, walks, starts)


def _prefixes(paths: Paths, length: int, starts: np.ndarray) -> Iterator[tuple[Body, sparse.csr_array | None]]:
    """Bodies of `length` without their last step that lead anywhere, and their paths (starts, entities)."""
    if length == 1:
        yield (), None
        return
    leaving = sparse.csr_array(np.stack([np.diff(edge.indptr) > 0 for edge in paths.edges]).astype(np.int64))
    for one in range(paths.steps):
        first = paths.edges[one][starts]
        if not first.nnz:
            continue
        if length == 2:
            yield (one,), first
            continue
        reached = np.bincount(first.indices, minlength=paths.entities)
        for two in np.flatnonzero(leaving @ reached).tolist():  # of hundreds of relations few follow one another
            both = without(first @ paths.edges[two], starts)
            if both.nnz:
                yield (one, two), both


def _turned(paths: Paths, heads: Heads, first: sparse.csr_array, two: int, starts: np.ndarray) -> sparse.csr_array:
    """Walks of three steps that go back and forth at their end, but not by their start; see `Paths.third`."""
    size, steps = paths.entities, paths.steps
    middle = paths.edges[two].tocoo()
    there = heads.kinds[heads.places(middle.row.astype(np.int64) * size + middle.col)].tocoo()
    ends, last = middle.row[there.row], (there.col + paths.relations) % steps
    turns = sparse.csr_array((there.data, (ends, last.astype(np.int64) * size + ends)), shape=(size, steps * size))
    back = first.multiply(paths.edges[paths.inverse(two)][starts]).tocoo()
    both = heads.kinds[heads.places(starts[back.row].astype(np.int64) * size + back.col)].tocoo()
    columns = both.col.astype(np.int64) * size + back.col[both.row]
    shape = (len(starts), steps * size)
    return first @ turns - sparse.csr_array((both.data, (back.row[both.row], columns)), shape=shape)


def _tally(paths: Paths, heads: Heads, walks: sparse.csr_array, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (steps,) that each last step joins, and how many of them (steps, relations) have each relation."""
    rows = np.repeat(starts, np.diff(walks.indptr))
    steps, ends = np.divmod(walks.indices.astype(np.int64), paths.entities)
    real = (walks.data > 0) & (rows != ends)
    rows, steps, ends = rows[real], steps[real], ends[real]
    places = heads.places(rows.astype(np.int64) * paths.entities + ends)
    hit = places >= 0
    shape = (paths.steps, len(heads.keys))
    met = sparse.csr_array((np.ones(hit.sum(), np.int64), (steps[hit], places[hit])), shape=shape)
    supports = (met @ heads.kinds)[:, : paths.relations].toarray()
    return np.bincount(steps, minlength=paths.steps), supports


def recounted(paths: Paths, rules: list[tuple[Body, int]], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Support, pairs of the body, and pairs whose end is told (rules, 3), and whether they are of a sample (rules,)."""
    figures, sampled = np.zeros((len(rules), 3)), np.zeros(len(rules), bool)
    by_body: dict[Body, list[int]] = {}
    for place, (body, _) in enumerate(rules):
        by_body.setdefault(body, []).append(place)
    told = [_told(edge) for edge in paths.edges[: paths.relations]]
    for body, places in by_body.items():
        walks = paths.walks(body)
        rows, scale = np.flatnonzero(walks), 1.0
        if walks.sum() > RECOUNT:
            drawn = rng.permutation(rows)
            drawn = np.sort(drawn[: max(1, int((np.cumsum(walks[drawn]) <= RECOUNT).sum()))])
            scale, rows = len(rows) / len(drawn), drawn
        own, ends = paths.cells(body, rows)
        starts = rows[own]
        for place in places:
            kind = rules[place][1]
            side, has = told[kind]
            pairs = has[starts if side == 0 else ends].sum()
            figures[place] = scale * np.array([paths.hold(kind, starts, ends).sum(), len(ends), pairs])
        sampled[places] = scale > 1
    return figures, sampled


def _told(edge: sparse.csr_array) -> tuple[int, np.ndarray]:
    """The side of a relation whose entities have fewer others (AMIE's functional one), and who is there (entities,)."""
    heads, tails = np.diff(edge.indptr) > 0, np.bincount(edge.indices, minlength=edge.shape[1]) > 0
    return (0, heads) if heads.sum() >= tails.sum() else (1, tails)
