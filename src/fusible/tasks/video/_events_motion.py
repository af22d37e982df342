"""What moves in films of one scene, step by step: a window, steadied, in few components (`encoders._motion`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from fusible.data.film import FilmReader, Frame
from fusible.encoders._motion import busiest, components_of, cut, motion_energy, shifts, template_of
from fusible.encoders._settings import within
from fusible.errors import DataError
from fusible.tasks.video._events_tracks import Sources, Track, TrackEncoder, on_clock, spread_over

LOOKS, RUNS, RUN = 16, 6, 3.0
"""Films that are looked at, runs of frames that are taken of each, and their length in seconds."""
KEPT = 25
"""Frames of a run from which components are learned."""
LEVELS, SHARE = 6, 0.25
"""Where more than this share of a window's pixels change by more than so many grey levels at once, there is a cut.

Half of that share of whole frames, in which less moves. Measured on 60 clips of GRID: in a clip at most .16 of the
window in nine of ten, between clips at least .26."""
GREY = np.array([0.299, 0.587, 0.114], np.float32)


class MotionTrack(TrackEncoder):
    """What moves in the window in which training films change most, by its main directions (eigenlips, `_motion`).

    Each shot is shifted onto a template, its mean over three seconds taken away. For films by a fixed camera, such as a
    talker's face. `size`: the short side of a frame; `share`: the window's height as a share of it, its width a third
    more; `components`: columns. `place` is learned: top and left of the window.
    """

    kind: ClassVar[str] = "motion"
    view: ClassVar[str] = "video"

    def __init__(
        self,
        rate: float,
        size: int = 144,
        share: float = 0.33,
        components: int = 32,
        place: Sequence[int] = (0, 0),
    ) -> None:
        super().__init__(rate)
        within("motion track", 16, 1024, size=size)
        within("motion track", 0.05, 0.75, share=share)
        within("motion track", 1, 1024, components=components)
        within("motion track", 0, 100_000, top=place[0], left=place[1])
        self.size, self.share, self.components = size, share, components
        self.inner = (max(6, round(size * share)), max(8, round(size * share * 4 / 3)))
        self.margin = max(1, min(self.inner) // 6)
        self.outer = (self.inner[0] + 2 * self.margin, self.inner[1] + 2 * self.margin)
        self.place = (int(place[0]), int(place[1]))
        self.template = np.zeros(self.outer, np.float32)
        self.directions = np.zeros((components, self.inner[0] * self.inner[1]), np.float32)
        self.scale = np.ones(components, np.float32)

    @property
    def columns(self) -> int:
        """Columns of a track."""
        return self.components

    def fit(self, films: Sequence[Sources]) -> None:
        """Learn window, template and components; raises `DataError` where no film can be read."""
        runs, failure = [], None
        for film in spread_over([film for film in films if film.film is not None], LOOKS):
            try:
                runs += self._runs(film)
            except DataError as error:
                failure = error
        if not runs:
            raise failure or DataError("video: no training film has frames to learn from; give one that can be read")
        tall, broad = (min(run.shape[side] for run in runs) for side in (1, 2))
        self.place = busiest(np.sum([motion_energy(run[:, :tall, :broad]) for run in runs], axis=0), *self.outer)
        windows = [self._window(run) for run in runs]
        means = torch.from_numpy(np.stack([window.mean(axis=0, dtype=np.float32) for window in windows])) / 255
        self.template = template_of(means, self.margin).numpy()
        steady = [self._steady(window)[_few(len(window))] for window in windows]
        self.directions, spread = components_of(np.concatenate(steady), self.components)
        self.scale = np.sqrt(spread * spread.max()).astype(np.float32)

    def plain(self) -> Mapping[str, Any]:
        """Settings, and where the window is."""
        return {
            "rate": self.rate,
            "size": self.size,
            "share": self.share,
            "components": self.components,
            "place": list(self.place),
        }

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Template, directions and their scale."""
        return {"template": self.template, "directions": self.directions, "scale": self.scale}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back learned arrays."""
        self.template, self.directions, self.scale = (arrays[name] for name in ("template", "directions", "scale"))

    def watcher(self) -> Watcher:
        """What takes the frames of one film and gives its track."""
        return Watcher(self)

    # -- frames ---------------------------------------------------------------------------------------------------

    def grey(self, frame: Frame) -> np.ndarray:
        """A grey picture (height, width), uint8, large enough for the window."""
        picture = (frame.picture(self.size).astype(np.float32) @ GREY).round().astype(np.uint8)
        short = [max(0, side - have) for side, have in zip(self.outer, picture.shape, strict=True)]
        return np.pad(picture, [(0, lack) for lack in short], mode="edge") if any(short) else picture

    def levels(self, frames: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """Components (frames, components) of windows (frames, height, width); the mean is that of `context`."""
        steady = self._steady(frames, context)
        return np.asarray(steady @ self.directions.T / self.scale, np.float32)

    def window(self, grey: np.ndarray) -> np.ndarray:
        """The window of a grey picture."""
        top, left = (
            min(place, have - side) for place, have, side in zip(self.place, grey.shape[-2:], self.outer, strict=True)
        )
        return grey[..., top : top + self.outer[0], left : left + self.outer[1]]

    def _window(self, run: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.window(run))

    def _steady(self, frames: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        mean = torch.from_numpy((frames if context is None else context).mean(axis=0, dtype=np.float32))[None] / 255
        moved = shifts(mean, torch.from_numpy(self.template), self.margin)
        rest = cut(mean.unsqueeze(1), moved, self.margin)[0]
        pixels = cut(torch.from_numpy(frames)[None], moved, self.margin)[0].float() / 255
        return np.asarray((pixels - rest).flatten(1).numpy())

    def _runs(self, film: Sources) -> list[np.ndarray]:
        """Evenly spaced runs of grey frames of a film, each within a shot."""
        assert film.film is not None
        reader = FilmReader(film.film)
        every = max(RUN, reader.film.duration / RUNS)
        runs: dict[int, list[np.ndarray]] = {}
        for part in reader:
            if isinstance(part, Frame) and part.time % every < RUN and part.time // every < RUNS:
                runs.setdefault(int(part.time // every), []).append(self.grey(part))
        shots = [max(_shots(np.stack(run), SHARE / 2), key=len) for run in runs.values()]
        return [shot for shot in shots if len(shot) > 1] or shots


class Watcher:
    """Takes the frames of one film, and gives their components; holds three seconds of windows at a time."""

    def __init__(self, encoder: MotionTrack) -> None:
        self.encoder = encoder
        self._blocks: list[tuple[list[float], np.ndarray]] = []
        self._times: list[float] = []
        self._frames: list[np.ndarray] = []
        self._known: list[np.ndarray] = []
        self._at: list[float] = []

    def take(self, frame: Frame) -> None:
        """A frame, in order of time."""
        if self._times and frame.time - self._times[0] >= RUN / 3:
            self._close()
        self._times.append((frame.time + frame.until) / 2)
        self._frames.append(self.encoder.window(self.encoder.grey(frame)))

    def track(self, steps: int) -> Track:
        """The track of what was seen."""
        if self._times:
            self._close()
        if self._blocks:
            self._encode(len(self._blocks) - 1)
        known = np.concatenate(self._known) if self._known else np.zeros((0, self.encoder.components), np.float32)
        rate = self.encoder.rate
        gaps = np.diff(self._at)
        reach = max(0.5 / rate, 0.75 * float(np.median(gaps))) if len(gaps) else 0.5 / rate
        return on_clock(np.array(self._at), known, rate, steps, reach=max(reach, 0.1))

    def _close(self) -> None:
        """End a block of a second; the one before it now has all its context."""
        self._blocks.append((self._times, np.stack(self._frames)))
        self._times, self._frames = [], []
        if len(self._blocks) > 1:
            self._encode(len(self._blocks) - 2)
        self._blocks = self._blocks[-2:]

    def _encode(self, place: int) -> None:
        """Components of one block, each shot of it against its mean over the blocks beside it."""
        near = self._blocks[max(0, place - 1) : place + 2]
        before = len(near[0][1]) if place else 0
        own = range(before, before + len(self._blocks[place][1]))
        frames = np.concatenate([block for _, block in near])
        at = 0
        for shot in _shots(frames):
            chosen = [i for i in range(at, at + len(shot)) if i in own]
            if chosen:
                self._known.append(self.encoder.levels(frames[chosen], shot))
            at += len(shot)
        self._at += self._blocks[place][0]


def _shots(frames: np.ndarray, share: float = SHARE) -> list[np.ndarray]:
    """Frames cut where more than a share of the pixels change at once."""
    change = np.abs(np.diff(frames.astype(np.int16), axis=0)) > LEVELS
    return list(np.split(frames, np.flatnonzero(change.mean(axis=(1, 2)) > share) + 1))


def _few(number: int) -> np.ndarray:
    """Evenly spaced places, at most `KEPT`."""
    return np.unique(np.linspace(0, number - 1, KEPT).astype(int))
