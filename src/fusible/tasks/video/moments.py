"""Films as a table of moments: a row per span with its key frame, its sound and what is said in it, for search."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fusible.data.transcript import Transcript, read_transcript
from fusible.errors import ConfigError, DataError, FusibleError
from fusible.tasks._moment import Moment
from fusible.tasks.folder import replace
from fusible.tasks.source import Progress
from fusible.tasks.video._moment_spans import Cutter, Span
from fusible.tasks.video._tape import Tape
from fusible.tasks.video.batch import folders
from fusible.tasks.video.watching import RATE, SIDE, Watched, watch
from fusible.types import Media

TABLE, PICTURES, SOUNDS = "moments.parquet", "pictures", "sounds"
HELD = frozenset({TABLE, PICTURES, SOUNDS})
"""All that a folder of moments holds."""
TALL = 2 * SIDE
"""Height in pixels of key frames, at most; their short side is `SIDE` at most, as encoders take them."""


@dataclass(slots=True)
class Moments:
    """What was cut: the `table` that was written, rows of each film, warnings of each, and films that failed, why."""

    table: str
    rows: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def cut_films(
    files: Sequence[str | Path],
    output: str | Path,
    *,
    every: float | None = None,
    spans: Any = None,
    transcripts: Mapping[str, str | Path | Transcript] | None = None,
    progress: Progress | None = None,
) -> Moments:
    """Cut films into moments, and write a table of them that `fusible align` and `fusible index` take.

    `output` holds `moments.parquet` and, beside it, key frames (JPEG) and sounds (FLAC, 16 kHz). A row has the `id` of
    the moment, which is the film's path, seen from the folder, with a media fragment (`../talk.mp4#t=12,15.5`); the
    film's name as its `group`, so that moments of one film stay in one part of a split; `start` and `end` in seconds;
    `picture` and `sound`, paths; `words`, what is said in it; and `label`, where a table of spans gives some. What a
    moment lacks is null: no picture falls into it, no sound, or only digital silence, nothing said.

    Parameters
    ----------
    files : sequence of path
        Films, or sounds.
    output : path
        Folder to write, whole or not at all; an earlier one is replaced.
    every : float, optional
        Cut films every so many seconds, 0.1 to 3600 (default: at their shots).
    spans : path or pandas.DataFrame, optional
        A table of spans instead: file, start, end, and label if there is one.
    transcripts : mapping, optional
        `{file: its transcript}`: SRT, WebVTT or a table of words.
    progress
        As in `fusible.compare`.

    Each film is decoded once, in constant memory. One that cannot be read is among `failures`, and the others go on.
    Raises `FusibleError`, one line, before any film is read, for settings, a table or an output that cannot be used.
    """
    place, cutter = Path(output), Cutter(every, spans)
    _check(files, place)
    found = Moments(str(place / TABLE))
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        beside.chmod(0o755)
        (beside / PICTURES).mkdir()
        (beside / SOUNDS).mkdir()
        rows: list[dict[str, Any]] = []
        for file, folder in zip(map(Path, files), folders(files, place), strict=True):
            try:
                said = _said((transcripts or {}).get(str(file)))
                watched = _watch(file, cutter, progress)
                cuts, left_out = cutter.spans(file, watched)
            except FusibleError as error:
                found.failures[str(file)] = str(error)
                continue
            own = _rows(watched, cuts, said, folder.name, beside)
            address = _seen_from(file, place)
            rows += [{"id": Moment(address, row["start"], row["end"]).address(), **row} for row in own]
            found.rows[str(file)] = len(own)
            if told := [problem.message for problem in watched.problems] + left_out:
                found.warnings[str(file)] = told
        if rows:
            _write(rows, beside / TABLE)
            replace(beside, place)
        return found
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _check(files: Sequence[str | Path], place: Path) -> None:
    if not files:
        raise ConfigError("moments: expected a film to cut, got none")
    if place.exists() and (not place.is_dir() or {path.name for path in place.iterdir()} - HELD):
        raise ConfigError(f"{place}: expected a new folder or that of earlier moments; choose another output")
    if len({os.path.abspath(file) for file in files}) < len(files):  # noqa: PTH100
        raise ConfigError("moments: a film is named twice; name it once")


def _said(transcript: str | Path | Transcript | None) -> Transcript | None:
    return transcript if isinstance(transcript, Transcript) or transcript is None else read_transcript(transcript)


def _watch(file: Path, cutter: Cutter, progress: Progress | None) -> Watched:
    media, tape = Media("file", -1, path=str(file)), Tape(RATE)
    watched = watch(media, None, step=cutter.step(file), tall=TALL, listeners=(tape,), progress=progress)
    if not watched.seconds > 0:
        raise DataError(f"{file}: lasts 0 seconds, expected a film with moments; replace it")
    return watched


def _rows(
    watched: Watched, spans: Sequence[Span], said: Transcript | None, name: str, folder: Path
) -> list[dict[str, Any]]:
    """Rows of one film; its key frames and sounds are written into `folder`."""
    starts, ends = (np.array([span[side] for span in spans]) for side in (0, 1))
    texts = [""] * len(spans) if said is None else said.on(starts, ends)
    rows = []
    for number, ((start, end, label), text) in enumerate(zip(spans, texts, strict=True), 1):
        stem = f"{name}-{number:05d}"
        rows.append(
            {
                "group": name,
                "start": round(start, 3),
                "end": round(end, 3),
                "picture": _picture(watched, start, end, folder, f"{PICTURES}/{stem}.jpg"),
                "sound": _sound(watched.heard[0], start, end, folder, f"{SOUNDS}/{stem}.flac"),
                "words": text or None,
                "label": label or None,
            }
        )
    return rows


def _picture(watched: Watched, start: float, end: float, folder: Path, path: str) -> str | None:
    """Write the picture nearest to the middle of a span; none where no picture of the grid falls into it."""
    inside = np.flatnonzero((watched.times >= start) & (watched.times < end))
    if not len(inside):
        return None
    nearest = inside[np.abs(watched.times[inside] - (start + end) / 2).argmin()]
    (folder / path).write_bytes(watched.pictures.jpeg(int(nearest)))
    return path


def _sound(tape: Tape, start: float, end: float, folder: Path, path: str) -> str | None:
    """Write the sound of a span; none where there is no sample, or nothing but zeros."""
    import soundfile

    samples = tape.between(start, end)
    if not samples.any():
        return None
    soundfile.write(folder / path, samples, tape.rate, format="FLAC", subtype="PCM_16")
    return path


def _seen_from(file: Path, place: Path) -> str:
    """Path of a film as seen from the folder of the table."""
    try:
        return os.path.relpath(file, place).replace(os.sep, "/")
    except ValueError:  # on another drive
        return str(file.absolute())


def _write(rows: Sequence[Mapping[str, Any]], place: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [(name, pa.string()) for name in ("picture", "sound", "words")]
    schema = pa.schema(
        [("id", pa.string()), ("group", pa.string()), ("start", pa.float64()), ("end", pa.float64()), *texts]
    )
    if any(row["label"] for row in rows):
        schema = schema.append(pa.field("label", pa.string()))
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), place)
