"""Networks from plain recipes: the one place where a strategy and a model folder build the same thing.

A recipe names registered parts and plain values: `network`; for `joint` also `operator` and `width`, `aligner` with
`specs` where projections come first, `impute`, an aligner, with `components` where absent views are imputed first, and
`offset`, true where it starts from the scores of the views' own predictors;
for every other network what its `options` name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from fusible import registry
from fusible.alignment._projections import build_projection
from fusible.networks._base import Network
from fusible.networks._offset import OffsetJoint
from fusible.networks.joint import Joint
from fusible.tasks.aligned import Aligned
from fusible.tasks.imputed import CrossView, Imputed

JOINT = "joint"


def build_network(
    recipe: Mapping[str, Any],
    encoders: Mapping[str, nn.Module],
    widths: Mapping[str, int],
    outputs: int,
    **training: float,
) -> Network:
    """Build the network of a recipe, not trained; `encoders` are the views that it encodes by itself.

    `training` holds what matters in training only: `dropout`, `modality_dropout`.
    """
    name = str(recipe.get("network", JOINT))
    part = registry.get("networks", name)
    if name == JOINT:
        operator = build_operator(recipe, widths)
        return (OffsetJoint if recipe.get("offset") else Joint)(encoders, operator, outputs, **training)
    settings = {option: recipe[option] for option in part.options if option in recipe}
    other: Network = part(encoders=encoders, widths=dict(widths), outputs=outputs, **settings, **training)
    return other


def build_operator(recipe: Mapping[str, Any], widths: Mapping[str, int]) -> nn.Module:
    """The operator of a recipe, behind projections where it names an aligner, behind imputation where it names one."""
    part, width = registry.get("fusion", recipe["operator"]), int(recipe["width"])
    if "impute" in recipe:
        return Imputed(CrossView(widths, int(recipe["components"])), part(widths=dict(widths), width=width))
    if "aligner" not in recipe:
        operator: nn.Module = part(widths=dict(widths), width=width)
        return operator
    specs = recipe["specs"]
    projections = {view: build_projection(specs[view]) for view in widths}
    return Aligned(projections, part(widths={view: int(specs[view]["outputs"]) for view in widths}, width=width))
