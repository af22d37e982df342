"""What the deep aligners share: a network per view, trained on an objective; a linear aligner of what they give."""

from __future__ import annotations

import copy
import math
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from fusible.alignment._base import Aligner
from fusible.alignment._branches import Branch, Standardise, make_branches, unit_rows
from fusible.alignment._gather import check_finite, standards_of
from fusible.alignment._linear import LinearAligner
from fusible.alignment._optimise import Objective, Plan, fast_bfloat16, infer, optimise, seeded
from fusible.alignment._projections import DeepProjection
from fusible.alignment._top import fit_top, identity
from fusible.alignment._views import Views
from fusible.errors import ArrayError, ConfigError, FusibleWarning

EPOCHS, STEPS = 30, 600
"""Passes over the rows where no number is asked for: so many, or as many as make so many steps."""
WIDE = 256
"""Width of a layer from which on bfloat16 pays."""


class DeepAligner(Aligner):
    """Base of the deep aligners: a leaf writes `_objective` and `_linear`.

    Parameters of all: `components`; `hidden`, widths of the layers of each view's network; `dropout` of
    their outputs, and `input_dropout` of standardised columns; `epochs` (None:
    30, or as many as make 600 steps); `batch` rows per step; `learning_rate`, the peak of one cycle; `weight_decay`;
    `ridge`, relative to the mean variance of outputs; `scale`: "columns" standardises each column, "view" divides all
    by one number, where they have one unit as pixels and embeddings have; `validation`, the share of rows held out for
    early stopping after `patience` epochs without a better total correlation there (0: none); `mixed`, whether wide
    layers compute in bfloat16 in training where the device is fast at it; `device`, any torch device with double
    precision; `seed`; `branches`, {view: module} of networks of the user's own, each (rows, columns as given) ->
    (rows, any width); `widths` of the views where one array is given.

    Learned besides what every aligner learns: `linear_`, the linear aligner of the networks' outputs; `history_`, loss
    and held-out total correlation per epoch, and the epoch kept; `validation_rows_`; `projections_`, a module per view.
    """

    components: int

    least_batch: ClassVar[bool] = True
    """Whether a batch must have more rows than components: its covariances have no inverse otherwise."""

    def __init__(
        self,
        components: int = 10,
        *,
        hidden: Sequence[int] = (800, 800),
        dropout: float = 0.2,
        input_dropout: float = 0.0,
        epochs: int | None = None,
        batch: int = 1500,
        learning_rate: float = 2e-3,
        weight_decay: float = 1.0,
        ridge: float = 1e-4,
        scale: str = "columns",
        validation: float = 0.1,
        patience: int = 10,
        mixed: bool = True,
        device: str = "cpu",
        seed: int = 0,
        branches: Mapping[str, nn.Module] | None = None,
        widths: Sequence[int] | None = None,
    ) -> None:
        self.components = components
        self.hidden = hidden
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.ridge = ridge
        self.scale = scale
        self.validation = validation
        self.patience = patience
        self.mixed = mixed
        self.device = device
        self.seed = seed
        self.branches = branches
        self.widths = widths

    def projection(self, view: str | int) -> DeepProjection:
        """A torch module (rows, columns of the view) -> (rows, components) that does what `transform_view` does."""
        check_is_fitted(self)
        return copy.deepcopy(self.projections_[self._place(view)])

    @abstractmethod
    def _objective(self, views: Views, standards: list[Standardise]) -> Objective:
        """What to minimise; made inside the seeded part of the training."""

    @abstractmethod
    def _linear(self) -> LinearAligner | None:
        """The aligner of the networks' outputs, with `components=None`; None leaves them as they are."""

    @property
    def _unit(self) -> bool:
        """Whether outputs are brought to length one before they are aligned."""
        return False

    def _fit(self, views: Views) -> None:
        self._check_settings(views)
        rng = np.random.default_rng(self.seed)
        train, valid = self._divided(views, rng)
        self.validation_rows_ = valid
        standards = standards_of(views, train, self.scale)
        check_finite(views, valid)
        with seeded(self.seed, self.device):
            dropout = (self.dropout, self.input_dropout)
            branches = make_branches(views.names, views.widths, self.components, self.hidden, dropout, self.branches)
            for branch, standard in zip(branches, standards, strict=True):
                if isinstance(branch, Branch):
                    branch.standardise.load_state_dict(standard.state_dict())
            objective = self._objective(views, standards)
            self.history_ = optimise(branches, objective, views, train, valid, self._plan(len(train)), rng)
        self._learned(objective)
        self._align(branches, views, train)

    def _learned(self, objective: Objective) -> None:
        """Keep what a leaf wants of its trained objective."""

    def _align(self, branches: nn.ModuleList, views: Views, train: np.ndarray) -> None:
        """Fit the linear aligner on the outputs of training rows, and put the projections together."""
        outputs = [unit_rows(rows) if self._unit else rows.double() for rows in infer(branches, views, train)]
        linear = self._linear()
        if linear is None:
            self.n_components_ = self.components
            affine = [identity(self.components) for _ in branches]
        else:
            presence = None if views.presence is None else views.presence[train]
            affine = fit_top(linear, views.names, [rows.numpy() for rows in outputs], presence)
            self.n_components_ = affine[0].weight.shape[1]
        if self.n_components_ < self.components:
            message = f"{self._name}: outputs have {self.n_components_} directions that vary, of {self.components}"
            warnings.warn(f"{message} components; later ones are left out", FusibleWarning, stacklevel=4)
        self.linear_ = linear
        self.projections_ = [
            DeepProjection.of(branch, one, unit=self._unit) for branch, one in zip(branches, affine, strict=True)
        ]

    def _project(self, array: Any, place: int) -> np.ndarray:
        rows = array.toarray() if scipy.sparse.issparse(array) else np.array(array)
        with torch.inference_mode():
            projected: np.ndarray = self.projections_[place](torch.from_numpy(rows)).double().numpy()
        return projected

    def _divided(self, views: Views, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Rows for training and validation: those with at least two views, shuffled; the training rows sorted."""
        usable = np.arange(views.rows)
        if views.presence is not None:
            usable = np.flatnonzero(views.presence.sum(axis=1) >= 2)
        held = round(self.validation * len(usable))
        order = rng.permutation(usable)
        train, valid = np.sort(order[held:]), np.sort(order[:held])
        least = self.components + 1 if self.least_batch else 2
        if len(train) < least:
            raise ArrayError(
                f"{self._name}: expected at least {least} training rows with two views or more for "
                f"components={self.components}, got {len(train)}; take fewer components, or more rows"
            )
        count = self.components * len(views.names)
        if self.least_batch and min(self.batch, len(train)) <= count:
            warnings.warn(
                f"{self._name}: {min(self.batch, len(train))} rows in a batch for {count} outputs: correlations of 1 "
                "are found in noise, and nothing is learned; take a larger batch, or fewer components",
                FusibleWarning,
                stacklevel=4,
            )
        return train, valid

    def _plan(self, rows: int) -> Plan:
        """Settings of the training on so many rows."""
        steps = max(1, rows // self.batch)
        half = self.mixed and max(self.hidden, default=0) >= WIDE and fast_bfloat16(self.device)
        return Plan(
            name=self._name,
            epochs=self.epochs or max(EPOCHS, math.ceil(STEPS / steps)),
            batch=self.batch,
            rate=self.learning_rate,
            decay=self.weight_decay,
            patience=self.patience,
            components=self.components,
            device=self.device,
            half=half,
        )

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _check_settings(self, views: Views) -> None:
        if views.weight is not None:
            raise ConfigError(f"{self._name}: expected no sample_weight, got one; repeat rows that should count more")
        expect(self._name, "components", self.components, "a whole number", isinstance(self.components, Integral))
        expect(self._name, "hidden", list(self.hidden), "widths of at least 1", all(w >= 1 for w in self.hidden))
        for name in ("dropout", "input_dropout"):
            share = getattr(self, name)
            expect(self._name, name, share, "a share from 0 to below 1", 0 <= share < 1)
        expect(self._name, "epochs", self.epochs, "at least 1, or None", self.epochs is None or self.epochs >= 1)
        expect(self._name, "batch", self.batch, "at least 2", self.batch >= 2)
        expect(self._name, "learning_rate", self.learning_rate, "above 0", 0 < self.learning_rate < math.inf)
        expect(self._name, "weight_decay", self.weight_decay, "at least 0", 0 <= self.weight_decay < math.inf)
        expect(self._name, "ridge", self.ridge, "at least 0; 0 is no regularisation", 0 <= self.ridge < math.inf)
        expect(self._name, "scale", self.scale, "columns or view", self.scale in {"columns", "view"})
        expect(self._name, "validation", self.validation, "a share from 0 to below 1", 0 <= self.validation < 1)
        expect(self._name, "patience", self.patience, "at least 1", self.patience >= 1)
        if self.least_batch and self.batch <= self.components:
            raise ConfigError(
                f"{self._name}: batch: expected more rows than components={self.components}, got {self.batch}: "
                f"their covariance has no inverse; take a batch of {max(1024, 8 * self.components)} or more, "
                "or fewer components"
            )
        _check_device(self._name, self.device)


def expect(name: str, setting: str, got: Any, expected: str, holds: bool) -> None:
    """Raise `ConfigError` unless a setting is in its range."""
    if not holds:
        raise ConfigError(f"{name}: {setting}: expected {expected}, got {got!r}")


def _check_device(name: str, device: str) -> None:
    try:
        torch.zeros(1, dtype=torch.float64, device=device)
    except (RuntimeError, TypeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"{name}: device: expected one at hand with double precision, got {device!r}: {reason}; take 'cpu'"
        ) from error
