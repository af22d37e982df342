"""MNIST as its files hold it, halved, and made noisy as Wang et al. (2015) did."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from _harness import data_folder

TURN = np.pi / 4


def mnist(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (rows, 28, 28) in [0, 1] and labels of the part "train" or "t10k"."""
    folder = data_folder("mnist")
    images = _idx(folder / f"{part}-images-idx3-ubyte.gz").astype(np.float32) / 255
    return images, _idx(folder / f"{part}-labels-idx1-ubyte.gz")


def halves(images: np.ndarray) -> dict[str, np.ndarray]:
    """Left and right half of every image, (rows, 392) each."""
    rows = len(images)
    return {"left": images[:, :, :14].reshape(rows, -1), "right": images[:, :, 14:].reshape(rows, -1)}


def noisy(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """View "turned": every image rotated by up to 45 degrees; "noisy": another of its class plus uniform noise."""
    turned = _rotated(images, rng.uniform(-TURN, TURN, len(images)))
    partner = np.empty(len(images), dtype=int)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        partner[rows] = rng.choice(rows, len(rows))
    noise = rng.uniform(0, 1, images.shape).astype(np.float32)
    flat = (len(images), -1)
    return {"turned": turned.reshape(flat), "noisy": np.clip(images[partner] + noise, 0, 1).reshape(flat)}


def _rotated(images: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Images turned about their centres, bilinear, black outside."""
    import torch
    from torch.nn import functional

    turns = torch.zeros(len(images), 2, 3)
    sine, cosine = (torch.from_numpy(f(angles)).float() for f in (np.sin, np.cos))
    turns[:, 0, 0], turns[:, 0, 1], turns[:, 1, 0], turns[:, 1, 1] = cosine, -sine, sine, cosine
    pixels = torch.from_numpy(images)[:, None]
    grid = functional.affine_grid(turns, list(pixels.shape), align_corners=False)
    turned: np.ndarray = functional.grid_sample(pixels, grid, align_corners=False)[:, 0].numpy()
    return turned


def _idx(path: Path) -> np.ndarray:
    raw = gzip.decompress(path.read_bytes())
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">u4", count=dimensions, offset=4).astype(int)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
