"""Whether films are of one scene by a camera that stands still, such as a talker's face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fusible.data.media import decode_video
from fusible.errors import DataError
from fusible.tasks.video._events_tracks import Sources, spread_over

FILMS, FRAMES, SIZE = 8, 4, 24
ALIKE = 0.7
"""Frames of one scene correlate at least so much, on the median over pairs."""


def one_scene(films: Sequence[Sources]) -> bool:
    """Whether frames of training films, of the same and of other films, look alike; false where none can be read."""
    pictures = []
    for media in spread_over([film.film for film in films if film.film is not None], FILMS):
        try:
            frames = decode_video(media, FRAMES, SIZE).astype(np.float64).mean(axis=3)
        except DataError:
            continue
        side = min(frames.shape[1:])
        pictures.append(frames[:, :side, :side].reshape(len(frames), -1))
    if not pictures:
        return False
    flat = np.concatenate(pictures)
    flat = flat - flat.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(flat, axis=1)
    flat, sizes = flat[sizes > 0], sizes[sizes > 0]
    if len(flat) < 2:
        return False
    unit = flat / sizes[:, None]
    return bool(np.median((unit @ unit.T)[np.triu_indices(len(unit), 1)]) >= ALIKE)
