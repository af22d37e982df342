"""Search in a knowledge graph by meaning: a question in, ranked entities with what supports them out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fusible.errors import ConfigError
from fusible.tasks.knowledge.links._views import NAME
from fusible.tasks.knowledge.links.model import LinkModel, load_links
from fusible.tasks.knowledge.rules.mined import Rules
from fusible.tasks.knowledge.search.fusion import Fusion, choose_fusion
from fusible.tasks.knowledge.search.members import Members
from fusible.tasks.knowledge.search.reading import Reading
from fusible.tasks.knowledge.search.results import Answer, Found, Link
from fusible.tasks.knowledge.search.source import searchable
from fusible.tasks.knowledge.search.support import Supports
from fusible.tasks.knowledge.search.texts import Texts
from fusible.tasks.source import Progress

LONGEST = 2_000
"""Characters of a question."""
FEWEST = 10
"""Questions that weights are learned from at least."""
TOLD = 0.1
"""Least chance of a relation that is told."""
FUSION = Fusion(
    "weights",
    {"facts": 8, "beyond": 4, "walk": 4, "usual": 2, "text": 2, "vectors": 2, "types": 2, "rules": 4, "model": 8},
)
"""How members count where nothing else is said."""


class GraphSearcher:
    """A graph that is ready for questions; what is encoded of it is kept in the cache.

    Parameters
    ----------
    graph : path, table or Graph
        A stored graph's folder, or what `fusible.read_graph` reads.
    entities, relations : path, pandas.DataFrame or pyarrow.Table, optional
        Tables of what is told of entities (columns `entity`, `name`, `aliases`, `type`, and descriptions) and of
        relations (`relation`, `label`, and descriptions).
    model : path or LinkModel, optional
        A fitted link model: its predictions of what linked entities are linked to count, too.
    rules : Rules, optional
        Mined rules (`fusible.mine_rules`): what they foretell counts, too. Those of a link model that has some are
        taken where none are given.
    fusion : Fusion, optional
        How members are put together; `tune` learns it from questions with known answers.

    >>> import pandas as pd
    >>> rows = [("Acme", "founded by", "Ada"), ("Ada", "occupation", "physicist"), ("Bolt", "founded by", "Bob")]
    >>> searcher = GraphSearcher(pd.DataFrame(rows, columns=["head", "relation", "tail"]))
    >>> searcher.search("companies founded by physicists").answers[0].name
    'Acme'
    """

    def __init__(
        self,
        graph: Any,
        *,
        entities: Any = None,
        relations: Any = None,
        entity: str = NAME,
        model: str | Path | LinkModel | None = None,
        rules: Rules | None = None,
        fusion: Fusion | None = None,
        device: str = "cpu",
        cache: str | Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        held = searchable(graph, entities, relations, entity=entity)
        links = load_links(model) if isinstance(model, str | Path) else model
        if links is not None and not set(links.entities) & set(held.graph.entities):
            raise ConfigError("graph search: the link model knows none of the graph's entities; fit it on this graph")
        if rules is None and links is not None:
            rules = links.rules
        self.members = Members(held, links, Texts(device, cache, progress), rules)
        self.fusion = FUSION if fusion is None else fusion
        self._supports = Supports(self.members)
        self._places = {name: place for place, name in enumerate(held.graph.entities)}

    @property
    def entities(self) -> tuple[str, ...]:
        """Names of the graph's entities, in the order of `scores`."""
        return self.members.held.graph.entities

    def read(self, question: str) -> Reading:
        """What a question is taken to speak of. Raises `ConfigError` for an empty or overlong one."""
        if not isinstance(question, str) or not question.strip():
            raise ConfigError("graph search: empty question, expected some text")
        if any("\ud800" <= letter <= "\udfff" for letter in question):
            raise ConfigError("graph search: the question holds bytes that are no text; expected UTF-8")
        if len(question) > LONGEST:
            raise ConfigError(f"graph search: a question of {len(question)} characters, expected at most {LONGEST}")
        return self.members.read(question)

    def scores(self, question: str, fusion: Fusion | None = None) -> np.ndarray:
        """Score (entities,) of each entity for a question, 0 where nothing speaks for it."""
        return (fusion or self.fusion).scores(self.members.features(self.read(question)))

    def search(self, question: str, k: int = 10) -> Found:
        """The `k` best answers with what supports them; see `Found`. Nothing found is no error, and said in a note."""
        if not isinstance(k, int | np.integer) or k < 1:
            raise ConfigError(f"graph search: k = {k!r}, expected a whole number of at least 1")
        began = time.perf_counter()
        reading = self.read(question)
        features = self.members.features(reading)
        scores = self.fusion.scores(features)
        order = np.argsort(-scores, kind="stable")[:k]
        best = order[scores[order] > 0].tolist()
        held = self.members.held
        found = Found(
            question,
            self._answers(reading, best, scores, features),
            self._linked(reading),
            self._relations(reading),
            self.members.names,
            len(held),
            len(held.graph),
            self._supports.around(reading, best),
            notes=_notes(reading, best),
        )
        found.names = self._names(found)
        found.seconds = time.perf_counter() - began
        return found

    def tune(
        self, questions: Sequence[str], answers: Sequence[str], known: Sequence[Iterable[str]] | None = None
    ) -> dict[str, float]:
        """Learn how members count from questions with an answer each; `known` are further right ones, per question.

        The present fusion, equal reciprocal ranks, and weights learned by conditional logistic regression compete by
        the mean reciprocal rank of the answers, learned weights out of fold; `fusion` is then the best. Gives these
        scores. Raises `ConfigError` for an answer that the graph lacks, and for fewer than `FEWEST` questions.
        """
        if len(questions) != len(answers) or len(questions) < FEWEST or len(set(questions)) < 2:
            raise ConfigError(
                f"graph search: expected {FEWEST} questions or more, not all the same, with an answer each to tune by"
            )
        if known is not None and len(known) != len(answers):
            raise ConfigError(f"graph search: {len(known)} rows of known answers, expected one per question")
        right = [self._place(answer) for answer in answers]
        further = [
            [self._place(one) for one in ones if one != a]
            for ones, a in zip([()] * len(right) if known is None else known, answers, strict=True)
        ]
        others = [np.array(sorted(set(ones)), np.int64) for ones in further]
        features = [self.members.features(self.read(question)) for question in questions]
        self.fusion, scores = choose_fusion(features, right, others, self.members.names, self.fusion, asked=questions)
        return scores

    def _place(self, entity: str) -> int:
        if entity not in self._places:
            raise ConfigError(f"graph search: no entity {entity!r} in this graph; see `entities`")
        return self._places[entity]

    def _answers(
        self, reading: Reading, best: Sequence[int], scores: np.ndarray, features: Mapping[str, np.ndarray]
    ) -> list[Answer]:
        held, supports = self.members.held, self._supports
        told = zip(best, supports.paths(reading, best), supports.predicted(reading, best), strict=True)
        return [
            Answer(
                held.graph.entities[place],
                held.names[place][0],
                round(float(scores[place]), 4),
                {name: round(float(features[name][place]), 4) for name in self.members.names},
                held.types[place],
                held.about[place],
                paths,
                predicted,
                supports.sentences(reading, place),
            )
            for place, paths, predicted in told
        ]

    def _names(self, found: Found) -> dict[str, str]:
        """Names of all entities in a result, as they are shown."""
        steps = [*found.around, *(step for a in found.answers for part in (*a.paths, a.predicted) for step in part)]
        said = {end for step in steps for end in (step.head, step.tail)}
        said |= {answer.entity for answer in found.answers} | {link.meant for link in found.linked}
        return {entity: self.members.held.names[self._places[entity]][0] for entity in sorted(said)}

    def _linked(self, reading: Reading) -> list[Link]:
        names = self.members.held.graph.entities
        return [
            Link(span.text, names[one.entity], one.how, round(one.chance, 4))
            for span in reading.named
            for one in span.candidates
        ]

    def _relations(self, reading: Reading) -> list[Link]:
        """Relations that the question is likely to speak of, the likeliest first."""
        order = np.argsort(-reading.chances, kind="stable")
        labels, chances = self.members.held.labels, reading.chances
        said = [place for place in order.tolist() if chances[place] >= TOLD]
        return [Link(reading.bare, labels[place], "meaning", round(float(chances[place]), 4)) for place in said]


def search_graph(graph: Any, question: str | Iterable[str], *, k: int = 10, **given: Any) -> Any:
    """Answer a question, or several, from a graph; `Found`, or a list of these. Options are those of `GraphSearcher`.

    >>> import pandas as pd
    >>> rows = [("Ada", "born in", "Bonn"), ("Bob", "born in", "Ulm")]
    >>> found = search_graph(pd.DataFrame(rows, columns=["head", "relation", "tail"]), "Where was Bob born?", k=1)
    >>> [answer.name for answer in found.answers]
    ['Ulm']
    """
    searcher = GraphSearcher(graph, **given)
    if isinstance(question, str):
        return searcher.search(question, k)
    return [searcher.search(one, k) for one in question]


def _notes(reading: Reading, best: Sequence[int]) -> list[str]:
    if not best:
        return ["nothing in the graph is near this question: it names no entity, and shares no words with any"]
    if not reading.named:
        return ["the question names no entity of the graph: answers come from texts, their vectors and types alone"]
    return []
