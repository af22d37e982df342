"""Training of a deep aligner: AdamW, one cycle of the learning rate, averaged weights, the best epoch held out."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from fusible.alignment._gather import Batch, gather, outputs_of
from fusible.alignment._losses import total_correlation
from fusible.alignment._views import CHUNK, Views
from fusible.errors import ConfigError

MEASURED = 6_000
"""Training rows, at most, of the linear CCA that is measured on validation rows after each epoch."""
STEEPEST = 100.0
"""Norm of the gradient that is clipped: outputs near death have one that would upset the optimiser for good."""

AVERAGE = 0.99
"""Share of the running average of weights that a step keeps: what is measured, and used, is the average."""


class Objective(nn.Module, ABC):
    """What is minimised: called with outputs of every view (rows, width) and their batch. May hold parameters.

    `by_loss`: the best epoch is that of the least loss on validation rows, not of the greatest total correlation.
    """

    by_loss: ClassVar[bool] = False

    @abstractmethod
    def forward(self, outputs: list[torch.Tensor], batch: Batch) -> torch.Tensor:
        """One number, to be minimised."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings of one training."""

    name: str
    epochs: int
    batch: int
    rate: float
    decay: float
    patience: int
    components: int
    device: str
    half: bool


@dataclass(slots=True)
class Progress:
    """Per epoch: mean loss of its batches, goodness on validation rows (total correlation, or minus the loss).

    `best` is the epoch that was kept.
    """

    loss: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    best: int = -1


@contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """Seed torch inside, and give its generators back as they were."""
    place = torch.device(device)
    devices = [place.index or 0] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=devices, device_type=place.type if devices else "cuda"):
        torch.manual_seed(seed)
        yield


def optimise(
    branches: nn.ModuleList,
    objective: Objective,
    views: Views,
    train: np.ndarray,
    valid: np.ndarray,
    plan: Plan,
    rng: np.random.Generator,
) -> Progress:
    """Train in place; leaves `branches` in evaluation mode on the CPU with the weights of the best epoch.

    Without validation rows the last epoch is kept. Raises `ConfigError` where outputs cease to be finite.
    """
    network = nn.ModuleList([branches, objective]).to(plan.device)
    averaged = copy.deepcopy(network)
    steps = max(1, len(train) // plan.batch)
    optimiser = torch.optim.AdamW(_groups(network, plan.decay), lr=plan.rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, plan.rate, total_steps=max(2, steps * plan.epochs), pct_start=0.2
    )
    fixed = np.sort(rng.choice(train, min(len(train), MEASURED), replace=False))
    progress, best = Progress(), None
    for epoch in range(plan.epochs):
        network.train()
        losses = []
        for step, rows in enumerate(np.array_split(rng.permutation(train)[: steps * plan.batch], steps)):
            loss = _loss(branches, objective, views, np.sort(rows), plan)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), STEEPEST)
            optimiser.step()
            schedule.step()
            _average(averaged, network, epoch * steps + step)
            losses.append(float(loss.detach()))
        progress.loss.append(math.fsum(losses) / len(losses))
        if not len(valid):
            progress.best = epoch
            continue
        progress.valid.append(_held_out(averaged, views, fixed, valid, plan))
        if best is None or progress.valid[-1] > progress.valid[progress.best]:
            progress.best, best = epoch, copy.deepcopy(averaged.state_dict())
        elif epoch - progress.best >= plan.patience:
            break
    network.load_state_dict(averaged.state_dict() if best is None else best)
    network.to("cpu").eval()
    return progress


def infer(
    branches: nn.ModuleList, views: Views, rows: np.ndarray, device: str = "cpu", *, half: bool = False
) -> list[torch.Tensor]:
    """Outputs (rows, width) of given rows in evaluation mode; zeros where a view is absent."""
    branches.eval()
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    with torch.inference_mode(), torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
        parts = [outputs_of(branches, gather(views, chunk, device)) for chunk in chunks]
    return [torch.cat([part[place].cpu() for part in parts]) for place in range(len(branches))]


def fast_bfloat16(device: str) -> bool:
    """Whether the device computes in bfloat16 in hardware."""
    kind = torch.device(device).type
    if kind == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and torch.cpu._is_avx512_bf16_supported()
    return kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def _loss(branches: nn.ModuleList, objective: Objective, views: Views, rows: np.ndarray, plan: Plan) -> torch.Tensor:
    batch = gather(views, rows, plan.device)
    with torch.autocast(torch.device(plan.device).type, torch.bfloat16, enabled=plan.half):
        outputs = outputs_of(branches, batch)
    for name, output in zip(views.names, outputs, strict=True):
        if not bool(torch.isfinite(output).all()):
            raise ConfigError(
                f"{plan.name}: view {name!r}: expected finite outputs, got NaN or infinity in training at "
                f"learning_rate={plan.rate:g}; take a lower one, or columns without extreme values"
            )
    loss: torch.Tensor = objective(outputs, batch)
    return loss


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, step: int) -> None:
    """Move the average towards the network; over few steps at first, so that it forgets how weights began."""
    share = 1.0 - min(AVERAGE, (1.0 + step) / (10.0 + step))
    torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), share)
    for old, new in zip(averaged.buffers(), network.buffers(), strict=True):
        old.copy_(new)


def _held_out(averaged: nn.ModuleList, views: Views, fitted: np.ndarray, valid: np.ndarray, plan: Plan) -> float:
    """Total correlation on validation rows of the linear CCA of training rows; or minus the loss there."""
    branches, objective = averaged
    assert isinstance(branches, nn.ModuleList)
    assert isinstance(objective, Objective)
    new = infer(branches, views, valid, plan.device, half=plan.half)
    if not objective.by_loss:
        known = infer(branches, views, fitted, plan.device, half=plan.half)
        return total_correlation(known, new, plan.components, _present(views, fitted), _present(views, valid))
    objective.eval()
    total = 0.0
    with torch.inference_mode():
        for some in np.array_split(np.arange(len(valid)), math.ceil(len(valid) / plan.batch)):
            batch = Batch(valid[some], [], _present(views, valid[some]))
            total += float(objective([rows[some].to(plan.device) for rows in new], batch)) * len(some)
    return -total / len(valid)


def _present(views: Views, rows: np.ndarray) -> torch.Tensor | None:
    return None if views.presence is None else torch.from_numpy(views.presence[rows])


def _groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    """Weights decay; biases and scales do not."""
    trained = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
