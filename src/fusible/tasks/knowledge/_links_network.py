"""The network of link prediction: vectors of entities, a scorer, and what is minimised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from fusible import registry
from fusible.scorers._base import SPREAD, Scorer, embedding


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How links are learned.

    `penalty` weighs the third powers of what is multiplied (N3, Lacroix et al. 2018), `kinds` the loss of telling the
    relation between two entities (Chen et al., "Relation Prediction as an Auxiliary Training Objective", 2021), `rate`
    is Adagrad's. Training stops after `epochs`, or when the mean reciprocal rank of validation triples, looked at every
    `look` epochs, has not grown for `patience` looks.
    """

    width: int = 500
    batch: int = 1_000
    rate: float = 0.1
    penalty: float = 0.01
    kinds: float = 0.0
    smoothing: float = 0.0
    epochs: int = 100
    look: int = 5
    patience: int = 4


class LinkNetwork(nn.Module):
    """Vectors of entities, and a scorer of twice as many relations as there are: the second half asks for heads."""

    def __init__(self, entities: int, relations: int, scorer: str, width: int) -> None:
        super().__init__()
        self.name = scorer
        self.scorer: Scorer = registry.build("scorers", scorer, relations=2 * relations, width=width)
        spread = self.scorer.entity_width**-0.5 if self.scorer.near else SPREAD
        self.entities = embedding(entities, self.scorer.entity_width, spread)

    def vectors(self) -> torch.Tensor:
        """Vectors (entities, entity width) of all entities."""
        return self.entities.weight

    def loss(self, queries: torch.Tensor, answers: torch.Tensor, settings: LinkSettings) -> torch.Tensor:
        """Cross entropy of the right answer among all entities, of the relation among all, and the penalty."""
        every = self.vectors()
        heads, tails, kinds = every[queries[:, 0]], every[answers], queries[:, 1]
        scores = self.scorer.score(self.scorer.query(heads, kinds), every)
        found = nn.functional.cross_entropy(scores, answers, label_smoothing=settings.smoothing)
        if settings.kinds:
            found = found + settings.kinds * nn.functional.cross_entropy(self.scorer.kinds(heads, tails), kinds)
        if settings.penalty:
            parts = self.scorer.factors(heads, kinds, tails)
            found = found + settings.penalty * sum((part**3).sum() for part in parts) / len(queries)
        return found

    @torch.inference_mode()
    def scores(self, queries: np.ndarray) -> np.ndarray:
        """Scores (rows, entities) of queries (rows, 2): entity, and relation or reciprocal relation."""
        every, asked = self.vectors(), torch.from_numpy(queries)
        return self.scorer.score(self.scorer.query(every[asked[:, 0]], asked[:, 1]), every).numpy()
