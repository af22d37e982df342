"""One graph whose candidates are trained and measured alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from time import process_time
from typing import Any

import numpy as np
import torch

from fusible.data.graph import Graph
from fusible.evaluation.links import Known, both_ways, classified, per_triple, ranks
from fusible.tasks.knowledge.links._calibration import calibrate
from fusible.tasks.knowledge.links._negatives import corrupted, places_of
from fusible.tasks.knowledge.links._network import LinkNetwork, LinkSettings
from fusible.tasks.knowledge.links._train import BLOCK, ranked, train
from fusible.tasks.knowledge.links._views import Told
from fusible.tasks.knowledge.links._weights import fit_weights, pooled
from fusible.tasks.knowledge.links.model import LinkModel, mean_chances
from fusible.tasks.knowledge.links.result import LinkRow
from fusible.tasks.knowledge.rules.mined import Rules, mine_rules
from fusible.training.loop import seeded

METRIC = "mrr"
FREQUENT = "most frequent"
RULES = "rules"
MEMBERS = 1_000
"""Apart are the seeds of networks whose mean is taken."""
MOST_QUERIES = 4_000
"""Validation queries that weights of relations are learned on, at most."""
MOST_HELD = 50_000_000
"""Scores of rules that are kept for the candidate that they are a member of, at most."""

Score = Callable[[np.ndarray], np.ndarray]


class Fitting:
    """What is learned of one graph, and of what a table `told` of its entities where there is one."""

    def __init__(self, graph: Graph, settings: LinkSettings, seed: int, told: Told | None = None) -> None:
        self.graph, self.settings, self.seed, self.told = graph, settings, seed, told
        self.relations = len(graph.relations)
        self.known = Known(graph.triples, self.relations)

    def trained(
        self, scorer: str, penalty: float, *, structure: bool = True, views: bool = False, member: int = 0
    ) -> tuple[LinkRow, LinkNetwork]:
        """Train a scorer of entities that are learned one by one, made of their views, or both.

        `member` is the place among networks that differ by their seed alone.
        """
        began, settings = process_time(), replace(self.settings, penalty=penalty)
        features = self.told.features if views and self.told is not None else None
        size, seed = len(self.graph.entities), self.seed + MEMBERS * member
        with seeded(seed):
            network = LinkNetwork(
                size,
                self.relations,
                scorer,
                settings.width,
                features,
                structure=structure,
                triples=torch.from_numpy(self.graph.part("train")),
            )
        seen = np.unique(self.graph.part("train")[:, [0, 2]])
        network.entities.seen[:] = torch.from_numpy(np.isin(np.arange(size), seen))
        train(
            network,
            self.graph.part("train"),
            self.relations,
            settings,
            seed,
            lambda: self.valid(network.scores),
        )
        name = scorer + (("+views" if structure else ":views") if views else "")
        row = self.row(name, "scorer", network.scores, asdict(settings))
        row.parameters = sum(part.numel() for part in network.parameters())
        row.cpu_seconds = process_time() - began
        return row, network

    def weighted(self, name: str, members: Sequence[Score]) -> tuple[LinkRow, np.ndarray]:
        """All members' log-probabilities, with a weight per relation; its validation score is out of fold."""
        began = process_time()
        queries, answers = both_ways(self.graph.part("valid"), self.relations)
        order = np.random.default_rng(self.seed).permutation(len(queries))
        some, rest = np.sort(order[:MOST_QUERIES]), np.sort(order[MOST_QUERIES:])
        said = [self._blocks(member, queries[some]) for member in members]

        def found(scores: np.ndarray, rows: np.ndarray) -> float:
            return float((1 / ranks(scores, queries[rows], answers[rows], self.known)).sum())

        def judge(scores: np.ndarray) -> float:
            return found(scores, some) / len(some)

        weights, held = fit_weights(said, queries[some, 1], answers[some], 2 * self.relations, self.seed, judge)

        def score(asked: np.ndarray) -> np.ndarray:
            return pooled([member(asked) for member in members], weights[asked[:, 1]])

        # all queries count, as they do for other candidates; weights were not learned on the rest
        parts = [rest[start : start + BLOCK] for start in range(0, len(rest), BLOCK)]
        total = found(pooled(said, held), some) + sum(found(score(queries[rows]), rows) for rows in parts)
        row = self.row(name, "scorer", score, {"weights": float(weights.mean())}, total / len(queries))
        row.cpu_seconds = process_time() - began
        return row, weights

    def several(self, row: LinkRow, networks: Sequence[LinkNetwork]) -> LinkRow:
        """The mean of what networks say that differ by their seed."""
        began = process_time()
        settings = {**row.settings, "members": len(networks)}
        found = self.row(f"{row.name}:mean", "ensemble", lambda asked: mean_chances(networks, asked), settings)
        found.parameters = len(networks) * row.parameters
        found.cpu_seconds = process_time() - began
        return found

    def negatives(self, given: Any = None) -> np.ndarray:
        """Places (rows, 3) of triples that are not true: those given, or validation triples with an end drawn anew."""
        if given is not None:
            return places_of(given, self.graph.entities, self.graph.relations, "negatives")
        true, train = self.graph.part("valid"), self.graph.part("train")
        return corrupted(true, self.graph, np.concatenate([train, true]), self.seed)

    def calibrated(self, model: LinkModel, false: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
        """What makes probabilities of a model's scores, and how right they are on validation triples, out of fold."""
        true = self.graph.part("valid")
        triples, truth = np.concatenate([true, false]), np.repeat([1, 0], [len(true), len(false)])
        weights, held = calibrate(model.evidence(triples), triples[:, 1], truth, self.relations, self.seed)
        found = {name: score.score for name, score in classified(truth, held, seed=self.seed).items()}
        return weights, {**found, "true": len(true), "false": len(false)}

    def strange(self, network: LinkNetwork) -> float:
        """Mean reciprocal rank on validation triples as if nothing were known of who is asked about but its views."""
        assert self.told is not None
        features = self.told.features

        def score(queries: np.ndarray) -> np.ndarray:
            asked = torch.from_numpy(queries[:, 0])
            return network.scores_of({view: values[asked] for view, values in features.items()}, queries[:, 1])

        return self.valid(score)

    def ruled(self) -> tuple[LinkRow, Rules, Score]:
        """What rules of the training triples find by themselves, these rules, and what they say, said once or twice."""
        began = process_time()
        rules = mine_rules(self.graph, seed=self.seed)
        held: dict[bytes, np.ndarray] = {}

        def score(queries: np.ndarray) -> np.ndarray:
            key = queries.tobytes()
            if key in held:
                return held[key]
            found = rules.log_chances(queries)
            if (len(held) + 1) * found.size <= MOST_HELD:
                held[key] = found
            return found

        row = self.row(RULES, "rules", score, {"rules": len(rules)})
        row.cpu_seconds = process_time() - began
        return row, rules, score

    def frequent(self) -> LinkRow:
        """What leads from a relation most often, whatever the entity: the baseline that any scorer must beat."""
        heads, kinds, tails = self.graph.part("train").T
        counts = np.zeros((2 * self.relations, len(self.graph.entities)))
        np.add.at(counts, (kinds, tails), 1)
        np.add.at(counts, (kinds + self.relations, heads), 1)
        return self.row(FREQUENT, "baseline", lambda queries: counts[queries[:, 1]], {})

    def row(self, name: str, kind: str, score: Score, settings: dict[str, Any], valid: float | None = None) -> LinkRow:
        """Measure a candidate on validation triples, unless that is known, and on test triples."""
        found = self.valid(score) if valid is None else valid
        return LinkRow(name, kind, found, {}, settings, values=self.tested(score))

    def tested(self, score: Score) -> dict[str, np.ndarray]:
        """All metrics (rows,) of test triples."""
        return per_triple(ranked(score, self.graph.part("test"), self.known, self.relations))

    def valid(self, score: Score) -> float:
        """Mean reciprocal rank on validation triples."""
        return float(per_triple(ranked(score, self.graph.part("valid"), self.known, self.relations))[METRIC].mean())

    @staticmethod
    def _blocks(score: Score, queries: np.ndarray) -> np.ndarray:
        return np.concatenate([score(queries[start : start + BLOCK]) for start in range(0, len(queries), BLOCK)])
