"""Trained models at work on a film that is watched: events in it, and tags of its shots.

An event model (`fit_events`) takes frames and sound as they are read, in the same pass as all else. A model of clips
(`fusible.fit` on a table of videos) looks at files: each shot is written as one, see `ShotTagger`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fusible.data.transcript import Transcript
from fusible.errors import ConfigError, DataError
from fusible.tasks.folder import load, opened
from fusible.tasks.model import Model
from fusible.tasks.video._events_pack import KEY
from fusible.tasks.video._events_read import FilmTaker, tracks_of
from fusible.tasks.video._events_tracks import Cue, Sources
from fusible.tasks.video.clips import ShotTagger
from fusible.tasks.video.events_model import EventModel, load_events
from fusible.tasks.video.timeline import EVENT, Entry
from fusible.tasks.video.watching import RATE, Taker, Watched
from fusible.types import Media

TOLD = frozenset({"no sound", "no video"})
"""Problems that the film's own warnings name."""
Recognised = tuple[list[Entry], list[str]]
"""Entries of a timeline, and warnings."""


class Recogniser(Protocol):
    """A trained model that adds entries to a film's timeline."""

    def taker(self) -> Taker | None:
        """What takes the film's frames and sound as it is read; None where nothing has to be taken."""

    def entries(self, taker: Taker | None, media: Media, watched: Watched, said: Transcript | None) -> Recognised:
        """What it finds in the film that was watched."""


def recogniser(model: EventModel | Model | str | Path, *, confidence: float | None = None) -> Recogniser:
    """Make a model, or the folder of one, ready for films.

    `confidence` is the least of events that are told (default: the model's own). Raises `ModelFormatError` for a folder
    that holds no model, `ConfigError` for a model that is not of events, nor of classes of videos.
    """
    if confidence is not None and not 0.0 <= confidence <= 1.0:
        raise ConfigError(f"video: expected a confidence from 0 to 1, got {confidence:g}")
    if isinstance(model, str | Path):
        model = _loaded(Path(model))
    return Finding(model, confidence) if isinstance(model, EventModel) else ShotTagger(model)


def _loaded(place: Path) -> EventModel | Model:
    if not (place / "config.yaml").exists() and (place / "model").is_dir():
        place = place / "model"
    with opened(place) as (config, _):
        events = KEY in config
    return load_events(place) if events else load(place)


@dataclass(slots=True)
class Finding:
    """Events that a model finds, as entries of the lane `event`, surer than `least` (default: the model's own).

    A film is read a second time where the model listens at another rate than `RATE`: those of `fit_events` never do.
    """

    model: EventModel
    least: float | None = None

    def taker(self) -> FilmTaker | None:
        """What takes the frames and the sound of one film."""
        taker = self.model.taker()
        return taker if taker.hz in {None, RATE} else None

    def entries(self, taker: Taker | None, media: Media, watched: Watched, said: Transcript | None) -> Recognised:
        """Events of the film, and what could not be looked at."""
        name = Path(str(media.path)).name
        cues: list[Cue] | None = None if said is None else [(cue.start, cue.end, cue.text) for cue in said.cues]
        try:
            if isinstance(taker, FilmTaker):
                end = (watched.seconds if taker.pictures else taker.heard) or watched.seconds
                tracks = taker.finish(name, end, cues)
            else:
                tracks = tracks_of(Sources(name, media, None, cues), self.model.taker().encoders)
            floor = self.model.confidence if self.least is None else self.least
            frame = self.model.events(tracks, floor=floor)
        except DataError as error:
            return [], [f"no events: {error}"]
        columns = (frame[column].tolist() for column in ("start", "end", "label", "confidence"))
        found = [Entry(EVENT, start, end, label, score) for start, end, label, score in zip(*columns, strict=True)]
        return found, [problem.message for problem in tracks.problems if problem.kind not in TOLD]
