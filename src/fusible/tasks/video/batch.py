"""Many films: each analysed and written on its own; a bad one is named, and the rest goes on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fusible.errors import ConfigError, FusibleError
from fusible.tasks.folder import replace
from fusible.tasks.source import Progress
from fusible.tasks.video.analysis import Analysis, Analyst
from fusible.tasks.video.timeline import Timeline
from fusible.tasks.video.timeline_files import write_json, write_parquet, write_vtt

LONGEST = 180
"""Bytes of a film's name that name its folder: file systems take 255, and a number and an ending may follow."""
HELD = frozenset({"timeline.json", "timeline.parquet", "timeline.vtt", "timeline.html"})
"""All that the folder of a film holds."""
Page = Callable[[Analysis, Path, Path], Any]
"""Writes a page of an analysis, of the film at a path, to a path."""


@dataclass(slots=True)
class Analyzed:
    """Timelines by the folder that holds each, and files that could not be analysed, with the reason."""

    timelines: dict[str, Timeline] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        films = {folder: timeline.plain() for folder, timeline in self.timelines.items()}
        return {"films": films, "failures": self.failures}


def analyze_films(
    files: Sequence[str | Path],
    output: str | Path,
    *,
    transcripts: Mapping[str, str | Path] | None = None,
    page: Page | None = None,
    progress: Progress | None = None,
    **given: Any,
) -> Analyzed:
    """Analyse films, and write a folder for each within `output`: `timeline.json`, `.parquet`, `.vtt`, and a page.

    `transcripts` {file: its transcript}; the rest as in `analyze_film`. A folder is named as its file without ending;
    files of one name get numbers. A folder of an earlier analysis is replaced as a whole. A film that cannot be
    analysed is among `failures`, and the others go on.

    Raises `ConfigError`, before any work, for no files, settings that cannot be used, or an output that holds something
    else.
    """
    place = Path(output)
    if not files:
        raise ConfigError("video: expected a file to analyse, got none")
    if place.exists() and not place.is_dir():
        raise ConfigError(f"{place}: expected a folder to write timelines to, got a file; choose another output")
    places = folders(files, place)
    for folder in places:
        _check(folder)
    analyst, found = Analyst(**given), Analyzed()
    for file, folder in zip(files, places, strict=True):
        try:
            analysis = analyst.analyze(file, (transcripts or {}).get(str(file)), progress)
        except FusibleError as error:
            found.failures[str(file)] = str(error)
            continue
        try:
            _write(analysis, Path(file), folder, page)
        except OSError as error:
            found.failures[str(file)] = f"{folder}: cannot be written: {error.strerror}; make room, or choose another"
            continue
        found.timelines[str(folder)] = analysis.timeline
    return found


def folders(files: Sequence[str | Path], place: Path) -> list[Path]:
    """A folder within `place` for each file, by its name, of which `LONGEST` bytes; a number follows where it is taken.

    >>> [folder.name for folder in folders(["a/talk.mp4", "b/talk.mp4", "song.wav"], Path("out"))]
    ['talk', 'talk-2', 'song']
    """
    found: list[Path] = []
    for file in files:
        name, number = _short(Path(file).stem), 1
        while (chosen := place / (name if number == 1 else f"{name}-{number}")) in found:
            number += 1
        found.append(chosen)
    return found


def _short(name: str) -> str:
    """The first `LONGEST` bytes of a name, whole letters only."""
    raw = os.fsencode(name)
    if len(raw) <= LONGEST:
        return name
    return raw[:LONGEST].decode("utf-8", "ignore")


def _check(folder: Path) -> None:
    """Refuse a folder that holds something else than an earlier analysis."""
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - HELD):
        raise ConfigError(f"{folder}: expected a new folder or that of an earlier analysis; choose another output")


def _write(analysis: Analysis, file: Path, folder: Path, page: Page | None) -> None:
    """Write all files beside the folder, then rename."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        beside.chmod(0o755)
        write_json(analysis.timeline, beside / "timeline.json")
        write_parquet(analysis.timeline, beside / "timeline.parquet")
        write_vtt(analysis.timeline, beside / "timeline.vtt")
        if page is not None:
            page(analysis, file, beside / "timeline.html")
        replace(beside, folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
