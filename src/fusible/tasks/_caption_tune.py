"""Tuning: pretrained encoders of a fitted writer are trained along, slowly, and kept where that writes better."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from fusible.encoders._base import Encoder
from fusible.errors import ConfigError
from fusible.tasks._caption_data import Material
from fusible.tasks._caption_fit import teach
from fusible.tasks.writer import Writer
from fusible.training.loop import TrainSettings

EPOCHS = 5
RATE, ENCODER_RATE = 2e-4, 0.1


def tune(material: Material, writer: Writer, settings: TrainSettings, seed: int = 0) -> Writer:
    """A writer whose pretrained encoders are trained along; the one given where validation loss is no less.

    Its outputs are no longer cached. A writer that sees through no such encoder is given back as it is.
    """
    thawed: dict[str, Any] = {}
    for view in writer.views:
        encoder: Any = writer.encoders[view.name]
        if _tunable(encoder) and view.name not in writer.hidden:
            thawed[view.name] = copy.deepcopy(encoder)
            thawed[view.name].thaw()
    if not thawed:
        return writer
    other = copy.copy(writer)
    other.network = copy.deepcopy(writer.network)
    other.encoders = {**writer.encoders, **thawed}
    kept: dict[str, Any] = {name: other.network.encoders[place] for name, place in other.network.positions.items()}
    live = {view.name: {**kept, **thawed}[view.name] for view in writer.views if view.name in {*kept, *thawed}}
    other.encoders |= kept
    other.network.encoders = nn.ModuleList(live.values())
    other.network.positions = {name: place for place, name in enumerate(live)}
    other.live, other.info = tuple(live), {}
    slow = replace(settings, epochs=EPOCHS, patience=EPOCHS, peak_rate=RATE, encoder_rate=ENCODER_RATE)
    teach(material, other, slow, seed)
    after, seconds = other.info["valid_loss"], writer.info["seconds"] + other.info["seconds"]
    better = other if after < writer.info["valid_loss"] else writer
    better.info |= {"tuned": {"valid_loss": after, "kept": better is other}, "seconds": seconds}
    return better


def check_tunable(encoders: Sequence[Encoder]) -> None:
    """Refuse, before any training, encoders none of which has weights to tune."""
    if not any(map(_tunable, encoders)):
        names = ", ".join(type(encoder).__name__ for encoder in encoders)
        raise ConfigError(f"tune: no encoder has pretrained weights that can be trained ({names}); leave it out")


def _tunable(encoder: Any) -> bool:
    return bool(encoder.frozen and encoder.tunable)
