"""Recommendation: parts are fitted and weighed on validation interactions, and measured on test interactions once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from fusible.errors import ConfigError, DataError
from fusible.evaluation.links import difference, summary
from fusible.evaluation.recommendation import METRICS, TEST, TRAIN, VALID, drawn, per_user, split_by_user
from fusible.tasks.recommend._choose import Chooser
from fusible.tasks.recommend._cold import measure_cold
from fusible.tasks.recommend._parts import ALS, CONTENT, EASE, POPULAR, Parts, Settings, fit_parts
from fusible.tasks.recommend._people import read_people
from fusible.tasks.recommend._scorers import check_size, neighbours
from fusible.tasks.recommend.items import items_of, read_items
from fusible.tasks.recommend.ratings import Ratings, read_ratings
from fusible.tasks.recommend.recommender import Recommender
from fusible.tasks.recommend.results import Recommendations, RecommendRow
from fusible.tasks.source import Progress, stage

METRIC = METRICS[0]
NEAREST, DAMPED, TOLD, FUSED = "nearest items", "ease damped", "ease+views", "fused"


def fit_recommender(
    ratings: Any,
    *,
    items: Any = None,
    graph: Any = None,
    links: Any = None,
    users: Any = None,
    columns: Mapping[str, str | None] | None = None,
    item: str | None = None,
    tags: Sequence[str] | None = None,
    label: str | None = None,
    item_columns: Mapping[str, str] | None = None,
    encoders: Mapping[str, str] | None = None,
    least: float | None = None,
    factors: bool = True,
    cold: float = 0.0,
    seed: int = 0,
    device: str = "cpu",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Recommendations:
    """Learn what to recommend from who had which item and from whatever is known of items and users.

    Parameters
    ----------
    ratings : path or table
        A row per interaction: user, item, and where there are such rating and time. All count alike; with `least`,
        ratings below it do not count. `columns` {"user" | "item" | "rating" | "time": name} where the guess would miss.
    items : path or table, optional
        A row per item: words, tags, pictures, sounds, numbers, categories; cells may be missing, items may be ones that
        nobody had. `item` names the column of ids, `tags` columns of several words per cell, `label` the column shown,
        `item_columns` and `encoders` are as elsewhere.
    graph, links : path or table, optional
        Triples as `fusible.read_graph` takes them, and a table of item and entity; without it items have the names of
        their entities.
    users : path or table, optional
        A row per user: numbers and categories.
    factors : bool
        Whether factors by alternating least squares are a part; they need the extra `recommend`.
    cold : float
        Share of items that are taken out of training altogether, once more apart, to measure items that nobody had.

    Of each user's interactions a tenth each is held out for validation and test (`split_by_user`). All settings are
    chosen on validation ones; candidates are measured on test ones, fitted on training ones alone. The model is then
    fitted on all.

    Raises
    ------
    FusibleError
        One line: columns that are not there, no interactions, more items than weights can hold.
    """
    if not 0 <= cold < 1:
        raise ConfigError(f"recommend: cold = {cold}, expected a share of items from 0 to under 1")
    told = None if items is None else read_items(items, item, tags=tags, columns=item_columns)
    given = read_ratings(ratings, columns, least=least)
    if told is not None and not set(told.ids) & set(given.items):
        raise DataError(
            f"items: none of the ratings' items is in the column {told.item!r}; the first of the ratings is "
            f"{given.items[0]!r}, of the items {told.ids[0]!r}"
        )
    held = given if told is None else given.with_items(told.ids)
    check_size(len(held.items))
    if graph is None and links is not None:
        raise ConfigError("links: expected a graph that they lead to; give both")
    shared: dict[str, Any] = {"seed": seed, "device": device, "cache": cache, "progress": progress}
    known = items_of(held.items, told, label=label, graph=graph, links=links, encoders=encoders, **shared)
    people, attributes = (None, None) if users is None else read_people(users, held.users)
    kernels = known.kernels()
    part = split_by_user(held.user, seed)
    fitting = Fitting(held, part, kernels, attributes, seed, progress)
    rows, settings = fitting.candidates(factors=factors)
    chosen = max((row for row in rows if row.name in settings), key=lambda row: (row.valid, row.name == FUSED))
    for row in rows:
        row.test = summary(row.values, seed=seed)
    gains = {
        name: difference(chosen.values[METRIC], next(row for row in rows if row.name == name).values[METRIC], seed=seed)
        for name in (POPULAR, EASE)
        if name != chosen.name
    }
    strange = measure_cold(held, kernels, cold, seed) if cold and kernels else []
    parts = fit_parts(held.matrix(), settings[chosen.name], kernels, attributes, seed)
    info = {"ndcg@10": chosen.test[METRIC].score, "seed": seed, "candidate": chosen.name}
    model = Recommender(held, known, parts, people, attributes, info)
    sizes = {"users": len(held.users), "items": len(held.items), "interactions": len(held)}
    sizes |= {name: int((part == place).sum()) for name, place in (("train", TRAIN), ("valid", VALID), ("test", TEST))}
    problems = [*held.problems, *known.problems]
    return Recommendations(METRIC, chosen.name, rows, strange, sizes, gains, problems, model, dict(held.columns), seed)


class Fitting:
    """One split of interactions, on which candidates are fitted and measured alike."""

    def __init__(
        self,
        ratings: Ratings,
        part: np.ndarray,
        kernels: Mapping[str, np.ndarray],
        attributes: np.ndarray | None,
        seed: int,
        progress: Progress | None = None,
    ) -> None:
        self.train, self.valid, self.test = (ratings.matrix(np.flatnonzero(part == p)) for p in (TRAIN, VALID, TEST))
        if not self.valid.nnz:
            raise DataError("ratings: no user has three items or more; expected some, so that two can be held out")
        self.judged = drawn(np.flatnonzero(np.diff(self.test.indptr)), seed)
        self.kernels, self.attributes, self.seed, self.progress = kernels, attributes, seed, progress
        self.chooser = Chooser(self.train, self.valid, kernels, attributes, self.judged, seed)

    def candidates(self, *, factors: bool) -> tuple[list[RecommendRow], dict[str, Settings]]:
        """Rows of all candidates, and the settings of those that can be the model."""
        chooser, rows = self.chooser, []
        settings: dict[str, Settings] = {POPULAR: Settings(weights=((POPULAR, 1.0),))}
        with stage(self.progress, "recommend", 6) as bar:
            rows.append(self._near())
            plain = chooser.ease()
            settings[EASE] = Settings(ease=plain, weights=((EASE, 1.0),))
            bar.advance()
            best, content = chooser.ease_damped(plain), None
            settings[DAMPED] = Settings(ease=best, weights=((EASE, 1.0),))
            if self.kernels or self.attributes is not None:
                best = chooser.ease_told(best)
                settings[TOLD] = Settings(ease=best, weights=((EASE, 1.0),))
            bar.advance()
            als = chooser.als() if factors else None
            if als is not None:
                settings[ALS] = Settings(als=als, weights=((ALS, 1.0),))
            bar.advance()
            if self.kernels:
                content = chooser.content()
                settings[CONTENT] = Settings(content=content, weights=((CONTENT, 1.0),))
            bar.advance()
            settings = {name: replace(one, content=content) for name, one in settings.items()}
            every = Settings(ease=best, als=als, content=content)
            parts = fit_parts(self.train, every, self.kernels, self.attributes, self.seed)
            each = parts.each(self._history, self._told)
            settings[FUSED] = replace(every, weights=chooser.weights(each))
            bar.advance()
            rows += [self._row(name, one, each, parts) for name, one in settings.items()]
            bar.advance()
        order = [POPULAR, NEAREST, ALS, CONTENT, EASE, DAMPED, TOLD, FUSED]
        return sorted(rows, key=lambda row: order.index(row.name)), settings

    def _row(self, name: str, settings: Settings, each: Mapping[str, np.ndarray], parts: Parts) -> RecommendRow:
        began = process_time()
        if settings.ease is not None and settings.ease != parts.settings.ease:
            own = fit_parts(self.train, replace(settings, content=None), self.kernels, self.attributes, self.seed)
            each = own.each(self._history, self._told)
        fused = Parts(settings, parts.count, parts.ease, parts.als, parts.content, parts.stands)
        scores = fused.fused(self._history, each) if name == FUSED else each[settings.weights[0][0]]
        plain = {key: value for key, value in asdict(settings).items() if value is not None}
        row = self._measured(name, "fused" if name == FUSED else "part", scores, plain)
        row.cpu_seconds = process_time() - began
        return row

    def _near(self) -> RecommendRow:
        return self._measured(NEAREST, "baseline", np.asarray(self._history @ neighbours(self.train)), {})

    def _measured(self, name: str, kind: str, scores: np.ndarray, settings: dict[str, Any]) -> RecommendRow:
        seen = _dense(self.train + self.valid, self.judged)
        values = per_user(scores, seen, _dense(self.test, self.judged))
        return RecommendRow(name, kind, self.chooser.value(scores), {}, settings, values=values)

    @property
    def _history(self) -> csr_matrix:
        return self.train[self.judged]

    @property
    def _told(self) -> np.ndarray | None:
        return None if self.attributes is None else self.attributes[self.judged]


def _dense(matrix: csr_matrix, rows: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[rows].toarray() > 0)
