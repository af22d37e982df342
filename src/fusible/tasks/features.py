"""Feature-level strategies: views encoded, fused by an operator, and read by a head."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fusible import registry
from fusible.encoders._base import Encoder
from fusible.errors import DataError
from fusible.networks._base import Network
from fusible.tasks.aligned import aligner_of, build_aligner, fit_quietly, fitting_rows, is_trained, room
from fusible.tasks.build import JOINT, build_network
from fusible.tasks.context import Context, Fitted, empty_scores, fit_network, network_scores
from fusible.tasks.imputed import IMPUTE
from fusible.tasks.nodes import NetworkNode
from fusible.tasks.offset import OwnScores
from fusible.tasks.settings import Tuning, default_tuning, head_settings
from fusible.tasks.singles import Candidate, is_cheap
from fusible.tasks.vectors import pooled
from fusible.training.feed import Feed
from fusible.training.loop import History, seeded

FOLDED = 5_000
"""Most training rows for which fused heads are fitted on folds; with more, validation rows tell enough."""


def fit_feature(
    context: Context,
    operator: str,
    chosen: list[Candidate],
    tuning: Tuning | None = None,
    *,
    own: OwnScores | None = None,
    watch: Callable[[History], Any] | None = None,
) -> Fitted:
    """Fuse encoded views: encoders stay as they were fitted alone, operator and head are trained.

    `operator` is a fusion operator or `<aligner>+<operator>`: then an aligner, fitted on training rows, projects the
    views first; `impute+<operator>` instead predicts absent views from present ones. Where encoders and aligner are
    cheap to use and rows are few (`FOLDED`), folds give held-out predictions for training rows; in each fold the
    aligner sees the other folds only. With `own`, the network starts from what the views' own predictors say, and
    learns what to add. `watch` sees the history after every epoch, and may end the fit by raising.
    """
    start = time.perf_counter()
    name = f"feature:{operator}"
    views = tuple(c.view for c in chosen)
    feeds = _feeds(context, operator, chosen, own)
    rows = context.present(list(views), context.split.train)
    tuning = tuning or default_tuning(context, head_settings(len(rows)))
    held_out = empty_scores(context)
    aligner = operator.rpartition("+")[0]
    folded = watch is None and len(rows) <= FOLDED and not (aligner and is_trained(aligner))
    if folded and all(is_cheap(c.view, c.encoder) for c in chosen):
        for k, (rest, fold) in enumerate(context.training_folds(rows)):
            blind = _feeds(context, operator, chosen, own, fold=k)
            if len(fold) and _enough(blind, rest, operator):
                network, _ = _network(context, operator, blind, rest, tuning, own)
                fit_network(context, network, blind, rest, tuning.training, name=f"{name} fold {k + 1}")
                held_out[fold] = network_scores(context, network, blind, fold)
    network, recipe = _network(context, operator, feeds, rows, tuning, own, noted=True)
    bases = {} if own is None else own.nodes
    node = NetworkNode(name, context.task, context.prior, views, _encoders(chosen), network, recipe, bases=bases)
    fit_network(context, network, feeds, rows, tuning.training, name=name, watch=watch)
    held_out[context.split.valid] = node.scores(context.source, context.split.valid)
    note = "" if own is None else own.settle(context, node, held_out)
    return Fitted(name, "feature", node, held_out, time.perf_counter() - start, note)


def _encoders(chosen: list[Candidate]) -> dict[str, Encoder]:
    return {c.view.name: c.encoder for c in chosen}


def _feeds(
    context: Context, operator: str, chosen: list[Candidate], own: OwnScores | None, fold: int | None = None
) -> dict[str, Feed]:
    """Encoded views, as sequences where the operator reads them; with `fold`, blind to the labels of that fold."""
    tokens = "+" not in operator and registry.get("fusion", operator).reads_tokens
    encoders = {c.view: c.encoder if fold is None else c.blind_to(fold) for c in chosen}
    feeds = {v.name: context.source.feed(v, e, encoded=True, tokens=tokens) for v, e in encoders.items()}
    return feeds if own is None else own.on(feeds)


def _enough(feeds: Mapping[str, Feed], rows: np.ndarray, operator: str) -> bool:
    """Whether rows suffice to fit on: some, and for an aligner two of each view among those that it is fitted on."""
    if not len(rows) or "+" not in operator:
        return len(rows) > 0
    presence = np.stack([feed.presence[rows] for feed in feeds.values()], axis=1)
    return bool((presence[fitting_rows(presence)].sum(axis=0) >= 2).all())


def _network(
    context: Context,
    operator: str,
    feeds: Mapping[str, Feed],
    rows: np.ndarray,
    tuning: Tuning,
    own: OwnScores | None,
    *,
    noted: bool = False,
) -> tuple[Network, dict[str, Any]]:
    """A network over encoded views, not trained, and its recipe; its aligner, if any, is fitted on `rows`."""
    widths = {view: _width(feed) for view, feed in feeds.items()}
    aligner_name, plus, fusing = operator.rpartition("+")
    recipe: dict[str, Any] = {"network": JOINT, "operator": fusing, "width": tuning.width}
    projections: dict[str, Any] = {}
    imputes = aligner_name == IMPUTE
    if plus:
        if not _enough(feeds, rows, operator):
            raise DataError(
                f"feature:{operator}: expected two training rows or more of each view in which another view is there, "
                "too, got fewer: there is nothing to align; leave the strategy out"
            )
        vectors = {view: pooled(feed, rows) for view, feed in feeds.items()}
        aligner = build_aligner(aligner_of(aligner_name), room(vectors), len(rows), context.seed, context.device)
        said = fit_quietly(aligner, vectors)
        if noted:
            context.notes += [f"feature:{operator}: {message}" for message in said]
        if imputes:
            recipe |= {"impute": aligner_of(aligner_name), "components": int(aligner.n_components_)}
        else:
            projections = {view: aligner.projection(view) for view in feeds}
            recipe |= {"aligner": aligner_name, "specs": {view: dict(p.spec) for view, p in projections.items()}}
    if own is not None:
        recipe["offset"] = True
    with seeded(context.seed):
        network: Any = build_network(recipe, {}, widths, context.task.outputs, **tuning.regularisation())
    if own is not None:
        own.start(network)
    for place, projection in enumerate(projections.values()):
        network.operator.projections[place].load_state_dict(projection.state_dict())
    if imputes:
        network.operator.cross.take(aligner, vectors)
    return network, recipe


def _width(feed: Feed) -> int:
    if feed.features is None:
        raise TypeError("a feed of decoded items has no width: ask for an encoded one")
    return int(feed.features.shape[1])
