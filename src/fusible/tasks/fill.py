"""What a fitted network says when an absent view is not told: its encoding filled by zeros or by the training mean.

The two baselines of missing-modality work: presence says "there", the encoding is made up. So is what the view's own
predictor says, where the network starts from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fusible.errors import ConfigError
from fusible.tasks._ground import settled
from fusible.tasks.nodes import NetworkNode, activate
from fusible.tasks.source import Source
from fusible.tasks.vectors import pooled
from fusible.training.feed import Feed
from fusible.training.loop import outputs

FILLS = ("zeros", "mean")


def filled_scores(
    node: NetworkNode,
    source: Source,
    rows: np.ndarray,
    hidden: Mapping[str, np.ndarray],
    fill: str,
    train: np.ndarray | None = None,
) -> np.ndarray:
    """Scores (rows, outputs) with views filled where they are hidden, or absent anyway, and taken for present.

    `hidden` {view: bool over all rows of the source}; `fill` is `zeros` or `mean`, the mean over `train` rows of the
    view's encoding and evidence.
    """
    if fill not in FILLS:
        raise ConfigError(f"fill {fill!r}: expected one of {', '.join(FILLS)}")
    if fill == "mean" and train is None:
        raise ConfigError("fill 'mean': expected the training rows whose encodings are averaged, got none")
    whole = settled(node)
    asked = rows if train is None else np.union1d(rows, train)
    feeds = whole.feeds(source, asked) if isinstance(whole, NetworkNode) else {}
    put = {}
    for view, feed in feeds.items():
        width = 0 if feed.features is None else feed.features.shape[1]
        zeros = fill == "zeros" or train is None
        value = np.zeros(width, np.float32) if zeros or train is None else _mean(feed, train)
        gone = hidden.get(view, np.zeros(len(feed.ids), bool)) | ~feed.presence
        put[view] = _filled(feed, gone, value)
        if feed.evidence is not None:
            said = 0.0 if zeros else feed.evidence[train][feed.presence[train]].mean(axis=0)
            put[view] = replace(put[view], evidence=np.where(gone[:, None], said, feed.evidence).astype(np.float32))
    return activate(outputs(node.network, put, rows), node.task)


def _mean(feed: Feed, rows: np.ndarray) -> np.ndarray:
    """Mean encoding of those rows in which the view is present; zeros where there is none."""
    found = pooled(feed, rows)
    found = found[np.isfinite(found).all(axis=1)]
    mean: np.ndarray = found.mean(axis=0) if len(found) else np.zeros(found.shape[1])
    return mean.astype(np.float32)


def _filled(feed: Feed, gone: np.ndarray, value: np.ndarray) -> Feed:
    """The same feed with one more item, which rows that are `gone` hold in their first slot alone."""
    if feed.features is None:
        raise TypeError("a feed of decoded items cannot be filled: ask for an encoded one")
    ids = np.where(gone[:, None], -1, feed.ids)
    ids[gone, 0] = len(feed.features)
    tokens, mask = feed.tokens, feed.mask
    if tokens is not None and mask is not None:
        one, real = np.zeros((1, *tokens.shape[1:]), tokens.dtype), np.zeros((1, mask.shape[1]), bool)
        one[0, :1], real[0, :1] = value, True
        tokens, mask = np.concatenate([tokens, one]), np.concatenate([mask, real])
    return replace(feed, ids=ids, features=np.concatenate([feed.features, value[None]]), tokens=tokens, mask=mask)
