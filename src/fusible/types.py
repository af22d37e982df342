"""The words that all rooms share: modalities, columns, views, media, encodings, tasks.

This module imports nothing of Fusible, and torch only for type checkers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import numpy as np
    import torch


class Modality(StrEnum):
    """What kind of thing a column holds."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    NUMBER = "number"
    CATEGORY = "category"
    ENTITY = "entity"
    TABLE = "table"
    """Only of views: all number and category columns together."""


STEPS = 16
"""Most tokens of an item that fusion reads; longer sequences are averaged in stretches (`Encoded.shortened`)."""

MEDIA = frozenset({Modality.IMAGE, Modality.AUDIO, Modality.VIDEO})
"""Modalities whose cells are files (paths or bytes) that need decoding."""


class Role(StrEnum):
    """What a column is for."""

    INPUT = "input"
    TARGET = "target"
    SPLIT = "split"
    GROUP = "group"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the user's table, and why it was taken for what it is."""

    name: str
    modality: Modality
    role: Role
    reason: str


@dataclass(frozen=True, slots=True)
class View:
    """A named input of fusion: one or more columns of one modality."""

    name: str
    modality: Modality
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Media:
    """One media cell: where it stands in the table, and its path or its bytes (exactly one of both).

    Bytes may be a view into the table, so that they are not copied; `fusible.data.media.read_bytes` gives `bytes`.
    A frame of a film, which is decoded already, has `pixels`, uint8 RGB (height, width, 3), in place of both.
    """

    column: str
    row: int
    path: str | None = None
    data: bytes | memoryview | None = None
    pixels: np.ndarray | None = None

    @property
    def where(self) -> str:
        """Row, column and file name, for messages; of a file that stands in no table, its row being -1, its name."""
        if self.row < 0:
            return self.path or self.column
        name = f" ({self.path})" if self.path is not None else ""
        return f"row {self.row}, column {self.column!r}{name}"


@dataclass(slots=True)
class ViewData:
    """The cells of one view over the rows of a table, each distinct item once.

    `ids` has shape (rows, slots): a view that joins several media columns has one slot per column, every other
    view has one. An id indexes `values` and `keys`; -1 marks an absent cell. `values` are `str` for text, `Media`
    for media; for a table view `values` is a `pandas.DataFrame` with one row per table row. `keys` are content
    hashes (empty for a table view): equal content, equal key, encoded once.
    """

    view: View
    ids: np.ndarray
    values: Any
    keys: Sequence[str] = ()

    @property
    def presence(self) -> np.ndarray:
        """Bool, shape (rows,): whether the row has at least one item."""
        return cast("np.ndarray", (self.ids >= 0).any(axis=1))


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the data that its owner should know: counted, named, never silent."""

    kind: str
    column: str
    message: str
    rows: tuple[int, ...] = ()
    count: int = 0
    severity: str = "warning"


@dataclass(slots=True)
class Encoded:
    """What any encoder gives: `tokens` (rows, steps, width), `mask` (rows, steps), true where a token is real.

    An encoder with a pooling of its own (last state, global maximum) also gives `vector` (rows, width). Where several
    items of a row stand one after the other, `places` (steps,) are the tokens' places within their items.
    """

    tokens: torch.Tensor
    mask: torch.Tensor
    vector: torch.Tensor | None = None
    places: torch.Tensor | None = None

    def shortened(self, steps: int) -> Encoded:
        """At most `steps` tokens per row: longer sequences are averaged in equal stretches of their real tokens.

        How far a batch is padded changes nothing; the vector is kept, or taken from all tokens before.
        """
        gaps = self.mask[:, 1:] & ~self.mask[:, :-1]
        if 0 < self.tokens.shape[1] <= steps and not gaps.any():  # nothing to average and nothing to close up
            return Encoded(self.tokens.masked_fill(~self.mask.unsqueeze(-1), 0.0), self.mask, self.pooled)
        number = self.mask.sum(dim=1, keepdim=True)
        place = self.mask.cumsum(dim=1) - 1
        spread = (place * steps).div(number.clamp(min=1), rounding_mode="floor")
        place = place.where(number <= steps, spread).clamp(min=0)
        width, kept = self.tokens.shape[2], min(steps, max(1, self.tokens.shape[1]))
        real = self.mask.unsqueeze(-1)
        clean = self.tokens.masked_fill(~real, 0.0)
        total = clean.new_zeros(clean.shape[0], kept, width)
        total = total.scatter_add(1, place.unsqueeze(-1).expand(-1, -1, width), clean)
        count = clean.new_zeros(clean.shape[0], kept).scatter_add(1, place, self.mask.to(clean.dtype))
        return Encoded(total / count.clamp(min=1.0).unsqueeze(-1), count > 0, self.pooled)

    @property
    def pooled(self) -> torch.Tensor:
        """Shape (rows, width): `vector` where the encoder has one, else the mean of the real tokens."""
        if self.vector is not None:
            return self.vector
        weight = self.mask.unsqueeze(-1).to(self.tokens.dtype)
        total = self.tokens.masked_fill(~self.mask.unsqueeze(-1), 0.0).sum(dim=1)
        return total / weight.sum(dim=1).clamp(min=1.0)


@dataclass(frozen=True, slots=True)
class Task:
    """What is predicted: `kind` is binary, multiclass, multilabel or regression; `classes` names the outputs.

    Binary tasks have two classes and two outputs, like any multi-class task; the second class is the positive one.
    """

    kind: str
    classes: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """Width of a prediction: number of classes or labels, 1 for regression."""
        return 1 if self.kind == "regression" else len(self.classes)

    @property
    def is_classification(self) -> bool:
        """Whether exactly one class is right per row."""
        return self.kind in {"binary", "multiclass"}


@dataclass(slots=True)
class Predictions:
    """Predictions of several members for the same rows.

    `scores` has shape (members, rows, outputs): class probabilities, label probabilities, or values. `presence` has
    shape (rows, members): whether the member had anything to see in the row. `names` are the members' names.
    """

    names: tuple[str, ...]
    scores: np.ndarray
    presence: np.ndarray
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class ViewBatch:
    """One view of a batch of rows: its distinct items, decoded (`tensors`) or already encoded (`encoded`).

    `index` (rows, slots) says which distinct item each row holds, -1 where absent. `evidence` (rows, outputs) is what
    the view's own predictor says of each row, where a network starts from that.
    """

    index: torch.Tensor
    tensors: dict[str, torch.Tensor] | None = None
    encoded: Encoded | None = None
    evidence: torch.Tensor | None = None

    @property
    def presence(self) -> torch.Tensor:
        """Bool, shape (rows,): whether the row has at least one item."""
        return (self.index >= 0).any(dim=1)
