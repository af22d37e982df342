"""What supports an answer: paths from what the question names, predicted links, and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from fusible.tasks.knowledge.search.members import Members
from fusible.tasks.knowledge.search.reading import Reading
from fusible.tasks.knowledge.search.results import Sentence, Step

MOST_SENTENCES = 3
LIKELY = 0.05
"""Least probability of a predicted link that is named."""
MOST_AROUND = 40
"""Triples between answers and linked entities that are told at most."""
FIRST, MOST_NEAR = 5, 3
"""Of so many first answers so many triples are told, wherever they lead."""


class Supports:
    """Finds triples and sentences of a graph that speak for answers."""

    def __init__(self, members: Members) -> None:
        self._members, self._held = members, members.held
        mentions = self._held.mentions
        self._by_triple = {int(cast("int", row)): part.index.to_numpy() for row, part in mentions.groupby("triple")}

    def paths(self, reading: Reading, answers: Sequence[int]) -> list[tuple[tuple[Step, ...], ...]]:
        """For each answer the best path from each span of the question, where there is one."""
        weights = self._members.walks.weights(reading.chances)
        found: list[list[tuple[Step, ...]]] = [[] for _ in answers]
        starts = [span.candidates[0].entity for span in reading.named]
        for own in self._members.walks.paths(list(dict.fromkeys(starts)), answers, weights):
            for place, path in enumerate(own):
                if path:
                    found[place].append(tuple(self.step(row) for row in path))
        return [tuple(dict.fromkeys(paths)) for paths in found]

    def step(self, row: int) -> Step:
        """A triple by its row, with the surest sentences that say it."""
        held = self._held
        head, kind, tail = held.triples[row].tolist()
        mentions = held.mentions.loc[self._by_triple[row]] if row in self._by_triple else held.mentions.iloc[:0]
        best = mentions.sort_values("confidence", ascending=False, kind="stable").drop_duplicates("sentence")
        said = tuple(Sentence(text, place) for text, place in zip(best["sentence"], best["document"], strict=True))
        names = held.graph.entities[head], held.labels[kind], held.graph.entities[tail]
        return Step(*names, round(float(held.confidence[row]), 4), said[:MOST_SENTENCES])

    def predicted(self, reading: Reading, answers: Sequence[int]) -> list[tuple[Step, ...]]:
        """For each answer the links from linked entities that the model holds for likely and the graph lacks."""
        found: list[list[Step]] = [[] for _ in answers]
        if self._members.predictions is None:
            return [()] * len(answers)
        held, count = self._held, len(self._held.labels)
        pairs, chances = self._members.predictions.chances(reading.asked[:3])
        for pair, row in zip(pairs, chances[:, list(answers)], strict=True):
            known = set(self._members.walks.reached(pair.entity, pair.slot)[0].astype(int).tolist())
            for place, chance in enumerate(row.tolist()):
                if chance >= LIKELY and answers[place] not in known and pair.chance >= LIKELY:
                    ends = (held.graph.entities[pair.entity], held.graph.entities[answers[place]])
                    head, tail = ends if pair.slot < count else ends[::-1]
                    found[place].append(Step(head, held.labels[pair.slot % count], tail, round(chance, 4)))
        return [tuple(steps) for steps in found]

    def sentences(self, reading: Reading, answer: int) -> tuple[Sentence, ...]:
        """Sentences that name an answer, those most like the question first."""
        rows = self._members.mentioning(answer)
        if not len(rows):
            return ()
        mentions = self._held.mentions.iloc[rows]
        order = np.argsort(-self._members.likeness(rows, reading.vector), kind="stable")
        best = mentions.iloc[order].drop_duplicates("sentence")[:MOST_SENTENCES]
        return tuple(Sentence(text, place) for text, place in zip(best["sentence"], best["document"], strict=True))

    def around(self, reading: Reading, answers: Sequence[int]) -> list[Step]:
        """Triples between answers and what the question names, then some of the first answers; the nearest first."""
        kinds, walks = self._held.triples[:, 1], self._members.walks
        nearest = [walks.between([*reading.starts, *answers])]
        nearest += [
            one[np.argsort(-reading.chances[kinds[one]], kind="stable")[:MOST_NEAR]]
            for one in (walks.around(answer) for answer in answers[:FIRST])
        ]
        nearest[0] = nearest[0][np.argsort(-reading.chances[kinds[nearest[0]]], kind="stable")[:MOST_AROUND]]
        return [self.step(row) for row in dict.fromkeys(np.concatenate(nearest).tolist())]
