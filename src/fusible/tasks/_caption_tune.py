"""Tuning: pretrained encoders of a fitted writer are trained along, slowly, and kept where that writes better."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from torch import nn

from fusible.errors import ConfigError
from fusible.tasks._caption_data import Material
from fusible.tasks._caption_fit import teach
from fusible.tasks.writer import Writer
from fusible.training.loop import TrainSettings

EPOCHS = 5
RATE, ENCODER_RATE = 2e-4, 0.1


def tune(material: Material, writer: Writer, settings: TrainSettings, seed: int = 0) -> Writer:
    """A writer whose pretrained encoders are trained along; the one given where validation loss is no less.

    Its outputs are no longer cached. Raises `ConfigError` where no encoder of it has weights to tune.
    """
    thawed: dict[str, Any] = {}
    for view in writer.views:
        encoder: Any = writer.encoders[view.name]
        if encoder.frozen and encoder.tunable:
            thawed[view.name] = copy.deepcopy(encoder)
            thawed[view.name].thaw()
    if not thawed:
        names = ", ".join(type(encoder).__name__ for encoder in writer.encoders.values())
        raise ConfigError(f"tune: no encoder has pretrained weights that can be trained ({names}); leave it out")
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
    before, after = writer.info["valid_loss"], other.info["valid_loss"]
    writer.info["tuned"] = {"valid_loss": after, "kept": after < before}
    if after >= before:
        return writer
    other.info |= {"tuned": writer.info["tuned"], "seconds": other.info["seconds"] + writer.info["seconds"]}
    return other
