"""What moves in videos of one scene: the region that changes most, brought to one place, in few components.

Bregler & Konig, "Eigenlips for robust speech recognition" (ICASSP 1994), with the region found by motion energy and
each clip shifted onto a common template by cross-correlation (Kuglin & Hines, "The phase correlation image alignment
method", 1975, without whitening of the spectrum).
"""

from __future__ import annotations

import numpy as np
import torch

ROUNDS = 4
"""How often clips are shifted onto the mean of shifted clips."""


def motion_energy(grey: np.ndarray) -> np.ndarray:
    """Mean absolute change between frames of a clip (frames, height, width) -> (height, width), float64."""
    if len(grey) < 2:
        return np.zeros(grey.shape[1:])
    return np.asarray(np.abs(np.diff(grey.astype(np.float32), axis=0)).mean(axis=0, dtype=np.float64))


def busiest(energy: np.ndarray, height: int, width: int) -> tuple[int, int]:
    """Top and left of the window of `height` x `width` that holds most of the energy, weighted to its middle.

    >>> energy = np.zeros((8, 8))
    >>> energy[5, 6] = 1.0
    >>> busiest(energy, 3, 3)
    (4, 5)
    """
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    shape = [energy.shape[0] + height, energy.shape[1] + width]
    spectrum = np.fft.rfft2(energy, shape) * np.conj(np.fft.rfft2(window, shape))
    score = np.fft.irfft2(spectrum, shape)[: energy.shape[0] - height + 1, : energy.shape[1] - width + 1]
    top, left = np.unravel_index(int(score.argmax()), score.shape)
    return int(top), int(left)


def shifts(pictures: torch.Tensor, template: torch.Tensor, most: int) -> torch.Tensor:
    """By how much each picture (rows, height, width) lies below and right of a template: (rows, 2), at most `most`.

    The shift with the greatest cross-correlation of windowed pictures, means removed.
    """
    if not len(pictures):
        return torch.zeros(0, 2, dtype=torch.long, device=pictures.device)
    height, width = template.shape
    window = torch.outer(torch.hann_window(height, False), torch.hann_window(width, False)).to(template.device)

    def spectrum(images: torch.Tensor) -> torch.Tensor:
        transformed: torch.Tensor = torch.fft.rfft2((images - images.mean(dim=(-2, -1), keepdim=True)) * window)
        return transformed

    product = spectrum(pictures) * spectrum(template).conj()
    score = torch.fft.irfft2(product, s=(height, width))
    score = torch.cat([score[:, -most:], score[:, : most + 1]], dim=1) if most else score[:, :1]
    score = torch.cat([score[:, :, -most:], score[:, :, : most + 1]], dim=2) if most else score[:, :, :1]
    side = 2 * most + 1
    best = score.flatten(1).argmax(dim=1)
    return torch.stack([best.div(side, rounding_mode="floor") - most, best % side - most], dim=1)


def cut(clips: torch.Tensor, moved: torch.Tensor, most: int) -> torch.Tensor:
    """Clips (rows, frames, height, width) moved back by `moved`, without the margin of `most` on every side."""
    height, width = clips.shape[-2] - 2 * most, clips.shape[-1] - 2 * most
    if not len(clips):
        return clips[:, :, :height, :width]
    pieces = [
        clip[:, most + down : most + down + height, most + right : most + right + width]
        for clip, (down, right) in zip(clips, moved.tolist(), strict=True)
    ]
    return torch.stack(pieces)


def template_of(pictures: torch.Tensor, most: int) -> torch.Tensor:
    """The mean of pictures (rows, height, width) after they were shifted onto it, in `ROUNDS` rounds."""
    template = pictures.mean(dim=0)
    for _ in range(ROUNDS):
        moved = shifts(pictures, template, most)
        back = [torch.roll(p, (-a, -b), (0, 1)) for p, (a, b) in zip(pictures, moved.tolist(), strict=True)]
        template = torch.stack(back).mean(dim=0)
    return template


def components_of(frames: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Principal directions of centred frames (frames, pixels): (number, pixels), and their deviations (number,).

    Fewer where frames or pixels are fewer; padded with zeros, whose deviation is one. Signs are fixed.
    """
    from sklearn.utils.extmath import randomized_svd

    kept = min(number, *frames.shape)
    _, values, directions = randomized_svd(frames, kept, n_iter=4, random_state=0)
    found = np.zeros((number, frames.shape[1]), np.float32)
    found[:kept] = directions
    spread = np.ones(number, np.float32)
    spread[:kept] = np.maximum(values / np.sqrt(len(frames)), 1e-6)
    return found, spread
