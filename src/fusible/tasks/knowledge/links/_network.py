"""The network of link prediction: vectors of entities, a scorer, and what is minimised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from fusible import registry
from fusible.errors import ConfigError
from fusible.propagation._base import Propagation
from fusible.propagation._edges import Edges
from fusible.scorers._base import SPREAD, Product, Scorer
from fusible.tasks.knowledge.links._entities import OPERATOR, Entities
from fusible.tasks.knowledge.links._loss import CrossEntropy, Picked

ROWS = 1_000
"""Triples whose relations are told at a time."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How links are learned.

    `penalty` weighs the third powers of what is multiplied (N3, Lacroix et al. 2018), `kinds` the loss of telling the
    relation between two entities (Chen et al., "Relation Prediction as an Auxiliary Training Objective", 2021). A step
    takes about `batch` triples, either way counted, of whole queries: all that an entity and a relation lead to. `rate`
    is Adagrad's, of vectors that are learned one by one, `shared_rate` Adam's, of what all entities share. Training
    stops after `epochs`, or when the mean reciprocal rank of validation triples, looked at every `look` epochs, has not
    grown for `patience` looks. What is looked at and kept is, from epoch `average` on, the mean of the states after all
    epochs since (Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018); 0: each
    state by itself.
    """

    width: int = 500
    batch: int = 1_000
    rate: float = 0.1
    shared_rate: float = 0.003
    penalty: float = 0.01
    kinds: float = 0.0
    smoothing: float = 0.0
    epochs: int = 100
    look: int = 5
    patience: int = 4
    average: int = 0

    def __post_init__(self) -> None:
        for name in ("width", "batch", "epochs", "look", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"links: {name} = {getattr(self, name)}, expected a whole number of at least 1")
        for name in ("rate", "shared_rate", "penalty", "kinds", "smoothing", "average"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"links: {name} = {getattr(self, name)}, expected a number of at least 0")


class LinkNetwork(nn.Module):
    """Vectors of entities, and a scorer of twice as many relations as there are: the second half asks for heads.

    `features` {view: (entities, width)} are encodings of what is known of entities, see `Entities`; without them, each
    has a vector of its own alone. A scorer called `complex:relational` scores vectors that the network `relational`
    (see the family `propagation`) has carried along the edges of `triples` (rows, 3).
    """

    triples: torch.Tensor

    def __init__(
        self,
        entities: int,
        relations: int,
        scorer: str,
        width: int,
        features: Mapping[str, torch.Tensor] | None = None,
        *,
        structure: bool = True,
        operator: str = OPERATOR,
        triples: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.name, self.structure, self.operator = scorer, structure, operator
        scoring, _, carrying = scorer.partition(":")
        self.scorer: Scorer = registry.build("scorers", scoring, relations=2 * relations, width=width)
        spread = self.scorer.entity_width**-0.5 if self.scorer.near else SPREAD
        self.entities = Entities(
            entities, self.scorer.entity_width, spread, features, structure=structure, operator=operator
        )
        self.network: Propagation | None = None
        self._edges: Edges | None = None
        if carrying:
            network = registry.build("propagation", carrying, relations=relations, width=self.scorer.entity_width)
            self.network = network
            self.register_buffer("triples", torch.zeros(0, 3, dtype=torch.int64) if triples is None else triples)

    def vectors(self, asked: torch.Tensor | None = None) -> torch.Tensor:
        """Vectors (entities, width) that are scored; triples (any, 3) that are asked for carry nothing."""
        own: torch.Tensor = self.entities()
        if self.network is None:
            return own
        if self._edges is None:
            self._edges = Edges(self.triples, len(own), self.network.relations)
        found: torch.Tensor = self.network(own, self._edges, None if asked is None else self._edges.rows(asked))
        return found

    def spec(self) -> dict[str, Any]:
        """Plain values that build it anew."""
        held = self.entities
        widths = {view: getattr(held, f"view_{place}").shape[1] for place, view in enumerate(held.views)}
        plain = {"scorer": self.name, "width": self.scorer.width, "structure": self.structure}
        edges = {"triples": len(self.triples)} if self.network is not None else {}
        return {**plain, "operator": self.operator, "views": widths, **edges}

    def loss(
        self,
        queries: torch.Tensor,
        answers: torch.Tensor,
        settings: LinkSettings,
        counts: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Cross entropy of the right answer among all entities, of the relation among all, and the penalty.

        Of queries (rows, 2), `counts` (rows,) says how many of the answers (triples,), in order, are each one's; one
        each where it is not given. However many a query has, all entities are scored for it once: the result is that of
        asking once per answer, the mean over triples. Entities that no training triple has are no rivals: nothing says
        that they are wrong.
        """
        kinds = queries[:, 1]
        counts = torch.ones_like(kinds) if counts is None else counts
        every = self.vectors(
            None if self.network is None else self._facts(queries.repeat_interleave(counts, 0), answers)
        )
        asked, share = torch.arange(len(queries)).repeat_interleave(counts), counts / len(answers)
        needed = answers if settings.kinds or settings.penalty else answers[:0]
        few, places, times = torch.unique(needed, return_inverse=True, return_counts=True)
        # one gather, for the gradient of each is a table of all entities
        ends, every = self._picked(every, torch.cat([queries[:, 0], few]))
        heads, tails = torch.split(ends, [len(queries), len(few)])
        scores = self.scorer.score(self.scorer.query(heads, kinds), every)
        found = self._answered(scores, asked, answers, counts, settings.smoothing)
        if settings.kinds:
            told = self.scorer.kinds(heads.index_select(0, asked), tails.index_select(0, places))
            found = found + settings.kinds * nn.functional.cross_entropy(told, kinds[asked])
        if settings.penalty:
            weights = (share, share, times / len(answers))
            for part, weight in zip(self.scorer.factors(heads, kinds, tails), weights, strict=True):
                found = found + settings.penalty * ((part**3).sum(dim=1) * weight).sum()
        return found

    def _picked(self, every: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors of some entities, and of all of them as they are scored."""
        if type(self.scorer).score is not Product.score:
            return every.index_select(0, ids), every
        found: tuple[torch.Tensor, torch.Tensor] = Picked.apply(every, ids)  # type: ignore[no-untyped-call]
        return found

    def _answered(
        self,
        scores: torch.Tensor,
        asked: torch.Tensor,
        answers: torch.Tensor,
        counts: torch.Tensor,
        smoothing: float,
    ) -> torch.Tensor:
        """Cross entropy of answers (triples,) by scores (rows, entities) of the rows that they were `asked` in."""
        seen = self.entities.seen
        if not bool(seen.all()):
            scores, smoothing = scores.masked_fill(~seen, float("-inf")), 0.0
        found: torch.Tensor = CrossEntropy.apply(  # type: ignore[no-untyped-call]
            scores, asked, answers, counts, smoothing
        )
        return found

    @torch.inference_mode()
    def scores(self, queries: np.ndarray) -> np.ndarray:
        """Scores (rows, entities) of queries (rows, 2): entity, and relation or reciprocal relation."""
        every, asked = self.vectors(), torch.from_numpy(queries)
        return self.scorer.score(self.scorer.query(every[asked[:, 0]], asked[:, 1]), every).numpy()

    @torch.inference_mode()
    def scores_of(self, features: Mapping[str, torch.Tensor], kinds: np.ndarray) -> np.ndarray:
        """The same of entities outside of the graph, by what views (rows, width) say of them; relations (rows,)."""
        heads = self.entities.told(features)
        if self.network is not None:
            heads = self.network(heads, Edges(self.triples[:0], len(heads), self.network.relations))
        return self.scorer.score(self.scorer.query(heads, torch.from_numpy(kinds)), self.vectors()).numpy()

    @torch.inference_mode()
    def told(self, triples: np.ndarray) -> np.ndarray:
        """Log-probability (rows,) of the relation of triples (rows, 3) among all that may lead from head to tail."""
        every, asked = self.vectors(), torch.from_numpy(triples)
        parts = []
        for rows in torch.split(asked, ROWS):
            scores = self.scorer.kinds(every[rows[:, 0]], every[rows[:, 2]]).log_softmax(dim=1)
            parts.append(scores.gather(1, rows[:, 1:2])[:, 0])
        return torch.cat(parts).numpy() if parts else np.zeros(0, np.float32)

    def _facts(self, queries: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """Triples (rows, 3) of queries (rows, 2) and their answers: heads are asked for by the second half."""
        assert self.network is not None
        (asked, kinds), size = queries.T, self.network.relations
        back = kinds >= size
        return torch.stack([torch.where(back, answers, asked), kinds % size, torch.where(back, asked, answers)], dim=1)
