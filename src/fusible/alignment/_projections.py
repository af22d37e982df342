"""What a fitted aligner does to one view, as torch modules that a model folder can hold and rebuild."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from fusible.alignment._branches import Branch, unit_rows
from fusible.alignment._kernels import KERNELS, kernel_matrix
from fusible.errors import ConfigError, ModelFormatError

LARGEST = 1_000_000
"""Whole numbers beyond which a saved projection is refused."""


class Affine(nn.Module):
    """Linear projection of centred rows in double precision: the projection of every linear aligner."""

    mean: torch.Tensor
    weight: torch.Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs, dtype=torch.float64))
        self.register_buffer("weight", torch.zeros(inputs, outputs, dtype=torch.float64))

    @property
    def spec(self) -> dict[str, object]:
        """What rebuilds the module, without its arrays."""
        return {"kind": "affine", "inputs": self.weight.shape[0], "outputs": self.weight.shape[1]}

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, inputs) -> (rows, outputs), float32."""
        projected: torch.Tensor = ((rows.double() - self.mean) @ self.weight).float()
        return projected


class KernelProjection(nn.Module):
    """Weighted kernels with landmark rows, in double precision: the projection of kernel CCA."""

    mean: torch.Tensor
    landmarks: torch.Tensor
    weight: torch.Tensor
    offset: torch.Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        landmarks: int,
        kernel: str,
        gamma: float = 1.0,
        degree: int = 3,
        coef0: float = 1.0,
    ) -> None:
        super().__init__()
        if kernel not in KERNELS:
            raise ModelFormatError(f"kernel {kernel!r} is unknown: expected one of {', '.join(KERNELS)}")
        self.kernel, self.gamma, self.degree, self.coef0 = kernel, gamma, degree, coef0
        self.register_buffer("mean", torch.zeros(inputs, dtype=torch.float64))
        self.register_buffer("landmarks", torch.zeros(landmarks, inputs, dtype=torch.float64))
        self.register_buffer("weight", torch.zeros(landmarks, outputs, dtype=torch.float64))
        self.register_buffer("offset", torch.zeros(outputs, dtype=torch.float64))

    @property
    def spec(self) -> dict[str, object]:
        """What rebuilds the module, without its arrays."""
        landmarks, inputs = self.landmarks.shape
        return {
            "kind": "kernel",
            "inputs": inputs,
            "outputs": self.weight.shape[1],
            "landmarks": landmarks,
            "kernel": self.kernel,
            "gamma": self.gamma,
            "degree": self.degree,
            "coef0": self.coef0,
        }

    def scores(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, inputs) -> (rows, outputs), float64."""
        centred = rows.double() - self.mean
        kernel = kernel_matrix(centred, self.landmarks, self.kernel, self.gamma, self.degree, self.coef0)
        scores: torch.Tensor = kernel @ self.weight + self.offset
        return scores

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, inputs) -> (rows, outputs), float32."""
        return self.scores(rows).float()


class DeepProjection(nn.Module):
    """A network, then the linear aligner of its outputs: the projection of every deep aligner.

    `unit`: outputs are brought to length one between the two, as contrastive losses see them.
    """

    def __init__(self, inputs: int, outputs: int, width: int, hidden: Sequence[int] = (), unit: bool = False) -> None:
        super().__init__()
        self.branch: nn.Module = Branch(inputs, hidden, width)
        self.affine = Affine(width, outputs)
        self.unit = unit

    @classmethod
    def of(cls, branch: nn.Module, affine: Affine, *, unit: bool) -> DeepProjection:
        """Put together parts that are learned; `branch` may be a module of the user's own."""
        with torch.device("meta"):  # draws no random numbers for weights that are replaced
            made = cls(1, 1, 1, (), unit)
        made.branch, made.affine = copy.deepcopy(branch), copy.deepcopy(affine)
        return made.eval()

    @property
    def spec(self) -> dict[str, object]:
        """What rebuilds the module, without its arrays; raises `ConfigError` for a branch of the user's own."""
        if not isinstance(self.branch, Branch):
            raise ConfigError(
                f"a branch of one's own ({type(self.branch).__name__}) cannot be rebuilt from plain values: expected "
                "the usual one; leave `branches` out to save the aligner in a model folder"
            )
        width, outputs = self.affine.weight.shape
        return {
            "kind": "deep",
            "inputs": self.branch.inputs,
            "outputs": outputs,
            "width": width,
            "hidden": list(self.branch.hidden),
            "unit": self.unit,
        }

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, inputs) -> (rows, outputs), float32."""
        between = self.branch(rows)
        projected: torch.Tensor = self.affine(unit_rows(between) if self.unit else between)
        return projected


class SequenceProjection(nn.Module):
    """A filter over the steps of centred rows, in double precision: the projection of `sequence_cca`.

    Beyond its ends a sequence holds its first and last step. Outputs of all steps, one after the other, are then put
    in `order`.
    """

    mean: torch.Tensor
    weight: torch.Tensor
    order: torch.Tensor

    def __init__(self, inputs: int, outputs: int, steps: int, reach: int) -> None:
        super().__init__()
        if steps < 1 or inputs % steps or outputs % steps or not 0 <= reach < steps:
            raise ModelFormatError(
                f"projection 'sequence': expected inputs={inputs} and outputs={outputs} as multiples of steps={steps}, "
                f"and reach={reach} below it"
            )
        self.steps, self.reach = steps, reach
        self.register_buffer("mean", torch.zeros(inputs, dtype=torch.float64))
        shape = (2 * reach + 1, inputs // steps, outputs // steps)
        self.register_buffer("weight", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("order", torch.arange(outputs))

    @property
    def spec(self) -> dict[str, object]:
        """What rebuilds the module, without its arrays."""
        return {
            "kind": "sequence",
            "inputs": len(self.mean),
            "outputs": self.steps * self.weight.shape[2],
            "steps": self.steps,
            "reach": self.reach,
        }

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, inputs) -> (rows, outputs), float32."""
        apart = (rows.double() - self.mean).view(len(rows), self.steps, self.weight.shape[1])
        first, last = (end.expand(-1, self.reach, -1) for end in (apart[:, :1], apart[:, -1:]))
        longer = torch.cat([first, apart, last], dim=1)
        pieces = [longer[:, place : place + self.steps] @ weight for place, weight in enumerate(self.weight)]
        return torch.stack(pieces).sum(dim=0).flatten(1)[:, self.order].float()


KINDS: dict[str, str] = {
    "affine": "Affine",
    "deep": "DeepProjection",
    "kernel": "KernelProjection",
    "sequence": "SequenceProjection",
}
"""Class of this module per `kind` of a spec; a spec holds the kind and the arguments of its class."""


def build_projection(spec: Mapping[str, Any]) -> nn.Module:
    """Rebuild a projection from its `spec`, without its arrays; call on the meta device to check shapes first.

    Nothing but `KINDS` is built, and only from plain values: raises `ModelFormatError` for any other.

    >>> build_projection({"kind": "affine", "inputs": 3, "outputs": 2}).spec["outputs"]
    2
    """
    kind = spec.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ModelFormatError(f"projection of kind {kind!r} is unknown: expected one of {', '.join(KINDS)}")
    part: type[nn.Module] = globals()[KINDS[kind]]
    known = [name for name in inspect.signature(part).parameters if name != "self"]
    given = {name: value for name, value in spec.items() if name != "kind"}
    for name, value in given.items():
        if name not in known or not _is_plain(value):
            raise ModelFormatError(f"projection {kind!r} has no plain setting {name!r}={value!r}; expected {known}")
    return part(**given)


def _is_plain(value: Any) -> bool:
    """Whether a value is a whole number of a sane size, a finite number, a short text, or a short list of these."""
    if isinstance(value, list | tuple):
        return len(value) <= 64 and all(_is_plain(item) and not isinstance(item, list | tuple) for item in value)
    if isinstance(value, str):
        return len(value) <= 64
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool) or (isinstance(value, int) and 0 <= value <= LARGEST)
