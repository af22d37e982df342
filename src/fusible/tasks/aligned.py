"""Alignment before fusion: aligners fitted on training rows, and operators that see views through them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from fusible import registry
from fusible.errors import ConfigError, FusibleWarning
from fusible.tasks.imputed import IMPUTE, IMPUTER
from fusible.types import Encoded

COMPONENTS = 64
"""Most components of an aligner that serves fusion."""
ROWS_PER_COMPONENT = 4
MOST_SEARCHED = 2_500
"""Columns of all views beyond which ridge and components follow the rule: a search would take many minutes."""
SAMPLE = 2_048
"""Rows by which the rank of a view is judged."""
PER_STEP, STEP_RIDGE = 16, 0.01
"""Components per step of an aligner of sequences, and its ridge: every row holds many steps to learn from."""
RIDGE = 0.1
"""Ridge of linear aligners before fusion, relative to a view's mean variance: safe for fewer rows than columns."""


MOST_EXACT, LANDMARKS = 3_000, 1_000
"""Training rows beyond which kernels are seen through landmarks, and how many."""


class Aligned(nn.Module):
    """A fusion operator behind frozen projections: each view's vector is projected, then fused.

    `projections` {view: module} in the operator's order of views. What an absent view holds never matters: it is zero
    before its projection, and the operator takes it for absent.
    """

    def __init__(self, projections: Mapping[str, nn.Module], operator: nn.Module) -> None:
        super().__init__()
        parts: Any = operator
        self.views: tuple[str, ...] = tuple(parts.views)
        self.output_width = int(parts.output_width)
        self.projections = nn.ModuleList(projections[view] for view in self.views)
        self.projections.requires_grad_(False).eval()
        self.operator = operator

    def train(self, mode: bool = True) -> Self:
        """Train the operator; projections stay as they were fitted."""
        super().train(mode)
        self.projections.eval()
        return self

    def forward(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Project and fuse: `encoded` per view, `presence` (rows, views) bool -> (rows, output_width)."""
        projected = {}
        for i, view in enumerate(self.views):
            vectors = torch.where(presence[:, i : i + 1], encoded[view].pooled, 0.0)
            tokens = self.projections[i](vectors).unsqueeze(1)
            projected[view] = Encoded(tokens, presence[:, i : i + 1])
        fused: torch.Tensor = self.operator(projected, presence)
        return fused


def aligner_of(prefix: str) -> str:
    """The aligner that a strategy's words before `+` ask for; imputation has one of its own."""
    return IMPUTER if prefix == IMPUTE else prefix


def check_aligner(name: str, views: int) -> None:
    """Refuse an aligner that does not exist or that is not defined for so many views."""
    most = getattr(registry.get("alignment", aligner_of(name)), "most_views", None)
    if most is not None and views > most:
        raise ConfigError(
            f"aligner {name!r}: expected {most} views, got {views}; leave columns out (--column NAME=:ignore), or take "
            "a method for any number of views, such as mcca"
        )


def room(vectors: Mapping[str, np.ndarray], method: str = "") -> int:
    """How many components the rule gives: `COMPONENTS`, or fewer for narrow views and few rows.

    Of a `method` for sequences it is `PER_STEP`, for each step: every row holds many.
    No more than a view has directions that vary, and than one for `ROWS_PER_COMPONENT` of its rows that are fitted on.
    """
    if method and "steps" in _settings(method):
        return PER_STEP
    most = COMPONENTS
    presence = _presence(vectors)
    rows = fitting_rows(presence)
    for place, array in enumerate(vectors.values()):
        present = array[rows[presence[rows, place]]]
        most = min(most, len(present) // ROWS_PER_COMPONENT)
        most = min(most, _rank(present[np.linspace(0, len(present) - 1, min(SAMPLE, len(present))).astype(int)]))
    return max(1, most)


def _rank(rows: np.ndarray) -> int:
    """Rank of centred columns of unit variance."""
    if not len(rows):
        return 0
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    spread = centred.std(axis=0)
    found = np.linalg.matrix_rank(centred[:, spread > 0] / spread[spread > 0]) if spread.any() else 0
    return int(found)


def clock(encoders: Mapping[str, Any]) -> int:
    """The number of steps that all views' vectors hold, by their encoders; 1 where it is not the same for all."""
    steps = {int(encoder.steps) for encoder in encoders.values()}
    return steps.pop() if len(steps) == 1 else 1


def build_aligner(
    name: str, components: int | None, rows: int, seed: int, device: str = "cpu", *, steps: int = 1
) -> Any:
    """An aligner by name, not fitted, for so many training rows.

    Linear ones get the ridge `RIDGE`, kernels `LANDMARKS` for more rows than `MOST_EXACT`; the rest keeps its defaults.
    Aligners of sequences get the `steps` of the views' `clock`, and `components` for each. Raises `ConfigError` where
    there is no clock.
    """
    offered: dict[str, Any] = {"components": components, "steps": steps, "seed": seed, "device": device}
    known = _settings(name)
    sequential = "steps" in known
    if sequential and steps < 2:
        raise ConfigError(
            f"aligner {name!r}: expected all views as sequences of one number of steps, such as --encoder "
            "VIDEO=video_sequence --encoder SOUND=audio_sequence; name these encoders, or take another method"
        )
    if sequential or searcher(name) is not None:
        offered["ridge"] = STEP_RIDGE if sequential else RIDGE
    if rows > MOST_EXACT:
        offered["landmarks"] = LANDMARKS
    aligner: Any = registry.build("alignment", name, **{key: value for key, value in offered.items() if key in known})
    return aligner


def is_trained(name: str) -> bool:
    """Whether an aligner is trained by epochs, so that fitting it again on folds would cost too much."""
    return "epochs" in _settings(name)


def _settings(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(registry.get("alignment", aligner_of(name)).__init__).parameters


def searcher(name: str) -> Any:
    """The class beside an aligner that chooses its ridge and components by cross-validation; linear ones have it."""
    part = registry.get("alignment", name)
    return getattr(inspect.getmodule(part), f"{part.__name__}CV", None)


def chosen_by_folds(
    name: str, vectors: Mapping[str, np.ndarray], rows: np.ndarray, components: int | None, seed: int
) -> Any:
    """The fitted `searcher` of a linear aligner, on some rows; None where there is none, or views are too wide.

    Where items repeat, `rows` are one of each: folds must not share items.
    """
    search = searcher(name)
    if search is None or sum(array.shape[1] for array in vectors.values()) > MOST_SEARCHED:
        return None
    chooser = search(components, seed=seed)
    fit_quietly(chooser, {view: array[rows] for view, array in vectors.items()})
    return chooser


def fitting_rows(presence: np.ndarray) -> np.ndarray:
    """Which rows an aligner is fitted on, by `presence` (rows, views).

    Rows with every view serve alone where they are at least half of those with two views: estimates from rows with
    gaps cost far more and say little more. Else rows with two views or more do.
    """
    rows, whole = presence.sum(axis=1) >= 2, presence.all(axis=1)
    return np.flatnonzero(whole if whole.any() and 2 * whole.sum() >= rows.sum() else rows)


def fit_quietly(aligner: Any, vectors: Mapping[str, np.ndarray]) -> list[str]:
    """Fit, in place, on `fitting_rows` of vectors whose absent rows are NaN; gives what it warned of."""
    presence = _presence(vectors)
    rows = fitting_rows(presence)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FusibleWarning)
        aligner.fit({view: array[rows] for view, array in vectors.items()}, presence=presence[rows])
    return list(dict.fromkeys(" ".join(str(one.message).split()) for one in caught))


def _presence(vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([np.isfinite(array).all(axis=1) for array in vectors.values()], axis=1)
