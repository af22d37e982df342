"""Event models: a fitted finder with the encoders it needs, ready to find events in films, and to be saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusible.errors import ConfigError, DataError, ModelFormatError
from fusible.tasks import pack
from fusible.tasks.folder import FORMAT, check_model, opened, store
from fusible.tasks.source import Progress, stage
from fusible.tasks.video._events_members import Finder, find
from fusible.tasks.video._events_pack import KEY, pack_finder, unpack_finder
from fusible.tasks.video._events_read import FilmTaker, tracks_of
from fusible.tasks.video._events_tracks import Cue, Sources, TrackEncoder, Tracks
from fusible.types import Media, Problem

FLOOR = 0.05
COLUMNS = ("file", "start", "end", "label", "confidence")


@dataclass(slots=True)
class EventModel:
    """Finds events in films; by `fit_events`, or from a folder by `load_events`.

    `classes` are the labels it knows. `problems` names what the last call could not read. `card` is the README of its
    folder, where there is more to say than the model itself knows.
    """

    finder: Finder
    encoders: dict[str, TrackEncoder]
    classes: tuple[str, ...]
    info: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    card: str = ""

    @property
    def views(self) -> tuple[str, ...]:
        """What it looks at: some of `sound`, `video` and `text`."""
        return self.finder.views

    @property
    def rate(self) -> float:
        """Steps a second of its clock."""
        return next(iter(self.encoders.values())).rate

    @property
    def confidence(self) -> float:
        """Confidence from which on events are told: F1 of validation films is best; of an older folder .5."""
        known = self.info.get("confidence")
        return float(known) if isinstance(known, int | float) and 0 <= known <= 1 else 0.5

    def predict(
        self,
        films: Sequence[str | Path],
        *,
        sounds: Mapping[str, str | Path] | None = None,
        cues: Mapping[str, Sequence[Cue]] | None = None,
        floor: float = FLOOR,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """Events of films, one a row: `file`, `start` and `end` in seconds, `label`, `confidence`.

        Of each film the surest come first. `sounds` {film: file} where sound is not the film's own, `cues` {film:
        transcript}. Films that cannot be read are passed over and named in `problems`. Events of a smaller confidence
        than `floor` are left out.
        """
        if isinstance(films, str | Path):
            raise ConfigError("films: expected a list of paths, got one path; put it in a list")
        self.problems, tables = [], []
        with stage(progress, "find events", len(films)) as bar:
            for number, film in enumerate(map(str, films)):
                sound = (sounds or {}).get(film)
                sources = Sources(
                    film,
                    Media("film", number, path=film),
                    None if sound is None else Media("sound", number, path=str(sound)),
                    (cues or {}).get(film),
                )
                try:
                    tables.append(self.events(tracks_of(sources, self._used()), floor=floor))
                except DataError as error:
                    self.problems.append(Problem("unreadable", "film", f"passed over: {error}", (number,), 1))
                bar.advance()
        if not tables:
            return pd.DataFrame(
                {name: pd.Series(dtype=object if name in {"file", "label"} else float) for name in COLUMNS}
            )
        return pd.concat(tables, ignore_index=True)

    def taker(self) -> FilmTaker:
        """What takes frames and sound of a film from whoever reads it anyway; `events` then takes what it gives."""
        return FilmTaker(self._used())

    def events(self, tracks: Tracks, *, floor: float = FLOOR) -> pd.DataFrame:
        """Events of a film that was read, as `predict` gives them."""
        found = find(self.finder, tracks, floor=floor)
        self.problems += tracks.problems
        names = np.asarray(self.classes, object)[found.labels]
        cells = (tracks.name, found.spans[:, 0], found.spans[:, 1], names, found.scores)
        frame = pd.DataFrame(dict(zip(COLUMNS[1:], cells[1:], strict=True)))
        frame.insert(0, "file", tracks.name)
        return frame

    def save(self, folder: str | Path) -> Path:
        """Write the model's folder of plain files, whole or not at all."""
        place, packer = check_model(Path(folder)), pack.Packer()
        config = {
            "format": FORMAT,
            KEY: {"classes": list(self.classes), **pack_finder(packer, self.finder, self._used())},
            "encoders": {},
            "info": self.info,
        }
        return store(place, config, packer.packed, self.card or _card(self))

    def _used(self) -> dict[str, TrackEncoder]:
        return {view: self.encoders[view] for view in self.encoders if view in self.views}


def load_events(folder: str | Path) -> EventModel:
    """Load an event model's folder; safe as loading a model folder is.

    Raises `ModelFormatError` naming the file, what was expected and what was found.
    """
    place = Path(folder)
    if not (place / "config.yaml").exists() and (place / "model").is_dir():
        place = place / "model"
    with opened(place) as (config, parts):
        plain = config.get(KEY)
        if not isinstance(plain, Mapping):
            raise ModelFormatError(f"{place}: holds no event model; make one with `fusible video fit`")
        classes = tuple(str(name) for name in plain["classes"])
        finder, encoders = unpack_finder(parts, plain, len(classes))
        return EventModel(finder, encoders, classes, dict(config["info"]))


def _card(model: EventModel) -> str:
    score, shown = model.info.get("score"), ", ".join(model.classes[:12])
    said = f"\nmAP@.5 on test films: {score:.4g}\n" if isinstance(score, float) else ""
    more = " …" if len(model.classes) > 12 else ""
    views = ", ".join(model.views)
    return f"# Fusible event model: {model.finder.name}\n\nLooks at: {views}\n\nFinds: {shown}{more}\n{said}"
