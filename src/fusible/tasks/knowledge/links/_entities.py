"""Vectors of entities: learned one by one, made of what is known of them, or both together."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible import registry
from fusible.errors import ConfigError
from fusible.scorers._base import embedding
from fusible.types import Encoded

OPERATOR = "concat"
"""How views of entities are fused, where nothing else is said."""
MIXED = 256
"""Widest result of an operator."""
HIDDEN = 0.2
"""Share of entities whose own vectors are hidden in a training step, so that what is known of them must do."""


class Entities(nn.Module):
    """Vectors (entities, width): each entity's own, plus what a fusion operator makes of its views.

    `features` {view: (entities, width of view)} are encodings, NaN in rows of what an entity lacks. An entity that no
    training triple has (`seen` false) has no vector of its own: it is what its views say. Without `structure` none has.
    """

    seen: torch.Tensor

    def __init__(
        self,
        count: int,
        width: int,
        spread: float,
        features: Mapping[str, torch.Tensor] | None = None,
        *,
        structure: bool = True,
        operator: str = OPERATOR,
    ) -> None:
        super().__init__()
        if not structure and not features:
            raise ConfigError("links: entities without vectors of their own need views; give a table of entities")
        self.own = embedding(count, width, spread) if structure else None
        self.views = tuple(features or ())
        self.register_buffer("seen", torch.ones(count, dtype=torch.bool))
        for place, values in enumerate((features or {}).values()):
            self.register_buffer(f"view_{place}", values.float())
        if features:
            widths = {view: values.shape[1] for view, values in features.items()}
            self.operator = registry.build("fusion", operator, widths=widths, width=min(width, MIXED))
            self.out = nn.Linear(self.operator.output_width, width, bias=False)
            nn.init.normal_(self.out.weight, std=spread * self.operator.output_width**-0.5)

    def forward(self) -> torch.Tensor:
        """Vectors of all entities."""
        held = {view: getattr(self, f"view_{place}") for place, view in enumerate(self.views)}
        told = self.told(held) if held else None
        if self.own is None:
            assert told is not None
            return told
        weight: torch.Tensor = self.own.weight
        if told is None:
            return weight
        shown = self.seen
        if self.training:
            shown = shown & (torch.rand(len(shown), device=shown.device) >= HIDDEN)
        return torch.where(shown[:, None], weight, 0.0) + told

    def told(self, features: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Vectors (rows, width) of what views say; zero where an entity has none."""
        presence = torch.stack([values.isfinite().all(dim=1) for values in features.values()], dim=1)
        encoded = {
            view: Encoded(values.unsqueeze(1), presence[:, i : i + 1])
            for i, (view, values) in enumerate(features.items())
        }
        found: torch.Tensor = self.out(self.operator(encoded, presence))
        return torch.where(presence.any(dim=1, keepdim=True), found, 0.0)
