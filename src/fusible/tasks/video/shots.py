"""Shots of a film: hard cuts, fades and dissolves, found in one pass and in constant memory.

Every frame is compared, as a small picture, with the 36 before it. A cut is where all frames on one side differ from
all on the other by more than moves around it, also with the camera's motion taken away: a flash passes, and motion goes
on. A gradual transition is where frames are mixtures of the pictures before and after, in even order, and lose the
energy that mixing takes away and motion leaves. The measures of both (`_measures`) are weighed by logistic regressions,
fitted on generated edits.

Compare Yuan et al., "A formal study of shot boundary detection" (IEEE Transactions on Circuits and Systems for Video
Technology 17, 2007), whose cut measures of graph partition these follow, and Lienhart, "Reliable dissolve detection"
(SPIE 4315, 2001), for the evidence of falling contrast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fusible.data.film import FilmReader, Frame
from fusible.errors import ArrayError
from fusible.evaluation.cuts import Transition
from fusible.tasks.video._measures import AROUND, LENGTHS, OUTSIDE, cut_measures, gradual_measures
from fusible.tasks.video._resolve import Candidate, resolve
from fusible.tasks.video._signature import Band, Signatures, missing
from fusible.tasks.video._weights import CUT, GRADUAL
from fusible.types import Media

BLOCK = 256
"""Frames that are judged together."""
AHEAD = max(LENGTHS) + OUTSIDE + 1
"""Frames that must be known after one that is judged."""
BEHIND = 2 * AROUND
"""Frames that are kept before one that is judged."""
QUIET = 10
"""Frames without a candidate, on either side, where one part of the film can be judged apart from the next."""
PATIENCE = 2_000
"""Frames after which a part is judged even if there is no quiet place."""
SMALLEST = np.log(1.5)
"""Log of the grey levels that a gradual transition must bridge."""


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames `first` to `last`, both included, and its span `start` to `end` in seconds.

    `begins` is "start" for the first shot, else the kind of transition; `confidence` is that of the transition. Shots
    part a film without gaps: a gradual transition is parted in its middle. `clear` are the first and last frame outside
    both transitions (the middle of the shot where there are none).
    """

    first: int
    last: int
    start: float
    end: float
    begins: str
    confidence: float
    clear: tuple[int, int]


class ShotDetector:
    """Takes small pictures frame by frame, and gives transitions once what follows them is known.

    >>> detector = ShotDetector()
    >>> night, day = np.zeros((36, 64, 3), np.uint8), np.full((36, 64, 3), 200, np.uint8)
    >>> found = [t for small in [night] * 30 + [day] * 30 for t in detector.add(small)] + detector.finish()
    >>> [(t.kind, t.first, t.last) for t in found]
    [('cut', 30, 30)]

    `add` takes uint8 RGB of always the same even size, as `Frame.small` has it. Transitions come in order of time, some
    hundred frames after they end; memory does not grow.
    """

    def __init__(self) -> None:
        self._signatures = Signatures()
        self._band = missing(0)
        self._offset = self._judged = self._resolved = 0
        self._candidates: list[Candidate] = []
        self._flat = np.zeros(0, np.bool_)

    def add(self, small: np.ndarray) -> list[Transition]:
        """Take the next frame; give the transitions that are now sure, mostly none."""
        if (
            small.dtype != np.uint8
            or small.ndim != 3
            or small.shape[2] != 3
            or small.shape[0] % 2
            or small.shape[1] % 2
        ):
            raise ArrayError(f"frame: expected uint8 (even height, even width, 3), got {small.dtype} {small.shape}")
        self._signatures.add(small)
        return self._advance(last=False) if self._signatures.waiting() >= BLOCK else []

    def finish(self) -> list[Transition]:
        """Give the rest, after the last frame."""
        return self._advance(last=True)

    def _advance(self, last: bool) -> list[Transition]:
        new = self._signatures.give()
        self._band, self._flat = self._band.joined(new), np.concatenate([self._flat, new.flat])
        known = self._offset + len(self._band)
        until = known if last else max(self._judged, known - AHEAD)
        if last:
            self._band = self._band.joined(missing(AHEAD))
        self._judge(until)
        surplus = max(0, until - BEHIND - self._offset)
        self._band, self._offset = self._band.tail(surplus), self._offset + surplus
        return self._resolve(until if last else self._quiet(until), last)

    def _judge(self, until: int) -> None:
        """Judge frames from the last judged one to `until`."""
        if until > self._judged:
            first, last = self._judged - self._offset, until - self._offset
            for c in candidates(self._band, first, last, CUT, GRADUAL):
                moved = replace(c, first=c.first + self._offset, last=c.last + self._offset)
                self._candidates.append(moved)
            self._judged = until

    def _quiet(self, until: int) -> int:
        """Give the last frame up to which the film can be judged apart from what follows."""
        busy = self._flat[: until - self._resolved].copy()
        for candidate in self._candidates:
            busy[max(0, candidate.first - QUIET - self._resolved) : candidate.last + 1 + QUIET - self._resolved] = True
        free = np.flatnonzero(~busy)
        if len(free):
            return self._resolved + int(free[-1])
        return until if until - self._resolved > PATIENCE else self._resolved

    def _resolve(self, until: int, last: bool) -> list[Transition]:
        """Give the transitions before frame `until`, and forget that part."""
        mine = [c for c in self._candidates if c.first < until or last]
        found = resolve(mine, self._flat if last else self._flat[: until - self._resolved], self._resolved, last)
        self._candidates = [] if last else [c for c in self._candidates if c.first >= until]
        self._flat, self._resolved = self._flat[until - self._resolved :], until
        return found


def candidates(band: Band, first: int, last: int, cut: np.ndarray, gradual: np.ndarray) -> list[Candidate]:
    """Judge cuts before, and gradual transitions after, frames [first, last) of a band, by the weights of each."""
    found = []
    begin = max(first, 1)
    odds = _weigh(cut_measures(band, begin, last), cut) if last > begin else np.zeros(0)
    for place in np.flatnonzero(odds >= 0):
        frame = begin + int(place)
        found.append(Candidate(float(odds[place]), "cut", frame, frame))
    for length in LENGTHS:
        measures = gradual_measures(band, first, last, length)
        odds = np.where(measures[:, 0] > SMALLEST, _weigh(measures, gradual), -np.inf)
        for place in np.flatnonzero(odds >= 0):
            frame = first + int(place)
            found.append(Candidate(float(odds[place]), "dissolve", frame + 1, frame + length - 1))
    return found


def find_transitions(frames: Iterator[Frame]) -> list[Transition]:
    """Give the transitions of a film's frames, in order of time."""
    detector = ShotDetector()
    found = [transition for frame in frames for transition in detector.add(frame.small)]
    return found + detector.finish()


def part(transitions: Sequence[Transition], times: Sequence[float], end: float) -> list[Shot]:
    """Part a film of frames shown at `times` (frames,), which ends at `end` seconds, into shots.

    >>> shots = part([Transition("cut", 2, 2), Transition("dissolve", 4, 7)], [i / 10 for i in range(10)], 1.0)
    >>> [(shot.first, shot.last, shot.begins, shot.clear) for shot in shots]
    [(0, 1, 'start', (0, 1)), (2, 5, 'cut', (2, 3)), (6, 9, 'dissolve', (8, 9))]
    """
    if not len(times):
        return []
    bounds = [(0, "start", 1.0, 0)]
    bounds += [((t.first + t.last + 1) // 2, t.kind, t.confidence, t.last + (t.kind != "cut")) for t in transitions]
    shots = []
    for place, (first, begins, confidence, clear) in enumerate(bounds):
        rest = place + 1 < len(bounds)
        last = (bounds[place + 1][0] if rest else len(times)) - 1
        clear_last = transitions[place].first - 1 if rest else last
        middle = (first + last) // 2
        inner = (clear, clear_last) if clear <= clear_last else (middle, middle)
        stop = float(times[last + 1]) if rest else end
        shots.append(Shot(first, last, float(times[first]), stop, begins, confidence, inner))
    return shots


def find_shots(media: Media) -> list[Shot]:
    """Part a file into shots; raises `DataError` where it cannot be read, see `FilmReader`."""
    reader = FilmReader(media)
    times: list[float] = []
    detector = ShotDetector()
    found: list[Transition] = []
    for frame in reader:
        if isinstance(frame, Frame):
            times.append(frame.time)
            found += detector.add(frame.small)
    return part(found + detector.finish(), times, reader.end)


def _weigh(measures: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Log odds; minus infinity where measures are missing."""
    odds: np.ndarray = measures @ weights[:-1] + weights[-1]
    return np.where(np.isfinite(odds), odds, -np.inf)
