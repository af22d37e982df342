"""Feature-level and end-to-end strategies: views encoded, fused by an operator, and read by a head."""

from __future__ import annotations

import copy
import time

from fusible import registry
from fusible.encoders._base import Encoder
from fusible.encoders._resolve import resolve
from fusible.networks.joint import Joint
from fusible.tasks.context import Context, Fitted, empty_scores, fit_network, network_scores
from fusible.tasks.nodes import NetworkNode
from fusible.tasks.settings import grouping, head_settings, operator_width, whole_settings
from fusible.tasks.singles import Candidate, is_cheap
from fusible.training.loop import seeded


def fit_feature(context: Context, operator: str, chosen: list[Candidate]) -> Fitted:
    """Fuse encoded views: encoders stay as they were fitted alone, operator and head are trained.

    Where all encoders are cheap to use, folds give held-out predictions for training rows.
    """
    start = time.perf_counter()
    name = f"feature:{operator}"
    node = _node(context, name, operator, {c.view.name: c.encoder for c in chosen}, chosen, live=())
    feeds = node.feeds(context.source)
    rows = context.present([c.view for c in chosen], context.split.train)
    settings = head_settings(len(rows))
    held_out = empty_scores(context)
    if all(is_cheap(c.view, c.encoder) for c in chosen):
        for k, (rest, fold) in enumerate(context.training_folds(rows)):
            if len(rest) and len(fold):
                blind = {c.view.name: context.source.feed(c.view, c.blind_to(k), encoded=True) for c in chosen}
                network = copy.deepcopy(node.network)
                fit_network(context, network, blind, rest, settings, name=f"{name} fold {k + 1}")
                held_out[fold] = network_scores(context, network, blind, fold)
    fit_network(context, node.network, feeds, rows, settings, name=name)
    held_out[context.split.valid] = node.scores(context.source, context.split.valid)
    return Fitted(name, "feature", node, held_out, time.perf_counter() - start)


def fit_joint(context: Context, name: str, operator: str, chosen: list[Candidate]) -> Fitted | None:
    """Train all trainable encoders, an operator and a head together; nothing where no encoder is trainable."""
    start = time.perf_counter()
    live = tuple(c.view.name for c in chosen if not c.encoder.frozen)
    if not live:
        return None
    encoders = {c.view.name: _fresh(context, c) if c.view.name in live else c.encoder for c in chosen}
    node = _node(context, name, operator, encoders, chosen, live)
    views = [c.view for c in chosen]
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


def _node(
    context: Context,
    name: str,
    operator: str,
    encoders: dict[str, Encoder],
    chosen: list[Candidate],
    live: tuple[str, ...],
) -> NetworkNode:
    width = operator_width(context)
    with seeded(context.seed):
        fusing = registry.build(
            "fusion", operator, widths={v: e.output_width for v, e in encoders.items()}, width=width
        )
        network = Joint({v: encoders[v] for v in live}, fusing, context.task.outputs)
    views = tuple(c.view for c in chosen)
    recipe: dict[str, object] = {"operator": operator, "width": width}
    return NetworkNode(name, context.task, context.prior, views, encoders, network, recipe, live)
