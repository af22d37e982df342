"""TVSum (Song, Vallmitjana, Stent and Jaimes, 2015): what 20 people each gave every 2 s shot of 50 videos, 1 to 5.

The file is MATLAB's version 7.3, which is HDF5. It holds people's scores and no video.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from _harness import data_folder

FILE = "ydata-tvsum50.mat"


@dataclass(frozen=True, slots=True)
class Film:
    """One video: its identifier, its category, its length in seconds, and the scores (people, frames)."""

    name: str
    category: str
    seconds: float
    scores: np.ndarray


def films() -> list[Film]:
    """Give all 50 videos; where the data or h5py are absent, say so and end with exit code 0."""
    path = data_folder("tvsum") / FILE
    try:
        import h5py
    except ImportError:
        print("skipped: TVSum is an HDF5 file, which needs the package h5py: pip install h5py")
        sys.exit(0)
    with h5py.File(path) as file:
        table = file["tvsum50"]

        def cell(name: str, row: int) -> np.ndarray:
            return np.asarray(file[table[name][row, 0]])

        def text(name: str, row: int) -> str:
            return "".join(map(chr, cell(name, row).ravel()))

        return [
            Film(
                text("video", row),
                text("category", row),
                float(cell("length", row)[0, 0]),
                cell("user_anno", row).astype(np.int8),
            )
            for row in range(len(table["video"]))
        ]
