"""Balance of joint training: whether a view's encoder is worse than trained alone, and what the view is used for.

A network that learns from all views at once follows the one that is learned fastest and may leave the others' encoders
half trained (Wang et al., "What makes training multi-modal classification networks hard?", CVPR 2020; Peng et al.,
"Balanced multimodal learning via on-the-fly gradient modulation", CVPR 2022). Encoders are judged by linear probes
(Alain & Bengio, "Understanding intermediate layers using linear classifier probes", 2016). How much a network uses a
view is what it loses without it (conditional utilisation; Wu et al., "Characterizing and overcoming the greedy nature
of learning in multi-modal deep neural networks", ICML 2022).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fusible.encoders._base import Encoder
from fusible.encoders._linear import fit_linear, scores_of
from fusible.evaluation import bootstrap
from fusible.evaluation.balance import Balance, ViewBalance
from fusible.evaluation.metrics import METRICS
from fusible.tasks.attribution import sample, still
from fusible.tasks.context import Context, Fitted
from fusible.tasks.nodes import NetworkNode
from fusible.tasks.vectors import pooled
from fusible.types import View

if TYPE_CHECKING:
    from fusible.tasks.compare import Study
    from fusible.tasks.singles import Candidate

MOST_ROWS = 5_000
"""Training rows that a probe is fitted on."""
SMALLEST = 1e-6
"""Deviation under which a column of an encoding is constant."""


def balance(study: Study) -> Balance | None:
    """Diagnose the first network that was trained with two or more encoders; nothing where there is none."""
    for fitted in study.fitted:
        if isinstance(fitted.node, NetworkNode) and len(fitted.node.live) > 1:
            return diagnose(study.context, fitted, {c.view.name: c for c in study.chosen})
    return None


def diagnose(context: Context, fitted: Fitted, alone: dict[str, Candidate]) -> Balance | None:
    """Diagnose one jointly trained network against encoders of the same kind trained alone, on validation rows.

    Nothing where there are no validation rows, or no encoder of the network has its like among those trained alone.
    """
    node = fitted.node
    valid = context.split.valid
    if not isinstance(node, NetworkNode) or not len(valid):
        return None
    whole = context.score(context.learned[valid], still(node).scores(context.source, valid))
    found = []
    for view in node.views:
        candidate = alone.get(view.name)
        inner = node.encoders[view.name]
        if view.name not in node.live or candidate is None or type(candidate.encoder) is not type(inner):
            continue
        hidden = context.source.hiding({view.name: np.ones(context.source.dataset.rows, bool)})
        without = context.score(context.learned[valid], still(node).scores(hidden, valid))
        one = _probed(context, view, candidate, inner, whole - without)
        found += [] if one is None else [one]
    return Balance(fitted.name, context.metric, len(valid), tuple(found)) if found else None


def _probed(context: Context, view: View, candidate: Candidate, inner: Encoder, use: float) -> ViewBalance | None:
    rows = context.present([view], context.split.valid)
    if not len(rows):
        return None
    backward, original = context.target.backward, context.target.original
    truth = context.learned[rows]
    alone, within = (_probe(context, view, encoder, rows) for encoder in (candidate.encoder, inner))
    difference = bootstrap.paired(
        context.metric, context.task, original(truth), backward(within), backward(alone), seed=context.seed
    )
    sign = METRICS[context.metric].sign
    scores = [sign * context.score(truth, scores) for scores in (alone, within)]
    return ViewBalance(view.name, candidate.encoder_name, scores[0], scores[1], difference, use)


def _probe(context: Context, view: View, encoder: Encoder, rows: np.ndarray) -> np.ndarray:
    """Scores of a linear predictor on standardised encodings, fitted on training rows; no choice is made on others."""
    feed = context.source.feed(view, encoder, encoded=True)
    train = context.present([view], context.split.train)
    train = train[sample(len(train), MOST_ROWS, context.seed)]
    learn = pooled(feed, train).astype(np.float64)
    centre, scale = learn.mean(axis=0), learn.std(axis=0)
    scale[scale < SMALLEST] = 1.0
    nothing = learn[:0], context.learned[:0]
    linear = fit_linear((learn - centre) / scale, context.learned[train], context.task, nothing, context.seed)
    return scores_of(linear, (pooled(feed, rows) - centre) / scale, context.task)
