"""Training of one localiser: focal loss on classes, overlap loss on boundaries, best state by validation mAP."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from fusible.networks._localiser import Dense
from fusible.tasks.video._events_batches import Disturbance, Drawer, Example, Windows
from fusible.tasks.video._events_members import Member, build
from fusible.tasks.video._events_tracks import TrackEncoder
from fusible.training.loop import seeded

BOUNDARY, QUALITY = 1.0, 0.5
"""Weights of the boundary and quality losses beside that of classes."""


@dataclass(frozen=True, slots=True)
class Design:
    """How localisers are built and trained; all of it is written into the model folder.

    `updates` of `batch` windows of `length` steps at least (see `Material.window`); the one-cycle rate has its peak at
    `peak`; `looks`, how often validation is looked at in the second half.
    """

    width: int = 128
    dropout: float = 0.3
    modality_dropout: float = 0.3
    updates: int = 600
    batch: int = 16
    length: int = 256
    peak: float = 3e-3
    decay: float = 1e-2
    warmup: float = 0.2
    clip: float = 5.0
    looks: int = 4
    disturbance: Disturbance = field(default_factory=Disturbance)

    def plain(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Clock:
    """What all localisers of a model share: classes, levels of the pyramid, and the usual span in steps."""

    classes: int
    levels: int
    size: float

    def plain(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def loss_of(dense: Dense, windows: Windows) -> torch.Tensor:
    """Focal loss of classes (Lin et al., ICCV 2017), overlap loss of boundaries, and cross-entropy of their quality.

    The overlap loss is one less the intersection over union of the two spans, which share a point (Yu et al.,
    "UnitBox", ACM MM 2016). All are means over points inside of spans.
    """
    count = windows.inside.sum().clamp(min=1)
    odds, classes = dense.logits, windows.classes
    entropy = nn.functional.binary_cross_entropy_with_logits(odds, classes, reduction="none")
    chance = torch.sigmoid(odds)
    missed = chance + classes - 2 * chance * classes
    focal = (missed.square() * entropy).sum(dim=-1).where(windows.real, 0.0).sum() / count
    own, true = dense.sides[windows.inside], windows.sides[windows.inside]
    inter, union = torch.minimum(own, true).sum(dim=1), torch.maximum(own, true).sum(dim=1)
    fit = inter / union.clamp(min=1e-6)
    judged = nn.functional.binary_cross_entropy_with_logits(
        dense.quality[windows.inside], fit.detach(), reduction="sum"
    )
    return focal + BOUNDARY * (1.0 - fit).sum() / count + QUALITY * judged / count


def train_member(
    name: str,
    views: Sequence[str],
    operator: str,
    examples: Sequence[Example],
    encoders: Mapping[str, TrackEncoder],
    clock: Clock,
    design: Design,
    judge: Callable[[Member], float],
    *,
    begin: Mapping[str, Member] | None = None,
    seed: int = 0,
    device: str = "cpu",
    advance: Callable[[], None] = lambda: None,
) -> Member:
    """Train a localiser over some views. `judge` scores it on validation films; its best state is kept.

    `begin` {view: member}: members from which the views' own layers start. `advance` is called after each update.
    """
    recipe = {
        "operator": operator,
        "classes": clock.classes,
        "levels": clock.levels,
        "size": clock.size,
        "width": design.width,
        "dropout": design.dropout,
        "modality_dropout": design.modality_dropout if len(views) > 1 else 0.0,
    }
    with seeded(seed):
        network = build(recipe, {view: encoders[view] for view in views})
        for view, member in (begin or {}).items():
            network.stems[view].load_state_dict(member.network.stems[view].state_dict())
        member = Member(name, tuple(views), network, recipe)
        drawer = Drawer(examples, encoders, views, clock.classes, clock.levels, design.length, design.disturbance)
        _optimise(member, drawer, design, judge, seed, device, advance)
    network.to("cpu").eval().requires_grad_(False)
    return member


def _optimise(
    member: Member,
    drawer: Drawer,
    design: Design,
    judge: Callable[[Member], float],
    seed: int,
    device: str,
    advance: Callable[[], None],
) -> None:
    network, rng = member.network.to(device), np.random.default_rng(seed)
    vectors = [p for p in network.parameters() if p.ndim < 2]
    matrices = [p for p in network.parameters() if p.ndim > 1]
    groups = [{"params": matrices, "weight_decay": design.decay}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=design.peak)
    total = design.updates + 1
    ends = design.warmup * total - 1  # where the first phase ends; the schedule divides by it
    warmup = design.warmup if abs(ends) > 1e-6 else 1.5 / total
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, design.peak, total_steps=total, pct_start=warmup)
    looks = {design.updates - 1 - round(i * design.updates / 2 / max(1, design.looks)) for i in range(design.looks)}
    best, kept, update = -math.inf, None, 0
    while update < design.updates:
        for windows in drawer.epoch(rng, design.batch):
            network.train()
            value = loss_of(network(_moved(windows.tracks, device), windows.presence.to(device)), _on(windows, device))
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(value)
            nn.utils.clip_grad_norm_(network.parameters(), design.clip)
            optimiser.step()
            schedule.step()
            advance()
            if update in looks and (score := judge(member)) >= best:
                best, kept = score, copy.deepcopy(network.state_dict())
            update += 1
            if update >= design.updates:
                break
    if kept is not None:
        network.load_state_dict(kept)


def _moved(tracks: Mapping[str, torch.Tensor], device: str) -> dict[str, torch.Tensor]:
    return {view: values.to(device) for view, values in tracks.items()}


def _on(windows: Windows, device: str) -> Windows:
    if device == "cpu":
        return windows
    moved = {name: getattr(windows, name).to(device) for name in ("classes", "sides", "inside", "real")}
    return replace(windows, **moved)
