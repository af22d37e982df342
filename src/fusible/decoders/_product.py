"""Several decoders that say one sequence together: the mean of their log-probabilities, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fusible.decoders._base import MEMORY, State
from fusible.types import Encoded

SEES = f"{MEMORY}.sees"


@dataclass(slots=True)
class Memories(Encoded):
    """What each of several decoders reads of the same rows: `parts`, and `sees` (rows, decoders) their say, 0 or more.

    As one memory it is all of them side by side: mask and attention are over the steps of one after the other's.
    """

    parts: tuple[Encoded, ...] = ()
    sees: torch.Tensor | None = None


def side_by_side(parts: Sequence[Encoded], sees: torch.Tensor) -> Memories:
    """Memories of several decoders as one. In a row that no decoder has a say in, all have the same."""
    blind = (sees.sum(dim=1, keepdim=True) <= 0).to(sees.dtype)
    mask = torch.cat([part.mask for part in parts], dim=1)
    tokens = mask.new_zeros(*mask.shape, 0, dtype=torch.float32)
    return Memories(tokens, mask, parts=tuple(parts), sees=sees + blind)


class Product(nn.Module):
    """A product of experts (Hinton, 2002) over decoders of one vocabulary: their log-probabilities, averaged by say.

    What each of them doubts, none can say: a token needs the consent of all. Attention is theirs, by the same shares.
    It is searched and drawn from as a decoder is; there is nothing to train.

    >>> import torch
    >>> class Say(nn.Module):
    ...     def __init__(self, *p):
    ...         super().__init__()
    ...         self.logits = torch.tensor([p]).log()
    ...     def start(self, memory):
    ...         return {"memory.mask": memory.mask}
    ...     def step(self, tokens, state):
    ...         return self.logits, state["memory.mask"].float(), state
    >>> one = Encoded(torch.zeros(1, 1, 1), torch.ones(1, 1, dtype=torch.bool))
    >>> both = Product([Say(0.5, 0.5), Say(0.2, 0.8)])
    >>> logits, attention, _ = both.step(torch.tensor([1]), both.start(side_by_side([one, one], torch.ones(1, 2))))
    >>> [round(value, 3) for value in logits.softmax(dim=1)[0].tolist()], attention.tolist()
    ([0.333, 0.667], [[0.5, 0.5]])
    """

    def __init__(self, decoders: Sequence[nn.Module]) -> None:
        super().__init__()
        self.decoders = nn.ModuleList(decoders)
        self.training = any(decoder.training for decoder in decoders)  # left as they are by whoever uses them

    def start(self, memory: Encoded) -> State:
        """State of all decoders before the first token; names keep their beginning."""
        if not isinstance(memory, Memories) or memory.sees is None:
            raise TypeError("product: memories come side by side, with the say of each decoder")
        state = {SEES: memory.sees / memory.sees.sum(dim=1, keepdim=True)}
        for i, (decoder, part) in enumerate(zip(self._each(), memory.parts, strict=True)):
            state |= {f"{name}@{i}": value for name, value in decoder.start(part).items()}
        return state

    def step(self, tokens: torch.Tensor, state: State) -> tuple[torch.Tensor, torch.Tensor, State]:
        """Read one token per row: mean log-probabilities, attention over all memories, and the new state."""
        share = state[SEES].repeat_interleave(len(tokens) // max(1, len(state[SEES])), dim=0)
        following, logits, attentions = {SEES: state[SEES]}, [], []
        for i, decoder in enumerate(self._each()):
            own = {name.rpartition("@")[0]: value for name, value in state.items() if name.endswith(f"@{i}")}
            said, attention, own = decoder.step(tokens, own)
            logits.append(share[:, i : i + 1] * said.float().log_softmax(dim=1))
            attentions.append(share[:, i : i + 1] * attention.float())
            following |= {f"{name}@{i}": value for name, value in own.items()}
        return torch.stack(logits).sum(dim=0), torch.cat(attentions, dim=1), following

    def _each(self) -> list[Any]:
        return list(self.decoders)
