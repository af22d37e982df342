"""The contract of every scorer: vectors of entities and a relation in, a score of every tail out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import nn

from fusible.errors import ConfigError

WIDEST = 8_192
SPREAD = 1e-3
"""Deviation of entity and relation vectors before training (Lacroix et al. 2018)."""


class Scorer(nn.Module, ABC):
    """Says how likely triples are; a leaf writes `query`, `score` and `triples`.

    Entities come as vectors of `entity_width` numbers, whatever made them: learned one by one, made of text, or both.
    Relations are learned here. Rows do not mix: a triple's score depends on its own vectors alone.

    Parameters: `relations`, number of relations, reciprocal ones counted; `width`, dimensions of the space.
    """

    numbers: ClassVar[int] = 1
    """Real numbers per dimension of an entity: 2 where they are complex."""
    near: ClassVar[bool] = False
    """Whether the score is a distance's negative: then vectors begin at a spread that distances are of order one."""

    def __init__(self, relations: int, width: int = 128) -> None:
        super().__init__()
        if relations < 1 or not 1 <= width <= WIDEST:
            raise ConfigError(
                f"{type(self).__name__}: {relations} relations of width {width}; expected one relation at least and a "
                f"width of 1 to {WIDEST}"
            )
        self.count, self.width = relations, width
        self.entity_width = width * self.numbers

    @abstractmethod
    def query(self, heads: torch.Tensor, relations: torch.Tensor) -> torch.Tensor:
        """Heads (rows, entity width) and relation ids (rows,) as one vector each, (rows, entity width)."""

    @abstractmethod
    def score(self, queries: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """Scores (rows, entities) of every tail (entities, entity width) for every query of `query`."""

    def triples(self, heads: torch.Tensor, relations: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """Scores (rows,) of heads and tails (rows, entity width) and relation ids (rows,)."""
        queries = self.query(heads, relations)
        return torch.cat([self.score(query[None], tail[None])[0] for query, tail in zip(queries, tails, strict=True)])

    def kinds(self, heads: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """Scores (rows, relations) of every relation between heads and tails (rows, entity width)."""
        every = torch.arange(self.count, device=heads.device)
        return torch.stack([self.triples(heads, kind.expand(len(heads)), tails) for kind in every], dim=1)

    @abstractmethod
    def factors(
        self, heads: torch.Tensor, relations: torch.Tensor, tails: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Sizes (rows, dimensions) of what is multiplied, for a penalty on their third powers (N3)."""


class Product(Scorer):
    """A scorer whose score is the inner product of query and tail."""

    def score(self, queries: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        return queries @ tails.T

    def triples(self, heads: torch.Tensor, relations: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        return (self.query(heads, relations) * tails).sum(dim=1)


class Distance(Scorer):
    """A scorer whose score is `margin` less the distance of query and tail, by the sum of its parts' sizes."""

    near = True
    margin: float = 6.0

    def triples(self, heads: torch.Tensor, relations: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        return self.margin - self.sizes(self.query(heads, relations) - tails).sum(dim=1)

    @abstractmethod
    def sizes(self, vectors: torch.Tensor) -> torch.Tensor:
        """Sizes (…, dimensions) of the parts of vectors (…, entity width)."""


def embedding(count: int, width: int, spread: float = SPREAD) -> nn.Embedding:
    """Vectors to be learned, drawn with a deviation."""
    found = nn.Embedding(count, width)
    nn.init.normal_(found.weight, std=spread)
    return found


def paired(vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Real and imaginary halves (…, width) of vectors (…, 2 width)."""
    real, imaginary = vectors.chunk(2, dim=-1)
    return real, imaginary


def moduli(vectors: torch.Tensor) -> torch.Tensor:
    """Sizes (…, width) of complex vectors (…, 2 width), with a gradient at zero."""
    real, imaginary = paired(vectors)
    return torch.sqrt(real**2 + imaginary**2 + 1e-30)
