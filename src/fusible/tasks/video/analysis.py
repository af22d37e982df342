"""Analysis of a film: everything that was seen, heard and said, fused on one clock, as a timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fusible.data.transcript import Transcript, read_transcript
from fusible.encoders._base import Encoder
from fusible.encoders._resolve import resolve
from fusible.errors import ConfigError
from fusible.tasks.encode import encode_batch
from fusible.tasks.source import Progress
from fusible.tasks.video import _entries
from fusible.tasks.video.detector import read_detector
from fusible.tasks.video.fused import fused
from fusible.tasks.video.hearing import SILENT, Hearing
from fusible.tasks.video.importance import importance, novelty
from fusible.tasks.video.recognising import Recogniser, recogniser
from fusible.tasks.video.sounds import SoundListener
from fusible.tasks.video.tags import Tagger
from fusible.tasks.video.timeline import Entry, KeyFrame, Timeline, ordered
from fusible.tasks.video.watching import RATE, STEP, Listener, Watched, watch
from fusible.tasks.video.whisper import Scribe, read_whisper
from fusible.types import Media, Modality

SIGHTS, SOUNDS, TEXTS = "sight", "sound", "text"
ENCODER, READER = "image_efficientnet", "text_minilm"
STEPS = (0.1, 60.0)
"""Least and greatest step of the grid, in seconds."""
CHUNK = 256


@dataclass(slots=True)
class Analysis:
    """A film as it was watched, its views on the grid, and its timeline.

    `views` {sight, sound, text: (steps, width)} hold NaN where a view is absent; `encodings` (steps, columns) fuse
    them; `importance` (steps,) is in [0, 1]. `segments` (segments, 2) are seconds of shots, long ones cut further where
    the film changes.
    """

    watched: Watched
    views: dict[str, np.ndarray] = field(repr=False)
    encodings: np.ndarray = field(repr=False)
    importance: np.ndarray = field(repr=False)
    segments: np.ndarray = field(repr=False)
    timeline: Timeline = field(repr=False)


def analyze_film(
    file: str | Path,
    *,
    labels: Sequence[str] | None = None,
    transcript: str | Path | Transcript | None = None,
    models: Sequence[Any] = (),
    confidence: float | None = None,
    step: float = STEP,
    encoder: str = ENCODER,
    whisper: str | Path | None = None,
    detector: str | Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Analysis:
    """Watch a film once and say what is in it: shots, what is seen, heard and said, and what in it matters.

    Parameters
    ----------
    file : path
        Anything with moving pictures, sound, or both, that PyAV reads.
    labels : sequence of str, optional
        Words to look for in its pictures (default: the classes of ImageNet); English.
    transcript : path or Transcript, optional
        SRT, WebVTT, or a table of words with their times.
    models : sequence of path, EventModel or Model
        Trained models, or their folders: of `fit_events`, whose events are the lane `event`, and of `fit_clips`, whose
        labels of shots are the lane `tag`. Events are found in the one pass over the film; for tags each shot is cut
        out of it afterwards.
    confidence : float, optional
        Least confidence of events, 0 to 1 (default: of each model its own, which validation films chose).
    step : float
        Seconds between pictures that are encoded: 0.1 to 60.
    encoder : str
        A frozen encoder of pictures; tags need `image_efficientnet`.
    whisper : path, optional
        Local Hugging Face folder of a Whisper model, which writes down what is said where no transcript is given.
    detector : path, optional
        Local Hugging Face folder of a detector such as DETR, which finds objects, with boxes, in the shots' key frames.
    device, progress
        As in `fusible.compare`.

    Raises
    ------
    FusibleError
        One line: a file that cannot be read, an encoder or a setting that cannot be used.
    """
    analyst = Analyst(
        labels,
        models=models,
        confidence=confidence,
        step=step,
        encoder=encoder,
        whisper=whisper,
        detector=detector,
        device=device,
    )
    return analyst.analyze(file, transcript, progress)


@dataclass(slots=True)
class _Seen:
    """What one pass over a film gave, and those who took part in it."""

    media: Media
    watched: Watched
    hearing: Hearing
    said: Transcript | None
    takers: list[Any]


class Analyst:
    """What analyses films with one set of settings: its parts are made once, and checked before any film.

    Parameters and errors are those of `analyze_film`.
    """

    def __init__(
        self,
        labels: Sequence[str] | None = None,
        *,
        models: Sequence[Any] = (),
        confidence: float | None = None,
        step: float = STEP,
        encoder: str = ENCODER,
        whisper: str | Path | None = None,
        detector: str | Path | None = None,
        device: str = "cpu",
    ) -> None:
        self.step, self.encoder, self.device = step, encoder, device
        self.labels = labels
        self._eye = _checked(step, encoder)
        self._tagger = _tagger(labels, encoder)
        self._recognisers: list[Recogniser] = [recogniser(model, confidence=confidence) for model in models]
        self._whisper = None if whisper is None else read_whisper(whisper, RATE, device)
        self._detector = None if detector is None else read_detector(detector, device)

    def analyze(
        self,
        file: str | Path,
        transcript: str | Path | Transcript | None = None,
        progress: Progress | None = None,
    ) -> Analysis:
        """Watch a film once and say what is in it, see `analyze_film`."""
        said = transcript if isinstance(transcript, Transcript) or transcript is None else read_transcript(transcript)
        seen = self._watch(file, said, progress)
        watched, step = seen.watched, self.step
        views, loudness = _views(watched, seen.hearing, seen.said, step, self.device)
        times = np.arange(len(loudness)) * step
        joined = fused(views)
        important = importance(joined)
        segments = _entries.segments_of(watched, joined, step)
        curves = {"novelty": novelty(joined), "importance": important}
        if watched.film.has_sound:
            curves |= {"loudness": loudness, "onsets": _entries.onset_curve(watched.heard[1], len(times), step)}
        frames = _entries.key_frames(watched)
        entries, warnings = self._found(seen, frames)
        timeline = Timeline(
            Path(file).name,
            _entries.facts(watched),
            ordered([*entries, *_entries.moment_entries(important, times, segments)]),
            frames,
            times,
            curves,
            {**views, "fused": joined.astype(np.float32)},
            warnings,
            {"step": step, "encoder": self.encoder, "tags": None if self._tagger is None else self._tagger.how},
        )
        return Analysis(watched, views, joined, important, segments, timeline)

    def _watch(self, file: str | Path, said: Transcript | None, progress: Progress | None) -> _Seen:
        """Read the film once, with all that listens to it."""
        media, hearing = Media("file", -1, path=str(file)), Hearing(self.step, rate=RATE)
        takers = [one.taker() for one in self._recognisers]
        listeners: list[Listener] = [hearing, SoundListener(RATE)]
        if said is None and self._whisper is not None:
            listeners.append(Scribe(self._whisper))
        watched = watch(
            media,
            self._eye,
            step=self.step,
            listeners=tuple(listeners),
            takers=tuple(taker for taker in takers if taker is not None),
            device=self.device,
            progress=progress,
        )
        if len(listeners) > 2:
            said = watched.heard[2] if watched.film.has_sound else None
        return _Seen(media, watched, hearing, said, takers)

    def _found(self, seen: _Seen, frames: Sequence[KeyFrame]) -> tuple[list[Entry], list[str]]:
        """Entries of all lanes but that of moments, and warnings."""
        watched, tagger = seen.watched, self._tagger
        entries = [
            *_entries.shot_entries(watched.shots),
            *_entries.sight_entries(watched, tagger),
            *self._objects(seen.media, watched, frames),
            *_entries.sound_entries(watched.heard[1]),
            *_entries.word_entries(seen.said),
        ]
        warnings = [problem.message for problem in watched.problems]
        for one, taker in zip(self._recognisers, seen.takers, strict=True):
            found, lacking = one.entries(taker, seen.media, watched, seen.said)
            entries += found
            warnings += lacking
        if tagger is not None and tagger.blind and self.labels is not None:
            words = ", ".join(map(repr, tagger.blind))
            hint = "no class that is known is like it; leave it out, or search by a retriever"
            warnings.append(f"no picture can be tagged {words}: {hint}")
        return entries, warnings

    def _objects(self, media: Media, watched: Watched, frames: Sequence[KeyFrame]) -> Iterator[Entry]:
        if self._detector is not None and frames:
            found = self._detector.look(media, [frame.time for frame in frames], watched.film.size)
            yield from _entries.object_entries(frames, watched.shots, found)


def _checked(step: float, encoder: str) -> Encoder:
    if not STEPS[0] <= step <= STEPS[1]:
        raise ConfigError(f"video: expected a step of {STEPS[0]:g} to {STEPS[1]:g} seconds, got {step:g}")
    eye = resolve(encoder, Modality.IMAGE)
    if not eye.frozen or eye.modality is not Modality.IMAGE:
        raise ConfigError(f"video: encoder {encoder!r}: expected a frozen one of pictures, such as {ENCODER}")
    return eye


def _tagger(labels: Sequence[str] | None, encoder: str) -> Tagger | None:
    if encoder == ENCODER:
        return Tagger.classes() if labels is None else Tagger.of(labels)
    if labels is not None:
        raise ConfigError(f"video: labels are told by {ENCODER}; leave out --encoder, or the labels")
    return None


def _views(
    watched: Watched, hearing: Hearing, said: Transcript | None, step: float, device: str
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Views on one grid, as long as the longest, NaN where absent; and the loudness of its steps."""
    steps = max(len(watched.times), len(hearing.loudness), 1)
    loudness = _padded(hearing.loudness[:, None], steps)[:, 0]
    views = {SIGHTS: _padded(watched.sights, steps), SOUNDS: _padded(hearing.encodings, steps)}
    views[SOUNDS][~(loudness > SILENT)] = np.nan
    if said is not None:
        views[TEXTS] = _read(said, steps, step, device)
    return {name: view for name, view in views.items() if view.shape[1]}, loudness


def _padded(view: np.ndarray, steps: int) -> np.ndarray:
    if len(view) == steps:
        return view.astype(np.float32, copy=False)
    found = np.full((steps, view.shape[1]), np.nan, np.float32)
    found[: len(view)] = view
    return found


def _read(said: Transcript, steps: int, step: float, device: str) -> np.ndarray:
    """Encodings (steps, width) of what is said from a step before to a step after; NaN where nothing is."""
    reader = resolve(READER, Modality.TEXT)
    starts = np.arange(steps) * step
    texts = said.on(starts - step, starts + 2 * step)
    found = np.full((steps, reader.output_width), np.nan, np.float32)
    spoken = [place for place, text in enumerate(texts) if text]
    for first in range(0, len(spoken), CHUNK):
        places = spoken[first : first + CHUNK]
        tensors = reader.collate([texts[place] for place in places])
        found[places] = np.stack(encode_batch(reader, tensors, device, 0))
    return found
