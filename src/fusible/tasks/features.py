"""Feature-level and end-to-end strategies: views encoded, fused by an operator, and read by a head."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from fusible import registry
from fusible.encoders._base import Encoder
from fusible.encoders._resolve import resolve
from fusible.networks.joint import Joint
from fusible.tasks.aligned import Aligned, build_aligner, fit_quietly, fitting_rows, is_trained, room
from fusible.tasks.context import Context, Fitted, empty_scores, fit_network, network_scores
from fusible.tasks.nodes import NetworkNode
from fusible.tasks.settings import grouping, head_settings, operator_width, whole_settings
from fusible.tasks.singles import Candidate, is_cheap
from fusible.tasks.vectors import pooled
from fusible.training.feed import Feed
from fusible.training.loop import seeded


def fit_feature(context: Context, operator: str, chosen: list[Candidate]) -> Fitted:
    """Fuse encoded views: encoders stay as they were fitted alone, operator and head are trained.

    `operator` is a fusion operator or `<aligner>+<operator>`: then an aligner, fitted on training rows, projects the
    views first. Where encoders and aligner are cheap to use, folds give held-out predictions for training rows; in each
    fold the aligner sees the other folds only.
    """
    start = time.perf_counter()
    name = f"feature:{operator}"
    feeds = {c.view.name: context.source.feed(c.view, c.encoder, encoded=True) for c in chosen}
    rows = context.present([c.view for c in chosen], context.split.train)
    settings = head_settings(len(rows))
    held_out = empty_scores(context)
    aligner = operator.rpartition("+")[0]
    if all(is_cheap(c.view, c.encoder) for c in chosen) and not (aligner and is_trained(aligner)):
        for k, (rest, fold) in enumerate(context.training_folds(rows)):
            blind = {c.view.name: context.source.feed(c.view, c.blind_to(k), encoded=True) for c in chosen}
            if len(fold) and _enough(blind, rest, operator):
                network, _ = _network(context, operator, blind, rest)
                fit_network(context, network, blind, rest, settings, name=f"{name} fold {k + 1}")
                held_out[fold] = network_scores(context, network, blind, fold)
    network, recipe = _network(context, operator, feeds, rows, noted=True)
    encoders = {c.view.name: c.encoder for c in chosen}
    views = tuple(c.view for c in chosen)
    node = NetworkNode(name, context.task, context.prior, views, encoders, network, recipe)
    fit_network(context, network, feeds, rows, settings, name=name)
    held_out[context.split.valid] = node.scores(context.source, context.split.valid)
    return Fitted(name, "feature", node, held_out, time.perf_counter() - start)


def fit_joint(context: Context, name: str, operator: str, chosen: list[Candidate]) -> Fitted | None:
    """Train all trainable encoders, an operator and a head together; nothing where no encoder is trainable."""
    start = time.perf_counter()
    live = tuple(c.view.name for c in chosen if not c.encoder.frozen)
    if not live:
        return None
    encoders = {c.view.name: _fresh(context, c) if c.view.name in live else c.encoder for c in chosen}
    views = [c.view for c in chosen]
    widths = {view: encoder.output_width for view, encoder in encoders.items()}
    network, recipe = _joint(context, operator, widths, {view: encoders[view] for view in live})
    node = NetworkNode(name, context.task, context.prior, tuple(views), encoders, network, recipe, live)
    rows = context.present(views, context.split.train)
    settings = whole_settings(context, [v for v in views if v.name in live])
    group_by = grouping(context, [v for v in views if v.name in live])
    fit_network(context, node.network, node.feeds(context.source), rows, settings, group_by=group_by, name=name)
    held_out = empty_scores(context)
    held_out[context.split.valid] = node.scores(context.source, context.split.valid)
    return Fitted(name, "end_to_end", node, held_out, time.perf_counter() - start)


def _fresh(context: Context, candidate: Candidate) -> Encoder:
    """A new encoder of the same kind, with what it learned without labels and new weights."""
    with seeded(context.seed + 1):
        encoder: Encoder = resolve(candidate.encoder_name, candidate.view.modality)
        encoder.fit(context.source.training_items(candidate.view, context.split.train))
    return encoder


def _enough(feeds: Mapping[str, Feed], rows: np.ndarray, operator: str) -> bool:
    """Whether rows suffice to fit on: some, and for an aligner two of each view among those that it is fitted on."""
    if not len(rows) or "+" not in operator:
        return len(rows) > 0
    presence = np.stack([feed.presence[rows] for feed in feeds.values()], axis=1)
    return bool((presence[fitting_rows(presence)].sum(axis=0) >= 2).all())


def _network(
    context: Context, operator: str, feeds: Mapping[str, Feed], rows: np.ndarray, *, noted: bool = False
) -> tuple[Joint, dict[str, object]]:
    """A network over encoded views, not trained, and its recipe; its aligner, if any, is fitted on `rows`."""
    widths = {view: _width(feed) for view, feed in feeds.items()}
    aligner_name, plus, fusing = operator.rpartition("+")
    if not plus:
        return _joint(context, operator, widths, {})
    vectors = {view: pooled(feed, rows) for view, feed in feeds.items()}
    aligner = build_aligner(aligner_name, room(vectors), len(rows), context.seed, context.device)
    said = fit_quietly(aligner, vectors)
    if noted:
        context.notes += [f"feature:{operator}: {message}" for message in said]
    projections = {view: aligner.projection(view) for view in feeds}
    specs = {view: dict(projection.spec) for view, projection in projections.items()}
    network, recipe = _joint(context, fusing, dict.fromkeys(feeds, int(aligner.n_components_)), {})
    aligned = Joint({}, Aligned(projections, network.operator), context.task.outputs)
    aligned.head = network.head
    return aligned, {**recipe, "aligner": aligner_name, "specs": specs}


def _joint(
    context: Context, operator: str, widths: dict[str, int], live: dict[str, Encoder]
) -> tuple[Joint, dict[str, object]]:
    width = operator_width(context)
    with seeded(context.seed):
        fusing = registry.build("fusion", operator, widths=widths, width=width)
        network = Joint(live, fusing, context.task.outputs)
    return network, {"operator": operator, "width": width}


def _width(feed: Feed) -> int:
    if feed.features is None:
        raise TypeError("a feed of decoded items has no width: ask for an encoded one")
    return int(feed.features.shape[1])
