"""Reading films once into tracks on the clock of an event model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fusible.data.film import FilmReader, Frame, SoundBlock
from fusible.errors import DataError, FusibleError, ModelFormatError
from fusible.tasks.video._events_motion import MotionTrack
from fusible.tasks.video._events_pictures import PictureTrack
from fusible.tasks.video._events_sound import SoundTrack
from fusible.tasks.video._events_tracks import Cue, Sources, TrackEncoder, Tracks
from fusible.tasks.video._events_words import WordTrack
from fusible.types import Media, Problem

KINDS: dict[str, Callable[..., TrackEncoder]] = {
    part.kind: part for part in (SoundTrack, MotionTrack, PictureTrack, WordTrack)
}
"""Encoders of tracks by name."""
LONGEST = 12 * 3600.0
"""Longest film in seconds."""


class FilmTaker:
    """Takes the frames and the sound of one film as a `FilmReader` gives them, and gives its tracks.

    So that whoever reads a film anyway need not read it again. The reader's rate must be `hz`, None where no sound is
    wanted; `pictures` says whether frames are.
    """

    def __init__(self, encoders: Mapping[str, TrackEncoder]) -> None:
        self.encoders = dict(encoders)
        sound, video = self.encoders.get("sound"), self.encoders.get("video")
        self._listener = sound.listener() if isinstance(sound, SoundTrack) else None
        self._watcher = video.watcher() if isinstance(video, MotionTrack | PictureTrack) else None
        self._heard = 0.0

    @property
    def hz(self) -> int | None:
        """Samples a second that it listens to."""
        return None if self._listener is None else self._listener.encoder.hz

    @property
    def pictures(self) -> bool:
        """Whether it looks at frames."""
        return self._watcher is not None

    @property
    def heard(self) -> float:
        """Seconds up to which sound was taken."""
        return self._heard

    def take(self, part: Frame | SoundBlock) -> None:
        """A frame or a piece of sound, each in order of time."""
        if isinstance(part, SoundBlock):
            if self._listener is not None:
                self._listener.take(part.time, part.samples)
                self._heard = part.time + len(part.samples) / self._listener.encoder.hz
        elif self._watcher is not None:
            self._watcher.take(part)

    def finish(self, name: str, end: float, cues: Sequence[Cue] | None = None) -> Tracks:
        """Tracks of the film, which ends at `end` seconds."""
        if not 0.0 < end <= LONGEST:
            raise DataError(
                f"{name}: a film of {end:.2f} seconds, expected more than 0 and at most {LONGEST:.0f}; leave it out"
            )
        steps = max(1, round(end * next(iter(self.encoders.values())).rate))
        views, problems = {}, []
        for view, encoder in self.encoders.items():
            if view == "sound" and self._listener is not None:
                views[view] = self._listener.track().cut(steps)
            elif view == "video" and self._watcher is not None:
                views[view] = self._watcher.track(steps)
            elif isinstance(encoder, WordTrack) and cues:
                views[view] = encoder.track(cues, steps)
            else:
                views[view] = encoder.absent(steps)
            if not views[view].present.any():
                problems.append(Problem(f"no {view}", view, f"{name}: no {view}; it counts as absent"))
        return Tracks(name, end, views, problems)


def tracks_of(sources: Sources, encoders: Mapping[str, TrackEncoder]) -> Tracks:
    """All views of a film on the clock of `encoders` {view: encoder}; a view that is not there is absent throughout.

    What can be passed over stands in `problems`; raises `DataError` where no view can be read.
    """
    taker, problems, end = FilmTaker(encoders), list[Problem](), 0.0
    apart = sources.sound is not None and sources.sound != sources.film
    if sources.film is not None:
        end = _read(sources.film, taker, problems, sound=not apart, pictures=True)
    if apart and sources.sound is not None and taker.hz is not None:
        try:
            end = max(end, _read(sources.sound, taker, problems, sound=True, pictures=False))
        except DataError as error:
            problems.append(Problem("unreadable", "sound", f"{sources.name}: taken for silent: {error}"))
    if sources.cues and sources.film is None:
        end = max(end, *(stop for _, stop, _ in sources.cues))
    tracks = taker.finish(sources.name, end, sources.cues)
    tracks.problems[:0] = problems
    return tracks


def _read(media: Media, taker: FilmTaker, problems: list[Problem], *, sound: bool, pictures: bool) -> float:
    """Read one file once; its end in seconds."""
    reader = FilmReader(media, rate=taker.hz if sound else None, pictures=pictures and taker.pictures)
    for part in reader:
        taker.take(part)
    problems += [one for one in reader.problems if one.kind in {"truncated", "damaged"}]
    ends = [reader.end, taker.heard if sound else 0.0, 0.0]
    return ends[0] if ends[0] > 0 else max(ends) or reader.film.duration


def build_encoder(kind: Any, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TrackEncoder:
    """An encoder of a saved model, by its name, plain settings and arrays."""
    if kind not in KINDS:
        raise ModelFormatError(f"config.yaml: track encoder {kind!r} is unknown; expected one of {', '.join(KINDS)}")
    try:
        encoder = KINDS[kind](**settings)
    except (TypeError, FusibleError) as error:
        raise ModelFormatError(f"config.yaml: track encoder {kind!r}: {error}") from None
    for name, array in encoder.arrays().items():
        if name not in arrays or arrays[name].shape != array.shape:
            got = arrays[name].shape if name in arrays else "nothing"
            raise ModelFormatError(f"weights.safetensors: {kind}.{name}: expected shape {array.shape}, got {got}")
    encoder.restore(arrays)
    return encoder


def fit_encoders(films: Sequence[Sources], rate: float, kinds: Mapping[str, str]) -> dict[str, TrackEncoder]:
    """Encoders {view: encoder} of these kinds, fitted on training films without labels."""
    found = {view: KINDS[kind](rate) for view, kind in kinds.items()}
    for encoder in found.values():
        encoder.fit(films)
    return found
