"""Training of a scorer on triples: every entity is a rival of the right one, both ways, and relations are told, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from fusible.evaluation.links import Known, both_ways, ranks
from fusible.tasks.knowledge.links._network import LinkNetwork, LinkSettings
from fusible.training.loop import seeded

BLOCK = 500
"""Queries that are ranked at a time."""


class Asked:
    """What triples (rows, 3) ask, each query (entity, relation or reciprocal relation) once, with all its answers."""

    def __init__(self, triples: np.ndarray, relations: int) -> None:
        queries, answers = both_ways(triples, relations)
        distinct, place, counts = np.unique(queries, axis=0, return_inverse=True, return_counts=True)
        ordered = answers[np.argsort(place.ravel(), kind="stable")]
        self.queries, self.answers, self.counts = (torch.from_numpy(part) for part in (distinct, ordered, counts))
        self.starts = self.counts.cumsum(0) - self.counts

    def batches(self, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Queries (rows, 2) in random order, their answers, and how many each has; about `size` answers at a time."""
        order = torch.randperm(len(self.queries))
        ends = self.counts[order].cumsum(0)
        _, sizes = torch.unique_consecutive((ends - 1) // size, return_counts=True)
        for rows in torch.split(order, sizes.tolist()):
            counts = self.counts[rows]
            first = self.starts[rows] - (counts.cumsum(0) - counts)
            places = first.repeat_interleave(counts) + torch.arange(int(counts.sum()))
            yield self.queries[rows], self.answers[places], counts


def train(
    network: LinkNetwork,
    triples: np.ndarray,
    relations: int,
    settings: LinkSettings,
    seed: int,
    watch: Callable[[], float] | None = None,
) -> list[float]:
    """Train on triples (rows, 3); with `watch`, the best state that it saw is kept. Gives what it saw."""
    asked = Asked(triples, relations)
    best, seen, state = -1.0, [], None
    with seeded(seed):
        optimizers, mean = _optimizers(network, settings), _Mean()
        for epoch in range(1, settings.epochs + 1):
            network.train()
            for queries, answers, counts in asked.batches(settings.batch):
                network.zero_grad(set_to_none=True)
                network.loss(queries, answers, settings, counts).backward()  # type: ignore[no-untyped-call]
                for optimizer in optimizers:
                    optimizer.step()
            if settings.average and epoch >= settings.average:
                mean.take(network)
            if watch is None or (epoch % settings.look and epoch < settings.epochs):
                continue
            network.eval()
            with mean.shown(network):
                seen.append(watch())
                if seen[-1] > best:
                    best, state = seen[-1], {name: value.clone() for name, value in network.state_dict().items()}
            if len(seen) - 1 - int(np.argmax(seen)) >= settings.patience:
                break
    if state is not None:
        network.load_state_dict(state)
    else:
        mean.put(network)
    network.eval()
    return seen


class _Mean:
    """The mean of a network's parameters over all times that it was taken."""

    def __init__(self) -> None:
        self._count = 0
        self._held: list[torch.Tensor] = []

    @torch.no_grad()
    def take(self, network: LinkNetwork) -> None:
        """Take in the parameters as they are."""
        self._count += 1
        if self._count == 1:
            self._held = [part.clone() for part in network.parameters()]
        for held, part in zip(self._held, network.parameters(), strict=True):
            held.lerp_(part, 1 / self._count)

    @torch.no_grad()
    def put(self, network: LinkNetwork) -> None:
        """Give the network the mean; nothing where nothing was taken."""
        for held, part in zip(self._held, network.parameters(), strict=bool(self._held)):
            part.copy_(held)

    @contextmanager
    def shown(self, network: LinkNetwork) -> Iterator[None]:
        """The network has the mean inside, and its own parameters afterwards."""
        own = [part.detach().clone() for part in network.parameters()] if self._held else []
        self.put(network)
        try:
            yield
        finally:
            with torch.no_grad():
                for held, part in zip(own, network.parameters(), strict=bool(own)):
                    part.copy_(held)


def _optimizers(network: LinkNetwork, settings: LinkSettings) -> list[torch.optim.Optimizer]:
    """Adagrad for vectors that are learned one by one, of which a batch moves few; Adam for what all rows share."""
    tables = {id(part.weight) for part in network.modules() if isinstance(part, torch.nn.Embedding)}
    alone = [part for part in network.parameters() if id(part) in tables]
    shared = [part for part in network.parameters() if id(part) not in tables]
    found: list[torch.optim.Optimizer] = [torch.optim.Adagrad(alone, lr=settings.rate, fused=True)]
    return [*found, torch.optim.Adam(shared, lr=settings.shared_rate)] if shared else found


def ranked(score: Callable[[np.ndarray], np.ndarray], triples: np.ndarray, known: Known, relations: int) -> np.ndarray:
    """Realistic filtered ranks of tails, then of heads, of triples (rows, 3): (2 rows,)."""
    queries, answers = both_ways(triples, relations)
    parts = [slice(start, start + BLOCK) for start in range(0, len(queries), BLOCK)]
    found = [ranks(score(queries[part]), queries[part], answers[part], known) for part in parts]
    return np.concatenate(found) if found else np.zeros(0)
