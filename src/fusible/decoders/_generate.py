"""Saying it: from memory to sequences of tokens, in batches, with what was computed once kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch

from fusible.decoders._base import END, PAD, START, Decoder, select
from fusible.decoders._beam import search
from fusible.decoders._nucleus import nucleus
from fusible.decoders._product import Product
from fusible.decoders._record import Generated, Record
from fusible.errors import ConfigError
from fusible.types import Encoded

__all__ = ["Generated", "Generation", "generate"]

MOST_TOKENS, MOST_BEAMS = 4_096, 256
"""Most tokens of a text and most hypotheses of a row, also where settings come from a file."""
WHOLE = {"beams": (1, MOST_BEAMS), "longest": (1, MOST_TOKENS), "shortest": (0, MOST_TOKENS), "seed": (0, 2**63 - 1)}
"""Settings that are whole numbers: least and most."""


@dataclass(frozen=True, slots=True)
class Generation:
    """How to generate.

    Parameters: `beams`, hypotheses kept per row, 1 for the most probable token at each step (greedy); `longest`, most
    tokens, `END` not counted; `shortest`, fewest; `length_penalty`, hypotheses are ranked by log-probability divided by
    `length ** length_penalty`, `END` counted: 0 ranks by probability, 1 by probability per token (Wu et al. 2016,
    arXiv 1609.08144, have (5 + length) / 6 in place of the length); `sample`, draw tokens in place of a search, from
    the nucleus: the fewest tokens that hold `top_p` of the probability (Holtzman et al., "The Curious Case of Neural
    Text Degeneration", ICLR 2020), at a `temperature`, by `seed`.

    >>> Generation(beams=0)
    Traceback (most recent call last):
    fusible.errors.ConfigError: generation: expected beams from 1 to 256, a whole number, got 0
    """

    beams: int = 1
    longest: int = 30
    shortest: int = 0
    length_penalty: float = 1.0
    sample: bool = False
    top_p: float = 0.9
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (least, most) in WHOLE.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= most:
                raise ConfigError(
                    f"generation: expected {name} from {least} to {most}, a whole number, got {_short(value)}"
                )
        if self.shortest > self.longest:
            raise ConfigError(
                f"generation: expected shortest up to longest, got shortest {self.shortest}, longest {self.longest}"
            )
        if not isinstance(self.sample, bool | np.bool_):
            raise ConfigError(f"generation: expected sample true or false, got {_short(self.sample)}")
        if not 0.0 <= _real(self.length_penalty) <= 10.0:
            raise ConfigError(f"generation: expected a length penalty from 0 to 10, got {_short(self.length_penalty)}")
        if not 0.0 < _real(self.top_p) <= 1.0:
            raise ConfigError(f"generation: expected top_p above 0, at most 1, got {_short(self.top_p)}")
        if not 0.0 < _real(self.temperature) < float("inf"):
            raise ConfigError(f"generation: expected a temperature above 0, got {_short(self.temperature)}")


def _real(value: Any) -> float:
    """The number that a setting is; NaN, which is in no range, where it is none."""
    return float("nan") if isinstance(value, bool) or not isinstance(value, Real) else float(value)


def _short(value: Any) -> str:
    """A value for an error of one line."""
    return repr(value)[:60]


def generate(
    decoder: Decoder | Product, memory: Encoded, settings: Generation | None = None, first: int = 0
) -> Generated:
    """Say a sequence of tokens about each row of a memory.

    Row i draws by `(seed, first + i)`, whatever stands beside it, so that a table may be sampled in batches of any
    size: `first` is the number of the batch's first row. The decoder is used in evaluation mode, and left as it was.
    """
    settings = settings or Generation()
    training = decoder.training
    decoder.eval()
    try:
        with torch.inference_mode():
            if settings.sample:
                return _walk(decoder, memory, settings, _draws(settings, memory, first)).finish()
            if settings.beams > 1:
                options = (settings.beams, settings.longest, settings.shortest, settings.length_penalty)
                return search(decoder, memory, *options).finish()
            return _walk(decoder, memory, settings, _likeliest).finish()
    finally:
        decoder.train(training)


Choice = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
"""Logits (rows, vocabulary) of allowed tokens, the rows' numbers and the step -> tokens (rows,)."""


def _likeliest(logits: torch.Tensor, rows: torch.Tensor, step: int) -> torch.Tensor:
    return logits.argmax(dim=1)


def _draws(settings: Generation, memory: Encoded, first: int) -> Choice:
    """Draw from the nucleus with one uniform number per row and step, from the row's own stream."""
    numbers = range(first, first + len(memory.mask))
    uniform = np.array([np.random.default_rng([settings.seed, row]).random(settings.longest) for row in numbers])

    def choose(logits: torch.Tensor, rows: torch.Tensor, step: int) -> torch.Tensor:
        drawn = zip(logits.float().cpu().numpy(), uniform[rows.cpu().numpy(), step], strict=True)
        tokens = [nucleus(row, number, settings.top_p, settings.temperature) for row, number in drawn]
        return torch.tensor(tokens, device=logits.device)

    return choose


def _walk(decoder: Decoder | Product, memory: Encoded, settings: Generation, choose: Choice) -> Record:
    """Choose token after token; rows that have said `END` leave the batch."""
    device, number = memory.mask.device, len(memory.mask)
    record = Record(number, settings.longest, memory.mask.shape[1], device)
    rows, tokens = torch.arange(number, device=device), torch.full((number,), START, device=device)
    state = decoder.start(memory) if number else {}
    for step in range(settings.longest):
        if not len(rows):
            break
        logits, attention, state = decoder.step(tokens, state)
        scores = logits.float().log_softmax(dim=1)
        logits[:, [PAD, START, END] if step < settings.shortest else [PAD, START]] = float("-inf")
        tokens = choose(logits, rows, step)
        record.reach(step + 1)
        record.tokens[rows, step], record.attention[rows, step] = tokens, attention.float()
        record.log_probabilities[rows, step] = scores.gather(1, tokens.unsqueeze(1)).squeeze(1)
        record.lengths[rows] = step + 1
        going = (tokens != END).nonzero().squeeze(1)
        if len(going) < len(rows):
            rows, tokens, state = rows[going], tokens[going], select(state, going)
    return record
