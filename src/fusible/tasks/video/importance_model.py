"""Importance as people score it, learned from scored films, to be saved and used in summaries of other films."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fusible.errors import ConfigError, DataError, FusibleError, ModelFormatError
from fusible.evaluation.summaries import Agreement, Judges, average
from fusible.tasks.folder import FORMAT, check_model, opened, store
from fusible.tasks.pack import Packed
from fusible.tasks.source import Progress, stage
from fusible.tasks.video._scores_table import scored
from fusible.tasks.video.analysis import ENCODER, Analysis, Analyst
from fusible.tasks.video.fused import directions_of
from fusible.tasks.video.learned import LearnedImportance
from fusible.tasks.video.summary import choose_frames
from fusible.tasks.video.watching import STEP

KEY = "importance"
FOLDS = 5
SEGMENT = 2.0
"""Seconds of the segments of which F-scores choose."""


@dataclass(slots=True)
class ImportanceModel:
    """Learned importance with what it needs to watch films alike; by `fit_importance`, or `load_importance`.

    `widths` {view: columns} are the views it knows, of `Analysis.views`; an absent one is zeros. `info` says what it
    was learned from, and `agreement` with people: of films left out, beside the importance that is not learned, random
    scores, and people among themselves. `failures` {file: why} are films that could not be read.
    """

    learned: LearnedImportance
    step: float
    encoder: str
    widths: dict[str, int]
    info: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def importance(self, analysis: Analysis) -> np.ndarray:
        """Importance (steps,) in [0, 1] of a film that was watched with this model's `step` and `encoder`."""
        return self.learned.predict(_rows(analysis.views, self.widths))

    def save(self, folder: str | Path) -> Path:
        """Write the model's folder of plain files, whole or not at all."""
        place = check_model(Path(folder))
        arrays = {name: torch.from_numpy(np.array(array)) for name, array in self.learned.arrays().items()}
        plain = {"step": self.step, "encoder": self.encoder, "widths": self.widths}
        config = {"format": FORMAT, KEY: plain, "encoders": {}, "info": self.info}
        views, films = ", ".join(self.widths), self.info["films"]
        card = f"# Fusible importance model\n\nLooks at: {views}\n\nLearned from: {films} films\n"
        return store(place, config, Packed(arrays=arrays), card)


def fit_importance(
    scores: Any,
    *,
    step: float = STEP,
    encoder: str = ENCODER,
    transcripts: Mapping[str, str | Path] | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> ImportanceModel:
    """Learn what matters in films from what people scored (`LearnedImportance`), and say how well it agrees with them.

    Parameters
    ----------
    scores : path, DataFrame or other table
        A row per scored span or frame: `file`, `start`, `score`, and perhaps `end` and `person`; seconds.
    step, encoder, device, progress
        As in `fusible.analyze_video`.
    transcripts : mapping, optional
        {file: its transcript}, files by their paths as they are read.

    Raises
    ------
    FusibleError
        One line: a table that cannot be read, or no film whose scores differ. A film that cannot be read is among the
        model's `failures`.
    """
    films, failures = scored(scores), {}
    analyst = Analyst(step=step, encoder=encoder, device=device)
    views: list[dict[str, np.ndarray]] = []
    given: list[np.ndarray] = []
    plain: list[np.ndarray] = []
    with stage(progress, "watch films", len(films)) as bar:
        for film in films:
            try:
                analysis = analyst.analyze(film.file, (transcripts or {}).get(str(film.file)))
                told = film.on(len(analysis.timeline.times), step)
                if not len(told):
                    raise DataError(f"{film.file}: no score lies within the film")
                views.append(analysis.views)
                given.append(told)
                plain.append(analysis.importance)
            except FusibleError as error:
                failures[str(film.file)] = str(error)
            bar.advance()
    if not views:
        raise DataError(f"importance: none of {len(films)} films can be learned from: {next(iter(failures.values()))}")
    widths = {name: view.shape[1] for one in views for name, view in one.items()}
    rows = [_rows(one, widths) for one in views]
    learned = LearnedImportance().fit(rows, given)
    info = {
        "films": len(rows),
        "people": max(len(told) for told in given),
        "agreement": {name: _plain(one) for name, one in agreement(rows, given, plain, step).items()},
    }
    return ImportanceModel(learned, step, encoder, widths, info, failures)


def agreement(
    films: Sequence[np.ndarray], scores: Sequence[np.ndarray], plain: Sequence[np.ndarray], step: float
) -> dict[str, Agreement]:
    """Agreement with people, averaged over films: learned in cross-validation, not learned, random, and people's own.

    `films` are encodings (steps, width), `scores` (people, steps), `plain` (steps,) importance that is not learned.
    Films are left out in up to five folds, and the penalty is chosen without them. With one film nothing can be.
    """
    found: dict[str, list[Agreement]] = {"learned": [], "not learned": [], "random": [], "people": []}
    folds = np.arange(len(films)) % FOLDS
    for fold in np.unique(folds).tolist():
        kept = [i for i in range(len(films)) if folds[i] != fold]
        model = LearnedImportance().fit([films[i] for i in kept], [scores[i] for i in kept]) if kept else None
        for i in np.flatnonzero(folds == fold).tolist():
            bounds = np.arange(0, len(films[i]), max(1, round(SEGMENT / step)))
            bounds = np.append(bounds, len(films[i]))

            def choose(values: np.ndarray, bounds: np.ndarray = bounds) -> np.ndarray:
                return choose_frames(values, bounds)

            judges = Judges.of(scores[i], choose)
            if model is not None:
                predicted = model.predict(films[i])
                found["learned"].append(judges.judge(predicted, choose(predicted)))
            found["not learned"].append(judges.judge(plain[i], choose(plain[i])))
            found["random"].append(judges.chance(choose))
            found["people"].append(judges.human())
    return {name: average(rows) for name, rows in found.items() if rows}


def load_importance(folder: str | Path) -> ImportanceModel:
    """Load an importance model's folder; safe as loading a model folder is.

    Raises `ModelFormatError` naming the file, what was expected and what was found.
    """
    place = Path(folder)
    with opened(place) as (config, parts):
        plain = config.get(KEY)
        if not isinstance(plain, Mapping):
            raise ModelFormatError(f"{place}: holds no importance model; make one with `fusible video fit-importance`")
        widths = {str(name): int(width) for name, width in plain["widths"].items()}
        learned = LearnedImportance.from_arrays({name: array.numpy() for name, array in parts.arrays.items()})
        if len(learned.mean_) != sum(widths.values()) or learned.axes_.shape[1] != len(learned.mean_):
            raise ModelFormatError(
                f"{place}: expected arrays of {sum(widths.values())} columns, got {len(learned.mean_)} and "
                f"{learned.axes_.shape[1]}; save the model again"
            )
        return ImportanceModel(learned, float(plain["step"]), str(plain["encoder"]), widths, dict(config["info"]))


def check_alike(model: ImportanceModel, step: float, encoder: str) -> None:
    """Raise `ConfigError` where a film is watched otherwise than those that the model was learned from."""
    if (step, encoder) != (model.step, model.encoder):
        raise ConfigError(
            f"video: this importance was learned with --step {model.step:g} --encoder {model.encoder}, the film is "
            f"watched with {step:g} and {encoder}; use the same"
        )


def _rows(views: Mapping[str, np.ndarray], widths: Mapping[str, int]) -> np.ndarray:
    """Directions (steps, sum of widths) of the views side by side; zeros where one is absent."""
    steps = len(next(iter(views.values())))
    parts = []
    for name, width in widths.items():
        view = np.nan_to_num(views[name]) if name in views else np.zeros((steps, width))
        parts.append(directions_of(np.asarray(view, np.float64)))
    return np.concatenate(parts, axis=1)


def _plain(one: Agreement) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else round(value, 4) for name, value in asdict(one).items()}
