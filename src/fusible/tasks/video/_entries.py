"""What was watched, heard and said, as entries of a timeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fusible.data.transcript import Transcript
from fusible.tasks.video.detector import Found
from fusible.tasks.video.fused import directions_of
from fusible.tasks.video.segments import cut_at, kernel_segments
from fusible.tasks.video.shots import Shot
from fusible.tasks.video.sounds import Sounds
from fusible.tasks.video.summary import summarize
from fusible.tasks.video.tags import Tagger
from fusible.tasks.video.timeline import MOMENT, OBJECT, SHOT, SIGHT, SOUND, WORDS, Entry, KeyFrame
from fusible.tasks.video.watching import Watched

MOST_TAGS = 5
"""Tags that are named of a shot."""
SHORTEST = 1.0
"""Seconds of the shortest moment."""
RATIO = 0.15
"""Share of a film that its moments are, at most."""


def facts(watched: Watched) -> dict[str, Any]:
    """Facts of the film as plain values."""
    film = watched.film
    return {
        "seconds": round(watched.seconds, 3),
        "frames_per_second": round(film.rate, 3),
        "width": film.size[0],
        "height": film.size[1],
        "rotation": film.rotation,
        "picture": film.has_picture,
        "sound": film.has_sound,
        "sound_rate": film.sound_rate,
        "sound_start": film.sound_start,
    }


def shot_entries(shots: Sequence[Shot]) -> Iterator[Entry]:
    """One entry per shot: its number, how it begins, and how sure that is."""
    for number, shot in enumerate(shots, 1):
        begins = "" if shot.begins in {"start", "cut"} else f", after a {shot.begins}"
        yield Entry(SHOT, shot.start, shot.end, f"shot {number}{begins}", round(shot.confidence, 4))


def sight_entries(watched: Watched, tagger: Tagger | None) -> Iterator[Entry]:
    """Tags of each shot, likeliest first; none where nothing is likely."""
    if tagger is None or not len(watched.times):
        return
    spans = [(shot.start, shot.end) for shot in watched.shots]
    chances = tagger.over(watched.sights, watched.times, spans)
    for (start, end), tags in zip(spans, tagger.named(chances, MOST_TAGS), strict=True):
        for tag in tags:
            yield Entry(SIGHT, start, end, tag.label, tag.chance)


def object_entries(
    frames: Sequence[KeyFrame], shots: Sequence[Shot], found: Iterable[Sequence[Found]]
) -> Iterator[Entry]:
    """One entry per object found in the key frame of a shot, which lasts as long as the shot."""
    for frame, objects in zip(frames, found, strict=True):
        shot = shots[frame.shot]
        for one in objects:
            yield Entry(OBJECT, shot.start, shot.end, one.label, round(one.score, 4), one.box)


def sound_entries(sounds: Sounds) -> Iterator[Entry]:
    """Speech, music, silence and other sound, one entry per span."""
    for span in sounds.spans:
        if span.end > span.start:
            yield Entry(SOUND, span.start, span.end, span.label, round(span.confidence, 4))


def onset_curve(sounds: Sounds, steps: int, step: float) -> np.ndarray:
    """Strength (steps,) of the onsets that fall in each step of the grid, added up."""
    found = np.zeros(steps)
    np.add.at(found, np.clip((sounds.onsets / step).astype(np.int64), 0, steps - 1), sounds.strengths)
    return found


def word_entries(said: Transcript | None) -> Iterator[Entry]:
    """One entry per cue of a transcript."""
    for cue in said.cues if said is not None else ():
        if cue.end > cue.start:
            yield Entry(WORDS, cue.start, cue.end, cue.text)


def segments_of(watched: Watched, encodings: np.ndarray, step: float) -> np.ndarray:
    """Segments (segments, 2) in seconds: shots, cut further where what is fused changes; the whole where nothing is."""
    end = max(watched.seconds, step)
    spans = np.array([(shot.start, shot.end) for shot in watched.shots if shot.end > shot.start] or [(0.0, end)])
    shortest = max(1, round(SHORTEST / step))
    if len(encodings) < 2 * shortest or not encodings.any():
        return spans
    bounds = kernel_segments(encodings, shortest=shortest)
    return cut_at(spans, bounds[1:-1] * step, SHORTEST)


def moment_entries(important: np.ndarray, times: np.ndarray, segments: np.ndarray) -> Iterator[Entry]:
    """The stretches that matter most, as a summary would hold them.

    Films that are so short that a summary is made of slivers, in which nothing was measured, have none.
    """
    if not len(times) or not important.any():
        return
    summary = summarize(important, times, segments, ratio=RATIO)
    for start, end in summary.spans:
        inside = (times >= start) & (times < end)
        if not inside.any() and end - start < SHORTEST:
            continue
        score = float(important[inside].mean()) if inside.any() else None
        yield Entry(MOMENT, start, end, "moment", score)


def key_frames(watched: Watched) -> list[KeyFrame]:
    """Of each shot the picture that is most like all of it; one too short to hold a picture of the grid has none."""
    found = []
    for number, shot in enumerate(watched.shots):
        inside = np.flatnonzero((watched.times >= shot.start) & (watched.times < shot.end))
        if not len(inside):
            continue
        rows = directions_of(watched.sights[inside])
        best = int(inside[(rows @ rows.sum(axis=0)).argmax()]) if rows.size else int(inside[len(inside) // 2])
        found.append(KeyFrame(number, float(watched.times[best]), watched.pictures.jpeg(best)))
    return found
