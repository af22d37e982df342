"""Retrievers: rows of a table, or a query, as unit vectors of one space, and what their similarities mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.encoders._base import Encoder
from fusible.errors import ModelFormatError, SchemaError
from fusible.index.items import FUSED
from fusible.tasks import pack
from fusible.tasks._retrieval_calibration import Calibration, check_names
from fusible.tasks._retrieval_head import Head, Part, build_head, fused, units
from fusible.tasks.aligner import TableAligner, load_aligner
from fusible.tasks.folder import FORMAT, check_model, opened, schema_config, schema_of, store
from fusible.tasks.source import Progress, Source, stage
from fusible.tasks.vectors import pooled
from fusible.types import Column, Problem, View

CHUNK = 2_048
"""Rows that are decoded, encoded and projected at a time."""
INSIDE = ("retriever", "aligner")
"""Folders within the folder of a result that hold what can be loaded."""


@dataclass(slots=True)
class Retriever:
    """Encoders, heads and calibration of some views; by `fusible.fit_retrieval`, or from a folder by `load_retriever`.

    Similarity is the inner product of unit vectors of `width` columns, whatever the views. `problems` names cells that
    the last `transform` could not read.
    """

    method: str
    columns: tuple[Column, ...]
    views: tuple[View, ...]
    encoders: dict[str, Encoder]
    heads: dict[str, nn.Module]
    calibration: Calibration
    info: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _print: str = ""

    @property
    def width(self) -> int:
        """Columns of a vector."""
        head: Any = self.heads[self.views[0].name]
        return int(head.outputs)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the views."""
        return tuple(view.name for view in self.views)

    @property
    def for_search(self) -> bool:
        """Whether `fit_retrieval` made it, calibrated or not."""
        return "prior" in self.info

    @property
    def fingerprint(self) -> str:
        """Hash, in hex, of all that vectors depend on: encoders, heads, views; an index is bound to it."""
        if not self._print:
            digest = hashlib.blake2b(digest_size=16)
            for view in self.views:
                head: Any = self.heads[view.name]
                plain = [view.name, str(view.modality), list(view.columns), self.encoders[view.name].fingerprint()]
                digest.update(json.dumps([plain, head.spec], sort_keys=True).encode())
                for name, tensor in sorted(head.state_dict().items()):
                    digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                    digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
            self._print = digest.hexdigest()
        return self._print

    def view(self, name: str) -> View:
        """A view by its name; raises `SchemaError` for one that the retriever does not know."""
        for view in self.views:
            if view.name == name:
                return view
        raise SchemaError(f"view {name!r}: the retriever knows {', '.join(map(repr, self.names))}")

    def read(self, data: Any, views: Sequence[str] | None = None) -> Dataset:
        """Read a table by the schema of training; it needs the columns of the named views only (default: all)."""
        chosen = self._chosen(views)
        needed = {name for view in chosen for name in view.columns}
        dataset = read(data, like=[column for column in self.columns if column.name in needed])
        return replace(dataset, views={view.name: view for view in chosen})

    def transform(
        self, data: Any, views: Sequence[str] | None = None, *, workers: int = 4, progress: Progress | None = None
    ) -> dict[str, np.ndarray]:
        """Unit vectors {view: (rows, width)} float32 of the named views (default: all); absent cells are rows of NaN.

        Raises `SchemaError` for a view or column that is not there.
        """
        chosen = self._chosen(views)
        dataset = self.read(data, views)
        found = {view.name: np.full((dataset.rows, self.width), np.nan, np.float32) for view in chosen}
        self.problems = list(dataset.problems)
        with stage(progress, "embed", dataset.rows) as bar:
            for start in range(0, dataset.rows, CHUNK):
                rows = np.arange(start, min(start + CHUNK, dataset.rows))
                source = Source(replace(dataset, problems=[]), workers=workers, rows=rows)
                for view in chosen:
                    found[view.name][rows] = self.embed(source, view, np.arange(len(rows)))
                self.problems += source.dataset.problems + source.problems
                bar.advance(len(rows))
        return found

    def embed(self, source: Source, view: View, rows: np.ndarray) -> np.ndarray:
        """Unit vectors (rows, width) of one view over rows of a source; NaN where it is absent or says nothing."""
        self.view(view.name)
        return units(self.heads[view.name], pooled(source.feed(view, self.encoders[view.name], encoded=True), rows))

    def fuse(self, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Unit vectors (rows, width) of all views together, of those that are present; NaN where none is.

        Also how a query of several modalities becomes one vector. Raises `SchemaError` for an unknown view.
        """
        for name in vectors:
            self.view(name)
        if not vectors:
            raise SchemaError(f"fuse: expected vectors of one view at least, of {', '.join(map(repr, self.names))}")
        return fused(list(vectors.values()))

    def calibrate(self, asked: str, found: str, similarity: np.ndarray, rows: int | None = None) -> np.ndarray:
        """Chance in [0, 1], monotone in the similarity, that asked and found belong together.

        `asked` and `found` are views or `fused`; chances of different pairs of views are comparable. Of one pair that
        is drawn at the stated prior, or with `rows` of one among so many rows that are searched. The shape is that of
        `similarity`. Raises `SchemaError` for an unknown view.
        """
        check_names(self.names, asked, found)
        return self.calibration.chance(asked, found, similarity, rows)

    def save(self, folder: str | Path) -> Path:
        """Write the retriever's folder of plain files, whole or not at all."""
        place = check_model(Path(folder))
        packer = pack.Packer()
        views = {}
        for number, view in enumerate(self.views):
            head: Any = self.heads[view.name]
            packer.arrays(f"head{number}", head)
            encoder = packer.encoder(self.encoders[view.name])
            views[view.name] = {"encoder": encoder, "key": f"head{number}", "head": head.spec}
        config = {
            "format": FORMAT,
            "retriever": {"method": self.method, "views": views, "calibration": self.calibration.to_config()},
            **schema_config(self.columns, self.views),
            "encoders": packer.packed.encoders,
            "info": self.info,
        }
        card = f"# Fusible retriever: {self.method}\n\nViews: {', '.join(self.names)}\n"
        return store(place, config, packer.packed, card)

    def _chosen(self, names: Sequence[str] | None) -> list[View]:
        return list(self.views) if names is None else [self.view(name) for name in names]


def load_retriever(folder: str | Path) -> Retriever:
    """Load a retriever's folder, or that of an aligner; safe as loading a model folder is.

    The folder of a result, which holds one, serves too. Of an aligner similarities are cosines of its scores, and
    chances follow the rule of `Calibration.curve`. Raises `ModelFormatError` naming the file, what was expected and
    what was found.
    """
    place = Path(folder)
    if not (place / "config.yaml").exists():
        place = next((place / name for name in INSIDE if (place / name).is_dir()), place)
    with opened(place) as (config, parts):
        if "aligner" in config:
            return of_aligner(load_aligner(place))
        if not isinstance(config.get("retriever"), Mapping):
            raise ModelFormatError(
                f"{place}: holds no retriever; make one with fusible.fit_retrieval (a model is read by fusible.load)"
            )
        plain = config["retriever"]
        columns, views = schema_of(config)
        known = pack.unpack_encoders(parts)
        encoders: dict[str, Encoder] = {}
        heads: dict[str, nn.Module] = {}
        for view in views:
            entry = plain["views"][view.name]
            encoders[view.name] = pack.fitting(view, known[entry["encoder"]])
            heads[view.name] = _head(parts, entry, encoders[view.name].output_width)
        widths = {int(head.outputs) for head in heads.values()}  # type: ignore[arg-type]
        if len(widths) != 1:
            raise ModelFormatError(f"{place}: expected heads of one width, got {sorted(widths)}")
        names = (*(view.name for view in views), FUSED)
        calibration = Calibration.from_config(plain["calibration"], names, widths.pop())
        return Retriever(str(plain["method"]), columns, views, encoders, heads, calibration, dict(config["info"]))


def of_aligner(aligner: TableAligner) -> Retriever:
    """A retriever that ranks by the cosine of an aligner's scores; not calibrated."""
    heads: dict[str, nn.Module] = {}
    for name, projection in aligner.projections.items():
        heads[name] = Head([Part(projection, aligner.width)]).eval()
    calibration = Calibration(width=aligner.width)
    return Retriever(
        aligner.method, aligner.columns, aligner.views, aligner.encoders, heads, calibration, dict(aligner.info)
    )


def _head(parts: pack.Packed, entry: Mapping[str, Any], inputs: int) -> nn.Module:
    """Rebuild a head of vectors of `inputs` columns."""
    for part in entry["head"]:
        if part["projection"].get("inputs") != inputs:
            got = part["projection"].get("inputs")
            raise ModelFormatError(f"config.yaml: {entry['key']}: expected {inputs} inputs as its encoder, got {got}")
    return pack.unpack_module(parts, str(entry["key"]), lambda: build_head(entry["head"]))
