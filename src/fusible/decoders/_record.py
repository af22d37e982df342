"""What was said, row by row, while it is being said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import pad

from fusible.decoders._base import END, PAD


@dataclass(slots=True)
class Generated:
    """What a decoder said, per row.

    `tokens` are without `START`, `END` and `PAD`. `log_probabilities` are those of teacher forcing, per token, and of
    `END` last where it was said: a row that was cut has as many as tokens, any other one more. `attention` has shape
    (tokens, memory steps) per row, float32, zero over padding.
    """

    tokens: list[list[int]]
    log_probabilities: list[list[float]]
    attention: list[np.ndarray]

    @property
    def confidence(self) -> np.ndarray:
        """Geometric mean of the tokens' probabilities, that of `END` included: (rows,).

        >>> Generated([[3]], [[0.0, -2.0]], [np.ones((1, 1), np.float32)]).confidence.round(3).tolist()
        [0.368]
        """
        return np.exp([float(np.mean(row)) for row in self.log_probabilities])


FIRST = 32
"""Steps that there is space for at first."""


class Record:
    """Space for what `rows` rows say in at most `longest` steps about a memory of `places` tokens.

    It grows as texts do: few are as long as they may be, and attention takes places for every step.
    """

    def __init__(self, rows: int, longest: int, places: int, device: torch.device) -> None:
        self.longest, steps = longest, min(longest, FIRST)
        self.tokens = torch.full((rows, steps), PAD, device=device)
        self.log_probabilities = torch.zeros(rows, steps, device=device)
        self.attention = torch.zeros(rows, steps, places, device=device)
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=device)

    def reach(self, steps: int) -> None:
        """Have space for so many steps; doubled, so that what is copied in all is no more than what is held."""
        held = self.tokens.shape[1]
        if steps > held:
            more = min(max(steps, 2 * held), self.longest) - held
            self.tokens = pad(self.tokens, (0, more), value=PAD)
            self.log_probabilities = pad(self.log_probabilities, (0, more))
            self.attention = pad(self.attention, (0, 0, 0, more))

    def finish(self) -> Generated:
        """Give it per row, `END` and its attention left out."""
        tokens, scores, attention, lengths = (
            part.cpu().numpy() for part in (self.tokens, self.log_probabilities, self.attention, self.lengths)
        )
        ended = [bool(n) and tokens[row, n - 1] == END for row, n in enumerate(lengths)]
        words = [int(n) - end for n, end in zip(lengths, ended, strict=True)]
        return Generated(
            [tokens[row, :n].tolist() for row, n in enumerate(words)],
            [scores[row, :n].tolist() for row, n in enumerate(lengths)],
            [attention[row, :n].copy() for row, n in enumerate(words)],
        )
