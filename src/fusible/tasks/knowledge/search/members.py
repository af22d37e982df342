"""What may tell an answer, each by itself: full text, vectors, types, the graph, and a fitted link model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fusible.tasks.knowledge.links.model import LinkModel
from fusible.tasks.knowledge.rules.mined import Rules
from fusible.tasks.knowledge.search.bm25 import Bm25, stems
from fusible.tasks.knowledge.search.documents import documents, word_counts
from fusible.tasks.knowledge.search.entities import EntityLinker
from fusible.tasks.knowledge.search.fusion import MEMBERS
from fusible.tasks.knowledge.search.reading import Reading, kind_of, without
from fusible.tasks.knowledge.search.relations import Asked, Ends, RelationLinker, asked_for, chances_of, sharpened
from fusible.tasks.knowledge.search.source import Searchable
from fusible.tasks.knowledge.search.texts import Texts
from fusible.tasks.knowledge.search.walk import Walks

DECADES = 6.0
"""Powers of ten below the best at which a probability counts for nothing."""
LOOSE = ("part", "meaning")
"""How an entity is linked where the words need not be its name."""
NEAR = 0.3
"""Least cosine of what counts as near where a question names nothing: words without sense are near nothing."""
UNFIT = 0.5
"""What is left of all scores of an entity whose type is not what "who", "where" or "when" asks for."""

Says = Callable[[np.ndarray], np.ndarray]
"""Log-probabilities (rows, entities) of queries (rows, 2)."""


class Members:
    """Scores of all entities by every member that a graph allows; see `features`."""

    def __init__(self, held: Searchable, model: LinkModel | None, texts: Texts, rules: Rules | None = None) -> None:
        self.held, self.texts = held, texts
        entities, relations = len(held), len(held.labels)
        self.relations = RelationLinker(held.labels, held.told, texts)
        uses = np.bincount(held.triples[:, [0, 2]].ravel(), minlength=entities)
        self.entities = EntityLinker(held.names, held.graph.entities, uses, self.relations.stems, texts)
        self.ends = Ends(held.triples, entities, relations)
        self.walks = Walks(held.triples, held.confidence, entities, relations)
        self._bm25 = Bm25(*word_counts(held))
        self._vectors = texts.kept(documents(held), "encode entities")
        own = [types or names[:1] for types, names in zip(held.types, held.names, strict=True)]
        kinds = sorted({kind for types in own for kind in types})
        self._kinds = texts.kept(kinds, "encode types")
        places = {kind: place for place, kind in enumerate(kinds)}
        pairs = [(row, places[kind]) for row, types in enumerate(own) for kind in types]
        self._typed = np.array(pairs, np.int64).reshape(-1, 2)
        self._is_type = np.array([bool(held.types[row]) for row in self._typed[:, 0]], bool)
        self._distinct_types = set(held.types)
        self._codes, distinct = held.mentions["sentence"].factorize()
        self._sentences = texts.kept([str(one) for one in distinct], "encode sentences")
        ends = held.triples[held.mentions["triple"].to_numpy(np.int64)][:, [0, 2]]
        self._naming = np.repeat(np.arange(len(ends)), 2), ends.ravel()
        self.predictions = None if model is None else _Predictions(model, model.scores, held)
        self._rules = None if rules is None else _Predictions(rules, rules.log_chances, held)

    @property
    def names(self) -> tuple[str, ...]:
        """Members that this graph allows."""
        lacking = {"model": self.predictions is None, "rules": self._rules is None}
        return tuple(name for name in MEMBERS if not lacking.get(name, False))

    def read(self, question: str) -> Reading:
        """Link a question."""
        named = self.entities.link(question)
        bare = without(question, named)
        kind = kind_of(bare)
        whole, vector, kind_vector = self.texts.encode([question, bare, kind])
        chances = chances_of(self.relations.similarities(bare, vector))
        asked = asked_for(question, named, chances, self.ends, self.relations.passive)
        return Reading(question, named, bare, kind, whole, chances, kind_vector, asked)

    def features(self, reading: Reading) -> dict[str, np.ndarray]:
        """Scores {member: (entities,)} between 0 and 1, 0 where a member says nothing.

        Linked entities are left out unless they are called what is asked for.

        `facts`: what the graph says of a linked entity and relation; `beyond`: what stands an edge further; `walk`:
        personalised PageRank; `alike`: where the relation leads from entities near the linked one; `usual`: where it
        leads most often; `text`: BM25; `vectors`: cosines of encodings of documents and sentences; `types`: those of
        types (of names, where an entity has none) with what is asked for; `rules` and `model`: predictions for linked
        pairs.
        """
        found = self._of_graph(reading)
        found["text"] = _share(self._bm25.scores(reading.question))
        least = 0.0 if reading.named else NEAR
        found["vectors"] = _spread(self._cosines(reading.vector), least)
        found["types"] = _spread(self._of_types(reading), least)
        if self.predictions is not None:
            found["model"] = self.predictions.scores(reading.asked)
        if self._rules is not None:
            found["rules"] = self._rules.scores(reading.asked)
        known = [entity for entity in reading.starts if not self._may_answer(entity, reading)]
        unfit = self._unfit(reading)
        for values in found.values():
            values[known] = 0.0
            values[unfit] *= UNFIT
        return found

    def _unfit(self, reading: Reading) -> np.ndarray:
        """Places of entities whose types are not what "who", "where" or "when" asks for (Li & Roth 2002)."""
        if not reading.is_general:
            return np.array([], np.int64)
        wrong = {types for types in self._distinct_types if not reading.fits(types)}
        return np.flatnonzero([types in wrong for types in self.held.types]) if wrong else np.array([], np.int64)

    def _may_answer(self, entity: int, reading: Reading) -> bool:
        """Whether a linked entity may be what is asked for: named in part only, and called what is looked for."""
        loose = all(one.how in LOOSE for span in reading.named for one in span.candidates if one.entity == entity)
        called = stems(" ".join((*self.held.names[entity], *self.held.types[entity])))
        return loose and not set(stems(reading.kind)).isdisjoint(called)

    def _of_graph(self, reading: Reading) -> dict[str, np.ndarray]:
        size, starts = len(self.held), reading.starts
        facts, usual, alike, walk, beyond = (np.zeros(size) for _ in range(5))
        for pair in reading.asked:
            places, sure = self.walks.reached(pair.entity, pair.slot)
            np.maximum.at(facts, places.astype(np.int64), pair.chance * sure)
        sharp = sharpened(reading.asked)
        near = {entity: self.walks.near(entity) for entity in {pair.entity for pair in sharp}}
        for pair in sharp:
            column = self.ends.usual[:, [pair.slot]]
            usual[column.indices] += pair.chance * column.data
            alike += pair.chance * self.walks.led(near[pair.entity], pair.slot)
        if starts:
            weights = self.walks.weights(reading.chances)
            spans = [{one.entity: one.chance for one in span.candidates} for span in reading.named]
            walk = np.mean([_decades(self.walks.ranked(span, weights)) for span in spans], axis=0)
            beyond = self.walks.beyond(starts, reading.chances)
        return {"facts": facts, "beyond": beyond, "walk": walk, "alike": _decades(alike), "usual": _decades(usual)}

    def _cosines(self, vector: np.ndarray) -> np.ndarray:
        """Cosine (entities,) of a question with each entity's document, in the mean with the best sentence about it."""
        found: np.ndarray = self._vectors @ vector
        if not len(self._sentences):
            return found
        rows, entities = self._naming
        best = found.copy()
        np.maximum.at(best, entities, self.likeness(rows, vector))
        return np.asarray((found + best) / 2)

    def mentioning(self, entity: int) -> np.ndarray:
        """Rows of mentions whose triples have an entity."""
        rows, entities = self._naming
        return np.asarray(rows[entities == entity])

    def likeness(self, rows: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """Cosine (rows,) of the sentences of mentions with a question."""
        found: np.ndarray = (self._sentences @ vector)[self._codes[rows]]
        return found

    def _of_types(self, reading: Reading) -> np.ndarray:
        """Cosine (entities,) of what is asked for with types; names stand in for them, where they could tell it."""
        found = np.zeros(len(self.held), np.float32)
        rows, kinds = (self._typed[self._is_type] if reading.is_general else self._typed).T
        np.maximum.at(found, rows, (self._kinds @ reading.kind_vector)[kinds])
        return found


class _Predictions:
    """What a link model or rules foretell, their entities and relations by name."""

    def __init__(self, teller: LinkModel | Rules, says: Says, held: Searchable) -> None:
        self._says, self._shift = says, len(teller.relations)
        entities = {name: place for place, name in enumerate(teller.entities)}
        relations = {name: place for place, name in enumerate(teller.relations)}
        self._entities = np.array([entities.get(name, -1) for name in held.graph.entities])
        self._relations = np.array([relations.get(name, -1) for name in held.graph.relations])

    def chances(self, asked: Sequence[Asked]) -> tuple[list[Asked], np.ndarray]:
        """Pairs that are known, and probabilities (pairs, entities of the graph) of their answers."""
        count = len(self._relations)
        known = [p for p in asked if self._entities[p.entity] >= 0 and self._relations[p.slot % count] >= 0]
        queries = np.array(
            [
                (self._entities[p.entity], self._relations[p.slot % count] + (self._shift if p.slot >= count else 0))
                for p in known
            ],
            np.int64,
        ).reshape(-1, 2)
        if not known:
            return [], np.zeros((0, len(self._entities)))
        found = np.exp(self._says(queries))
        return known, np.where(self._entities >= 0, found[:, np.maximum(self._entities, 0)], 0.0)

    def scores(self, asked: Sequence[Asked]) -> np.ndarray:
        """Score (entities,) of the answers of all pairs together."""
        known, chances = self.chances(sharpened(asked))
        if not known:
            return np.zeros(len(self._entities))
        return _decades(np.array([pair.chance for pair in known]) @ chances)


def _share(values: np.ndarray) -> np.ndarray:
    """Shares of the largest."""
    top = float(values.max(initial=0.0))
    return values.astype(np.float64) / top if top > 0 else np.zeros(len(values))


def _spread(cosines: np.ndarray, least: float) -> np.ndarray:
    """How far cosines stand above the median, beside the largest; 0 for those below `least`."""
    middle, top = float(np.median(cosines)), float(cosines.max(initial=0.0))
    found = ((cosines - middle) / max(top - middle, 1e-6)).clip(0.0).astype(np.float64)
    return np.where(cosines >= least, found, 0.0)


def _decades(chances: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities: 1 for the largest, 0 for those `DECADES` powers of ten below."""
    top = float(chances.max(initial=0.0))
    if top <= 0:
        return np.zeros(len(chances))
    found: np.ndarray = (1.0 + np.log10(np.maximum(chances / top, 1e-30)) / DECADES).clip(0.0)
    return found
