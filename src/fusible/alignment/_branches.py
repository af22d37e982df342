"""Networks of deep aligners: from the columns of a view to outputs, and back for reconstruction."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from fusible.errors import ConfigError

BYTE = 256


class ByteDropout(nn.Module):
    """Dropout with one random byte per entry: an eighth of the time of `nn.Dropout` on a CPU.

    The probability is rounded to a multiple of 1/256, and the scale of what is kept goes with it: expectations hold.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.kept = max(1, round(BYTE * (1 - probability)))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Zero some entries in training, of any shape."""
        if not self.training or self.kept == BYTE:
            return rows
        words = torch.empty(math.ceil(rows.numel() / 8), dtype=torch.int64, device=rows.device)
        random = words.random_(-(2**63), None).view(torch.uint8)[: rows.numel()].view(rows.shape)
        kept: torch.Tensor = rows * ((random < self.kept).to(rows.dtype) * (BYTE / self.kept))
        return kept


class Standardise(nn.Module):
    """Columns less their mean, times a factor; that of columns that do not vary is zero."""

    mean: torch.Tensor
    factor: torch.Tensor

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs, dtype=torch.float64))
        self.register_buffer("factor", torch.zeros(inputs, dtype=torch.float64))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, inputs) of any kind of number -> the same, float32."""
        rows = rows if rows.is_floating_point() else rows.double()
        mean, factor = self.mean.to(rows.dtype), self.factor.to(rows.dtype)
        standard: torch.Tensor = ((rows - mean) * factor).float()
        return standard


class Mlp(nn.Module):
    """Fully connected layers with rectifiers and dropout: (rows, inputs) -> (rows, outputs)."""

    def __init__(
        self, inputs: int, hidden: Sequence[int], outputs: int, dropout: float = 0.0, input_dropout: float = 0.0
    ) -> None:
        super().__init__()
        widths = (inputs, *hidden)
        layers: list[nn.Module] = [ByteDropout(input_dropout)]
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), ByteDropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], outputs))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Apply all layers."""
        result: torch.Tensor = self.layers(rows)
        return result


class Branch(nn.Module):
    """The usual branch: standardised columns through an `Mlp`."""

    def __init__(
        self, inputs: int, hidden: Sequence[int], outputs: int, dropout: float = 0.0, input_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.inputs, self.hidden, self.outputs = inputs, tuple(hidden), outputs
        self.standardise = Standardise(inputs)
        self.mlp = Mlp(inputs, hidden, outputs, dropout, input_dropout)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, inputs) -> (rows, outputs)."""
        result: torch.Tensor = self.mlp(self.standardise(rows))
        return result


class OwnBranch(nn.Module):
    """A module of the user's own, and a linear layer from its outputs to those that are aligned.

    It is called with rows as they were given, in single precision: an encoder has units of its own. What it returns is
    a tensor (rows, width) or has one as `pooled`, as every encoder's output has.
    """

    def __init__(self, trunk: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.trunk = copy.deepcopy(trunk)
        self.head = nn.Linear(width, outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, inputs) -> (rows, outputs)."""
        result: torch.Tensor = self.head(pooled(self.trunk(rows.float())))
        return result


def pooled(output: Any) -> torch.Tensor:
    """Vectors (rows, width) of what an encoder or a plain module returns."""
    vectors: torch.Tensor = getattr(output, "pooled", output)
    return vectors


def unit_rows(rows: torch.Tensor) -> torch.Tensor:
    """Rows of length one in double precision; rows of zeros stay."""
    return nn.functional.normalize(rows.double(), eps=1e-6)


def own_branch(trunk: Any, view: str, inputs: int, outputs: int) -> OwnBranch:
    """Wrap a user's module; its width is its `output_width`, else found by a dry run on two rows of zeros."""
    if not isinstance(trunk, nn.Module):
        raise ConfigError(f"branches: view {view!r}: expected a torch module, got {type(trunk).__name__}")
    width = getattr(trunk, "output_width", None)
    if not isinstance(width, int):
        width = _dry_width(trunk, view, inputs)
    return OwnBranch(trunk, width, outputs)


def _dry_width(trunk: nn.Module, view: str, inputs: int) -> int:
    probe = copy.deepcopy(trunk).cpu().eval()
    try:
        with torch.no_grad():
            found = pooled(probe(torch.zeros(2, inputs)))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"branches: view {view!r}: the module does not take rows of {inputs} columns: {reason}; "
            "give one that takes (rows, columns), or reshape inside it"
        ) from error
    if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != 2:
        shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise ConfigError(f"branches: view {view!r}: expected outputs of shape (rows, width), got {shape} for two rows")
    return int(found.shape[1])


def make_branches(
    names: Sequence[str],
    widths: Sequence[int],
    outputs: int,
    hidden: Sequence[int],
    dropout: tuple[float, float],
    own: Mapping[str, nn.Module] | None,
) -> nn.ModuleList:
    """One branch per view: the user's own where there is one, else a `Branch` with `dropout` of (layers, inputs)."""
    own = own or {}
    if unknown := [name for name in own if name not in names]:
        raise ConfigError(f"branches: view {unknown[0]!r} is unknown: expected some of {', '.join(names)}")
    return nn.ModuleList(
        own_branch(own[name], name, width, outputs) if name in own else Branch(width, hidden, outputs, *dropout)
        for name, width in zip(names, widths, strict=True)
    )
