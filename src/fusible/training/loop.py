"""The training loop: AdamW, one-cycle learning rate, best epoch by validation loss; on Accelerate."""

from __future__ import annotations

import copy
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from fusible.encoders._frozen import fast_bfloat16
from fusible.training.batches import grouped_batches, plain_batches, prefetch
from fusible.training.feed import Feed
from fusible.types import ViewBatch

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Hook = Callable[[Any, torch.Tensor], None]
ENCODER = re.compile(r"(?:^|\.)encoders\.(\d+)\.")
"""Parameters of a network's encoder, by its number."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Settings of optimisation; all are written into the report and the model folder.

    `batch` counts rows, or distinct items when batches are grouped by one (`group_by`). `patience` epochs without a
    better validation loss end the training; `clip` bounds the gradient's norm; `encoder_rate` is the learning rate of a
    network's encoders relative to that of the rest.
    """

    epochs: int = 20
    batch: int = 64
    peak_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.25
    patience: int = 8
    clip: float = 5.0
    encoder_rate: float = 1.0


@dataclass(slots=True)
class History:
    """What happened: losses per epoch, the epoch kept, seconds."""

    train: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    best: int = -1
    seconds: float = 0.0


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch inside, and give its generator back as it was."""
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


def collate(feeds: Mapping[str, Feed], rows: np.ndarray, device: str = "cpu") -> dict[str, ViewBatch]:
    """One batch of every view."""
    return {view: feed.batch(rows, device) for view, feed in feeds.items()}


def train(
    network: nn.Module,
    feeds: Mapping[str, Feed],
    target: torch.Tensor,
    rows: np.ndarray,
    valid: np.ndarray,
    loss: Loss,
    settings: TrainSettings,
    *,
    seed: int = 0,
    device: str = "cpu",
    group_by: str | None = None,
    mixed: bool = False,
    on_epoch: Callable[[History], Any] | None = None,
    after_backward: Hook | None = None,
) -> History:
    """Train `network` in place on `rows`, and leave it with the weights of the best epoch on `valid`.

    Without validation rows the last epoch is kept.
    `target` holds one entry per row of the table. `group_by` names a view by whose items batches are grouped. `mixed`
    computes in bfloat16 where the device is fast at it (1.5 to 1.9 times for convolutions); validation and prediction
    stay in single precision. `after_backward` is called with the optimiser and the batch's target before each step; a
    parameter group's `encoder` is the number of the network's encoder, or none. What the hook does to learning rates
    holds for one step. Under `accelerate launch` or `torchrun` each process takes its share of the batches.
    """
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=device == "cpu")
    place = str(accelerator.device) if device != "cpu" else "cpu"
    low = mixed and fast_bfloat16(torch.device(place))
    rng = np.random.default_rng(seed)
    plan = [_batches(feeds, rows, settings, rng, group_by) for _ in range(settings.epochs)]
    plan = [_share(batches, accelerator.process_index, accelerator.num_processes) for batches in plan]
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser, schedule = _optimisation(network, settings, sum(map(len, plan)))
    model, optimiser = accelerator.prepare(network.to(place), optimiser)
    history, best, start = History(), None, time.perf_counter()
    with seeded(seed):
        for epoch, batches in enumerate(plan):
            model.train()
            total, count = 0.0, 0
            for chosen, views in prefetch(lambda b: (b, collate(feeds, b, place)), batches):
                with torch.autocast(torch.device(place).type, torch.bfloat16, enabled=low):
                    raw = model(views)
                value = loss(raw.float(), target[chosen].to(place))
                optimiser.zero_grad(set_to_none=True)
                accelerator.backward(value)
                accelerator.clip_grad_norm_(parameters, settings.clip)
                if after_backward is not None:
                    after_backward(optimiser, target[chosen].to(place))
                optimiser.step()
                schedule.step()
                total, count = total + float(value.detach()) * len(chosen), count + len(chosen)
            history.train.append(total / max(1, count))
            history.valid.append(evaluate_loss(network, feeds, target, valid, loss, place))
            if best is None or not len(valid) or _better(history):
                history.best, best = epoch, copy.deepcopy(network.state_dict())
            if on_epoch is not None:
                on_epoch(history)
            if epoch - history.best >= settings.patience:
                break
    if best is not None:
        network.load_state_dict(best)
    network.to("cpu").eval()
    history.seconds = time.perf_counter() - start
    return history


@torch.inference_mode()
def evaluate_loss(
    network: nn.Module, feeds: Mapping[str, Feed], target: torch.Tensor, rows: np.ndarray, loss: Loss, device: str
) -> float:
    """Mean loss over rows, in evaluation mode."""
    network.eval()
    total = 0.0
    for i in range(0, len(rows), 512):
        chosen = rows[i : i + 512]
        total += float(loss(network(collate(feeds, chosen, device)), target[chosen].to(device))) * len(chosen)
    return total / max(1, len(rows))


@torch.inference_mode()
def outputs(network: nn.Module, feeds: Mapping[str, Feed], rows: np.ndarray, size: int = 512) -> np.ndarray:
    """Raw outputs (rows, outputs) of a network, in evaluation mode, in batches of `size` rows."""
    network.eval()
    starts = range(0, max(1, len(rows)), size)
    return np.concatenate([network(collate(feeds, rows[i : i + size])).float().numpy() for i in starts])


def _optimisation(
    network: nn.Module, settings: TrainSettings, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW over the network's groups of parameters, and the one-cycle schedule of their rates."""
    groups = _groups(network, settings)
    optimiser = torch.optim.AdamW(groups, lr=settings.peak_rate, fused=True)
    rates = [group["lr"] for group in groups]
    total = max(2, steps)
    ends = settings.warmup * total - 1  # where the first phase ends; the schedule divides by it
    warmup = settings.warmup if abs(ends) > 1e-6 else 1.5 / total
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=total, pct_start=warmup)
    return optimiser, schedule


def _better(history: History) -> bool:
    """Whether the last epoch is the best so far; a loss that is not a number never is."""
    last, best = history.valid[-1], history.valid[history.best]
    return last < best or (math.isnan(best) and not math.isnan(last))


def _batches(
    feeds: Mapping[str, Feed], rows: np.ndarray, settings: TrainSettings, rng: np.random.Generator, by: str | None
) -> list[np.ndarray]:
    if by is None:
        return plain_batches(rows, settings.batch, rng)
    return grouped_batches(rows, feeds[by].ids[rows, 0], settings.batch, rng)


def _share(batches: Sequence[np.ndarray], rank: int, world: int) -> list[np.ndarray]:
    even = len(batches) - len(batches) % world if len(batches) >= world else len(batches)
    return list(batches[:even][rank::world]) if len(batches) >= world else list(batches)


def _groups(network: nn.Module, settings: TrainSettings) -> list[dict[str, Any]]:
    """Parameter groups: vectors without weight decay, encoders apart from one another and from the rest."""
    found: dict[tuple[int | None, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            encoder = ENCODER.search(name)
            key = (int(encoder.group(1)) if encoder else None, parameter.ndim > 1)
            found.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "encoder": encoder,
            "weight_decay": settings.weight_decay if matrix else 0.0,
            "lr": settings.peak_rate * (1.0 if encoder is None else settings.encoder_rate),
        }
        for (encoder, matrix), parameters in found.items()
    ]
