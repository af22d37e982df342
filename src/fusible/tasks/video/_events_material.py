"""What events are learned from: labelled films as tracks on one clock, in three parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fusible.data.split import Split
from fusible.errors import DataError
from fusible.tasks.source import Progress, stage
from fusible.tasks.video._events_read import fit_encoders, tracks_of
from fusible.tasks.video._events_table import Labelled
from fusible.tasks.video._events_targets import levels_for
from fusible.tasks.video._events_tracks import TrackEncoder, Tracks
from fusible.tasks.video._events_train import Clock
from fusible.types import Problem

RATES = (1.0, 2.0, 5.0, 10.0, 25.0)
STEPS = 6.0
"""Steps that a usual span has at least."""
LONGEST_WINDOW = 2_048


@dataclass(slots=True)
class Material:
    """Films that could be read, with their events.

    `classes` are learned, those of training films; `all_classes` are these and then others, which are never found.
    `spans[i]` (events, 2) in seconds, `codes[i]` (events,) places in `all_classes`.
    """

    tracks: list[Tracks]
    encoders: dict[str, TrackEncoder]
    spans: list[np.ndarray]
    codes: list[np.ndarray]
    classes: tuple[str, ...]
    all_classes: tuple[str, ...]
    split: Split
    rate: float
    clock: Clock
    kinds: dict[str, str]
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def films_of(self, part: str) -> list[int]:
        """Numbers of the films of a part."""
        return [int(i) for i in self.split.parts[part]]

    def learned(self, film: int) -> tuple[np.ndarray, np.ndarray]:
        """Spans in steps of the clock, and labels, of a training film."""
        return self.spans[film] * self.rate, self.codes[film]

    def window(self, least: int) -> int:
        """Steps of a training window: `least`, or room for four times the longest usual span; whole at every level."""
        lengths = np.concatenate([(one[:, 1] - one[:, 0]) * self.rate for one in self._trained()])
        wanted = max(least, int(4 * np.quantile(lengths, 0.95)))
        whole = 1 << (self.clock.levels - 1)
        return -(-min(wanted, LONGEST_WINDOW) // whole) * whole

    def described(self) -> list[dict[str, Any]]:
        """Views, their encoders, and which share of the films' steps has them."""
        total = max(1, sum(track.steps for track in self.tracks))
        return [
            {
                "name": view,
                "encoder": self.kinds[view],
                "columns": encoder.columns,
                "coverage": float(sum(track.views[view].present.sum() for track in self.tracks) / total),
            }
            for view, encoder in self.encoders.items()
        ]

    def _trained(self) -> list[np.ndarray]:
        return [self.spans[i] for i in self.films_of("train")]


def rate_for(lengths: np.ndarray) -> float:
    """Steps a second for spans of these lengths in seconds: the fewest that give the median span six steps.

    >>> rate_for(np.array([0.2, 0.3])), rate_for(np.array([20.0]))
    (25.0, 1.0)
    """
    wanted = STEPS / max(float(np.median(lengths)), 1e-3)
    return next((rate for rate in RATES if rate >= wanted), RATES[-1])


def material(told: Labelled, kinds: Mapping[str, str], rate: float | None, progress: Progress | None) -> Material:
    """Read all films once, with encoders that learned from training films what they need.

    Films that cannot be read are named in `problems` and left out, as are views that no training film has.
    """
    lengths = [one[:, 1] - one[:, 0] for i in told.split.train if len(one := told.spans[i])]
    if not lengths:
        raise DataError("spans: no training film has an event; give spans of films in the training part")
    steps = rate or rate_for(np.concatenate(lengths))
    problems = list(told.problems)
    encoders = fit_encoders([told.films[i] for i in told.split.train], steps, kinds)
    tracks, kept = _read(told, encoders, problems, progress)
    split = _left(told.split, kept)
    spans, labels = _inside(told, kept, tracks, problems)
    used = {v: e for v, e in encoders.items() if any(tracks[i].views[v].present.any() for i in split.train)}
    if not used:
        raise DataError("films: no training film has sound, frames or words that can be read; mend the files")
    classes = tuple(sorted({name for i in split.train for name in labels[i]}))
    _enough(split, labels, classes)
    others = tuple(sorted({name for one in labels for name in one} - set(classes)))
    place = {name: i for i, name in enumerate((*classes, *others))}
    own = np.concatenate([(spans[i][:, 1] - spans[i][:, 0]) * steps for i in split.train])
    return Material(
        tracks,
        used,
        spans,
        [np.array([place[name] for name in one], np.int64) for one in labels],
        classes,
        (*classes, *others),
        split,
        steps,
        Clock(len(classes), levels_for(own), float(np.median(own))),
        dict(kinds),
        [f"{view}: no training film has it; the view is left out" for view in encoders if view not in used]
        + (
            [f"{len(others)} labels stand in no training film and are never found: {', '.join(others[:5])}"]
            if others
            else []
        ),
        problems,
    )


def _read(
    told: Labelled, encoders: Mapping[str, TrackEncoder], problems: list[Problem], progress: Progress | None
) -> tuple[list[Tracks], list[int]]:
    tracks, kept = [], []
    with stage(progress, "read films", len(told.films)) as bar:
        for i, film in enumerate(told.films):
            try:
                tracks.append(tracks_of(film, encoders))
                kept.append(i)
                problems += tracks[-1].problems
            except DataError as error:
                problems.append(Problem("unreadable", "film", f"left out: {error}", (i,), 1))
            bar.advance()
    return tracks, kept


def _left(split: Split, kept: list[int]) -> Split:
    """The split of the films that are left, numbered anew; each part needs one."""
    place = {film: i for i, film in enumerate(kept)}
    parts = {name: np.array([place[i] for i in own.tolist() if i in place], int) for name, own in split.parts.items()}
    for name, own in parts.items():
        if not len(own):
            raise DataError(f"the {name} part: no film of it can be read; mend its files, or give it other films")
    return Split(**parts)


def _enough(split: Split, labels: list[np.ndarray], classes: tuple[str, ...]) -> None:
    """Refuse parts without events: nothing could be learned, chosen or tested there."""
    for part, own in split.parts.items():
        told = {name for i in own for name in labels[i]}
        if not told:
            raise DataError(f"the {part} part: no event lies in its {len(own)} films; are starts and ends seconds?")
        if part == "valid" and not told & set(classes):
            raise DataError(
                f"the valid part: none of its labels stands in a training film ({', '.join(sorted(told)[:3])}), so "
                "that no candidate can be chosen; give it films with events of the labels that are learned"
            )


def _inside(
    told: Labelled, kept: list[int], tracks: list[Tracks], problems: list[Problem]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Spans and labels of films that are left: what lies beyond a film's end is cut, or left out, and named."""
    spans, labels, beyond, outside = [], [], [], 0
    for film, track in zip(kept, tracks, strict=True):
        own, tolerance = told.spans[film], 1.0 / 25
        late = own[:, 1] > track.duration + tolerance
        beyond += [(int(row), track.name, track.duration) for row in told.rows[film][late]]
        cut = np.minimum(own, track.duration)
        whole = cut[:, 1] > cut[:, 0]
        outside += int((~whole).sum())
        spans.append(cut[whole])
        labels.append(told.labels[film][whole])
    if beyond:
        row, name, end = beyond[0]
        where = f"the first is row {row} ({name} ends at {end:.2f} s)"
        also = f", {outside} begin there and are left out" if outside else ""
        message = f"{len(beyond)} spans end behind their film, and are cut there{also}; {where}"
        rows = tuple(one[0] for one in beyond[:100])
        problems.append(Problem("spans beyond the end", told.columns["end"], message, rows, len(beyond)))
    return spans, labels
