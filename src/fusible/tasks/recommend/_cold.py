"""Items that nobody had: a share is taken out of training altogether, and looked for by what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from fusible.errors import DataError
from fusible.evaluation.links import summary
from fusible.evaluation.recommendation import VALID, cold_items, drawn, per_user, split_by_user
from fusible.tasks.recommend._choose import Chooser
from fusible.tasks.recommend._content import Content
from fusible.tasks.recommend._scorers import popular
from fusible.tasks.recommend.ratings import Ratings
from fusible.tasks.recommend.results import RecommendRow

MOST_POPULAR, LIKE_POPULAR, AMONG_ALL = "most popular", "popular by content", "among all items"


def measure_cold(
    ratings: Ratings,
    kernels: Mapping[str, np.ndarray],
    share: float,
    seed: int,
    views: Sequence[Sequence[str]] | None = None,
) -> list[RecommendRow]:
    """Measure the content part on items of which training knows nothing, ranked among themselves.

    Settings are chosen on validation interactions of the other items. `views` are sets of views to measure, all
    together where nothing is said. `most popular` cannot tell items apart that nobody had: a random order is what it
    gives. `popular by content` ranks by how popular the content part expects an item to be, for all users alike: what
    content says of a user beyond that is the rest. The last set is also ranked `among all items` that a user has not
    had, where most wanted places go to items that others had.
    """
    cold = cold_items(len(ratings.items), seed, share)
    warm_rows = np.flatnonzero(~cold[ratings.item])
    valid = split_by_user(ratings.user[warm_rows], seed) == VALID
    train, other = ratings.matrix(warm_rows[~valid]), ratings.matrix(warm_rows[valid])
    wanted = ratings.matrix(np.flatnonzero(cold[ratings.item]))
    if not wanted.nnz or not train.nnz or not other.nnz:
        raise DataError(
            f"cold: a share of {share:g} leaves {int(cold.sum())} of {len(cold)} items to be found and "
            f"{train.nnz} interactions to learn from; expected some of both, and some for validation"
        )
    judged = drawn(np.flatnonzero(np.diff(wanted.indptr)), seed)
    asked = drawn(np.flatnonzero(np.diff(other.indptr)), seed)
    relevant = np.asarray(wanted[judged].toarray() > 0)
    others = np.broadcast_to(~cold, relevant.shape)
    chooser = Chooser(train, other, kernels, None, asked, seed)
    warm = popular(train) > 0

    def row(name: str, kind: str, scores: np.ndarray, hidden: np.ndarray = others, **rest: Any) -> RecommendRow:
        values = per_user(scores, hidden, relevant)
        test = summary(values, seed=seed)
        return RecommendRow(name, kind, rest.get("valid", float("nan")), test, rest.get("settings", {}), values=values)

    rows = [row(MOST_POPULAR, "baseline", np.broadcast_to(popular(train), relevant.shape))]
    expected, among = [], []
    for names in views or [list(kernels)]:
        settings = chooser.content(list(names))
        content = Content.fit(kernels, warm, settings)
        told: dict[str, Any] = {
            "valid": chooser.value(np.asarray(train[asked] @ content.items)),
            "settings": asdict(settings),
        }
        scores, name = np.asarray(train[judged] @ content.items), "+".join(names)
        rows.append(row(name, "content", scores, **told))
        had = np.asarray((train + other)[judged].toarray() > 0)
        among = [row(f"{name}, {AMONG_ALL}", "content", scores, had, **told)]
        expected = [row(LIKE_POPULAR, "baseline", np.broadcast_to(popular(train) @ content.items, relevant.shape))]
    return [rows[0], *expected, *rows[1:], *among]
