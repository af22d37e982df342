"""Training of the trained extractor on windows whose mentions are known, and its reading of windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from fusible.encoders._frozen import fast_bfloat16
from fusible.tasks.knowledge.extract._network import Batch, ExtractNetwork
from fusible.tasks.knowledge.extract._text import Window, batch_of
from fusible.training.loop import seeded

MENTIONS = 16
"""Most mentions of a window that are read, the likeliest first."""
FLOOR = 0.1
"""Probability below which a span is no mention whose pairs are asked about."""
FAINT = 0.02
"""Product of probabilities below which a triple is not told of at all."""
WRONG = 3
"""Wrong spans of a window, the likeliest first, that training judges pairs of."""

Encode = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Word pieces (texts, pieces) and lengths (texts,) to tokens (texts, pieces, width)."""
Found = tuple[tuple[int, int], int, tuple[int, int], float]
"""Head, relation, tail, and the logarithm of the product of probabilities; spans by first and last word."""


@dataclass(frozen=True, slots=True)
class ExtractSettings:
    """How the extractor is trained: one text of each row per epoch; rates fall linearly after a warm-up.

    `layers` are the upper layers of the encoder that are trained along; `encoder_rate` is theirs.
    """

    epochs: int = 3
    batch: int = 16
    rate: float = 1e-3
    encoder_rate: float = 2e-4
    layers: int = 3
    hidden: int = 256
    warmup: float = 0.06
    decay: float = 0.01


@dataclass(frozen=True, slots=True)
class Labelled:
    """A window with what it says: spans by first and last word, pairs (head, relation, tail) of them."""

    window: Window
    spans: tuple[tuple[int, int], ...]
    pairs: tuple[tuple[tuple[int, int], int, tuple[int, int]], ...]


@dataclass(slots=True)
class Reader:
    """Encoder and network together."""

    encode: Encode
    network: ExtractNetwork
    trained: Sequence[nn.Parameter] = field(default=())
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def read(self, windows: Sequence[Window], batch: int = 64) -> list[list[Found]]:
        """What each window says, in its order; windows of like length are read together."""
        found: list[list[Found]] = [[] for _ in windows]
        order = sorted(range(len(windows)), key=lambda place: len(windows[place].ids))
        self.network.eval()
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            held = batch_of([windows[row] for row in rows], self.device)
            with torch.no_grad():
                for row, triples in zip(rows, self._found(held), strict=True):
                    found[row] = triples
        return found

    def _found(self, batch: Batch) -> list[list[Found]]:
        tokens = self.encode(batch.ids, batch.lengths)
        with _narrow(self.device):
            logits = self.network.spans(tokens, batch).float()
            spans = _candidates(logits, MENTIONS, math.log(FLOOR / (1 - FLOOR)))
            found: list[list[Found]] = [[] for _ in range(len(tokens))]
            table, pairs, _ = _all_pairs(spans)
            if not len(pairs):
                return found
            scores = self.network.pairs(tokens, batch, table.to(self.device), pairs.to(self.device)).float()
        sure = nn.functional.logsigmoid(logits).cpu()[table.unbind(1)]
        scores = nn.functional.logsigmoid(scores).cpu() + sure[pairs].sum(dim=1, keepdim=True)
        held = [(row[0], (row[1], row[2])) for row in table.tolist()]
        places = pairs.tolist()
        for pair, relation in (scores > math.log(FAINT)).nonzero().tolist():
            (text, head), (_, tail) = (held[place] for place in places[pair])
            found[text].append((head, relation, tail, float(scores[pair, relation])))
        return found


def train(
    reader: Reader,
    rows: Sequence[Sequence[Labelled]],
    settings: ExtractSettings,
    seed: int,
    tick: Callable[[float], object],
) -> None:
    """Train on rows, each of one or more texts that say the same; every epoch takes one text of each row."""
    network = reader.network
    groups = [
        {"params": list(network.parameters()), "lr": settings.rate},
        {"params": list(reader.trained), "lr": settings.encoder_rate},
    ]
    optimizer = torch.optim.AdamW([one for one in groups if one["params"]], weight_decay=settings.decay, fused=True)
    steps = settings.epochs * math.ceil(len(rows) / settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps, settings.warmup))
    with seeded(seed):
        draw = np.random.default_rng(seed)
        for epoch in range(settings.epochs):
            network.train()
            for held in _batches(rows, settings.batch, epoch, draw):
                optimizer.zero_grad(set_to_none=True)
                loss = _loss(reader, held)
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 5.0)
                optimizer.step()
                schedule.step()
                tick(float(loss.detach()))
    network.eval()


def _rate(step: int, steps: int, warmup: float) -> float:
    rise = max(1.0, warmup * steps)
    return min((step + 1) / rise, max(0.0, (steps - step) / max(1.0, steps - rise)))


def _batches(
    rows: Sequence[Sequence[Labelled]], size: int, epoch: int, draw: np.random.Generator
) -> Iterator[list[Labelled]]:
    """One text of each row, texts of like length together, batches in any order."""
    shift = int(draw.integers(0, 1000)) if epoch == 0 else 0
    picked = [row[(epoch + number + shift) % len(row)] for number, row in enumerate(rows)]
    keys = np.array([len(one.window.ids) for one in picked]) + draw.uniform(0, 4, len(picked))
    order = np.argsort(keys, kind="stable")
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    for place in draw.permutation(len(parts)):
        yield [picked[row] for row in parts[place]]


def _loss(reader: Reader, held: Sequence[Labelled]) -> torch.Tensor:
    """Cross-entropies of spans and of relations of pairs, summed over each text."""
    batch = batch_of([one.window for one in held], reader.device)
    tokens = reader.encode(batch.ids, batch.lengths)
    with _narrow(reader.device):
        logits = reader.network.spans(tokens, batch).float()
        gold = torch.zeros_like(logits)
        for row, one in enumerate(held):
            for first, last in one.spans:
                gold[row, first, last] = 1.0
        good = logits > -torch.inf
        loss = cross_entropy(logits[good], gold[good], reduction="sum")
        wrong = _candidates(logits.detach().masked_fill(gold > 0, -torch.inf), WRONG, -4.0)
        spans = [[*one.spans, *others] for one, others in zip(held, wrong, strict=True)]
        table, pairs, rows = _all_pairs(spans)
        if len(pairs):
            scores = reader.network.pairs(tokens, batch, table.to(reader.device), pairs.to(reader.device)).float()
            wanted = torch.zeros_like(scores)
            for row, one in enumerate(held):
                for head, relation, tail in one.pairs:
                    wanted[rows[row, head, tail], relation] = 1.0
            loss = loss + cross_entropy(scores, wanted, reduction="sum")
    return loss / len(held)


def _candidates(logits: torch.Tensor, most: int, least: float) -> list[list[tuple[int, int]]]:
    """The likeliest spans of each text, at most so many, with logits of at least `least`."""
    count = logits.shape[1]
    values, places = logits.flatten(1).topk(min(most, count * count), dim=1)
    return [
        [(place // count, place % count) for value, place in zip(*row, strict=True) if value >= least]
        for row in zip(values.tolist(), places.tolist(), strict=True)
    ]


Row = tuple[int, tuple[int, int], tuple[int, int]]


def _all_pairs(
    spans: Sequence[Sequence[tuple[int, int]]],
) -> tuple[torch.Tensor, torch.Tensor, dict[Row, int]]:
    """Spans (spans, 3) as the network takes them, ordered pairs (pairs, 2) within each text, and the row of each."""
    table: list[tuple[int, int, int]] = []
    pairs: list[tuple[int, int]] = []
    rows: dict[Row, int] = {}
    for text, held in enumerate(spans):
        start = len(table)
        table += [(text, *span) for span in held]
        for (a, head), (b, tail) in permutations(enumerate(held), 2):
            rows[text, head, tail] = len(pairs)
            pairs.append((start + a, start + b))
    spans_, pairs_ = torch.tensor(table, dtype=torch.int64), torch.tensor(pairs, dtype=torch.int64)
    return spans_.reshape(-1, 3), pairs_.reshape(-1, 2), rows


def _narrow(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=fast_bfloat16(device))
