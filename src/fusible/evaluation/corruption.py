"""Corruption of single items in five degrees, seeded by their content: same item, same seed, same corruption.

An item is corrupted before any encoder sees it and stays an item of its kind, so that every encoder reads it: text
stays text, a picture becomes PNG (TIFF of floats for deep ones), a sound WAV of floats, a video lossless frames.
Random draws do not depend on the severity, which only scales them: a higher one is farther from the original. Degrees
follow Hendrycks & Dietterich (ICLR 2019), who corrupt photographs in five of them.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.content import content_key, text_key
from fusible.errors import ConfigError
from fusible.evaluation._corrupt_image import IMAGES, corrupt_image, corrupt_video
from fusible.evaluation._corrupt_sound import SOUNDS, corrupt_sound
from fusible.evaluation._corrupt_text import typos
from fusible.types import Media, Modality

SEVERITIES = (1, 2, 3, 4, 5)
TYPOS = (0.02, 0.05, 0.1, 0.2, 0.35)
"""Share of letters and digits that get a typing error, per severity."""
CELLS = (0.1, 0.2, 0.35, 0.5, 0.75)
"""Share of table cells that are lost, per severity."""
CORRUPTIONS: dict[str, tuple[str, ...]] = {
    Modality.TEXT: ("typos",),
    Modality.IMAGE: tuple(IMAGES),
    Modality.AUDIO: tuple(SOUNDS),
    Modality.VIDEO: tuple(IMAGES),
    Modality.TABLE: ("cells",),
}
"""Names of the corruptions of each modality; an entity has none."""


def corrupt(item: str | Media, modality: str, name: str, severity: int, seed: int = 0) -> str | Media:
    """Corrupt one item; raises `DataError` for media that cannot be read.

    Parameters
    ----------
    item : str or Media
        A text, or a media cell.
    modality : str
        What the item is: text, image, audio or video.
    name : str
        One of `CORRUPTIONS[modality]`.
    severity : int
        1 to 5.
    seed : int
        With the item's content it seeds what is drawn.

    >>> corrupt("the old mill by the lake", "text", "typos", 5) != "the old mill by the lake"
    True
    """
    check(modality, name, severity)
    if isinstance(item, str):
        return typos(item, TYPOS[severity - 1], generator(text_key(item), name, seed))
    random = generator(content_key(item), name, seed)
    if modality == Modality.AUDIO:
        return corrupt_sound(item, name, severity, random)
    return (corrupt_video if modality == Modality.VIDEO else corrupt_image)(item, name, severity, random)


def corrupt_table(frame: pd.DataFrame, severity: int, seed: int = 0) -> pd.DataFrame:
    """Lose cells: each becomes NaN with the severity's share; rows of equal content alike.

    >>> frame = pd.DataFrame({"size": [1.0, 2.0], "shop": ["a", "b"]})
    >>> corrupt_table(frame, 5).shape
    (2, 2)
    """
    check(Modality.TABLE, "cells", severity)
    hashes = pd.util.hash_pandas_object(frame, index=False)
    drawn = [generator(f"{value:016x}", "cells", seed).random(frame.shape[1]) for value in hashes.to_numpy()]
    lost = np.array(drawn).reshape(frame.shape) < CELLS[severity - 1]
    return pd.DataFrame(
        {name: column.mask(lost[:, place]) for place, (name, column) in enumerate(frame.items())}, index=frame.index
    )


def check(modality: str, name: str, severity: int) -> None:
    """Refuse what is no corruption of the modality, and severities out of range."""
    known = CORRUPTIONS.get(modality, ())
    if name not in known:
        raise ConfigError(f"corruption {name!r} of {modality}: expected one of {', '.join(known) or 'none'}")
    if severity not in SEVERITIES:
        raise ConfigError(f"corruption {name!r}: severity must be a whole number from 1 to 5, got {severity}")


def generator(key: str, name: str, seed: int) -> np.random.Generator:
    """Random numbers that depend on an item's content key, the corruption and the seed, and on nothing else."""
    digest = blake2b(f"{seed} {name} {key}".encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest))


def is_corruptible(modality: Any) -> bool:
    """Whether there is a corruption for a modality."""
    return modality in CORRUPTIONS
