"""Caption models: a fitted writer with the schema it needs, ready to write, explain itself, and be saved."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.decoders._generate import Generation
from fusible.errors import ConfigError, DataError, ModelFormatError
from fusible.tasks import pack
from fusible.tasks._caption_look import Looked, looked
from fusible.tasks._caption_pack import KEY, pack_author, unpack_author
from fusible.tasks.folder import FORMAT, check_model, opened, schema_config, schema_of, store
from fusible.tasks.folder import replace as put
from fusible.tasks.source import Progress, Source, stage
from fusible.tasks.writer import STEPS, Author
from fusible.types import Column, Modality, Problem, View

if TYPE_CHECKING:
    from fusible.evaluation.written import Captions
    from fusible.tasks.hf_captioner import HfCaptionModel

CHUNK = 1_024
"""Rows that are decoded, encoded and written of at a time."""
HELD = frozenset({"captions.json", "model", "report.html"})
"""All that the folder of a result holds."""


@dataclass(slots=True)
class CaptionModel:
    """Writes texts of rows; by `fusible.fit_captions`, or from a folder by `fusible.load_captioner`.

    `settings` are how it writes where nothing else is said. `problems` names cells that the last call could not read.
    """

    writer: Author
    columns: tuple[Column, ...]
    settings: Generation = field(default_factory=Generation)
    info: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def views(self) -> tuple[View, ...]:
        """What it looks at."""
        return self.writer.views

    @property
    def explains(self) -> bool:
        """Whether `look` says where it looked: always."""
        return True

    def caption(
        self, data: Any, *, workers: int = 4, progress: Progress | None = None, **settings: Any
    ) -> pd.DataFrame:
        """One line per row: `caption` and `confidence`, the geometric mean probability of its tokens.

        `data` is a table with the columns of training, or where the model looks at one column only, a list of paths,
        or of the bytes of files.
        `settings` are those of `Generation` (beams, sample, top_p, temperature, longest, shortest, length_penalty,
        seed) in place of the model's own. Cells that cannot be read count as absent. Raises `ConfigError` for an
        unknown setting.
        """
        chosen = self.generation(**settings)
        dataset = self.read(data)
        self.problems = list(dataset.problems)
        texts: list[str] = []
        confidence: list[float] = []
        with stage(progress, "write", dataset.rows) as bar:
            for start in range(0, dataset.rows, CHUNK):
                rows = np.arange(start, min(start + CHUNK, dataset.rows))
                source = self._source(dataset, rows, workers)
                written = self.writer.write(source, np.arange(len(rows)), chosen, first=start)
                texts += written.texts
                confidence += written.confidence.tolist()
                self.problems += source.dataset.problems + source.problems
                bar.advance(len(rows))
        frame = pd.DataFrame({"caption": texts, "confidence": confidence})
        frame.attrs["problems"] = [f"{p.column}: {p.message}" for p in self.problems]
        return frame

    def ask(self, images: Sequence[Any], question: str, *, workers: int = 4, **settings: Any) -> tuple[str, float]:
        """The text that answers a question about pictures, and its confidence; of a model that was fitted with prompts.

        One picture per column, in that order, as a path or the bytes of a file, None for one that is missing. Raises
        `ConfigError` for a model without prompts, another number of pictures, what is none, or an empty question.
        """
        prompts = [name for view in self.views if view.modality is Modality.TEXT for name in view.columns]
        media = [name for view in self.views if view.modality is not Modality.TEXT for name in view.columns]
        if len(prompts) != 1:
            raise ConfigError(f"ask: the model was fitted with {len(prompts)} prompts, expected one; use caption")
        if not question.strip():
            raise ConfigError("question: expected words, got none; ask something")
        if len(images) != len(media):
            raise ConfigError(f"ask: expected {len(media)} files, for {', '.join(media)}, got {len(images)}")
        cells = {name: _cells(name, [image]) for name, image in zip(media, images, strict=True)}
        frame = self.caption(pd.DataFrame({**cells, prompts[0]: [question]}), workers=workers, **settings)
        if frame.attrs["problems"]:
            raise DataError(frame.attrs["problems"][0])
        return str(frame["caption"].iloc[0]), float(frame["confidence"].iloc[0])

    def look(self, data: Any, row: int = 0, *, workers: int = 4, **settings: Any) -> Looked:
        """Write of one row, and say where the model looked when it wrote each word: weights per view and token."""
        dataset = self.read(data)
        if not 0 <= row < dataset.rows:
            raise DataError(f"row {row}: the table has rows 0 to {dataset.rows - 1}")
        source = self._source(dataset, np.array([row]), workers)
        return looked(self.writer, source, self.generation(**settings), first=row)

    def generation(self, **settings: Any) -> Generation:
        """The model's own settings, with others in place of some; None keeps one."""
        return changed(self.settings, settings)

    def read(self, data: Any) -> Dataset:
        """Read a table by the schema of training, or files where the model looks at one column."""
        if isinstance(data, list | tuple):
            if len(self.columns) != 1:
                names = ", ".join(repr(column.name) for column in self.columns)
                raise ConfigError(f"files: the model looks at the columns {names}; give a table that has them")
            if not data:
                raise DataError("files: expected one at least, got none")
            data = pd.DataFrame({self.columns[0].name: _cells(self.columns[0].name, data)}, dtype=object)
        elif isinstance(data, bytes | np.ndarray):
            raise ConfigError(
                f"files: expected a list of paths or bytes, got {type(data).__name__}; give a list of these"
            )
        dataset = read(data, like=self.columns)
        return replace(dataset, views={view.name: view for view in self.views})

    def save(self, folder: str | Path) -> Path:
        """Write the model's folder of plain files, whole or not at all."""
        place, packer = check_model(Path(folder)), pack.Packer()
        config = {
            "format": FORMAT,
            KEY: {**pack_author(packer, self.writer), "generation": asdict(self.settings)},
            **schema_config(self.columns, self.views),
            "encoders": packer.packed.encoders,
            "info": self.info,
        }
        return store(place, config, packer.packed, _card(self))

    def _source(self, dataset: Dataset, rows: np.ndarray, workers: int) -> Source:
        return Source(replace(dataset, problems=[]), workers=workers, rows=rows, steps=STEPS)


def _cells(column: str, files: Sequence[Any]) -> list[str | bytes | None]:
    """Cells of a column of files, all of one type."""
    cells = [str(file) if isinstance(file, Path) else file for file in files]
    if odd := [type(cell).__name__ for cell in cells if not (cell is None or isinstance(cell, str | bytes))]:
        raise ConfigError(f"column {column!r}: expected paths or the bytes of files, got {odd[0]}; write it to a file")
    if len({type(cell) for cell in cells if cell is not None}) > 1:
        raise ConfigError(f"column {column!r}: expected all paths or all bytes, got both; give files of one type")
    return cells


def changed(settings: Generation, others: Mapping[str, Any]) -> Generation:
    """Settings with others in place of some, by name; None keeps one. Raises `ConfigError` for an unknown name."""
    given = {name: value for name, value in others.items() if value is not None}
    if unknown := set(given) - set(asdict(settings)):
        known = ", ".join(asdict(settings))
        raise ConfigError(f"generation: has no setting {sorted(unknown)[0]!r}; expected one of {known}")
    return replace(settings, **given)


def holds_captioner(folder: str | Path) -> bool:
    """Whether a folder holds a caption model, or a result with one."""
    import yaml

    place = Path(folder)
    held = [place / name for name in ("captions.json", "config.yaml", "model", "model/config.yaml")]
    if any(path.is_symlink() for path in held):  # which nothing that we write is, and which may lead anywhere
        return False
    place = place / "model" if (place / "captions.json").is_file() else place
    try:
        config = yaml.safe_load((place / "config.yaml").read_text("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return False
    return isinstance(config, dict) and KEY in config


def load_captioner(folder: str | Path) -> CaptionModel | HfCaptionModel:
    """Load a caption model's folder, or that of a result which holds one; safe as loading a model folder is.

    A local folder in Hugging Face format (config.json, safetensors) that writes texts of pictures is read too: see
    `fusible.tasks.hf_captioner`.

    Raises `ModelFormatError` naming the file, what was expected and what was found; `ConfigError` for a Hugging Face
    folder that cannot be used.
    """
    place = Path(folder)
    if (place / "config.json").is_file() and not (place / "config.yaml").exists():
        from fusible.tasks.hf_captioner import load_hf_captioner

        return load_hf_captioner(place)
    if not (place / "config.yaml").exists() and (place / "model").is_dir():
        place = place / "model"
    if not (place / "config.yaml").exists():
        raise ModelFormatError(
            f"{place}: expected what `fusible caption fit` wrote (config.yaml), or a local Hugging Face folder "
            "(config.json); found neither, check the path"
        )
    with opened(place) as (config, parts):
        if not isinstance(config.get(KEY), Mapping):
            raise ModelFormatError(f"{place}: holds no caption model; make one with `fusible caption fit`")
        plain = config[KEY]
        columns, views = schema_of(config)
        writer = unpack_author(parts, plain, views)
        return CaptionModel(writer, columns, Generation(**plain["generation"]), dict(config["info"]))


def model_of(columns: Mapping[str, Column], writer: Author, settings: Generation, info: dict[str, Any]) -> CaptionModel:
    """A fitted writer as a model: with the columns that it looks at."""
    used = {name for view in writer.views for name in view.columns}
    kept = tuple(column for column in columns.values() if column.name in used)
    return CaptionModel(writer, kept, replace(settings, longest=writer.longest), info)


def _card(model: CaptionModel) -> str:
    views = ", ".join(f"{view.name} ({view.modality})" for view in model.views)
    score, metric = model.info.get("score"), model.info.get("metric")
    said = f"\n{metric} on test inputs: {score:.4g}\n" if isinstance(score, float) else ""
    return f"# Fusible caption model: {model.writer.name}\n\nLooks at: {views}\n{said}"


def check_captioner(place: Path) -> Path:
    """Refuse, before any work, a place that holds something else than an earlier result."""
    if place.exists() and not place.is_dir():
        raise DataError(f"{place}: expected a folder to write to, got a file; choose another output")
    if place.is_dir():
        found = {path.name for path in place.iterdir()}
        if found and ("captions.json" not in found or found - HELD):
            raise DataError(f"{place}: expected a new path, an empty folder or an earlier result; choose another")
    return place


def write_result(result: Captions, place: Path, extras: Sequence[tuple[str, str]] = ()) -> None:
    """Write a result's JSON and model, and further files by name and text, beside their place; then rename."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        beside.chmod(0o755)
        result.model.save(beside / "model")
        (beside / "captions.json").write_text(json.dumps(result.to_json(), ensure_ascii=False, indent=1), "utf-8")
        for name, text in extras:
            (beside / name).write_text(text, "utf-8")
        put(beside, place)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
