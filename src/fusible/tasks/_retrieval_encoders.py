"""Encoders of a retriever: label-free ones, or trained along with the target's classes or the pairs themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import nn

from fusible import registry
from fusible.alignment._losses import info_nce
from fusible.encoders._base import Encoder
from fusible.encoders._resolve import part_name
from fusible.errors import ConfigError, SchemaError
from fusible.tasks._blocks import codes_of
from fusible.tasks.context import Context
from fusible.tasks.encoders import encoders_of, ready_encoder
from fusible.tasks.label_free import fit_encoder, label_free_encoders
from fusible.tasks.settings import SMALL
from fusible.tasks.singles import fit_single
from fusible.tasks.source import Source, stage
from fusible.training.loop import TrainSettings, seeded, train
from fusible.types import Encoded, View, ViewBatch

SCALE = 1 / 0.07
"""Inverse temperature of training along, as CLIP starts."""
WIDTH = 128
LEAST_BATCH = 2
SEEN, EPOCHS = 120_000, (10, 60)
"""Rows that training along sees, in no fewer and no more epochs."""


@dataclass(slots=True)
class Chosen:
    """Encoders {view: encoder}, ready to encode, and what they are: name, modality, columns, encoder, why, width."""

    encoders: dict[str, Encoder]
    described: list[dict[str, Any]]


def with_classes(context: Context, views: tuple[View, ...], given: Mapping[str, str]) -> Chosen:
    """Encoders by the rule of `compare`, trained with the target's classes where they are not frozen."""
    names, reasons = encoders_of(context, views, given)
    found: dict[str, Encoder] = {}
    described = []
    for view in views:
        fitting = [name for name in names[view.name] if _encodes(name)]
        if not fitting:
            raise ConfigError(
                f"--encoder {view.name}={names[view.name][0]}: predicts, but gives no vectors; take another encoder"
            )
        encoder = ready_encoder(context, view, fitting[0])
        trained = not encoder.frozen
        if trained:
            encoder = fit_single(context, view, fitting[0], encoder).encoder
            context.source.forget(encoder)
        found[view.name] = encoder
        why = f"{reasons[view.name]}; trained with the classes" if trained else reasons[view.name]
        described.append(_described(view, fitting[0], why, encoder))
    return Chosen(found, described)


def with_pairs(
    source: Source,
    views: tuple[View, ...],
    given: Mapping[str, str],
    parts: tuple[np.ndarray, np.ndarray],
    seed: int,
    device: str,
) -> Chosen:
    """Label-free encoders; those that the user names and that are trained are trained along with the pairs.

    `parts` are training and validation rows.
    """
    if unknown := set(given) - {view.name for view in views}:
        raise SchemaError(
            f"--encoder: view {sorted(unknown)[0]!r} is not searched; views are {[v.name for v in views]}"
        )
    along = {name for name, part in given.items() if _is_trained(part)}
    names = {name: (given[name], "named by the user; trained along with the pairs") for name in along}
    free = [view for view in views if view.name not in along]
    names |= label_free_encoders(source, free, parts[0], {n: e for n, e in given.items() if n not in along})
    found = {view.name: fit_encoder(source, view, names[view.name][0], parts[0], seed) for view in views}
    for view in views:
        if view.name in along and found[view.name].modality != view.modality:
            raise ConfigError(
                f"--encoder {view.name}={given[view.name]}: encodes {found[view.name].modality}, the view is "
                f"{view.modality}"
            )
    if along:
        train_along(source, views, found, along, parts, seed, device)
    return Chosen(found, [_described(view, *names[view.name], found[view.name]) for view in views])


def _encodes(name: str) -> bool:
    return name.startswith("hf:") or bool(registry.get("encoders", part_name(name)).encodes)


def _is_trained(name: str) -> bool:
    if name.startswith("hf:"):
        return False
    part = registry.get("encoders", part_name(name))
    return bool(part.encodes) and not part.frozen


def _described(view: View, name: str, why: str, encoder: Encoder) -> dict[str, Any]:
    return {
        "name": view.name,
        "modality": str(view.modality),
        "columns": list(view.columns),
        "encoder": name,
        "why": why,
        "width": encoder.output_width,
    }


class Along(nn.Module):
    """Encoders of several views, each with a linear layer to unit vectors of one space: (rows, views, width)."""

    def __init__(self, encoders: Mapping[str, Encoder], live: set[str]) -> None:
        super().__init__()
        self.views = list(encoders)
        self.encoders = nn.ModuleList(encoders[view] for view in self.views if view in live)
        self.live = [view for view in self.views if view in live]
        self.heads = nn.ModuleList(nn.LazyLinear(WIDTH) for _ in self.views)
        self.norms = nn.ModuleList(nn.LazyBatchNorm1d(affine=False) for _ in self.views)

    def forward(self, batches: Mapping[str, ViewBatch]) -> torch.Tensor:
        """Zeros where a view is absent."""
        found = []
        for place, view in enumerate(self.views):
            batch = batches[view]
            encoded: Encoded | None = batch.encoded
            if encoded is None:
                encoded = self.encoders[self.live.index(view)](batch.tensors)
            items = self.heads[place](self.norms[place](encoded.pooled))
            filled = (batch.index >= 0).unsqueeze(-1)
            rows = items[batch.index.clamp(min=0)].masked_fill(~filled, 0.0).sum(dim=1)
            found.append(nn.functional.normalize(rows, dim=1, eps=1e-6))
        return torch.stack(found, dim=1)


def train_along(
    source: Source,
    views: Sequence[View],
    encoders: Mapping[str, Encoder],
    live: set[str],
    parts: tuple[np.ndarray, np.ndarray],
    seed: int,
    device: str,
) -> None:
    """Train encoders in place so that a row's items are found among those of a batch, by InfoNCE over pairs of views.

    Items that are the same in either view belong together. The epoch kept has the least loss on validation rows.
    """
    feeds = {view.name: source.feed(view, encoders[view.name], encoded=view.name not in live) for view in views}
    presence = np.stack([feed.presence for feed in feeds.values()], axis=1)
    rows, valid = (part[presence[part].sum(axis=1) >= LEAST_BATCH] for part in parts)
    ids = np.stack([codes_of(feed.ids) for feed in feeds.values()], axis=1)
    epochs = int(np.clip(round(SEEN / max(1, len(rows))), *EPOCHS))
    plan = TrainSettings(epochs=epochs, batch=64 if len(rows) < SMALL else 256, peak_rate=2e-3, patience=epochs)
    with seeded(seed):
        network = Along(encoders, live)
        first = rows[: max(LEAST_BATCH, min(32, len(rows)))]
        network({name: feed.batch(first) for name, feed in feeds.items()})  # gives lazy layers their widths
        with stage(source.progress, "train encoders along", epochs) as bar:
            train(
                network,
                feeds,
                torch.from_numpy(ids),
                rows,
                valid,
                _pairs_loss,
                plan,
                seed=seed,
                device=device,
                mixed=True,
                on_epoch=lambda _: bar.advance(),
            )
    for name in live:
        encoders[name].eval().requires_grad_(False)
        source.forget(encoders[name])


def _pairs_loss(found: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Mean InfoNCE over pairs of views of (rows, views, width), by item numbers (rows, views), -1 where absent."""
    losses = []
    scale = torch.tensor(SCALE, device=found.device)
    for i, j in combinations(range(found.shape[1]), 2):
        both = (ids[:, i] >= 0) & (ids[:, j] >= 0)
        if int(both.sum()) >= LEAST_BATCH:
            one, other = ids[both, i], ids[both, j]
            positive = (one[:, None] == one) | (other[:, None] == other)
            losses.append(info_nce(found[both, i], found[both, j], scale, positive))
    return torch.stack(losses).mean().float() if losses else 0.0 * found.sum()
