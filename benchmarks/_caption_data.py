"""The tables of `caption`: photos with five texts each, rendered scenes with an exact text, and a talker's lips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from _harness import data_folder

SHAPES = ("circle", "rectangle", "triangle")
COLOURS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")


def photos(quick: bool) -> pd.DataFrame:
    """Flickr8k, first 1,000 photos: `image` (path), `caption`, `split`; five rows a photo."""
    folder = data_folder("flickr8k_1k")
    table = pd.read_csv(folder / "captions.csv")
    table["image"] = [str(folder / name) for name in table["image"]]
    return _few(table, "image", 20) if quick else table


def scenes(quick: bool) -> pd.DataFrame:
    """easy-VQA's pictures, each described by what its questions and answers say of it: "a red circle".

    A picture whose questions leave open what its shape or its colour is, is left out.
    """
    from fusible.tasks.demo import easy_vqa_table

    table = easy_vqa_table(40 if quick else None)
    lines = []
    for image, told in table.groupby("image", sort=False):
        known = _told(told)
        if known is not None:
            lines.append({"image": image, "caption": f"a {known[0]} {known[1]}", "split": told["split"].iloc[0]})
    return pd.DataFrame(lines)


def _told(rows: pd.DataFrame) -> tuple[str, str] | None:
    """Colour and shape, as questions and answers of one picture tell them; they never contradict one another."""
    colour: set[str] = set()
    shape: set[str] = set()
    for question, answer in zip(rows["question"], rows["answer"], strict=True):
        words = {str(answer), *str(question).removesuffix("?").split()}
        if answer in COLOURS or answer in SHAPES:
            colour |= words & set(COLOURS)
            shape |= words & set(SHAPES)
    return (colour.pop(), shape.pop()) if len(colour) == len(shape) == 1 else None


def talker(seed: int, quick: bool) -> pd.DataFrame:
    """GRID: `video` without its sound, `sound` under white noise at -5 dB, `transcript`, `split`."""
    from _fusion_data import _noisy, _silent

    folder = data_folder("grid_s1")
    clips = pd.read_csv(folder / "clips.csv")[["video", "transcript", "split"]]
    if quick:
        clips = clips.groupby("split").head(12)
    rng = np.random.default_rng(seed)
    paths = [folder / name for name in clips["video"]]
    clips["sound"] = [_noisy(path, rng) for path in paths]
    clips["video"] = [_silent(path) for path in paths]
    return clips.reset_index(drop=True)


def _few(table: pd.DataFrame, by: str, number: int) -> pd.DataFrame:
    """All rows of the first items of every part."""
    kept: list[Any] = []
    for _, part in table.groupby("split", sort=False):
        kept += list(part[by].unique()[:number])
    return table[table[by].isin(kept)].reset_index(drop=True)
