"""What is heard when: silence, speech, music, other sound, and onsets, from a waveform read block by block.

Works out of the box, on measures of a second of sound (`_sound_measures`); a user's own classes of sound are trained
elsewhere. Where speech lies over music, whichever prevails is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from fusible.errors import DataError
from fusible.tasks.video._sound_frames import HOP, RATE, frames_of
from fusible.tasks.video._sound_measures import STEP, measures
from fusible.tasks.video._sound_weights import BIAS, DEVIATION, LABELS, LINEAR, MEAN, SQUARE

CHUNK, CONTEXT = 10 * RATE, RATE
"""Samples that are measured at once, and samples before and after that are heard with them."""
SECONDS = STEP * HOP / RATE
"""Seconds of a step: spans begin and end between steps."""
SILENT = -60.0
"""Level in dB of full scale under which anything is silence."""
UNDER, ABOVE = 20.0, 6.0
"""Silence is `UNDER` dB below the loud steps of a recording at least, and `ABOVE` dB above its quietest at most."""
PAUSE = 0.5
"""Seconds of a silence at least: shorter ones are pauses within what is heard."""
CHANGE, OVERLAP = 3.0, 0.2
"""Cost of a change of label, and weight of a step: ten steps that follow each other share most of their second."""
RISE, ALONE = 0.25, 0.1
"""Least rise of an onset, natural logarithm over bands, and seconds to the next one."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What is heard from `start` to `end` seconds: `label` is silence, speech, music or other; `confidence` is 0-1."""

    start: float
    end: float
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Sounds:
    """Spans that follow one another without gaps; onsets (seconds) and their strengths; `level` (steps,) in dB."""

    spans: tuple[Sound, ...]
    onsets: np.ndarray
    strengths: np.ndarray
    level: np.ndarray

    def of(self, label: str) -> list[tuple[float, float]]:
        """Spans (start, end) of one label."""
        return [(span.start, span.end) for span in self.spans if span.label == label]


def sound_events(blocks: np.ndarray | Iterable[np.ndarray], rate: int, *, start: float = 0.0) -> Sounds:
    """Tell what is heard in mono samples at `rate` Hz, given whole or in blocks that follow one another.

    `start` is the time of the first sample. Memory does not grow with the samples; one step per 0.1 s is kept. How the
    samples are divided changes nothing. A sound without samples has no spans. Raises `DataError` for samples that are
    not finite or not mono.

    >>> tone = np.sin(np.arange(32_000) / 16_000 * 2 * np.pi * 440).astype(np.float32)
    >>> heard = sound_events(np.concatenate([np.zeros(16_000, np.float32), tone]), 16_000)
    >>> [(round(span.start, 1), round(span.end, 1), span.label) for span in heard.spans]
    [(0.0, 1.0, 'silence'), (1.0, 3.0, 'music')]
    """
    listener = SoundListener(rate, start=start)
    for block in [blocks] if isinstance(blocks, np.ndarray) else blocks:
        listener.push(block)
    return listener.finish()


@dataclass(slots=True)
class _Heard:
    """What is kept of all chunks: levels and chances (steps, labels), and onsets."""

    level: list[np.ndarray] = field(default_factory=list)
    chances: list[np.ndarray] = field(default_factory=list)
    onsets: list[np.ndarray] = field(default_factory=list)
    strengths: list[np.ndarray] = field(default_factory=list)


class SoundListener:
    """Takes samples as they come, and tells at the end what was heard; see `sound_events`."""

    def __init__(self, rate: int, *, start: float = 0.0) -> None:
        import soxr

        if not isinstance(rate, int) or rate < 1_000:
            raise DataError(f"sounds: expected a rate of at least 1000 Hz, got {rate!r}")
        self.start = start
        self._resampler = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="float32")
        self._wave = np.zeros(0, np.float32)
        self._before = 0
        self._chunks = 0
        self._heard = _Heard()

    def push(self, block: np.ndarray) -> None:
        """Take samples (samples,) that follow those before."""
        if block.ndim != 1 or not np.isfinite(block).all():
            raise DataError("sounds: expected mono samples (samples,) that are finite; decode the sound again")
        block = block.astype(np.float32, copy=False)
        self._take(block if self._resampler is None else self._resampler.resample_chunk(block))

    def finish(self) -> Sounds:
        """Tell what was heard; nothing can be pushed afterwards."""
        if self._resampler is not None:
            self._take(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        if len(self._wave) > self._before:
            self._measure(len(self._wave) - self._before)
        heard = self._heard
        if not heard.level:
            return Sounds((), np.zeros(0), np.zeros(0), np.zeros(0))
        level, chances = np.concatenate(heard.level), np.concatenate(heard.chances)
        end = self._chunks * CHUNK / RATE if not len(self._wave) else self._end
        spans = tuple(_spans(level, chances, self.start, end))
        onsets, strengths = np.concatenate(heard.onsets), np.concatenate(heard.strengths)
        return Sounds(spans, onsets + self.start, strengths, level)

    def _take(self, samples: np.ndarray) -> None:
        self._wave = np.concatenate([self._wave, samples])
        while len(self._wave) >= self._before + CHUNK + CONTEXT:
            self._measure(CHUNK)
            drop = self._before + CHUNK - CONTEXT
            self._wave, self._before = self._wave[drop:], CONTEXT

    def _measure(self, length: int) -> None:
        """Measure the samples after those before, heard with what is around them."""
        frames = frames_of(self._wave[: self._before + length + CONTEXT])
        first, steps = self._before // HOP, max(1, round(length / (STEP * HOP)))
        found = measures(frames)[first // STEP : first // STEP + steps]
        lows = first + STEP * np.arange(len(found))
        # Not the mean: a frame reaches into its neighbours, so that one loud frame of a step says nothing yet.
        whole = lows + STEP <= len(frames.level)
        levels = np.quantile(frames.level[lows[whole, None] + np.arange(STEP)], 0.75, axis=1)
        rest = [np.quantile(frames.level[low : low + STEP], 0.75) for low in lows[~whole]]
        self._heard.level.append(np.concatenate([levels, rest]))
        self._heard.chances.append(chances_of(found))
        peaks = _peaks(frames.onset, frames.level)
        peaks = peaks[(peaks >= first) & (peaks < first + length // HOP)]
        base = self._chunks * CHUNK / RATE
        self._heard.onsets.append(base + (peaks - first) * HOP / RATE)
        self._heard.strengths.append(frames.onset[peaks])
        self._end = base + length / RATE
        self._chunks += 1


def chances_of(found: np.ndarray) -> np.ndarray:
    """Probabilities (steps, labels) of `LABELS` from measures (steps, names)."""
    standard = np.clip((found - MEAN) / DEVIATION, -4.0, 4.0)
    logits = standard @ LINEAR.T + standard**2 @ SQUARE.T + BIAS
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def _spans(level: np.ndarray, chances: np.ndarray, start: float, end: float) -> Iterator[Sound]:
    """Spans from levels and chances of steps; the first begins at `start`, the last ends `end` after it."""
    threshold = max(SILENT, min(float(np.quantile(level, 0.05)) + ABOVE, float(np.quantile(level, 0.95)) - UNDER))
    silent = _long(level < threshold, round(PAUSE / SECONDS))
    labels = np.array([*LABELS, "silence"])
    path = np.where(silent, len(LABELS), _path(chances, ~silent))
    edges = np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1, [len(path)]])
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        label = str(labels[path[low]])
        if label == "silence":
            sure = float((1 / (1 + np.exp((level[low:high] - threshold) / 3))).mean())
        else:
            sure = float(chances[low:high, path[low]].mean())
        last = end if high == len(path) else high * SECONDS
        yield Sound(start + low * SECONDS, start + last, label, sure)


def _long(marks: np.ndarray, least: int) -> np.ndarray:
    """Marks (steps,) less runs that are shorter than `least`, but for those at the ends."""
    kept = marks.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]])))
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        if high - low < least and low > 0 and high < len(marks):
            kept[low:high] = False
    return kept


def _path(chances: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """The most likely labels (steps,) where a change costs `CHANGE` (Viterbi 1967); a silence makes changes free."""
    logs = OVERLAP * np.log(np.maximum(chances, 1e-6)) * heard[:, None]
    count = logs.shape[1]
    best, back = logs[0], np.zeros(logs.shape, np.int64)
    for step in range(1, len(logs)):
        cost = CHANGE if heard[step] else 0.0
        stay = best >= best.max() - cost
        back[step] = np.where(stay, np.arange(count), int(best.argmax()))
        best = np.where(stay, best, best.max() - cost) + logs[step]
    path = np.empty(len(logs), np.int64)
    path[-1] = int(best.argmax())
    for step in range(len(logs) - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path


def _peaks(onset: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Frames at which a sound begins: rises that are highest within 50 ms and stand out from 150 ms around."""
    if not len(onset):
        return np.zeros(0, np.int64)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(onset, 5), 11).max(axis=1)
    mean = np.convolve(np.pad(onset, 15, mode="edge"), np.full(31, 1 / 31), mode="valid")
    later = np.lib.stride_tricks.sliding_window_view(np.pad(level, (0, 5), mode="edge"), 6).max(axis=1)
    found = np.flatnonzero((onset == around) & (onset > mean + RISE) & (later > SILENT))
    kept: list[int] = []
    for frame in found.tolist():
        if not kept or (frame - kept[-1]) * HOP / RATE >= ALONE:
            kept.append(frame)
    return np.array(kept, np.int64)
