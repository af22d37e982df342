"""Feature-wise modulation: every view scales and shifts the columns of the others."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._project import Projecting

CODE = 16
"""Columns by which a view modulates others: few, as wider ones over-fit."""


class Film(Projecting):
    """Feature-wise linear modulation (Perez et al., AAAI 2018) among any number of views, all in the same role.

    From its projection h_v each view makes a code of `CODE` columns, GELU(C_v h_v). With c_v the mean of all other
    views' codes, the view becomes (1 + γ_v) · h_v + β_v, where γ_v and β_v are linear in c_v and at first zero; then
    views are concatenated and mixed as by `concat`. A view that is absent is not modulated: its place holds the vector
    learned for its absence, from which alone comes its code.

    >>> import torch
    >>> operator = Film({"text": 4, "image": 4}, width=8)
    >>> operator.others(torch.tensor([[[1.0], [3.0]]])).tolist()
    [[[3.0], [1.0]]]
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128) -> None:
        super().__init__(widths, width)
        self.codes = nn.ModuleList(nn.Linear(width, CODE) for _ in widths)
        self.modulations = nn.ModuleList(nn.Linear(CODE, 2 * width) for _ in widths)
        for layer in self.modulations:
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(len(widths) * width, width), nn.GELU())

    def others(self, codes: torch.Tensor) -> torch.Tensor:
        """Mean over all other views, for each view; both (rows, views, columns); zero where there is no other."""
        return (codes.sum(dim=1, keepdim=True) - codes) / max(1, codes.shape[1] - 1)

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        plain = self.tokens(vectors, presence)
        codes = [layer(own) for layer, own in zip(self.codes, plain.unbind(dim=1), strict=True)]
        context = self.others(nn.functional.gelu(torch.stack(codes, dim=1)))
        changes = [layer(seen) for layer, seen in zip(self.modulations, context.unbind(dim=1), strict=True)]
        scale, shift = torch.stack(changes, dim=1).chunk(2, dim=-1)
        modulated = torch.where(presence.unsqueeze(-1), (1.0 + scale) * plain + shift, plain)
        fused: torch.Tensor = self.mix(modulated.flatten(1))
        return fused
