"""Targets: from the target column to arrays a model can learn, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from fusible.errors import ModelFormatError, TargetError
from fusible.types import Column, Modality, Task

MAX_CODES = 20
"""A whole-number target with at most so many distinct values, each in ten rows on average, is taken for classes."""
ALLOWED = {
    "kind": ("binary", "multiclass", "multilabel", "regression"),
    "transform": ("identity", "log"),
    "label_kind": ("text", "integer", "boolean", "number"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """The target column: its task, its labels, and for regression the transform under which it is learned.

    `transform` is "identity" or "log"; values are standardised by `mean` and `scale` after it, and predictions are
    kept within the training range widened by its own length (`low`, `high`, in transformed units).
    """

    column: str
    task: Task
    label_kind: str = "text"
    transform: str = "identity"
    mean: float = 0.0
    scale: float = 1.0
    low: float = -1e30
    high: float = 1e30
    reason: str = ""
    known: np.ndarray = field(default_factory=lambda: np.empty(0, bool), compare=False, repr=False)
    """Bool (rows,): rows whose target is known, of the table it was read from."""

    def with_transform(self, transform: str, values: np.ndarray) -> Target:
        """Standardise under `transform` by the statistics of training `values` (original units)."""
        z = np.log(values) if transform == "log" else values
        mean, scale = float(z.mean()), float(z.std()) or 1.0
        margin = float(np.ptp(z))
        low, high = float(z.min()) - margin, float(z.max()) + margin
        return replace(self, transform=transform, mean=mean, scale=scale, low=low, high=high)

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Original units -> learned units (regression); class ids and label matrices pass."""
        if self.task.kind != "regression":
            return values
        z = np.log(np.maximum(values, 1e-300)) if self.transform == "log" else values
        learned: np.ndarray = (z - self.mean) / self.scale
        return learned

    def backward(self, scores: np.ndarray) -> np.ndarray:
        """Predictions, learned units -> original units (regression), kept near training ones; probabilities pass."""
        return self._undone(scores, self.low, self.high)

    def original(self, learned: np.ndarray) -> np.ndarray:
        """Known targets, learned units -> original units: undoes `forward` wherever they lie."""
        return self._undone(learned, -np.inf, np.inf)

    def _undone(self, learned: np.ndarray, low: float, high: float) -> np.ndarray:
        if self.task.kind != "regression":
            return learned
        z = np.clip(learned * self.scale + self.mean, low, high)
        values: np.ndarray = np.exp(z) if self.transform == "log" else z
        return values

    def labels(self) -> list[Any]:
        """Class labels as the table has them: whole numbers, booleans or strings."""
        if self.label_kind == "integer":
            return [int(label) for label in self.task.classes]
        if self.label_kind == "boolean":
            return [label == "True" for label in self.task.classes]
        return list(self.task.classes)

    def encode(self, cells: pd.Series) -> np.ndarray:
        """Cells of the target column -> class ids (-1 unknown), 0/1 matrix (-1 unknown), or values (NaN unknown)."""
        if self.task.kind == "regression":
            values = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)
            return np.where(np.isfinite(values), values, np.nan)
        place = {label: i for i, label in enumerate(self.task.classes)}
        if self.task.kind == "multilabel":
            return _indicator(cells, place)
        return np.array([place.get(_name(cell, self.label_kind) or "", -1) for cell in cells], np.int64)

    def to_config(self) -> dict[str, Any]:
        """Plain values for the model folder."""
        kept = ("column", "label_kind", "transform", "mean", "scale", "low", "high", "reason")
        return {**{k: getattr(self, k) for k in kept}, "kind": self.task.kind, "classes": list(self.task.classes)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Target:
        """Rebuild from `to_config`."""
        plain = {k: v for k, v in config.items() if k not in {"kind", "classes"}}
        numbers = {k: float(plain[k]) for k in ("mean", "scale", "low", "high")}
        for name, allowed in ALLOWED.items():
            if config[name] not in allowed:
                raise ModelFormatError(f"target: expected {name} of {', '.join(allowed)}, got {config[name]!r}")
        if not all(map(math.isfinite, numbers.values())) or numbers["scale"] <= 0:
            raise ModelFormatError(f"target: expected finite numbers and a positive scale, got {numbers}")
        task = Task(config["kind"], tuple(map(str, config["classes"])))
        if task.is_classification and task.outputs < 2:
            raise ModelFormatError(f"target: expected two classes or more, got {list(task.classes)}")
        return cls(task=task, **{**plain, **numbers})


def read_target(column: Column, cells: pd.Series) -> tuple[Target, np.ndarray]:
    """Infer the task of a target column and encode it.

    Lists are several labels; text, categories and booleans are classes; a number with two values, or whole numbers
    with few distinct ones (`MAX_CODES`), are classes; every other number is a quantity. `--column
    NAME=number:target` or `NAME=category:target` decides otherwise. Raises `TargetError` where there is nothing to
    learn: no known cell, or a single class.
    """
    filled = cells.dropna()
    if filled.empty:
        raise TargetError(
            f"target {column.name!r}: every cell is null; expected values to learn, choose another column"
        )
    if isinstance(filled.iloc[0], list | tuple | np.ndarray):
        target = _multilabel(column, filled)
    elif _is_quantity(column, filled):
        target = Target(column.name, Task("regression"), "number", reason="numbers of many values: a quantity")
    else:
        target = _classes(column, filled)
    encoded = target.encode(cells)
    known = np.isfinite(encoded) if target.task.kind == "regression" else encoded.reshape(len(cells), -1)[:, 0] >= 0
    if target.task.kind == "regression" and len(np.unique(encoded[known])) < 2:
        raise TargetError(f"target {column.name!r}: expected at least two values, got one; there is nothing to predict")
    return replace(target, known=known), encoded


def _is_quantity(column: Column, filled: pd.Series) -> bool:
    if column.modality is not Modality.NUMBER:
        return False
    if column.reason.startswith(f"set to {Modality.NUMBER.value}"):
        return True
    values = pd.to_numeric(filled, errors="coerce").to_numpy(np.float64)
    values = values[np.isfinite(values)]
    distinct = len(np.unique(values))
    whole = bool(np.all(values == np.round(values)))
    return not (distinct <= 2 or (whole and distinct <= MAX_CODES and len(values) >= 10 * distinct))


def _classes(column: Column, filled: pd.Series) -> Target:
    kind = "text"
    if pd.api.types.is_bool_dtype(filled.infer_objects()):
        kind = "boolean"
    elif pd.api.types.is_numeric_dtype(filled):
        finite = filled[np.isfinite(filled.astype(float))]
        kind = "integer" if np.all(finite == np.round(finite)) else "text"
    names = {name for cell in filled if (name := _name(cell, kind)) is not None}
    ordered = sorted(names, key=int) if kind == "integer" else sorted(names)
    if len(ordered) < 2:
        got = f"only {ordered[0]!r}" if ordered else "blank or infinite cells only"
        raise TargetError(f"target {column.name!r}: expected two classes or more, got {got}; choose another column")
    if len(ordered) > max(2, len(filled) // 2):
        raise TargetError(
            f"target {column.name!r}: {len(ordered)} classes in {len(filled)} rows; expected a class to come back: "
            f"choose another column, or --column {column.name}=number:target for a quantity"
        )
    task = Task("binary" if len(ordered) == 2 else "multiclass", tuple(ordered))
    return Target(column.name, task, kind, reason=f"{len(ordered)} distinct values: classes")


def _multilabel(column: Column, filled: pd.Series) -> Target:
    labels = sorted({str(label) for cell in filled for label in cell})
    if not labels:
        raise TargetError(f"target {column.name!r}: every list is empty; expected labels")
    return Target(column.name, Task("multilabel", tuple(labels)), reason="lists: several labels per row")


def _name(cell: Any, kind: str) -> str | None:
    if cell is None or cell is pd.NA or (isinstance(cell, float | np.floating) and not np.isfinite(cell)):
        return None
    if kind == "integer":
        return _whole(cell)
    return str(cell) if str(cell).strip() else None


def _whole(cell: Any) -> str | None:
    if isinstance(cell, int | np.integer):
        return str(int(cell))
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return str(int(value)) if value.is_integer() else None


def _indicator(cells: pd.Series, place: Mapping[str, int]) -> np.ndarray:
    matrix = np.zeros((len(cells), len(place)), np.int64)
    for row, cell in enumerate(cells):
        if cell is None or (isinstance(cell, float) and np.isnan(cell)):
            matrix[row] = -1
            continue
        for label in cell:
            if str(label) in place:
                matrix[row, place[str(label)]] = 1
    return matrix
