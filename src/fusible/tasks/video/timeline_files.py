"""Files of timelines: JSON, Parquet, WebVTT; and one table of moments that `fusible index` takes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from fusible.tasks.video.timeline import SHOT, SOUND, WORDS, Entry, Timeline


def write_json(timeline: Timeline, place: Path) -> None:
    """Write `timeline.json`, whole or not at all."""
    text = json.dumps(timeline.plain(), ensure_ascii=False, allow_nan=False)
    whole(place, lambda beside: beside.write_text(text + "\n", encoding="utf-8"))


def write_parquet(timeline: Timeline, place: Path) -> None:
    """Write the entries of all lanes as a table: file, lane, start, end, label, score."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("file", pa.string()),
            ("lane", pa.string()),
            ("start", pa.float64()),
            ("end", pa.float64()),
            ("label", pa.string()),
            ("score", pa.float64()),
        ]
    )
    table = pa.table(timeline.table(), schema=schema)
    whole(place, lambda beside: pq.write_table(table, beside))


def write_vtt(timeline: Timeline, place: Path) -> None:
    """Write a WebVTT file: one cue per shot with its tags, what is heard and what is said in it.

    Where no shot is, as in a sound without pictures, there is a cue per stretch of one sound. As a metadata or chapters
    track it opens in browsers and players.
    """
    whole(place, lambda beside: beside.write_text(vtt(timeline), encoding="utf-8"))


def vtt(timeline: Timeline) -> str:
    """The text of the WebVTT file.

    >>> print(vtt(Timeline("a.mp4", {"seconds": 2.0}, [Entry("shot", 0.0, 2.0, "shot 1")])))
    WEBVTT
    <BLANKLINE>
    1
    00:00:00.000 --> 00:00:02.000
    shot 1
    <BLANKLINE>
    """
    lines = ["WEBVTT", ""]
    others = [entry for entry in timeline.entries if entry.lane != SHOT]
    coming, here = iter([*others, None]), list[Entry]()
    following = next(coming)
    for number, part in enumerate(_parts(timeline.lane(SHOT), others), 1):
        here = [entry for entry in here if entry.end > part.start]
        while following is not None and following.start < part.end:
            here.append(following)
            following = next(coming)
        lines += [str(number), f"{clock(part.start)} --> {clock(part.end)}", part.label]
        lines += [_escaped(text) for text in _within(part, here)] + [""]
    return "\n".join(lines)


def _parts(shots: Sequence[Entry], others: Sequence[Entry]) -> list[Entry]:
    """What a cue is written for: shots, and where there is none, as in sounds alone, stretches of one sound."""
    picture = shots[-1].end if shots else 0.0
    late = [entry for entry in others if entry.end > picture]
    edges = {max(picture, time) for entry in late if entry.lane == SOUND for time in (entry.start, entry.end)}
    whole = sorted({picture, max((entry.end for entry in late), default=picture)} | edges)
    label = "after the picture" if shots else "sound"
    return [*shots, *(Entry(SHOT, start, end, label) for start, end in pairwise(whole))]


def clock(seconds: float) -> str:
    """Hours, minutes, seconds and milliseconds, as WebVTT has them.

    >>> clock(3661.5)
    '01:01:01.500'
    """
    thousandths = max(0, round(seconds * 1000))
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _within(shot: Entry, others: Sequence[Entry]) -> list[str]:
    """A line per lane: its labels in the shot, each once, in order; words as they are said."""
    found: dict[str, list[str]] = {}
    for entry in others:
        if entry.start < shot.end and entry.end > shot.start:
            said = found.setdefault(entry.lane, [])
            if entry.lane == WORDS or entry.label not in said:
                said.append(entry.label)
    return [f"{lane}: {(' ' if lane == WORDS else ', ').join(labels)}" for lane, labels in found.items()]


def _escaped(text: str) -> str:
    """Text that cannot be taken for markup, an arrow or an empty line."""
    plain = " ".join(text.split())
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def whole(place: Path, write: Callable[[Path], Any]) -> None:
    """Write beside the place, then rename: a reader sees the old file or the new one, never half of it."""
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        write(beside)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
