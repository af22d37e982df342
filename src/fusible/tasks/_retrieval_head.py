"""Heads of a retriever: from an encoder's vectors of one view to vectors of unit length in the space of all views."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from fusible.alignment._projections import LARGEST, build_projection
from fusible.errors import ModelFormatError

MOST_PARTS = 64
CHUNK = 4_096
"""Rows that are projected at a time."""


class Part(nn.Module):
    """One part of a head: a projection, its outputs shifted and scaled, then possibly the posteriors of classes.

    With `classes`, outputs are square roots of class probabilities by a linear layer, less their value where nothing is
    known: their cosine tells how alike two judgements are (Rasiwasia et al., 2010, "semantic matching").
    """

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, projection: nn.Module, outputs: int, classes: int = 0) -> None:
        super().__init__()
        self.projection = projection
        self.classes = classes
        self.outputs = classes or outputs
        self.register_buffer("shift", torch.zeros(outputs))
        self.register_buffer("scale", torch.ones(outputs))
        self.logits = nn.Linear(outputs, classes) if classes else None

    @property
    def spec(self) -> dict[str, Any]:
        """What rebuilds the part, without its arrays."""
        projection: Any = self.projection
        return {"projection": dict(projection.spec), "classes": self.classes}

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, inputs) -> (rows, outputs) of unit length; rows of zeros stay zero."""
        found = (self.projection(rows).float() - self.shift) * self.scale
        if self.logits is not None:
            found = self.logits(found).softmax(dim=1).sqrt() - 1 / math.sqrt(self.classes)
        return nn.functional.normalize(found, dim=1, eps=1e-12)


class Head(nn.Module):
    """Parts side by side, weighed: an inner product of two heads' outputs is the weighted mean of the parts' cosines.

    `weights` are positive and add up to one; heads of all views have parts of the same outputs and weights.
    """

    weights: torch.Tensor

    def __init__(self, parts: Sequence[Part], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        even = torch.full((len(parts),), 1.0 / len(parts))
        given = even if weights is None else torch.tensor(list(weights), dtype=torch.float32)
        self.register_buffer("weights", given)

    @property
    def outputs(self) -> int:
        """Columns of the outputs."""
        return sum(part.outputs for part, _ in self.weighed())

    @property
    def spec(self) -> list[dict[str, Any]]:
        """What rebuilds the head, without its arrays."""
        return [part.spec for part, _ in self.weighed()]

    def weighed(self) -> list[tuple[Part, float]]:
        """Parts with their weights."""
        return list(zip(cast("list[Part]", list(self.parts)), self.weights.tolist(), strict=True))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, inputs) -> (rows, outputs) of unit length; rows of zeros stay zero."""
        found = [weight.sqrt() * part(rows) for weight, part in zip(self.weights, self.parts, strict=True)]
        return nn.functional.normalize(torch.cat(found, dim=1), dim=1, eps=1e-12)


def build_head(spec: Any) -> Head:
    """Rebuild a head from its `spec`, without its arrays; on the meta device shapes alone.

    Raises `ModelFormatError` for what `Head.spec` would not give.
    """
    if not isinstance(spec, list) or not 1 <= len(spec) <= MOST_PARTS:
        raise ModelFormatError(f"config.yaml: a retriever's head: expected 1 to {MOST_PARTS} parts, got {spec!r:.80}")
    return Head([_part(one) for one in spec])


def _part(spec: Any) -> Part:
    if not isinstance(spec, Mapping) or set(spec) != {"projection", "classes"}:
        raise ModelFormatError(f"config.yaml: a part of a head: expected projection and classes, got {spec!r:.80}")
    classes, projection = spec["classes"], spec["projection"]
    if isinstance(classes, bool) or not isinstance(classes, int) or not 0 <= classes <= LARGEST or classes == 1:
        raise ModelFormatError(f"config.yaml: a part of a head: expected a number of classes, got {classes!r:.80}")
    return Part(build_projection(projection), int(projection["outputs"]), classes)


@torch.inference_mode()
def units(head: nn.Module, vectors: np.ndarray) -> np.ndarray:
    """Unit vectors (rows, outputs) float32 of an encoder's vectors; NaN where the view is absent or says nothing."""
    there = np.isfinite(vectors).all(axis=1)
    pieces = []
    for start in range(0, max(1, len(vectors)), CHUNK):
        rows = np.where(there[start : start + CHUNK, None], vectors[start : start + CHUNK], 0.0)
        pieces.append(head(torch.from_numpy(rows.astype(np.float32))).float().numpy())
    found = np.concatenate(pieces)
    found[~there | ~(np.abs(found).max(axis=1, initial=0.0) > 0)] = np.nan
    return np.asarray(found)


def fused(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Unit vectors (rows, width) towards the mean of those that are present; NaN where none is.

    >>> fused([np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]])]).astype(float).round(3).tolist()
    [[0.6, 0.8]]
    """
    stacked = np.stack(vectors)
    there = np.isfinite(stacked).all(axis=2, keepdims=True)
    total = np.where(there, stacked, 0.0).sum(axis=0)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    found: np.ndarray = np.where(length > 1e-6, total / np.maximum(length, 1e-6), np.nan).astype(np.float32)
    return found
