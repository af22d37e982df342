"""What rules say of queries: evidence for every answer, and the paths that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from fusible.tasks.knowledge.rules._paths import Body, Paths

if TYPE_CHECKING:
    from fusible.tasks.knowledge.rules.mined import Rule

HOW = ("surest", "noisy_or")
TIE = 1e-3
"""How much the other rules count beside the surest."""

Ground = tuple[tuple[int, int, int], ...]


class Scoring:
    """Rules by the step that they foretell, from either end."""

    def __init__(self, paths: Paths, rules: Sequence[Rule]) -> None:
        self.paths = paths
        self.chains: dict[int, list[tuple[Body, Rule]]] = {}
        self.named: dict[int, list[Rule]] = {}
        for rule in rules:
            if rule.names is not None:
                self.named.setdefault(rule.head, []).append(rule)
                continue
            back = tuple(paths.inverse(step) for step in reversed(rule.body))
            self.chains.setdefault(rule.head, []).append((rule.body, rule))
            self.chains.setdefault(paths.inverse(rule.head), []).append((back, rule))

    def evidence(self, queries: np.ndarray, how: str) -> np.ndarray:
        """See `Rules.score`."""
        found = np.zeros((len(queries), self.paths.entities), np.float32)
        for step in np.unique(queries[:, 1]).tolist():
            rows = np.flatnonzero(queries[:, 1] == step)
            starts, places = np.unique(queries[rows, 0], return_inverse=True)
            found[rows] = self._of_step(step, starts, how)[places]
        return found

    def _of_step(self, step: int, starts: np.ndarray, how: str) -> np.ndarray:
        """Evidence (starts, entities) for one step: the sum of that of all rules, and, if asked, the surest's."""
        total = np.zeros((len(starts), self.paths.entities), np.float32)
        surest = np.zeros_like(total)
        for fired, rule in self._fired(step, starts):
            own = np.float32(-np.log1p(-rule.chance))
            total[fired] += own
            if how == HOW[0]:
                surest[fired] = np.maximum(surest[fired], own)
        return surest + TIE * total if how == HOW[0] else total

    def _fired(self, step: int, starts: np.ndarray) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], Rule]]:
        """Rules that say anything, and the cells (starts, entities) that they say it of."""
        cells = self.paths.leading(starts)
        for body, rule in self.chains.get(step, ()):
            yield cells(body), rule
        for rule in self.named.get(step, ()):
            assert rule.names is not None
            rows = np.flatnonzero(np.isin(starts, self._having(rule)) & (starts != rule.names[1]))
            yield (rows, np.full(len(rows), rule.names[1])), rule
        for rule in self.named.get(self.paths.inverse(step), ()):
            assert rule.names is not None
            row = np.flatnonzero(starts == rule.names[1])
            if len(row):
                ends = self._having(rule)
                ends = ends[ends != rule.names[1]]
                yield (np.repeat(row, len(ends)), ends), rule

    def _having(self, rule: Rule) -> np.ndarray:
        """Entities that have the link which a rule with names starts from."""
        assert rule.names is not None
        back: sparse.csr_array = self.paths.edges[self.paths.inverse(rule.body[0])]
        return np.asarray(back.indices[back.indptr[rule.names[0]] : back.indptr[rule.names[0] + 1]])

    def fired(self, start: int, kind: int, end: int, most: int) -> Iterator[tuple[Rule, list[Ground]]]:
        """Rules that foretell a triple, surest first, each with up to `most` of its paths as triples."""
        every = [(rule, body) for body, rule in self.chains.get(kind, ())]
        for step, head in ((kind, end), (self.paths.inverse(kind), start)):
            every += [(rule, rule.body) for rule in self.named.get(step, ()) if rule.names and rule.names[1] == head]
        for rule, body in sorted(every, key=lambda one: -one[0].chance):
            if rule.names is None:
                walks = self.paths.between(body, start, end, most)
            else:
                other = start if rule.head == kind else end
                walks = [(other, rule.names[0])] if start != end and other in self._having(rule) else []
            if walks:
                yield rule, [self._triples(body, walk) for walk in walks]

    def _triples(self, body: Body, walk: tuple[int, ...]) -> Ground:
        """Known triples on a way through entities."""
        size = self.paths.relations
        return tuple(
            (walk[i], step, walk[i + 1]) if step < size else (walk[i + 1], step - size, walk[i])
            for i, step in enumerate(body)
        )
