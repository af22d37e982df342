"""Windows of training films: drawn anew in every epoch, disturbed, with the targets of their points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fusible.networks._localiser import points
from fusible.tasks.video._events_targets import Targets, targets
from fusible.tasks.video._events_tracks import Track, TrackEncoder, Tracks

DEVIATION = 1e-3
"""Least deviation of a column that noise is measured by."""


@dataclass(frozen=True, slots=True)
class Example:
    """A film with its labelled events: `spans` (events, 2) in steps of the clock, `labels` (events,)."""

    tracks: Tracks
    spans: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class Disturbance:
    """How training windows are changed, so that few films are not learned by heart.

    `speed`: share by which time is stretched (Ko et al., "Audio augmentation for speech recognition", 2015); `noise`
    per step and `offset` per window in deviations of a column; `shift` in bands (vocal tract length, Jaitly & Hinton
    2013) and `mask`, the most bands that are hidden, twice (Park et al., "SpecAugment", Interspeech 2019), of spectra.
    """

    speed: float = 0.15
    noise: float = 0.2
    offset: float = 0.15
    shift: float = 1.5
    mask: int = 8


@dataclass(slots=True)
class Windows:
    """Batches of windows: `tracks` {view: (windows, steps, columns)}, `presence` (windows, steps, views), targets.

    `classes` (windows, points, classes), `sides` (windows, points, 2), `inside` and `real` (windows, points).
    """

    tracks: dict[str, torch.Tensor]
    presence: torch.Tensor
    classes: torch.Tensor
    sides: torch.Tensor
    inside: torch.Tensor
    real: torch.Tensor


class Drawer:
    """Draws batches of windows of `length` steps from films, each film covered once in an epoch."""

    def __init__(
        self,
        examples: Sequence[Example],
        encoders: Mapping[str, TrackEncoder],
        views: Sequence[str],
        classes: int,
        levels: int,
        length: int,
        disturbance: Disturbance,
    ) -> None:
        self.examples, self.views, self.classes = examples, tuple(views), classes
        self.levels, self.length, self.disturbance = levels, length, disturbance
        self.encoders = {view: encoders[view] for view in views}
        self.deviation = {view: self._deviation(view) for view in views}

    def epoch(self, rng: np.random.Generator, batch: int) -> Iterator[Windows]:
        """Batches of one epoch, in random order."""
        # Windows begin anywhere between two steps, so that no event always stands alike on the clock.
        starts = [
            (film, start)
            for film, example in enumerate(self.examples)
            for start in np.arange(-rng.uniform(0, self.length), example.tracks.steps, self.length).tolist()
        ]
        order = rng.permutation(len(starts))
        for i in range(0, len(order), batch):
            chosen = [starts[j] for j in order[i : i + batch]]
            speed = 1.0 + rng.uniform(-1.0, 1.0) * self.disturbance.speed
            yield self._stacked([self._window(film, start, speed, rng) for film, start in chosen])

    def _window(
        self, film: int, start: float, speed: float, rng: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], np.ndarray, Targets, np.ndarray]:
        example = self.examples[film]
        tracks, seen = {}, []
        for view in self.views:
            values, present = self._stretched(example.tracks.views[view], view, start, speed)
            tracks[view] = self._disturbed(values, view, rng)
            seen.append(present)
        presence = np.stack(seen, axis=1)
        places, strides = (one.numpy() for one in points(self.length, self.levels))
        spans = (example.spans - start) * speed
        # A span of which less than half is in the window is not learned there, nor is its absence.
        inner = np.clip(np.minimum(spans[:, 1], self.length) - np.maximum(spans[:, 0], 0.0), 0.0, None)
        whole = inner >= 0.5 * (spans[:, 1] - spans[:, 0])
        found = targets(spans[whole], example.labels[whole], self.classes, places, strides, self.levels)
        real = np.interp(places, np.arange(self.length) + 0.5, presence.any(axis=1)) > 0.5
        for begin, end in spans[~whole & (inner > 0)]:
            real &= ~((places >= begin) & (places < end))
        return tracks, presence, found, real

    def _stretched(self, track: Track, view: str, start: float, speed: float) -> tuple[np.ndarray, np.ndarray]:
        """A window that begins at step `start`, its time stretched by `speed`; absent before and behind the film."""
        bands = self.encoders[view].bands
        parts = track.values.shape[1] // bands if bands else 1
        fine = track.values.reshape(len(track.values) * parts, -1)
        # Where each fine step of the window lies among the film's.
        at = (np.arange(self.length * parts) + 0.5) / speed - 0.5 + start * parts
        low = np.clip(np.floor(at).astype(int), 0, len(fine) - 1)
        high = np.minimum(low + 1, len(fine) - 1)
        weight = np.clip(at - low, 0.0, 1.0)[:, None].astype(np.float32)
        values = (fine[low] * (1.0 - weight) + fine[high] * weight).reshape(self.length, -1)
        step = np.floor((np.arange(self.length) + 0.5) / speed + start).astype(int)
        there = (step >= 0) & (step < len(track.present))
        return values, there & track.present[np.clip(step, 0, len(track.present) - 1)]

    def _disturbed(self, values: np.ndarray, view: str, rng: np.random.Generator) -> np.ndarray:
        how, bands, deviation = self.disturbance, self.encoders[view].bands, self.deviation[view]
        if bands:
            fine = values.reshape(-1, bands)
            if how.shift:
                fine = _shifted(fine, rng.uniform(-how.shift, how.shift))
            fine = fine + (how.offset * rng.standard_normal(bands) * deviation).astype(np.float32)
            for _ in range(2):
                wide = int(rng.integers(0, min(how.mask, bands - 1) + 1))
                first = int(rng.integers(0, bands - wide + 1))
                fine[:, first : first + wide] = self._mean[view][first : first + wide]
            values = fine.reshape(values.shape)
            deviation = np.tile(deviation, values.shape[1] // bands)
        else:
            values = values + (how.offset * rng.standard_normal(values.shape[1]) * deviation).astype(np.float32)
        noise = (how.noise * deviation).astype(np.float32) * rng.standard_normal(values.shape, np.float32)
        return np.asarray(values + noise)

    def _deviation(self, view: str) -> np.ndarray:
        """Deviation of each band or column over present steps of all films; keeps their means, too."""
        bands = self.encoders[view].bands
        rows = [e.tracks.views[view].values[e.tracks.views[view].present] for e in self.examples]
        every = max(1, sum(map(len, rows)) // 100_000)
        some = np.concatenate([row[::every] for row in rows])
        some = some.reshape(-1, bands) if bands else some
        width = bands or self.encoders[view].columns
        if not hasattr(self, "_mean"):
            self._mean: dict[str, np.ndarray] = {}
        self._mean[view] = some.mean(axis=0) if len(some) else np.zeros(width, np.float32)
        deviation = some.std(axis=0) if len(some) else np.ones(width, np.float32)
        return np.asarray(np.maximum(deviation, DEVIATION), np.float32)

    def _stacked(self, windows: Sequence[tuple[dict[str, np.ndarray], np.ndarray, Targets, np.ndarray]]) -> Windows:
        def stack(arrays: Sequence[np.ndarray]) -> torch.Tensor:
            return torch.from_numpy(np.stack(arrays))

        return Windows(
            {view: stack([tracks[view] for tracks, _, _, _ in windows]) for view in self.views},
            stack([presence for _, presence, _, _ in windows]),
            stack([found.classes for _, _, found, _ in windows]),
            stack([found.sides for _, _, found, _ in windows]),
            stack([found.inside for _, _, found, _ in windows]),
            stack([real for _, _, _, real in windows]),
        )


def _shifted(spectra: np.ndarray, by: float) -> np.ndarray:
    """Spectra (steps, bands) moved by so many bands, linear between two."""
    at = np.clip(np.arange(spectra.shape[1]) + by, 0, spectra.shape[1] - 1)
    low = np.floor(at).astype(int)
    weight = (at - low).astype(np.float32)
    high = np.minimum(low + 1, spectra.shape[1] - 1)
    return np.asarray(spectra[:, low] * (1.0 - weight) + spectra[:, high] * weight)
