"""Single views: every candidate encoder of a view fitted alone, the best of them representing the view."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import cast

import numpy as np

from fusible import registry
from fusible.encoders._base import Encoder
from fusible.networks.joint import Joint
from fusible.tasks.choose import ONE_ERROR, best_of, difference
from fusible.tasks.combine import fit_ensemble
from fusible.tasks.context import Context, Fitted, empty_scores, fit_network, network_scores
from fusible.tasks.nodes import NetworkNode, PredictorNode
from fusible.tasks.settings import grouping, head_settings, operator_width, whole_settings
from fusible.training.loop import seeded
from fusible.types import Modality, View


@dataclass(slots=True)
class Candidate:
    """One encoder of one view, fitted alone.

    `fold_encoders`, of an encoder that was trained with labels on folds, too: the k-th did not see the k-th fold.
    """

    view: View
    encoder: Encoder
    encoder_name: str
    fitted: Fitted
    fold_encoders: tuple[Encoder, ...] = ()

    def blind_to(self, fold: int) -> Encoder:
        """The encoder as it is without the labels of a training fold."""
        return self.fold_encoders[fold] if self.fold_encoders else self.encoder


def fit_single(context: Context, view: View, encoder_name: str, encoder: Encoder) -> Candidate:
    """Fit an encoder that is ready (vocabulary, statistics) with what it needs to predict from its view alone."""
    start = time.perf_counter()
    train = context.present([view], context.split.train)
    node: PredictorNode | NetworkNode
    folded: tuple[Encoder, ...] = ()
    if encoder.predicts:
        node, held_out, encoder = _fit_predictor(context, view, encoder, train)
    else:
        node, held_out, folded = _fit_headed(context, view, encoder, train)
    name = f"single:{view.name}"
    fitted = Fitted(name, "single", node, held_out, time.perf_counter() - start, f"encoder {encoder_name}")
    return Candidate(view, encoder, encoder_name, fitted, folded)


def is_cheap(view: View, encoder: Encoder) -> bool:
    """Whether refitting on folds is cheap: no encoder of media or text is trained."""
    return encoder.predicts or encoder.frozen or view.modality is Modality.TABLE


def _fit_predictor(
    context: Context, view: View, encoder: Encoder, train: np.ndarray
) -> tuple[PredictorNode, np.ndarray, Encoder]:
    """Fit an encoder that predicts by itself; the encoder given back keeps its features, without the labels."""
    source, learned = context.source, context.learned
    valid = context.present([view], context.split.valid)

    def fit(rows: np.ndarray) -> Encoder:
        predictor = copy.deepcopy(encoder)
        predictor.fit_target(
            source.values(view, rows),
            learned[rows],
            context.task,
            (source.values(view, valid), learned[valid]),
            context.seed,
        )
        return predictor

    held_out = empty_scores(context)
    held_out[context.split.train] = context.prior
    for rest, fold in context.folds(train):
        held_out[fold] = fit(rest).predict_scores(source.values(view, fold))
    predictor = fit(train)
    node = PredictorNode(f"single:{view.name}", context.task, context.prior, view, predictor)
    _finish(context, node, held_out)
    return node, held_out, encoder


def _fit_headed(
    context: Context, view: View, encoder: Encoder, train: np.ndarray
) -> tuple[NetworkNode, np.ndarray, tuple[Encoder, ...]]:
    """Fit a head on a frozen encoder's features, or encoder and head together (then also give the folds' encoders)."""
    live = not encoder.frozen
    feed = context.source.feed(view, encoder, encoded=not live)
    train = context.present([view], train)
    group_by = grouping(context, [view]) if live else None
    settings = whole_settings(context, [view]) if live else head_settings(len(train))

    def build() -> Joint:
        with seeded(context.seed):
            inner = {view.name: copy.deepcopy(encoder) if live else encoder} if live else {}
            operator = registry.build(
                "fusion", "concat", widths={view.name: encoder.output_width}, width=operator_width(context)
            )
            return Joint(inner, operator, context.task.outputs)

    held_out = empty_scores(context)
    if is_cheap(view, encoder):
        held_out[context.split.train] = context.prior
    feeds = {view.name: feed}
    folded: list[Encoder] = []
    for k, (rest, fold) in enumerate(context.training_folds(train) if is_cheap(view, encoder) else ()):
        network = build()
        if len(rest) and len(fold):
            fit_network(context, network, feeds, rest, settings, name=f"{view.name} fold {k + 1}")
            held_out[fold] = network_scores(context, network, feeds, fold)
        folded += [cast("Encoder", blind).eval().requires_grad_(False) for blind in network.encoders]
    network = build()
    fit_network(context, network, feeds, train, settings, group_by=group_by, name=view.name)
    if live:
        trained = network.encoders[0]
        encoder.load_state_dict(trained.state_dict())
        network = _without_encoder(network)
        encoder.eval().requires_grad_(False)
    node = NetworkNode(
        f"single:{view.name}",
        context.task,
        context.prior,
        (view,),
        {view.name: encoder},
        network,
        {"operator": "concat", "width": operator_width(context)},
    )
    _finish(context, node, held_out)
    return node, held_out, tuple(folded)


def _without_encoder(network: Joint) -> Joint:
    """The same operator and head, over encoded views."""
    bare = Joint({}, network.operator, network.head.linear.out_features)
    bare.head = network.head
    return bare.eval()


def _finish(context: Context, node: NetworkNode | PredictorNode, held_out: np.ndarray) -> None:
    """Add validation rows, which need no refit."""
    valid = context.split.valid
    held_out[valid] = node.scores(context.source, valid)


def best_input(context: Context, candidates: list[Candidate]) -> Candidate:
    """The candidate through which fusion sees the view: of those that encode, the best on held-out rows."""
    encoding = [c for c in candidates if c.encoder.encodes] or candidates
    return encoding[best_of(context, [c.fitted for c in encoding])]


def represent(context: Context, candidates: list[Candidate]) -> Fitted:
    """What `single:<view>` is: the best candidate on held-out rows, or all of them stacked where those confirm it.

    They do if stacking gains more than one standard error: on few rows of a skewed target it is ahead by luck.
    """
    found = [c.fitted for c in candidates]
    best = found[best_of(context, found)]
    if len(found) == 1:
        return best
    stacked = fit_ensemble(context, "stacking", found, name=best.name, family="single")
    stacked.note = "encoders " + " + ".join(c.encoder_name for c in candidates) + ", stacked"
    stacked.seconds += sum(one.seconds for one in found)
    return stacked if difference(context, stacked, best).p_better > ONE_ERROR else best
