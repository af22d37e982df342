"""Gated multimodal unit: for every row and column, gates decide how much of each view passes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._project import Projecting, mixer


class Gated(Projecting):
    """Gated multimodal unit (Arevalo et al., ICLR workshop 2017), for any number of views.

    With h_v = tanh(W_v x_v) and all h side by side, gates z_v = sigmoid(U_v [h_1, …, h_n]) weigh the sum of z_v · h_v.
    An absent view's h is a vector learned for its absence, at first zero: then the gates see it, and it adds nothing.

    >>> import torch
    >>> present = torch.tensor([[True, True], [True, False]])
    >>> gates = Gated({"a": 4, "b": 4}, width=8).gates(torch.zeros(2, 2, 8))
    >>> gates.shape, bool(((0 < gates) & (gates < 1)).all())
    (torch.Size([2, 2, 8]), True)
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128) -> None:
        super().__init__(widths, width)
        self.gate = nn.Linear(len(widths) * width, len(widths) * width)
        self.mix = mixer(width, width)

    def gates(self, hidden: torch.Tensor) -> torch.Tensor:
        """Gates in (0, 1) from hidden vectors of all views, both (rows, views, width)."""
        return torch.sigmoid(self.gate(hidden.flatten(1))).view_as(hidden)

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        hidden = torch.tanh(self.tokens(vectors, presence))
        fused: torch.Tensor = self.mix((self.gates(hidden) * hidden).sum(dim=1))
        return fused
