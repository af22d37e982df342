"""What a timeline's page says in words: a sentence on the film, its shots with pictures, and what was said."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from fusible.report import html
from fusible.report._timeline_lanes import LABELLED, covered, length, percent, tones
from fusible.tasks.video.storyboard import clock
from fusible.tasks.video.timeline import (
    EVENT,
    MOMENT,
    OBJECT,
    SHOT,
    SIGHT,
    SOUND,
    TAG,
    WORDS,
    Entry,
    KeyFrame,
    Timeline,
)

MOST_PICTURES = 200
"""Key frames that are shown: of more, evenly spaced ones."""
MOST_TAGS = 6
MOST_SAID = 240
MOST_LABELS = 8
MOST_WORDS = 4_000
PAUSE, LINE = 1.0, 24
"""Seconds of silence after which a line of the transcript ends, and words that it has at most."""
LEAST = 0.05
"""Share of the film from which on the sentence names what is seen."""
LONGEST = 40


def whole(seconds: float) -> str:
    """A time to the second.

    >>> whole(64.2), whole(3675.9)
    ('1:04', '1:01:15')
    """
    return clock(seconds).rpartition(".")[0]


def stretch(entry: Entry) -> str:
    """From when to when an entry is: to the second, or finer where both would read the same.

    >>> stretch(Entry("moment", 12.0, 20.4, "")), stretch(Entry("moment", 3.2, 3.6, ""))
    ('0:12 to 0:20', '0:03.2 to 0:03.6')
    """
    told = whole if whole(entry.start) != whole(entry.end) else clock
    return f"{told(entry.start)} to {told(entry.end)}"


def statement(timeline: Timeline) -> str:
    """The film in a sentence.

    >>> entries = [Entry("shot", 0, 64, "shot 1"), Entry("sound", 0, 16, "speech")]
    >>> statement(Timeline("a.mp4", {"seconds": 64.0}, entries))
    '1 shot in 1:04; speech in 25 %.'
    """
    shots, seconds = len(timeline.lane(SHOT)), length(timeline)
    without = "film" if has_picture(timeline.film) else "sound"
    parts = [f"{shots:,} shot{'s' * (shots != 1)} in {whole(seconds)}" if shots else f"{whole(seconds)} of {without}"]
    sounds = [(label, share) for label, share, _ in shares(timeline, SOUND) if share >= 0.005]
    heard = [f"{label} in {percent(share)}" for label, share in sounds if label != "silence" or len(sounds) == 1]
    parts += [", ".join(heard[:2]) if timeline.film.get("sound", True) else "no sound"]
    parts += [", ".join(label for label, share, _ in shares(timeline, SIGHT)[:3] if share >= LEAST)]
    for lane, name in ((TAG, "tags"), (EVENT, "events")):
        found = ", ".join(label for label, _, _ in shares(timeline, lane)[:3])
        parts += [f"{name}: {found}" if found else ""]
    best = max(timeline.lane(MOMENT), key=lambda e: e.score or 0.0, default=None)
    if best is not None:
        parts.append(f"most important: {stretch(best)}")
    return "; ".join(part for part in parts if part) + "."


def has_picture(film: Mapping[str, Any]) -> bool:
    """Whether a film has pictures, as far as its facts say."""
    return bool(film.get("picture", film.get("width", 1)))


def shares(timeline: Timeline, lane: str) -> list[tuple[str, float, Entry]]:
    """Labels of a lane, those that last longest first: label, share of the film, first entry. Silence comes last."""
    by_label: dict[str, list[Entry]] = {}
    for entry in timeline.lane(lane):
        by_label.setdefault(entry.label, []).append(entry)
    seconds = length(timeline) or 1.0
    found = [(_short(label), covered(entries) / seconds, entries[0]) for label, entries in by_label.items()]
    return sorted(found, key=lambda one: (one[0] == "silence", -one[1], one[0]))


def content(timeline: Timeline) -> list[dict[str, Any]]:
    """How much of the film each label of a lane that is `LABELLED` holds: title, lines, and how many more."""
    colours, found = tones(timeline), []
    for lane, title in LABELLED.items():
        lines = shares(timeline, lane)
        if lines:
            shown = [(label, share, first, colours.get(first.label, -1)) for label, share, first in lines[:MOST_LABELS]]
            found.append({"title": title, "lines": shown, "left": len(lines) - len(shown)})
    return found


def story(timeline: Timeline) -> list[dict[str, Any]]:
    """Cards of the storyboard: key frame, its shot, what is seen, heard and said in it, and whether it is a moment."""
    frames = sorted(timeline.key_frames, key=lambda one: one.time)
    if len(frames) > MOST_PICTURES:
        places = np.linspace(0, len(frames) - 1, MOST_PICTURES).round().astype(int)
        frames = [frames[place] for place in places]
    shots = timeline.lane(SHOT)
    starts = [shot.start for shot in shots]
    within = {lane: _Within(timeline.lane(lane)) for lane in (*LABELLED, WORDS, MOMENT)}
    colours, found = tones(timeline), []
    for frame in frames:
        place, shot = _shot(frame, shots, starts)
        tags = [label for lane in LABELLED for label in within[lane].longest(shot.start, shot.end)]
        objects = [one for one in within[OBJECT].among(shot.start, shot.end) if one.start == shot.start]
        said = " ".join(entry.label for entry in within[WORDS].among(shot.start, shot.end))
        found.append(
            {
                "number": place,
                "shot": shot,
                "time": frame.time,
                "picture": html._picture(boxed(frame.jpeg, objects, timeline.film)),
                "tags": [(_short(label), colours.get(label, -1)) for label in dict.fromkeys(tags)],
                "said": said if len(said) <= MOST_SAID else said[: MOST_SAID - 1] + "…",
                "moment": bool(within[MOMENT].among(shot.start, shot.end)),
            }
        )
    return found


def boxed(jpeg: bytes, objects: Sequence[Entry], film: Mapping[str, Any]) -> bytes:
    """A key frame with the boxes of objects drawn into it."""
    boxes = [one.box for one in objects if one.box is not None]
    if not boxes or not film.get("width") or not film.get("height"):
        return jpeg
    with Image.open(io.BytesIO(jpeg)) as image:
        wide, high = image.width / film["width"], image.height / film["height"]
        drawn, buffer = ImageDraw.Draw(image), io.BytesIO()
        for left, top, right, bottom in boxes:
            drawn.rectangle((left * wide, top * high, right * wide, bottom * high), outline=(255, 196, 0), width=2)
        image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def transcript(timeline: Timeline) -> list[list[Entry]]:
    """What is said, in lines of words: each ends at a pause, or when it is long."""
    lines: list[list[Entry]] = []
    for entry in timeline.lane(WORDS)[:MOST_WORDS]:
        if not lines or len(lines[-1]) >= LINE or entry.start - lines[-1][-1].end > PAUSE:
            lines.append([])
        lines[-1].append(entry)
    return lines


class _Within:
    """Entries of a lane, asked for by time."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._starts = np.array([entry.start for entry in entries])
        self._ends = np.array([entry.end for entry in entries])

    def among(self, start: float, end: float) -> list[Entry]:
        """Those that overlap a span."""
        return [self._entries[k] for k in np.flatnonzero((self._starts < end) & (self._ends > start)).tolist()]

    def longest(self, start: float, end: float) -> list[str]:
        """Labels of those that overlap a span, those that hold most of it first."""
        held: dict[str, float] = {}
        for entry in self.among(start, end):
            held[entry.label] = held.get(entry.label, 0.0) + min(end, entry.end) - max(start, entry.start)
        return sorted(held, key=lambda label: -held[label])[:MOST_TAGS]


def _shot(frame: KeyFrame, shots: Sequence[Entry], starts: Sequence[float]) -> tuple[int, Entry]:
    """Number, from 1, and span of the shot that a key frame lies in; of the frame itself where it lies in none."""
    place = bisect_right(starts, frame.time)
    if place and frame.time <= shots[place - 1].end:
        return place, shots[place - 1]
    return frame.shot, Entry(SHOT, frame.time, frame.time, "")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
