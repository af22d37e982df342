"""Beam search over a batch of rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fusible.decoders._base import END, MEMORY, SPECIALS, START, Decoder, State, select
from fusible.decoders._product import Product
from fusible.decoders._record import Record
from fusible.types import Encoded

NEVER, ALWAYS = float("-inf"), float("inf")


def search(
    decoder: Decoder | Product, memory: Encoded, beams: int, longest: int, shortest: int = 0, penalty: float = 1.0
) -> Record:
    """Keep the `beams` most probable hypotheses per row; give the best by log-probability / length ** penalty.

    A hypothesis whose `END` is among the best `beams` continuations is done; the best others go on. The greedy
    hypothesis always keeps its place, so that with a penalty of 0 no row is less probable than by greedy choice, and
    one beam is greedy choice. A row is done when no hypothesis that goes on can become better than the best one done,
    or when `beams` are done and none that goes on is better so far.
    """
    record = Record(len(memory.mask), longest, memory.mask.shape[1], memory.mask.device)
    if len(memory.mask):
        searching = _Search(decoder, decoder.start(memory), record, beams, penalty)
        for step in range(longest):
            searching.step(endless=step < shortest, last=step == longest - 1)
            if not len(searching.rows):
                break
    return record


@dataclass(slots=True)
class _Candidates:
    """Continuations of each row's hypotheses; all have shape (rows, candidates).

    Log-probability in `total`, the hypothesis they continue, with which token, at what log-probability (`gain`).
    """

    total: torch.Tensor
    parent: torch.Tensor
    token: torch.Tensor
    gain: torch.Tensor

    def pick(self, order: torch.Tensor) -> _Candidates:
        """Candidates `order` (rows, n) of each row."""
        return _Candidates(*(part.gather(1, order) for part in (self.total, self.parent, self.token, self.gain)))

    def of(self, rows: torch.Tensor) -> _Candidates:
        """Candidates of some rows."""
        return _Candidates(self.total[rows], self.parent[rows], self.token[rows], self.gain[rows])


class _Search:
    """The hypotheses of the rows that go on, all of one length: as many for each row, one row's after the other's.

    The first hypothesis of a row is the greedy one, as long as that goes on.
    """

    def __init__(self, decoder: Decoder | Product, state: State, record: Record, beams: int, penalty: float) -> None:
        self.decoder, self.state, self.record, self.beams, self.penalty = decoder, state, record, beams, penalty
        self.length, self.longest = 0, record.longest
        self.rows = torch.arange(len(record.tokens), device=record.tokens.device)
        self.greedy = torch.ones_like(self.rows, dtype=torch.bool)
        self.closed = torch.zeros_like(self.rows)
        self.best = torch.full_like(self.rows, NEVER, dtype=torch.float32)
        self.total = torch.zeros(len(self.rows), 1, device=self.rows.device)
        self.history = (record.tokens[:, :0], record.log_probabilities[:, :0], record.attention[:, :0])

    def step(self, endless: bool, last: bool) -> None:
        """Lengthen all hypotheses by a token; `endless` forbids the end, after the `last` one nothing goes on."""
        ends, words = self._candidates(endless)
        goes = self.greedy & (words.gain[:, 0] > ends.gain[:, 0])
        ends_rank, words_rank = ends.total.clone(), words.total.clone()
        ends_rank[:, 0].masked_fill_(self.greedy & ~goes, ALWAYS)
        words_rank[:, 0].masked_fill_(goes, ALWAYS)
        rank, order = words_rank.topk(min(self.beams, words_rank.shape[1]), dim=1)
        every = torch.cat([rank, ends_rank], dim=1)
        least = every.topk(min(self.beams, every.shape[1]), dim=1).values[:, -1:]
        closes, words = (ends_rank >= least) & (ends.total > NEVER), words.pick(order)
        ends.total = ends.total.masked_fill(~closes, NEVER)
        self._close(ends)
        self.closed, self.greedy = self.closed + closes.sum(dim=1), goes
        if last:
            self._close(words)
            self.rows = self.rows[:0]
        else:
            self._go_on(words)

    def _candidates(self, endless: bool) -> tuple[_Candidates, _Candidates]:
        """Step the decoder: the end of each hypothesis, and the best words after each, best first."""
        tokens, shape = self.history[0], self.total.shape
        read = tokens[:, -1] if self.length else tokens.new_full((len(tokens),), START)
        logits, self.attention, self.state = self.decoder.step(read, self.state)
        self.length += 1
        scores = logits.float().log_softmax(dim=1).view(*shape, -1)
        end = torch.full_like(self.total, NEVER) if endless else scores[:, :, END]
        word, which = scores[:, :, SPECIALS:].topk(min(self.beams, scores.shape[2] - SPECIALS), dim=2)
        own = torch.arange(shape[1], device=end.device).expand(shape)
        ends = _Candidates(self.total + end, own, torch.full_like(own, END), end)
        totals, parents = self.total.unsqueeze(2) + word, own.unsqueeze(2).expand_as(word)
        parts = (totals, parents, which + SPECIALS, word)
        return ends, _Candidates(*(part.flatten(1) for part in parts))

    def _close(self, candidates: _Candidates) -> None:
        """Write down the best candidate of each row where it is better than the row's best so far."""
        value, at = (candidates.total / self.length**self.penalty).max(dim=1)
        better = (value > self.best).nonzero().squeeze(1)
        self.best[better] = value[better]
        tokens, scores, attention = self._lengthen(better, candidates.of(better).pick(at[better].unsqueeze(1)))
        rows, record = self.rows[better], self.record
        record.reach(self.length)
        record.lengths[rows] = self.length
        record.tokens[rows, : self.length] = tokens
        record.log_probabilities[rows, : self.length] = scores
        record.attention[rows, : self.length] = attention

    def _go_on(self, words: _Candidates) -> None:
        """Go on with `words`, in rows that may still get better."""
        top, ended = words.total.amax(dim=1), self.closed >= self.beams
        over = self.best >= top / self.longest**self.penalty
        going = (~over & ~(ended & (self.best >= top / self.length**self.penalty))).nonzero().squeeze(1)
        words = words.of(going)
        held = {name: value for name, value in self.state.items() if name.startswith(MEMORY)}
        own = {name: value for name, value in self.state.items() if name not in held}
        held = held if len(going) == len(self.rows) else select(held, going)
        self.state = held | select(own, self._flat(going, words))
        self.history = self._lengthen(going, words)
        self.total, self.rows, self.greedy = words.total, self.rows[going], self.greedy[going]
        self.closed, self.best = self.closed[going], self.best[going]

    def _flat(self, rows: torch.Tensor, candidates: _Candidates) -> torch.Tensor:
        """Numbers of the hypotheses that candidates of `rows` continue, among all."""
        return (rows.unsqueeze(1) * self.total.shape[1] + candidates.parent).flatten()

    def _lengthen(self, rows: torch.Tensor, candidates: _Candidates) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Tokens, log-probabilities and attention of candidates of `rows`, up to and with their last token."""
        flat, (tokens, scores, attention) = self._flat(rows, candidates), self.history
        return (
            torch.cat([tokens[flat], candidates.token.flatten().unsqueeze(1)], dim=1),
            torch.cat([scores[flat], candidates.gain.flatten().unsqueeze(1)], dim=1),
            torch.cat([attention[flat], self.attention[flat].float().unsqueeze(1)], dim=1),
        )
