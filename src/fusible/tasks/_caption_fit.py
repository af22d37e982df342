"""Fitting a writer: encoders made ready, a captioner trained with teacher forcing, kept at its best epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from fusible import registry
from fusible.decoders._vocabulary import Vocabulary, stack_texts
from fusible.encoders._base import Encoder
from fusible.encoders._default import default_encoders
from fusible.encoders._frozen import fast_bfloat16
from fusible.encoders._resolve import part_name, resolve
from fusible.errors import ConfigError, DataError, SchemaError
from fusible.networks._captioner import TEXT
from fusible.tasks._caption_data import LONGEST, Material
from fusible.tasks.label_free import label_free_encoder
from fusible.tasks.source import stage
from fusible.tasks.writer import Writer, build_captioner, sequence_feed, width_of
from fusible.training.feed import Feed
from fusible.training.loop import History, TrainSettings, seeded, train
from fusible.types import Modality, View

SMALL = 2_000
"""Below so many different inputs, networks are narrower and hide nothing."""
SEEN = 60_000
"""Texts that training reads, in between `EPOCHS` epochs."""
EPOCHS = (12, 60)
IN_TIME = frozenset({Modality.AUDIO, Modality.VIDEO})
"""Modalities whose tokens follow one another; frozen encoders of them say nothing of what stands around a token."""


@dataclass(frozen=True, slots=True)
class Design:
    """What a captioner is built of, and how it is trained; the same for all that are compared."""

    decoder: str = "transformer"
    operator: str | None = "concat"
    width: int = 128
    layers: int = 1
    decoder_layers: int = 2
    heads: int = 4
    dropout: float = 0.2
    modality_dropout: float = 0.25
    training: TrainSettings = field(default_factory=TrainSettings)

    def recipe(self, views: int) -> dict[str, Any]:
        """Plain values that rebuild the network of so many views; one view has nothing to fuse."""
        names = ("decoder", "width", "layers", "decoder_layers", "heads", "dropout")
        plain: dict[str, Any] = {name: getattr(self, name) for name in names}
        fused = views > 1
        return {
            **plain,
            "operator": self.operator if fused else None,
            "modality_dropout": self.modality_dropout if fused else 0.0,
        }


def encoder_names(material: Material, given: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Name of every view's encoder and why: the one given, else a rule.

    Sound and video become sequences without labels, encoded once: `audio_sequence`, and `video_sequence` where clips
    show one scene, else `video_efficientnet`. Everything else has its first default that encodes.
    """
    if unknown := set(given) - {view.name for view in material.views}:
        names = [view.name for view in material.views]
        raise SchemaError(f"--encoder: no view is called {sorted(unknown)[0]!r}; views are {names}")
    found = {}
    for view in material.views:
        if view.name in given:
            found[view.name] = (given[view.name], "named by the user")
            _check(view, given[view.name])
            continue
        if view.modality is Modality.AUDIO:
            found[view.name] = ("audio_sequence", "its course, step by step")
            continue
        if view.modality is Modality.VIDEO:
            found[view.name] = label_free_encoder(material.source, view, material.split.train)
            continue
        defaults, why = default_encoders(view, material.source.data(view), material.split.train)
        fitting = [name for name in defaults if registry.get("encoders", name).encodes]
        found[view.name] = (fitting[0], why)
    return found


def _check(view: View, name: str) -> None:
    if name.startswith("hf:"):
        return
    part = registry.get("encoders", part_name(name))
    if part.modality != view.modality or not part.encodes:
        raise ConfigError(f"--encoder {view.name}={name}: expected an encoder of {view.modality}, got one of other use")


def ready(material: Material, view: View, name: str, seed: int) -> Encoder:
    """Build an encoder and let it learn statistics from training items; frozen ones encode every item now."""
    items = material.source.training_items(view, material.split.train)
    if not len(items):
        raise DataError(f"view {view.name!r}: no training row has a cell; leave its column out")
    with seeded(seed):
        encoder = resolve(name, view.modality)
        try:
            encoder.fit(items)
        except DataError as error:
            raise DataError(f"view {view.name!r}: the train part has no item that can be read ({error})") from None
    sequence_feed(material.source, view, encoder)
    return encoder


def fit_writer(
    material: Material,
    name: str,
    views: Sequence[View],
    encoders: Mapping[str, tuple[str, Encoder]],
    vocabulary: Vocabulary,
    design: Design,
    *,
    seed: int = 0,
    hidden: Sequence[str] = (),
) -> Writer:
    """Train a captioner on the training pairs in which a view is present; it does not see those that are `hidden`.

    The epoch kept has the least loss per token on validation pairs. Encoders that are trained are new ones.
    """
    trained = [view for view in views if not encoders[view.name][1].frozen]
    live = {view.name: _anew(view, encoders[view.name], seed) for view in trained}
    own = {view.name: live.get(view.name, encoders[view.name][1]) for view in views}
    recipe = design.recipe(len(views))
    recipe["sequences"] = [v.name for v in views if v.name not in live and v.modality in IN_TIME]
    with seeded(seed):
        widths = {view.name: width_of(own[view.name]) for view in views}
        network = build_captioner(recipe, live, widths, vocabulary.size)
    writer = Writer(name, tuple(views), own, network, vocabulary, recipe, tuple(live), hidden=tuple(hidden))
    teach(material, writer, design.training, seed)
    return writer


def teach(material: Material, writer: Writer, settings: TrainSettings, seed: int = 0) -> None:
    """Train a writer in place on the training pairs in which a view is present, with teacher forcing."""
    source, views = material.source, writer.views
    kept = [_seen(material, views, *material.pairs(part)) for part in ("train", "valid")]
    every = np.concatenate([rows for rows, _ in kept])
    feeds = {name: replace(feed, ids=feed.ids[every]) for name, feed in writer.feeds(source).items()}
    texts = [writer.vocabulary.encode(text, LONGEST) for _, said in kept for text in said]
    count = len(kept[0][0])
    if not count:
        raise DataError(f"{writer.name}: no training row has both a text and a view; give more rows")
    feeds[TEXT] = Feed(np.arange(len(texts))[:, None], items=texts, batcher=stack_texts)
    writer.network.low = fast_bfloat16(torch.device(source.device))
    writer.longest = longest_of([len(text) for text in texts])
    with stage(source.progress, f"train {writer.name}", settings.epochs) as bar:
        history = train(
            writer.network,
            feeds,
            torch.zeros(len(texts), 1),
            np.arange(count),
            np.arange(count, len(texts)),
            lambda losses, _: losses.mean(),
            settings,
            seed=seed,
            device=source.device,
            on_epoch=lambda _: bar.advance(),
        )
    for name in writer.live:
        source.forget(writer.encoders[name])
    writer.info |= _info(history, count)


def longest_of(lengths: Sequence[int]) -> int:
    """Most tokens of a text that is written: a quarter more than of the longest but one in a thousand read."""
    return int(np.clip(np.ceil(1.25 * np.quantile(lengths, 0.999)), 4, LONGEST))


def training_of(pairs: int, items: int) -> TrainSettings:
    """Settings by the number of training pairs: about `SEEN` are read."""
    epochs = int(np.clip(round(SEEN / max(1, pairs)), *EPOCHS))
    batch = 32 if items < SMALL else 64
    return TrainSettings(epochs=epochs, batch=batch, peak_rate=1e-3, weight_decay=5e-2, patience=max(5, epochs // 4))


def _anew(view: View, chosen: tuple[str, Encoder], seed: int) -> Encoder:
    """A new encoder to be trained along, as ready as the one chosen."""
    name, encoder = chosen
    with seeded(seed + 1):
        fresh = resolve(name, view.modality)
        fresh.restore(encoder.learned())
    state = fresh.state_dict()
    learned = {key: tensor for key, tensor in encoder.state_dict().items() if key in dict(encoder.named_buffers())}
    fresh.load_state_dict({**state, **learned})
    return fresh


def _seen(
    material: Material, views: Sequence[View], rows: np.ndarray, texts: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """Pairs in which one of the views is present."""
    there = material.present(views, rows)
    return rows[there], [text for text, seen in zip(texts, there, strict=True) if seen]


def _info(history: History, pairs: int) -> dict[str, Any]:
    return {
        "pairs": pairs,
        "epochs": len(history.train),
        "best_epoch": history.best + 1,
        "valid_loss": history.valid[history.best] if history.valid else None,
        "seconds": round(history.seconds, 2),
    }
