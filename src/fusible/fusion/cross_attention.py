"""Cross-attention: each view's vector looks for what concerns it in the token sequences of the other views."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._attend import Block
from fusible.fusion._project import ProjectingTokens, at_least_one, mixer


class CrossAttention(ProjectingTokens):
    """Each view attends to the token sequences of all other views; then all are read side by side.

    A view asks by its vector, in `layers` rounds, as a question asks an image in stacked attention (Yang et al., CVPR
    2016), here in all directions (as Lu et al., ViLBERT, NeurIPS 2019). Tokens have at most `INNER` columns. An absent
    view asks and answers by the token learned for its absence; a learned token that answers everybody keeps a single
    view from attending to nothing.

    >>> import torch
    >>> operator = CrossAttention({"text": 4, "image": 4}, width=8)
    >>> [seen.tolist() for seen in operator.sight([torch.tensor([[True, False]]), torch.tensor([[True, True]])])]
    [[[False, False, True, True, True], [True, False, False, False, True]]]
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128, layers: int = 1) -> None:
        at_least_one("cross_attention", layers=layers)
        super().__init__(widths, width)
        self.nothing = nn.Parameter(torch.zeros(self.inner))
        self.blocks = nn.ModuleList(Block(self.inner, crossing=True) for _ in range(layers))
        self.mix = mixer(len(widths) * self.inner, width)

    def sight(self, real: list[torch.Tensor]) -> torch.Tensor:
        """Which tokens each view sees: (rows, views, tokens of all views and the one that answers everybody)."""
        sizes = torch.tensor([mask.shape[1] for mask in real], device=real[0].device)
        views = torch.arange(len(real), device=sizes.device)
        others = views.repeat_interleave(sizes) != views.unsqueeze(1)
        return nn.functional.pad(torch.cat(real, dim=1).unsqueeze(1) & others, (0, 1), value=True)

    def fuse_sequences(
        self, sequences: list[torch.Tensor], real: list[torch.Tensor], presence: torch.Tensor
    ) -> torch.Tensor:
        """Fuse projected tokens, per view (rows, steps, inner), real where `real` is true -> (rows, output_width)."""
        asking = torch.stack([sequence[:, 0] for sequence in sequences], dim=1)
        context = torch.cat([*sequences, self.nothing.expand(len(presence), 1, -1)], dim=1)
        seen = self.sight(real)
        for block in self.blocks:
            asking = block(asking, context, seen)
        fused: torch.Tensor = self.mix(asking.flatten(1))
        return fused
