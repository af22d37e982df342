"""The network of the trained extractor: which stretches of words are mentions, and what relation leads where.

Spans are scored by a biaffine product of their ends (Yu et al., "Named Entity Recognition as Dependency Parsing",
ACL 2020), so that mentions may lie in one another ("Aarhus" in "Aarhus, Denmark"). Pairs of mentions are judged jointly
with what stands between them, against wrong spans as negatives (SpERT; Eberts & Ulges, ECAI 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

LONGEST = 20
"""Words of a mention at most."""
NEAR = 10
"""Distances between mentions, in words, that are told apart; longer ones count as one."""


@dataclass(slots=True)
class Batch:
    """Texts of one batch: word pieces as the encoder takes them, and the first and last piece of each word.

    `first`, `last`, `sentence` int64 (texts, words); words that are not there have the sentence -1.
    """

    ids: torch.Tensor
    lengths: torch.Tensor
    first: torch.Tensor
    last: torch.Tensor
    sentence: torch.Tensor


class ExtractNetwork(nn.Module):
    """Scores spans and pairs of spans over the encoder's tokens (texts, pieces, width)."""

    def __init__(self, width: int, relations: int, hidden: int = 256, dropout: float = 0.2) -> None:
        super().__init__()
        self.spec = {"width": width, "relations": relations, "hidden": hidden, "dropout": dropout}
        self.drop = nn.Dropout(dropout)
        self.starts, self.ends = (nn.Sequential(nn.Linear(width, hidden), nn.GELU()) for _ in range(2))
        self.product = nn.Parameter(torch.zeros(hidden + 1, hidden + 1))
        self.far = nn.Embedding(LONGEST, 1)
        self.mention = nn.Sequential(nn.Linear(2 * width, hidden), nn.GELU())
        self.telling = nn.Linear(width, 1)
        self.heads, self.tails = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden, bias=False)
        self.both = nn.Linear(hidden, hidden, bias=False)
        self.between = nn.Linear(width, hidden, bias=False)
        self.whole = nn.Linear(width, hidden, bias=False)
        self.apart = nn.Embedding(2 * NEAR + 1, hidden)
        told = nn.Linear(hidden, relations)
        nn.init.constant_(told.bias, -4.0)
        self.relation = nn.Sequential(nn.GELU(), nn.Dropout(dropout), told)

    def spans(self, tokens: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Logits (texts, words, words) of the span from a first to a last word; -inf where there is none.

        None leads from one sentence into another.
        """
        tokens = self.drop(tokens)
        starts = _ones(self.starts(_words(tokens, batch.first)))
        ends = _ones(self.ends(_words(tokens, batch.last)))
        scores = starts @ self.product @ ends.transpose(1, 2)
        place = torch.arange(scores.shape[1], device=scores.device)
        length = place[None, :] - place[:, None]
        scores = scores + self.far.weight[length.clamp(0, LONGEST - 1), 0]
        good = (length >= 0) & (length < LONGEST) & (batch.sentence[:, :, None] >= 0)
        good = good & (batch.sentence[:, None, :] == batch.sentence[:, :, None])
        return scores.masked_fill(~good, -torch.inf)

    def pairs(self, tokens: torch.Tensor, batch: Batch, spans: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
        """Logits (pairs, relations) of pairs of spans.

        `spans` int64 (spans, 3) are text, first and last word; `pairs` int64 (pairs, 2) are head and tail among them.
        """
        tokens = self.drop(tokens)
        text, first, last = spans.unbind(1)
        begin, end = batch.first[text, first], batch.last[text, last]
        mention = self.mention(torch.cat([tokens[text, begin], tokens[text, end]], dim=1))
        head, tail = pairs.unbind(1)
        said = self.heads(mention)[head] + (self.tails(mention) + self.whole(tokens[:, 0])[text])[tail]
        said = said + self.both(mention[head] * mention[tail])
        said = said + self.between(self._between(tokens, text[head], begin, end, pairs))
        apart = (first[tail] - first[head]).clamp(-NEAR, NEAR) + NEAR
        return torch.as_tensor(self.relation(said + self.apart(apart)))

    def _between(
        self, tokens: torch.Tensor, text: torch.Tensor, begin: torch.Tensor, end: torch.Tensor, pairs: torch.Tensor
    ) -> torch.Tensor:
        """Weighted mean (pairs, width) of the pieces between two spans, by running sums; zero where there are none."""
        weights = self.telling(tokens).float().clamp(-8, 8).exp()
        sums = nn.functional.pad(torch.cat([weights * tokens, weights], dim=2).cumsum(dim=1), (0, 0, 1, 0))
        after = end[pairs].amin(dim=1) + 1
        before = torch.maximum(begin[pairs].amax(dim=1), after)
        found = sums[text, before] - sums[text, after]
        return torch.as_tensor(found[:, :-1] / (found[:, -1:] + 1e-4))


def _words(tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Tokens (texts, words, width) at places (texts, words)."""
    return tokens.gather(1, places[:, :, None].expand(-1, -1, tokens.shape[2]))


def _ones(vectors: torch.Tensor) -> torch.Tensor:
    """A column of ones, so that one product holds what each end says by itself."""
    return torch.cat([vectors, vectors.new_ones(*vectors.shape[:2], 1)], dim=2)
