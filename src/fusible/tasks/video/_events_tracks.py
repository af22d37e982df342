"""Tracks: what is heard, seen and said in a film, step by step on one clock, by encoders that need no labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from fusible.types import Media, Problem

VIEWS = ("sound", "video", "text")
CHUNK = 1_024
"""Steps that are worked out at a time."""
Cue = tuple[float, float, str]
"""What is said or written from a second to another."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the views of one film come from: its file, the file of its sound, its cues; None where there is none.

    `cues` are (start, end, text) in seconds. `name` is how tables call the film.
    """

    name: str
    film: Media | None
    sound: Media | None
    cues: Sequence[Cue] | None = None


@dataclass(slots=True)
class Track:
    """One view of a film: `values` (steps, columns) float32, there where `present` (steps,) is true."""

    values: np.ndarray
    present: np.ndarray

    def cut(self, steps: int) -> Track:
        """The same, cut or padded (as absent) to so many steps."""
        lacking = max(0, steps - len(self.values))
        values = np.pad(self.values[:steps], ((0, lacking), (0, 0)))
        return Track(values, np.pad(self.present[:steps], (0, lacking)))


@dataclass(slots=True)
class Tracks:
    """All views of one film on one clock: `views` {view: Track}, all of one length; `duration` in seconds."""

    name: str
    duration: float
    views: dict[str, Track]
    problems: list[Problem] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Number of steps."""
        return max((len(track.values) for track in self.views.values()), default=0)

    def presence(self, views: Sequence[str]) -> np.ndarray:
        """Bool (steps, views)."""
        return np.stack([self.views[view].present for view in views], axis=1)


class TrackEncoder(ABC):
    """Turns one view of films into tracks on a clock of `rate` steps a second.

    A leaf learns what it needs in `fit`, without labels; `plain` and `arrays` are what a model folder keeps of it, and
    `restore` takes back the arrays. `parts`: steps are made of so many equal stretches, side by side in the columns.
    """

    kind: ClassVar[str]
    view: ClassVar[str]
    bands: int = 0
    """Where columns are `parts` times so many neighbouring bands (a spectrum), their number; else 0."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    @property
    @abstractmethod
    def columns(self) -> int:
        """Columns of a track."""

    @abstractmethod
    def fit(self, films: Sequence[Sources]) -> None:
        """Learn from training films, without labels."""

    @abstractmethod
    def plain(self) -> Mapping[str, Any]:
        """Settings and learned plain values, by name of the constructor's parameters."""

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Learned arrays."""
        return {}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:  # noqa: B027  # most keep none
        """Take back learned arrays."""

    def absent(self, steps: int) -> Track:
        """A track of a view that is not there."""
        return Track(np.zeros((steps, self.columns), np.float32), np.zeros(steps, bool))


def spread_over(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many evenly spaced items."""
    if not items:
        return []
    places = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).astype(int))
    return [items[i] for i in places.tolist()]


def on_clock(times: np.ndarray, values: np.ndarray, rate: float, steps: int, *, reach: float) -> Track:
    """Values (samples, columns) known at `times` (ascending, seconds) as a track: linear between two samples.

    A step is absent where the nearest sample is further away than `reach` seconds.
    """
    centres = (np.arange(steps) + 0.5) / rate
    found = np.zeros((steps, values.shape[1]), np.float32)
    if not len(times):
        return Track(found, np.zeros(steps, bool))
    after = np.clip(np.searchsorted(times, centres), 1, max(1, len(times) - 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    gap = times[after] - times[before]
    weight = np.clip(np.divide(centres - times[before], gap, out=np.zeros(steps), where=gap > 0), 0.0, 1.0)[:, None]
    near = np.minimum(np.abs(centres - times[before]), np.abs(centres - times[after])) <= reach
    for first in range(0, steps, CHUNK):  # beside the track no more than a piece of it is held
        part = slice(first, first + CHUNK)
        mixed = values[before[part]] * (1.0 - weight[part]) + values[after[part]] * weight[part]
        found[part] = np.where(near[part, None], mixed, 0.0)
    return Track(found, near)


def parts_of(rate: float, finest: float, most: int) -> int:
    """Into how many stretches a step is cut, for samples that come `finest` a second: 1 to `most`.

    >>> parts_of(25, 100, 4), parts_of(1, 100, 4), parts_of(50, 25, 4)
    (4, 4, 1)
    """
    return int(np.clip(round(finest / rate), 1, most))


def stacked(track: Track, parts: int) -> Track:
    """From a track on a clock `parts` times as fine to one on the clock, stretches side by side in the columns."""
    if parts == 1:
        return track
    steps = len(track.values) // parts
    values = track.values[: steps * parts].reshape(steps, -1)
    present = track.present[: steps * parts].reshape(steps, parts)
    return Track(values, np.asarray(present.any(axis=1)))
