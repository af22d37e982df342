"""A film made short: what matters in it, as a film with sound, a storyboard, and the list of spans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from fusible.data.film_writer import Written, write_film
from fusible.errors import ConfigError
from fusible.tasks._retrieval_head import units
from fusible.tasks.retriever import Retriever
from fusible.tasks.video.analysis import ENCODER, SIGHTS, Analysis, analyze_film
from fusible.tasks.video.importance import toward
from fusible.tasks.video.importance_model import ImportanceModel, check_alike
from fusible.tasks.video.storyboard import clock, storyboard
from fusible.tasks.video.summary import Choice, Summary, summarize, uniform_summary
from fusible.tasks.video.watching import STEP
from fusible.types import Media, Modality

WEIGHT = 0.7
"""Weight of what was asked for, against what matters anyway."""


@dataclass(slots=True)
class Summarized:
    """A summary of a film, what it was made from, and the film that was written, if one was."""

    summary: Summary
    analysis: Analysis
    written: Written | None

    def to_json(self) -> dict[str, Any]:
        """Plain values: spans, segments and what was written."""
        film = self.analysis.timeline.plain()["film"]
        written = None if self.written is None else {"seconds": self.written.seconds, "frames": self.written.frames}
        warnings = self.analysis.timeline.warnings
        return {**self.summary.to_json(), "film": film, "written": written, "warnings": warnings}


def summarize_film(
    file: str | Path,
    output: str | Path | None = None,
    *,
    ratio: float = 0.15,
    board: str | Path | None = None,
    query: str | None = None,
    retriever: Retriever | None = None,
    importance: ImportanceModel | None = None,
    choose: Choice = "knapsack",
    **given: Any,
) -> Summarized:
    """Choose the segments of a film that matter most, in at most `ratio` of its length.

    Segments are shots, cut further where the film changes; what matters is new, rare and yet stands for much of the
    film, by the fused encodings (`importance`). With a `query`, a text such as a title, what is like it in the space of
    a `retriever` that knows texts and pictures counts more.

    Parameters
    ----------
    file : path
        The film.
    output : path, optional
        An mp4 file to write: the summary with its sound.
    ratio : float
        Share of the film's length, above 0 to 1.
    board : path, optional
        A PNG file to write: a picture of each span with its time.
    query, retriever
        What the summary is to be about, and what knows pictures that are like a text (`fusible.load_retriever`).
    importance
        Learned from people's scores (`fusible.fit_importance`, `load_importance`), instead of what is new and rare.
    choose
        "knapsack": what matters most in all; "diverse": segments also have to differ, so that a rare scene is not left
        out for another stretch of a common one.
    **given
        As in `analyze_film`.

    Raises
    ------
    FusibleError
        One line: a file that cannot be read, or settings that cannot be used.
    """
    if not 0 < ratio <= 1:
        raise ConfigError(f"video: expected a ratio above 0 and at most 1, got {ratio:g}")
    if (query is None) != (retriever is None):
        raise ConfigError("video: a query needs a retriever that knows texts and pictures, and the other way round")
    if choose not in get_args(Choice):
        raise ConfigError(f"video: expected to choose by {' or '.join(get_args(Choice))}, got {choose!r}")
    if importance is not None:
        check_alike(importance, given.get("step", STEP), given.get("encoder", ENCODER))
    for place in (output, board):
        if place is not None:
            _check(Path(place))
    analysis = analyze_film(file, **given)
    important = analysis.importance if importance is None else importance.importance(analysis)
    if query is not None and retriever is not None:
        important = _about(analysis, important, query, retriever, given.get("encoder", ENCODER))
    parts, times = analysis.segments, analysis.timeline.times
    summary = summarize(important, times, parts, ratio=ratio, choose=choose, encodings=analysis.encodings)
    if not summary.spans:
        summary = uniform_summary(analysis.segments, ratio=ratio)
    if board is not None:
        _draw(analysis, summary, board)
    media = Media("file", -1, path=str(file))
    written = None if output is None else write_film(media, summary.spans, output)
    return Summarized(summary, analysis, written)


def _check(place: Path) -> None:
    """Refuse, before a film is read, a file that cannot be written; its folder is made."""
    if place.is_dir():
        raise ConfigError(f"{place}: expected a file to write, got a folder; name a file in it")
    try:
        place.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{place}: cannot be written ({error.strerror}); choose another path") from None


def _about(analysis: Analysis, important: np.ndarray, query: str, retriever: Retriever, encoder: str) -> np.ndarray:
    """Importance drawn toward what the query says, by pictures and text in the retriever's space."""
    import pandas as pd

    sight, told = (_view(retriever, modality) for modality in (Modality.IMAGE, Modality.TEXT))
    known = type(retriever.encoders[sight]).__name__.lower()
    if known != encoder.replace("_", ""):
        raise ConfigError(f"video: the retriever's pictures are encoded by {known}, the film's by {encoder}; use one")
    columns = retriever.view(told).columns
    table = pd.DataFrame({name: [query if name == columns[0] else None] for name in columns}, dtype=object)
    asked = retriever.transform(table, [told])[told][0]
    if not np.isfinite(asked).all():
        raise ConfigError(f"video: the query {query[:40]!r} says nothing that the retriever knows")
    seen = units(retriever.heads[sight], analysis.views[SIGHTS])
    return toward(important, np.nan_to_num(seen), asked, WEIGHT)


def _view(retriever: Retriever, modality: Modality) -> str:
    names = [view.name for view in retriever.views if view.modality is modality]
    if len(names) != 1:
        raise ConfigError(f"video: expected a retriever with one view of {modality.value}s, it has {names or 'none'}")
    return names[0]


def _draw(analysis: Analysis, summary: Summary, board: str | Path) -> None:
    pictures = analysis.watched.pictures
    if not len(pictures):
        raise ConfigError("video: a film without pictures has no storyboard; leave it out")
    times = analysis.watched.times
    steps = [int(np.abs(times - (start + end) / 2).argmin()) for start, end in summary.spans]
    storyboard([pictures.pixels(step) for step in steps], [clock(start) for start, _ in summary.spans], board)
