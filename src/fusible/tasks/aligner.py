"""Aligners with their encoders: from rows of a table to vectors of one space, saved as a folder without pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.encoders._base import Encoder
from fusible.errors import DataError, ModelFormatError, SchemaError
from fusible.tasks import pack
from fusible.tasks.folder import FORMAT, HELD, REQUIRED, opened, schema_config, schema_of, store
from fusible.tasks.source import Progress, Source, stage
from fusible.tasks.vectors import pooled
from fusible.types import Column, Problem, View

CHUNK = 2_048
"""Rows that are decoded, encoded and projected at a time."""


@dataclass(slots=True)
class TableAligner:
    """A fitted aligner that reads tables: `transform` embeds rows, one view alone too; from a folder by `load_aligner`.

    `problems` names cells that the last `transform` could not read.
    """

    method: str
    columns: tuple[Column, ...]
    views: tuple[View, ...]
    encoders: dict[str, Encoder]
    projections: dict[str, nn.Module]
    info: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Number of dimensions of the common space."""
        return int(self.info["components"])

    def transform(
        self, data: Any, views: Sequence[str] | None = None, *, workers: int = 4, progress: Progress | None = None
    ) -> dict[str, np.ndarray]:
        """Vectors {view: (rows, width)} float32 of the named views (default: all); absent cells are rows of NaN.

        The table needs the columns of these views only. Raises `SchemaError` for a view or column that is not there.
        """
        chosen = self._chosen(views)
        dataset = self._read(data, chosen)
        found = {view.name: np.full((dataset.rows, self.width), np.nan, np.float32) for view in chosen}
        self.problems = list(dataset.problems)
        with stage(progress, "embed", dataset.rows) as bar:
            for start in range(0, dataset.rows, CHUNK):
                rows = np.arange(start, min(start + CHUNK, dataset.rows))
                source = Source(replace(dataset, problems=[]), workers=workers, rows=rows)
                for view in chosen:
                    found[view.name][rows] = self._embed(source, view, np.arange(len(rows)))
                self.problems += source.dataset.problems + source.problems
                bar.advance(len(rows))
        return found

    def save(self, folder: str | Path) -> Path:
        """Write the aligner's folder, whole or not at all."""
        place = check_aligner_folder(Path(folder))
        packer = pack.Packer()
        views = {}
        for number, view in enumerate(self.views):
            projection: Any = self.projections[view.name]
            key = f"projection{number}"
            packer.arrays(key, projection)
            views[view.name] = {
                "encoder": packer.encoder(self.encoders[view.name]),
                "key": key,
                "spec": dict(projection.spec),
            }
        config = {
            "format": FORMAT,
            "aligner": {"method": self.method, "views": views},
            **schema_config(self.columns, self.views),
            "encoders": packer.packed.encoders,
            "info": self.info,
        }
        card = f"# Fusible aligner: {self.method}\n\nViews: {', '.join(view.name for view in self.views)}\n"
        return store(place, config, packer.packed, card)

    def _chosen(self, names: Sequence[str] | None) -> list[View]:
        known = {view.name: view for view in self.views}
        if unknown := [name for name in names or () if name not in known]:
            raise SchemaError(f"view {unknown[0]!r}: the aligner knows {', '.join(map(repr, known))}")
        return list(self.views) if names is None else [known[name] for name in names]

    def _read(self, data: Any, views: Sequence[View]) -> Dataset:
        needed = {name for view in views for name in view.columns}
        dataset = read(data, like=[column for column in self.columns if column.name in needed])
        return replace(dataset, views={view.name: view for view in views})

    def _embed(self, source: Source, view: View, rows: np.ndarray) -> np.ndarray:
        vectors = pooled(source.feed(view, self.encoders[view.name], encoded=True), rows)
        return project(self.projections[view.name], vectors)


@torch.inference_mode()
def project(projection: nn.Module, vectors: np.ndarray) -> np.ndarray:
    """Project rows (rows, columns) by a module; rows of NaN stay so."""
    there = np.isfinite(vectors).all(axis=1)
    outputs = projection(torch.from_numpy(np.where(there[:, None], vectors, 0.0).astype(np.float32))).float().numpy()
    found: np.ndarray = np.where(there[:, None], outputs, np.nan)
    return found


def check_aligner_folder(folder: Path) -> Path:
    """Refuse a place that holds something else than an aligner; the place itself otherwise."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: expected a folder to write the aligner to, got a file; choose another path")
    if folder.is_dir():
        found = {path.name for path in folder.iterdir()}
        if found and (not found >= REQUIRED or found - HELD):
            raise DataError(f"{folder}: expected a new path, an empty folder or an aligner's folder, got other files")
    return folder


def load_aligner(folder: str | Path) -> TableAligner:
    """Load the folder of an aligner, as `fusible align … -o OUT` writes it in OUT/aligner; safe as a model folder is.

    Raises `ModelFormatError` naming the file, what was expected and what was found.
    """
    with opened(Path(folder)) as (config, parts):
        if not isinstance(config.get("aligner"), Mapping):
            raise ModelFormatError(f"{folder}: holds no aligner; a model folder is read by fusible.load")
        aligner = config["aligner"]
        pack.registered("alignment", aligner["method"])
        columns, views = schema_of(config)
        known = pack.unpack_encoders(parts)
        encoders, projections = {}, {}
        for view in views:
            entry = aligner["views"][view.name]
            encoders[view.name] = encoder = pack.fitting(view, known[entry["encoder"]])
            projections[view.name] = pack.unpack_projection(
                parts, str(entry["key"]), entry["spec"], encoder.output_width
            )
        info = dict(config["info"])
        outputs = {int(entry["spec"]["outputs"]) for entry in aligner["views"].values()}
        if outputs != {info["components"]}:
            raise ModelFormatError(f"{folder}: expected {info['components']} outputs of every view, got {outputs}")
        return TableAligner(str(aligner["method"]), columns, views, encoders, projections, info)
