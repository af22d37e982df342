"""Which views members see, which sets of views may be present, and rows of which some views are hidden.

Rules are mostly fitted where everything is present and asked later where something is not: they learn on hidden
copies of the rows what to do then. A copy keeps the members that see nothing of what is hidden; what a member that sees
several views would say with one of them hidden is not known, so that it is hidden too.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from fusible.types import Predictions

MOST_VIEWS = 5
MOST_PAIRS = 9
COPY_ROWS = 1000
SHARE = 0.25


def sight(predictions: Predictions, sees: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """`sees` (members, views) and `seen` (rows, views), both bool; without them each member is a view of its own.

    `sees`, where given, is that of the fit; a view is then taken for present where a member that sees it is.
    """
    presence = np.asarray(predictions.presence, bool)
    if sees is None:
        given = predictions.extra.get("sees")
        sees = np.eye(presence.shape[1], dtype=bool) if given is None else np.asarray(given, bool)
    seen = predictions.extra.get("seen")
    return sees, np.asarray(presence @ sees if seen is None else seen, bool)


def checked(presence: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """Presence (rows, members) without members that no row of the fit showed, where any other is present."""
    presence = np.asarray(presence, bool)
    if known is None:
        return presence
    kept = presence & known
    return np.where(kept.any(axis=1, keepdims=True), kept, presence)


def take(predictions: Predictions, rows: np.ndarray) -> Predictions:
    """Some rows, with what is known of them."""
    extra = dict(predictions.extra)
    if "seen" in extra:
        extra["seen"] = extra["seen"][rows]
    if "encodings" in extra:
        extra["encodings"] = {name: values[rows] for name, values in extra["encodings"].items()}
    return Predictions(predictions.names, predictions.scores[:, rows], predictions.presence[rows], extra)


def patterns(views: int) -> np.ndarray:
    """Sets of present views, (patterns, views) bool: every set of up to five views.

    Of more views: all, all but one, each alone, and of up to nine all but two.

    >>> patterns(2).astype(int).tolist()
    [[1, 1], [1, 0], [0, 1]]
    """
    sizes = [*range(views, 0, -1)]
    if views > MOST_VIEWS:
        sizes = [views, views - 1, *([views - 2] if views <= MOST_PAIRS else []), 1]
    found = [list(kept) for size in sizes for kept in combinations(range(views), size)]
    result = np.zeros((len(found), views), bool)
    for row, kept in zip(result, found, strict=True):
        row[kept] = True
    return result


def complete(sees: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """Members (bool) that see nothing outside the set of views: what they say does not depend on the rest."""
    return np.asarray(~(sees & ~pattern).any(axis=1))


def copies(predictions: Predictions, share: float = SHARE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows as they are and hidden copies: `index` (copied rows), `presence` (copied rows, members), `weight`.

    Every set of views but the full one gives a copy of at most 1000 of the rows that have all of it and more; all
    copies together weigh `share` of the rows.
    """
    sees, seen = sight(predictions)
    rng = np.random.default_rng(0)
    presence = np.asarray(predictions.presence, bool)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for pattern in patterns(sees.shape[1]):
        kept = complete(sees, pattern)
        rows = np.flatnonzero(seen[:, pattern].all(axis=1) & seen[:, ~pattern].any(axis=1))
        rows = np.sort(rng.permutation(rows)[:COPY_ROWS])
        hidden = presence[rows] & kept
        rows, hidden = rows[hidden.any(axis=1)], hidden[hidden.any(axis=1)]
        if len(rows):
            found.append((rows, hidden))
    index = np.concatenate([np.arange(len(presence)), *(rows for rows, _ in found)])
    weight = [np.ones(len(presence)), *(np.full(len(r), share * len(presence) / len(found) / len(r)) for r, _ in found)]
    return index, np.concatenate([presence, *(hidden for _, hidden in found)]), np.concatenate(weight)
