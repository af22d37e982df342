"""The model folder (design, section 6): plain files, no pickle, checked before anything is built from them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from fusible.data.exchange import exchanged
from fusible.errors import DataError, MissingExtraError, ModelFormatError
from fusible.evaluation.metrics import metric_of
from fusible.tasks import pack
from fusible.tasks.model import Model
from fusible.tasks.target import Target
from fusible.tasks.unpack import unpack
from fusible.types import Column, Modality, Role, View

FORMAT = 1
REQUIRED = frozenset({"config.yaml", "weights.safetensors"})
HELD = REQUIRED | {"preprocessing", "trees", "README.md"}
"""All that a model folder holds."""
LARGEST = 16 * 2**30
"""Bytes of weights beyond which a folder is refused."""


def save(model: Model, folder: Path) -> Path:
    """Write the folder beside its place, then rename it there; an older model folder is replaced."""
    check_model(folder)
    packed = pack.pack(model.node)
    config = {
        "format": FORMAT,
        "target": model.target.to_config(),
        "metric": model.metric,
        "threshold": model.threshold,
        **schema_config(model.columns, model.views),
        "encoders": packed.encoders,
        "strategy": packed.tree,
        "info": model.info,
    }
    return store(folder, config, packed, model.card or f"# Fusible model: {model.node.name}\n")


def schema_config(columns: Sequence[Column], views: Sequence[View]) -> dict[str, Any]:
    """Columns and views as plain values."""
    return {
        "columns": [
            {"name": c.name, "modality": str(c.modality), "role": str(c.role), "reason": c.reason} for c in columns
        ],
        "views": [{"name": v.name, "modality": str(v.modality), "columns": list(v.columns)} for v in views],
    }


def schema_of(config: Mapping[str, Any]) -> tuple[tuple[Column, ...], tuple[View, ...]]:
    """Take back what `schema_config` gave."""
    views = tuple(View(v["name"], Modality(v["modality"]), tuple(v["columns"])) for v in config["views"])
    columns = tuple(
        Column(c["name"], Modality(c["modality"]), Role(c["role"]), str(c["reason"])) for c in config["columns"]
    )
    return columns, views


def store(folder: Path, config: Mapping[str, Any], packed: pack.Packed, card: str) -> Path:
    """Write a folder of plain files, whole or not at all."""
    from safetensors.torch import save_file

    whole = folder.resolve()  # "." and links have no name of their own
    whole.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{whole.name}-", dir=whole.parent))
    try:
        beside.chmod(0o755)
        (beside / "config.yaml").write_text(
            yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True), "utf-8"
        )
        save_file({k: v.contiguous() for k, v in packed.arrays.items()}, str(beside / "weights.safetensors"))
        for kind, suffix, texts in (("preprocessing", "json", packed.learned), ("trees", "txt", packed.texts)):
            for name, text in texts.items():
                (beside / kind).mkdir(exist_ok=True)
                (beside / kind / f"{name}.{suffix}").write_text(text, "utf-8")
        (beside / "README.md").write_text(card, "utf-8")
        replace(beside, whole)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return folder


def check_model(folder: Path) -> Path:
    """Refuse a place that holds something else than a model; the place itself otherwise."""
    try:
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder}: expected a folder to write the model to, got a file; choose another path")
        if folder.is_dir():
            found = {path.name for path in folder.iterdir()}
            if found and (not found >= REQUIRED or found - HELD):
                raise DataError(f"{folder}: expected a new path, an empty folder or a model folder, got other files")
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); choose another path") from None
    return folder


def replace(beside: Path, folder: Path) -> None:
    """Put a finished folder in its place; what stood there goes only after the new one stands."""
    if not folder.exists():
        beside.rename(folder)
        return
    if not folder.is_symlink() and exchanged(beside, folder):
        shutil.rmtree(beside, ignore_errors=True)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / "old")
    try:
        beside.rename(folder)
    except OSError:
        (old / "old").rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def load(folder: str | Path) -> Model:
    """Load a model folder. Nothing in it is run, nothing fetched; what is damaged, unsafe or newer is refused.

    Raises `ModelFormatError` naming the file, what was expected and what was found.
    """
    with opened(Path(folder)) as (config, parts):
        if "aligner" in config:
            raise ModelFormatError(f"{folder}: holds an aligner, expected a model; use fusible.load_aligner")
        if "retriever" in config:
            raise ModelFormatError(f"{folder}: holds a retriever, expected a model; use fusible.load_retriever")
        if "captioner" in config:
            raise ModelFormatError(f"{folder}: holds a caption model, which fusible.load_captioner reads")
        parts.tree = dict(config["strategy"])
        target = Target.from_config(config["target"])
        columns, views = schema_of(config)
        node = unpack(parts, {view.name: view for view in views}, target.task)
        metric = metric_of(config["metric"], target.task).name
        threshold = None if config["threshold"] is None else float(config["threshold"])
        return Model(node, target, columns, views, metric, threshold, dict(config["info"]))


@contextmanager
def opened(place: Path) -> Iterator[tuple[dict[str, Any], pack.Packed]]:
    """Config, encoders, arrays and texts of a folder; whatever fails on them inside is a `ModelFormatError`."""
    _refuse_links(place)
    config = _config(place)
    try:
        yield (
            config,
            pack.Packed(
                encoders=dict(config["encoders"]),
                arrays=_arrays(place / "weights.safetensors"),
                learned=dict(_texts(place / "preprocessing", ".json")),
                texts=dict(_texts(place / "trees", ".txt")),
            ),
        )
    except (ModelFormatError, MissingExtraError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise ModelFormatError(
            f"{place}: the model folder is damaged ({type(error).__name__}: {said}); "
            "expected the files as `fusible fit` wrote them, copy or fit it again"
        ) from error


def _refuse_links(place: Path) -> None:
    """A link may point outside the folder: nothing that is read may be one."""
    for name in sorted(HELD):
        path = place / name
        for file in [path, *(path.iterdir() if path.is_dir() and not path.is_symlink() else ())]:
            if file.is_symlink():
                raise ModelFormatError(f"{file}: a link, expected a plain file; copy what it points to")


def _config(place: Path) -> dict[str, Any]:
    path = place / "config.yaml"
    if not path.is_file():
        raise ModelFormatError(f"{place}: expected a model folder with config.yaml, found none; check the path")
    try:
        config = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelFormatError(f"{path}: expected plain YAML, got what is none ({said})") from error
    version = config.get("format") if isinstance(config, dict) else None
    if not isinstance(config, dict) or isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ModelFormatError(f"{path}: expected a mapping with a whole number `format`; is this a Fusible model?")
    if version > FORMAT:
        raise ModelFormatError(
            f"{path}: format {version} is newer than {FORMAT}, which this version knows; upgrade fusible"
        )
    return config


def _arrays(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelFormatError(
            f"{path}: expected the model's weights, the file is missing; copy or fit the model again"
        )
    if path.stat().st_size > LARGEST:
        raise ModelFormatError(f"{path}: {path.stat().st_size} bytes of weights, expected at most {LARGEST}")
    try:
        arrays: dict[str, torch.Tensor] = load_file(str(path))
    except SafetensorError as error:
        raise ModelFormatError(f"{path}: damaged weights ({error}); copy or fit the model again") from error
    return arrays


def _texts(folder: Path, suffix: str) -> Iterator[tuple[str, str]]:
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix == suffix and path.is_file():
                yield path.stem, path.read_text("utf-8")


def _plain(value: Any) -> Any:
    """NumPy scalars, tuples and mappings as YAML knows them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, str):
        return str(value)
    return json.loads(json.dumps(value))
