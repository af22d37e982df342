"""Caption models of others: local Hugging Face folders that write texts of pictures, behind the face of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import torch

from fusible.data.cells import is_binary, is_string
from fusible.data.dataset import Dataset
from fusible.data.media import decode_image
from fusible.data.read import read
from fusible.decoders._generate import Generation
from fusible.decoders._nucleus import nucleus
from fusible.encoders._hf import quiet
from fusible.encoders._pixels import resize
from fusible.errors import ConfigError, DataError, SchemaError
from fusible.tasks._hf_folder import ends, positions, read_captioner
from fusible.tasks.captioner import changed
from fusible.tasks.source import Progress, stage
from fusible.types import Column, Media, Modality, Problem, Role, View

IMAGE = "image"
CHUNK = 64
"""Rows whose pictures are held at a time."""
HYPOTHESES = 16
"""Rows times beams that are written at a time."""


@dataclass(slots=True)
class HfCaptionModel:
    """Writes texts of pictures by a model of transformers; from a local folder by `fusible.load_captioner`.

    `settings` are those of the folder, where nothing else is said. It looks at one column, `image`, and cannot say
    where. `problems` names cells that the last call could not read.
    """

    folder: Path
    network: Any
    processor: Any
    tokenizer: Any
    settings: Generation = field(default_factory=Generation)
    info: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The one column that it looks at."""
        return (Column(IMAGE, Modality.IMAGE, Role.INPUT, "a Hugging Face model looks at pictures"),)

    @property
    def views(self) -> tuple[View, ...]:
        """What it looks at."""
        return (View(IMAGE, Modality.IMAGE, (IMAGE,)),)

    @property
    def explains(self) -> bool:
        """Whether `look` says where it looked: never."""
        return False

    def caption(
        self, data: Any, *, workers: int = 4, progress: Progress | None = None, **settings: Any
    ) -> pd.DataFrame:
        """One line per row: `caption` and `confidence`, the geometric mean probability of its tokens.

        `data` is a table with a column `image`, or with one column of pictures, or files: paths or bytes. `settings`
        are those of `Generation` in place of the folder's own; a row draws by `(seed, row)`, whatever stands beside it.
        Without a readable picture the caption is empty and the confidence 0. Raises `ConfigError` for an unknown
        setting, for more tokens than the model has positions, and where the folder's parts do not fit one another.
        """
        chosen, most = changed(self.settings, settings), positions(self.network)
        if chosen.longest > most:
            raise ConfigError(f"generation: expected longest up to {most}, what the model can, got {chosen.longest}")
        dataset = self.read(data)
        pictures = dataset.view_data(IMAGE, workers=workers)
        texts, confidence = [""] * dataset.rows, np.zeros(dataset.rows)
        bad: dict[int, str] = {}
        with stage(progress, "write", dataset.rows) as bar:
            for start in range(0, dataset.rows, CHUNK):
                ids = pictures.ids[start : start + CHUNK, 0]
                seen = self._seen(pictures.values, np.unique(ids[ids >= 0]).tolist(), workers, bad)
                inputs = {start + place: seen[item] for place, item in enumerate(ids.tolist()) if item in seen}
                for rows in _alike(inputs, max(1, HYPOTHESES // chosen.beams)):
                    said = self._write(np.stack([inputs[row] for row in rows]), rows, chosen)
                    for row, (text, sure) in zip(rows, said, strict=True):
                        texts[row], confidence[row] = text, sure
                bar.advance(len(ids))
        self.problems = [*dataset.problems, *_unreadable(bad, pictures.ids[:, 0])]
        frame = pd.DataFrame({"caption": texts, "confidence": confidence})
        frame.attrs["problems"] = [f"{p.column}: {p.message}" for p in self.problems]
        return frame

    def look(self, data: Any, row: int = 0, *, workers: int = 4, **settings: Any) -> NoReturn:
        """Raise `ConfigError`: where a Hugging Face model looks at each word is not read out."""
        raise ConfigError(
            f"{self.folder}: a Hugging Face model does not say where it looked; one of `fusible caption fit` does"
        )

    def read(self, data: Any) -> Dataset:
        """Read a table that has a column of pictures, or files, to a data set with the view `image`."""
        dataset = read(_files(data) if isinstance(data, list | tuple) else data)
        found = [column.name for column in dataset.columns.values() if column.modality is Modality.IMAGE]
        name = IMAGE if IMAGE in dataset.columns or not found else found[0]
        if name not in dataset.columns or (len(found) > 1 and name != IMAGE):
            had = f"columns of pictures {', '.join(map(repr, found))}" if found else "no column of pictures"
            raise SchemaError(f"table: has {had}; call the one to write of {IMAGE!r}")
        cells = dataset.table.column(name)
        if not is_string(cells.type) and not is_binary(cells.type) and cells.null_count < len(cells):
            raise SchemaError(f"column {name!r}: expected pictures, as paths or bytes, got cells of type {cells.type}")
        problems = [problem for problem in dataset.problems if problem.column == name]
        return replace(dataset, views={IMAGE: View(IMAGE, Modality.IMAGE, (name,))}, problems=problems)

    def _seen(self, pictures: Any, ids: Sequence[int], workers: int, bad: dict[int, str]) -> dict[int, np.ndarray]:
        """Inputs of pictures by id, (channels, height, width), decoded in threads; `bad` says what was unreadable."""

        def one(item: int) -> np.ndarray | DataError:
            try:
                return self._pixels(pictures[item])
            except DataError as error:
                return error

        seen: dict[int, np.ndarray] = {}
        with ThreadPoolExecutor(max(1, workers)) as pool:
            for item, pixels in zip(ids, pool.map(one, ids), strict=True):
                if isinstance(pixels, DataError):
                    bad[item] = str(pixels)
                else:
                    seen[item] = pixels
        return seen

    def _pixels(self, media: Media) -> np.ndarray:
        image = decode_image(media)
        pixels = image if image.dtype == np.uint8 else (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
        if min(pixels.shape[:2]) < 2:
            pixels = resize(pixels, 2)
        with _fitting(self.folder):
            return np.asarray(self.processor(pixels, return_tensors="np")["pixel_values"][0], dtype=np.float32)

    @torch.inference_mode()
    def _write(self, inputs: np.ndarray, rows: Sequence[int], chosen: Generation) -> list[tuple[str, float]]:
        """Text and confidence of pictures of one shape: inputs (rows, channels, height, width)."""
        settings: dict[str, Any] = {
            "num_beams": 1 if chosen.sample else chosen.beams,
            "max_new_tokens": chosen.longest,
            "min_new_tokens": chosen.shortest,
            "length_penalty": chosen.length_penalty,
            "do_sample": False,  # what is drawn is drawn by `_Drawn`: a row by its own numbers
            "logits_processor": [_Drawn(rows, chosen)] if chosen.sample else [],
        }
        with quiet(), _fitting(self.folder):
            said = self.network.generate(
                pixel_values=torch.from_numpy(inputs), return_dict_in_generate=True, output_logits=True, **settings
            )
            # Of the logits, not of the scores: those are changed by temperature, nucleus and what is forbidden.
            scores = self.network.compute_transition_scores(
                said.sequences, said.logits, said.get("beam_indices"), normalize_logits=True
            )
        last, written = ends(self.network), []
        for tokens, score in zip(said.sequences[:, -scores.shape[1] :].tolist(), scores.tolist(), strict=True):
            length = next((place + 1 for place, token in enumerate(tokens) if token in last), len(tokens))
            text = self.tokenizer.decode(tokens[:length], skip_special_tokens=True)
            written.append((" ".join(text.split()), float(np.exp(np.mean(score[:length])))))
        return written


class _Drawn:
    """Leaves one token per row: drawn from the nucleus, by the row's own numbers, as our own decoders draw."""

    def __init__(self, rows: Sequence[int], chosen: Generation) -> None:
        streams = [np.random.default_rng([chosen.seed, row]) for row in rows]
        self.uniform = np.array([stream.random(chosen.longest) for stream in streams])
        self.chosen = chosen

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (rows, vocabulary): 0 for the token drawn, minus infinity for the others."""
        numbers = self.uniform[:, input_ids.shape[1] - 1]
        only = torch.full_like(scores, float("-inf"))
        for row, number in enumerate(numbers):
            only[row, nucleus(scores[row].numpy(), number, self.chosen.top_p, self.chosen.temperature)] = 0.0
        return only


def load_hf_captioner(folder: str | Path) -> HfCaptionModel:
    """Load a local folder in Hugging Face format that writes texts of pictures.

    VisionEncoderDecoderModel, BlipForConditionalGeneration and GitForCausalLM of transformers are read; safetensors
    only, nothing is fetched, no code of the folder is run. Raises `ConfigError` saying what was expected.
    """
    place = Path(folder)
    parts = read_captioner(place)
    return HfCaptionModel(place, parts.network, parts.processor, parts.tokenizer, parts.settings)


def _files(given: Sequence[Any]) -> pd.DataFrame:
    """A table of files, all of which are paths or all bytes."""
    if not given:
        raise DataError("files: expected one at least, got none")
    cells = [bytes(one) if isinstance(one, bytearray | memoryview) else one for one in given]
    kinds = (bytes,) if isinstance(cells[0], bytes) else (str, os.PathLike)
    for place, one in enumerate(cells):
        if not isinstance(one, kinds):
            raise DataError(f"files: expected only paths, or only bytes, got {type(one).__name__} at place {place}")
    return pd.DataFrame({IMAGE: cells if kinds == (bytes,) else list(map(str, cells))})


@contextmanager
def _fitting(folder: Path) -> Iterator[None]:
    """Say in a line that the parts of a folder do not fit: pictures of another size, tokens that it has not."""
    try:
        yield
    except (ValueError, IndexError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise ConfigError(f"{folder}: model, preprocessing and tokens do not fit one another: {said}") from None


def _alike(inputs: Mapping[int, np.ndarray], most: int) -> Iterator[list[int]]:
    """Rows by the shape of their inputs, at most so many together."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for row, pixels in inputs.items():
        shapes.setdefault(pixels.shape, []).append(row)
    for rows in shapes.values():
        for start in range(0, len(rows), most):
            yield rows[start : start + most]


def _unreadable(bad: Mapping[int, str], ids: np.ndarray) -> list[Problem]:
    if not bad:
        return []
    rows = np.flatnonzero(np.isin(ids, list(bad)))
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    message = f"{len(bad)} unreadable image item(s) are treated as absent: {'; '.join(list(bad.values())[:3])}{more}"
    return [Problem("unreadable", IMAGE, message, tuple(rows[:100].tolist()), len(rows))]
