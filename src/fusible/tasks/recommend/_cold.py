"""Items that nobody had: a share is taken out of training altogether, and looked for by what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from fusible.evaluation.links import summary
from fusible.evaluation.recommendation import VALID, cold_items, per_user, split_by_user
from fusible.tasks.recommend._choose import Chooser
from fusible.tasks.recommend._content import Content
from fusible.tasks.recommend._scorers import popular
from fusible.tasks.recommend.ratings import Ratings
from fusible.tasks.recommend.results import RecommendRow

MOST_POPULAR, LIKE_POPULAR = "most popular", "popular by content"


def measure_cold(
    ratings: Ratings,
    kernels: Mapping[str, np.ndarray],
    share: float,
    seed: int,
    views: Sequence[Sequence[str]] | None = None,
) -> list[RecommendRow]:
    """Measure the content part on items of which training knows nothing; rankings are among these items alone.

    Settings are chosen on validation interactions of the other items. `views` are sets of views to measure, all
    together where nothing is said. `most popular` cannot tell items apart that nobody had: a random order is what it
    gives. `popular by content` ranks by how popular the content part of all views expects an item to be, for all users
    alike: what content says of users beyond that is the rest.
    """
    cold = cold_items(len(ratings.items), seed, share)
    warm_rows = np.flatnonzero(~cold[ratings.item])
    valid = split_by_user(ratings.user[warm_rows], seed) == VALID
    train, other = ratings.matrix(warm_rows[~valid]), ratings.matrix(warm_rows[valid])
    wanted = ratings.matrix(np.flatnonzero(cold[ratings.item]))
    judged = np.flatnonzero(np.diff(wanted.indptr))
    hidden = np.broadcast_to(~cold, (len(judged), len(cold)))
    relevant = np.asarray(wanted[judged].toarray() > 0)
    chooser = Chooser(train, other, kernels, None, np.flatnonzero(np.diff(other.indptr)), seed)
    warm = popular(train) > 0
    rows = []

    def row(name: str, kind: str, scores: np.ndarray, valid: float, settings: dict[str, object]) -> None:
        values = per_user(scores, hidden, relevant)
        rows.append(RecommendRow(name, kind, valid, summary(values, seed=seed), settings, values=values))

    row(MOST_POPULAR, "baseline", np.broadcast_to(popular(train), relevant.shape), float("nan"), {})
    for names in views or [list(kernels)]:
        settings = chooser.content(list(names))
        content = Content.fit(kernels, warm, settings)
        valid_score = chooser.value(np.asarray(train[chooser.asked] @ content.items))
        if names == (views or [list(kernels)])[-1]:
            expected = popular(train) @ content.items
            row(LIKE_POPULAR, "baseline", np.broadcast_to(expected, relevant.shape), float("nan"), {})
        row("+".join(names), "content", np.asarray(train[judged] @ content.items), valid_score, asdict(settings))
    return rows
