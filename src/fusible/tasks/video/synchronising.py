"""Many films: by how much the sound of each is late; and learning that from films in which it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from fusible.data.kinds import resolve
from fusible.errors import ConfigError, FusibleError
from fusible.tasks.source import Progress, stage
from fusible.tasks.video._events_films import films_of
from fusible.tasks.video._lags import Offset
from fusible.tasks.video.synchrony import MOST, PairFiles, Synchroniser, motion_offset, read_stretches
from fusible.types import Media


@dataclass(slots=True)
class Synced:
    """Offsets by file, positive where sound is late, and files that could not be read, with the reason."""

    offsets: dict[str, Offset] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values: of each film `seconds`, `confidence`, and whether the offset is `known`."""
        films = {
            file: {"seconds": one.seconds, "confidence": one.confidence, "known": one.known}
            for file, one in self.offsets.items()
        }
        return {"films": films, "failures": self.failures}


def sync_films(
    files: Sequence[str | Path],
    *,
    model: Synchroniser | str | Path | None = None,
    most: float | None = None,
    progress: Progress | None = None,
) -> Synced:
    """Estimate by how many seconds the sound of each film is late, from up to ten stretches of 20 seconds.

    Parameters
    ----------
    files : sequence of path
        Films with picture and sound.
    model : Synchroniser or path, optional
        What `fit_sync` learned from films of the same kind; without it motion is compared with change of sound.
    most : float, optional
        Seconds by which sound is early or late at most (default: the model's, else 1).

    An offset that is more likely wrong than right is not `known`. A film that cannot be read is among the failures.
    Raises `ConfigError` for no files or a setting that cannot be used, `ModelFormatError` for what is no model.
    """
    if not files:
        raise ConfigError("sync: expected a film or more, got none")
    learned = Synchroniser.load(model) if isinstance(model, str | Path) else model
    most = most if most is not None else MOST if learned is None else learned.most
    Synchroniser(most=most)  # refuses, before any work, what cannot be used
    found = Synced()
    with stage(progress, "compare sound and picture", len(files)) as bar:
        for number, file in enumerate(map(str, files)):
            stretches = read_stretches(Media("file", number, path=file))
            try:
                found.offsets[file] = (
                    motion_offset(stretches, most=most) if learned is None else learned.offset(stretches, most=most)
                )
            except FusibleError as error:
                found.failures[file] = str(error)
            bar.advance()
    return found


def fit_sync(
    films: Any, *, file: str | None = None, most: float = MOST, output: str | Path | None = None
) -> Synchroniser:
    """Learn which sounds go with which motion, from films whose sound and picture run together; no labels are needed.

    Parameters
    ----------
    films : path, pandas.DataFrame or sequence of paths
        A folder of films, a table of them (`file` names the column), or a list. Clips of one scene, such as a talker,
        of which the first minute is looked at. Where there is a split, training films are learned from and validation
        films make the choices; else every fifth does.
    most : float
        Seconds by which sound is early or late at most.
    output : path, optional
        Folder to write the model to, which `sync_films(model=…)` and `load_sync` read.

    Raises `FusibleError`, one line, for films that cannot be learned from.
    """
    from fusible.tasks.folder import check_model

    place = None if output is None else check_model(Path(output))
    model = Synchroniser(most=most)
    told, root = films_of(films, pd.DataFrame(), None, {"file": file})
    media = [Media("file", row, path=str(resolve(name, root))) for row, name in enumerate(told["file"])]
    parts = told["split"].tolist() if "split" in told else None
    if parts is None:
        model.fit(PairFiles(media))
    else:
        train, valid = ([one for one, part in zip(media, parts, strict=True) if part == p] for p in ("train", "valid"))
        model.fit(PairFiles(train), PairFiles(valid) if valid else None)
    if place is not None:
        model.save(place)
    return model


def load_sync(folder: str | Path) -> Synchroniser:
    """Load the folder that `fit_sync` wrote; safe as loading a model folder is. Raises `ModelFormatError`."""
    return Synchroniser.load(folder)
