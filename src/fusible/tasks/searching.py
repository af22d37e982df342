"""Searching an index with anything that its model reads: one list over all views, comparable by calibrated chances."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fusible.errors import ConfigError
from fusible.evaluation.explanation import Saliency
from fusible.index.items import FUSED, Allowed, whole
from fusible.index.store import Index
from fusible.tasks._index_place import check_model, open_model
from fusible.tasks._moment import Moment, placed
from fusible.tasks._search_query import Query, make_query
from fusible.tasks._search_rank import blend, collapse, nearness
from fusible.tasks._search_results import Hit, Results
from fusible.tasks._search_why import pieces_of, shared_words
from fusible.tasks.retriever import Retriever
from fusible.types import MEDIA, Media, Modality, View

SPARE = 4
"""Candidates per result and view, so that enough are left when alike rows are one."""
FEWEST = 50
MOST = 10_000
"""Candidates per view beyond which no more are looked at for alike rows; also the most results."""


UNCALIBRATED = (
    "The model was not made for search: chances follow a rule and are not calibrated; see fusible align --for-search."
)
FEW_PAIRS = (
    "The model was made for search from too few validation rows: chances follow a rule and are not calibrated; "
    "make it from more rows."
)


@dataclass(slots=True)
class _Found:
    """Candidates: ids and places in the index, chances (rows, views) NaN where absent, ranks in full text (-1: none).

    `vectors` are those of every view; `exhausted` says that there are no more.
    """

    ids: list[str]
    places: np.ndarray
    chances: np.ndarray
    words: np.ndarray
    vectors: dict[str, np.ndarray]
    exhausted: bool


class Searcher:
    """An open index and its model; by `fusible.open_index`."""

    def __init__(self, index: Index, retriever: Retriever) -> None:
        check_model(index, retriever)
        self.index, self.retriever = index, retriever

    def search(
        self,
        text: str | None = None,
        *,
        image: str | Path | bytes | None = None,
        audio: str | Path | bytes | None = None,
        video: str | Path | bytes | None = None,
        row: str | int | None = None,
        query: Mapping[str, Any] | None = None,
        value: Mapping[str, Any] | None = None,
        where: str | None = None,
        k: int = 10,
        modality: str | None = None,
        words: float = 1.0,
        alike: bool = True,
        explain: bool = False,
        exact: bool | None = None,
    ) -> Results:
        """Find the `k` rows that most likely belong to what is asked; several arguments make one query.

        Parameters
        ----------
        text, image, audio, video
            A text, or a media file or its bytes.
        row : str, optional
            Id of a row of the index: what is like it. It lends the views that are not asked for otherwise.
        query : mapping, optional
            `{view: text or file}`, where the model has several views of a modality.
        value : mapping, optional
            `{column: cell}` of the model's numbers and categories.
        where : str, optional
            SQL condition on the rows' own columns, such as `price < 20 and kind = 'coat'`.
        modality : str, optional
            Look at views of this modality, or of this name, alone (default: at all, and at all together, `fused`).
        words : float
            Weight of full text (BM25) beside vectors in reciprocal rank fusion, for queries of text alone; 0 leaves it
            out.
        alike : bool
            Show rows that hold nearly the same as one.
        explain : bool
            Also say which words, patches and stretches of sound matter (extra `explain`; a second or more).
        exact : bool, optional
            Compare with every row, or walk graphs wherever there are any; see `Index.search`.

        Raises
        ------
        FusibleError
            One line: an empty query, an unknown modality, an unreadable file, a filter that cannot be used.
        """
        start = time.perf_counter()
        if not 0 <= words < np.inf:
            raise ConfigError(f"words = {words!r}: expected a weight of 0 or more")
        given = {"text": text, "image": image, "audio": audio, "video": video}
        asked = make_query(self.retriever, self.index, given, query=query, value=value, row=row)
        views = self._views(modality)
        weight = words if asked.is_text and self._reads_text(views) else 0.0
        allowed = None if where is None else self.index.allowed(where)
        candidates, best, groups, scores = self._ranked(asked, views, allowed, k, weight, exact, alike)
        hits = self._hits(candidates, views, best, groups, scores, asked)
        if explain:
            for hit in hits:
                hit.saliency = self._pieces(hit, asked.vector)
        kinds = {view.name: str(view.modality) for view in self.retriever.views}
        used = bool((candidates.words >= 0).any())
        notes = [FEW_PAIRS if self.retriever.for_search else UNCALIBRATED] * (not self.retriever.calibration.curves)
        return Results(
            hits, asked.parts, asked.asked, views, self.index.rows, where, used, kinds, notes,
            seconds=time.perf_counter() - start,
        )  # fmt: skip

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """In how many rows each view is present: chances are those among them, whatever a filter leaves."""
        return self.index.sizes

    def _views(self, modality: str | None) -> list[str]:
        """Names of the views to look at."""
        known = self.retriever.views
        if modality is None:
            return [*(view.name for view in known), *([FUSED] if len(known) > 1 else [])]
        found = [view.name for view in known if modality in (view.modality, view.name)]
        if modality == FUSED:
            found = [FUSED]
        if not found:
            names = ", ".join(f"{view.name!r} ({view.modality})" for view in known)
            raise ConfigError(f"--modality {modality}: the index has none; it has {names}, and {FUSED!r}")
        return found

    def _reads_text(self, views: list[str]) -> bool:
        """Whether rows may be found by their words: where a view of text is looked at, by itself or in `fused`."""
        texts = {view.name for view in self.retriever.views if view.modality is Modality.TEXT}
        return bool(texts) and (FUSED in views or not texts.isdisjoint(views))

    def _ranked(
        self,
        asked: Query,
        views: list[str],
        where: Allowed | None,
        k: int,
        weight: float,
        exact: bool | None,
        alike: bool,
    ) -> tuple[_Found, list[str], list[list[int]], np.ndarray]:
        """Candidates, the view that found each, groups of alike ones, best first, and scores."""
        if not 1 <= whole(k) <= MOST:
            raise ConfigError(f"k = {str(k)[:30]}: expected a whole number of at least 1 and at most {MOST:,}")
        media = [view.name for view in self.retriever.views if view.modality in MEDIA and view.name in views]
        k = whole(k)
        number, near = max(FEWEST, SPARE * k), nearness(self.retriever.width)
        while True:
            found = self._candidates(asked, views, where, number, weight, exact)
            there = np.where(np.isnan(found.chances), -1.0, found.chances)
            best = [views[i] for i in there.argmax(axis=1)] if len(found.ids) else []
            chance = there.max(axis=1, initial=-1.0)
            scores = blend(np.where(chance < 0, np.nan, chance), found.words, weight)
            order = np.argsort(-scores, kind="stable").tolist()
            groups = collapse(order, found.vectors, media, best, k, near) if alike else [[row] for row in order[:k]]
            if len(groups) >= k or found.exhausted or number >= MOST:
                return found, best, groups, scores
            number *= 4

    def _candidates(
        self, asked: Query, views: list[str], where: Allowed | None, number: int, weight: float, exact: bool | None
    ) -> _Found:
        """The nearest rows of each view and of the words, with their chances in all views."""
        hits = [self.index.search(view, asked.vector[None], number, where=where, exact=exact) for view in views]
        if weight:
            hits.append(self.index.words(asked.words, number, where=where))
        lists = [one.ids[0] for one in hits]
        known = {name: place for one in hits for name, place in zip(one.ids[0], one.places[0].tolist(), strict=True)}
        known.pop(asked.row or "", None)
        ids, rows = list(known), np.array(list(known.values()), np.int64)
        vectors = {view: self.index.vectors(rows, view) for view in views} if ids else {}
        chances = np.full((len(ids), len(views)), np.nan)
        for column, view in enumerate(views if ids else ()):
            there = np.isfinite(vectors[view]).all(axis=1)
            similar = vectors[view][there] @ asked.vector
            chances[there, column] = self.retriever.calibrate(asked.asked, view, similar, self._sizes[view])
        places = {name: place for place, name in enumerate(lists[-1])} if weight else {}
        ranks = np.array([places.get(name, -1) for name in ids], dtype=np.int64)
        return _Found(ids, rows, chances, ranks, vectors, all(len(one) < number for one in lists))

    def _hits(
        self,
        found: _Found,
        views: Sequence[str],
        best: Sequence[str],
        groups: Sequence[Sequence[int]],
        scores: np.ndarray,
        asked: Query,
    ) -> list[Hit]:
        if not groups:
            return []
        rows = self.index.take(found.places[[group[0] for group in groups]]).to_pylist()
        hits = []
        for group, row in zip(groups, rows, strict=True):
            first = group[0]
            chances = {v: float(c) for v, c in zip(views, found.chances[first], strict=True) if np.isfinite(c)}
            held = {name: row[name] for name in self.index.columns}
            text = row["fusible_text"] or ""
            view = best[first] if chances else None
            hits.append(
                Hit(
                    found.ids[first], float(scores[first]), chances[view] if view else None, view, chances, held, text,
                    shared_words(asked.words, text) if asked.words else [], [found.ids[i] for i in group[1:]],
                    _of_views(row, "fusible_media:"), _of_views(row, "fusible_preview:"),
                    moment=self._moment(found.ids[first], held),
                )
            )  # fmt: skip
        return hits

    def _moment(self, name: str, held: Mapping[str, Any]) -> Moment | None:
        """The span of a film that a row is."""
        table = str(self.index.info.get("data") or "")
        return next(filter(None, (placed(text, table) for text in (name, held.get("id")))), None)

    def _pieces(self, hit: Hit, query: np.ndarray) -> list[Saliency]:
        """Pieces of the view that found a row, or of all its views where that is `fused`."""
        found = []
        for view in self.retriever.views:
            if hit.view not in (view.name, FUSED, None):
                continue
            item = self._item(view, hit)
            one = pieces_of(self.retriever, view, item, query) if item is not None else None
            if one is not None:
                found.append(one)
        return found

    def _item(self, view: View, hit: Hit) -> Any:
        """A row's text, or its media: the file that was indexed where it is still there, else the preview."""
        if view.modality is Modality.TEXT:
            cells = [hit.columns.get(name) for name in view.columns]
            return "\n".join(str(cell) for cell in cells if cell) or None
        path = hit.media.get(view.name)
        if path is not None and Path(path).is_file():
            return Media(view.columns[0], 0, path=path)
        data = hit.previews.get(view.name)
        return Media(view.columns[0], 0, data=data) if data else None


def _of_views(row: Mapping[str, Any], start: str) -> dict[str, Any]:
    return {name[len(start) :]: value for name, value in row.items() if name.startswith(start) and value is not None}


def open_index(folder: str | Path, model: Retriever | str | Path | None = None) -> Searcher:
    """Open an index to search it, with its model; say where that is with `model` if it was moved.

    Raises `DataError` for what is no index, is damaged or newer, `ConfigError` for another model than it was built
    with.
    """
    place = Path(folder)
    index = Index.open(place)
    retriever, _ = open_model(model, place)
    return Searcher(index, retriever)
