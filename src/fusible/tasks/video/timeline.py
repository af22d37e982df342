"""The timeline of a film: what was found in it, when, and how sure, on lanes over one clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

SHOT, SIGHT, OBJECT, SOUND, WORDS = "shot", "sight", "object", "sound", "words"
TAG, EVENT, MOMENT = "tag", "event", "moment"
LANES = (SHOT, SIGHT, OBJECT, SOUND, WORDS, TAG, EVENT, MOMENT)
"""Shots; what is to be seen; objects in key frames; what is to be heard; what is said; trained tags of shots; trained
events; what matters most."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One span on a lane: from `start` to `end` in seconds, what it is, and how sure (0 to 1) where that is known.

    `box` is where an object is in its shot's key frame: left, top, right and bottom in pixels of the film's picture.
    """

    lane: str
    start: float
    end: float
    label: str
    score: float | None = None
    box: tuple[float, float, float, float] | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON values, times rounded to milliseconds."""
        score = None if self.score is None else round(self.score, 4)
        return {"lane": self.lane, "start": round(self.start, 3), "end": round(self.end, 3)} | {
            "label": self.label,
            "score": score,
            **({} if self.box is None else {"box": [round(side, 1) for side in self.box]}),
        }


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """The picture that stands for a shot: its time, and a JPEG of it."""

    shot: int
    time: float
    jpeg: bytes = field(repr=False)


@dataclass(slots=True)
class Timeline:
    """One analysed film.

    `film`: facts of the file (seconds, frames per second, width, height, whether it has sound …). `entries`: spans of
    all lanes, in the order of their starts. `times` (steps,): seconds of the grid; `curves` {name: (steps,)}: novelty,
    importance, loudness …; `encodings` {view: (steps, width)} float32, with rows of NaN where the view is absent, and
    `fused`. `warnings`: what could not be read, by name.
    """

    file: str
    film: Mapping[str, Any]
    entries: list[Entry]
    key_frames: list[KeyFrame] = field(default_factory=list, repr=False)
    times: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)
    curves: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    encodings: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    warnings: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.file = readable(self.file)
        self.warnings = [readable(text) for text in self.warnings]

    @property
    def seconds(self) -> float:
        """Length of the film."""
        return float(self.film["seconds"])

    def lane(self, name: str) -> list[Entry]:
        """Entries of one lane, in order.

        >>> Timeline("a.mp4", {"seconds": 2.0}, [Entry("sound", 0.0, 1.0, "speech", 0.9)]).lane("sound")[0].label
        'speech'
        """
        return [entry for entry in self.entries if entry.lane == name]

    def plain(self) -> dict[str, Any]:
        """As JSON values: facts, entries by lane, curves on their grid; encodings and pictures are left out."""
        return {
            "file": self.file,
            "film": dict(self.film),
            "lanes": {name: [entry.plain() for entry in self.lane(name)] for name in LANES if self.lane(name)},
            "key_frames": [{"shot": one.shot, "time": round(one.time, 3)} for one in self.key_frames],
            "grid": {
                "times": np.round(self.times, 3).tolist(),
                **{name: _rounded(values) for name, values in self.curves.items()},
            },
            "settings": self.settings,
            "warnings": self.warnings,
        }

    def table(self) -> dict[str, list[Any]]:
        """Entries as columns: file, lane, start, end, label, score."""
        rows = [asdict(entry) for entry in self.entries]
        names = ("lane", "start", "end", "label", "score")
        return {"file": [self.file] * len(rows), **{name: [row[name] for row in rows] for name in names}}


def readable(text: str) -> str:
    r"""Text that can be written: names of files need not be text, and what is none in them becomes `?`.

    >>> readable("caf\udce9.mp4")
    'caf?.mp4'
    """
    return text.encode("utf-8", "replace").decode()


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Entries by start, then by lane, then by end."""
    return sorted(entries, key=lambda e: (e.start, LANES.index(e.lane), e.end))


def runs(labels: list[str | None], scores: np.ndarray, edges: np.ndarray, lane: str) -> list[Entry]:
    """Join steps that follow one another with the same label into entries; a step without a label ends a run.

    `edges` (steps + 1,): where steps begin and end, in seconds; a run's score is the mean of its steps' `scores`.

    >>> [(one.start, one.end, one.label) for one in runs(["a", "a", None], np.ones(3), np.arange(4.0), "sight")]
    [(0.0, 2.0, 'a')]
    """
    found: list[Entry] = []
    start = 0
    for step in range(1, len(labels) + 1):
        if step < len(labels) and labels[step] == labels[start]:
            continue
        label = labels[start]
        if label is not None:
            score = round(float(scores[start:step].mean()), 6)
            found.append(Entry(lane, float(edges[start]), float(edges[step]), label, score))
        start = step
    return found


def _rounded(values: np.ndarray) -> list[float | None]:
    return [None if not np.isfinite(value) else round(float(value), 4) for value in values]
