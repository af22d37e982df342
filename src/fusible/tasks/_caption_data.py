"""What captioning learns from: views of a row, the texts that belong to it, and which rows show the same thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.cache import ArrayCache
from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.data.split import Split, make_split
from fusible.decoders._base import END
from fusible.decoders._vocabulary import Vocabulary
from fusible.errors import ConfigError, DataError
from fusible.tasks._blocks import blocks_of
from fusible.tasks._said import said
from fusible.tasks.source import Progress, Source
from fusible.tasks.writer import STEPS
from fusible.types import Modality, View

LONGEST = 256
"""Most tokens of a text that is learned."""
KINDS = ("image", "audio", "video", "prompt")
"""What inputs are, in the order of views; a prompt is a text that is answered, such as a question."""


@dataclass(slots=True)
class Material:
    """A table that is read: input views, split of rows, and texts.

    `items` (rows,) numbers distinct inputs: rows of one number show the same. `texts` holds the texts of each row.
    `pairs` (pairs, 2) are row and place of every text. `notes` say what was left out.
    """

    source: Source
    views: tuple[View, ...]
    split: Split
    items: np.ndarray
    texts: list[list[str]]
    notes: list[str] = field(default_factory=list)

    @property
    def dataset(self) -> Dataset:
        """The table."""
        return self.source.dataset

    def present(self, views: Sequence[View], rows: np.ndarray) -> np.ndarray:
        """Bool (rows,): whether one of the views is present."""
        return np.asarray(self.source.presence(list(views), rows).any(axis=1), bool)

    def rows_of(self, part: str) -> np.ndarray:
        """One row for each distinct input of a part that has texts there: the first."""
        rows = np.array([row for row in self.split.parts[part] if self.texts[row]], dtype=np.int64)
        rows = rows[self.present(self.views, rows)]
        return np.sort(rows[np.unique(self.items[rows], return_index=True)[1]])

    def references(self, part: str) -> list[list[str]]:
        """All texts of each input of `rows_of`, over all rows of the part that show it."""
        held: dict[int, list[str]] = {}
        for row in self.split.parts[part]:
            held.setdefault(int(self.items[row]), []).extend(self.texts[row])
        return [held[int(self.items[row])] for row in self.rows_of(part)]

    def pairs(self, part: str) -> tuple[np.ndarray, list[str]]:
        """Every text of a part with its row, where a view is present: rows (pairs,), and the texts."""
        kept = [(row, text) for row in self.split.parts[part].tolist() for text in self.texts[row]]
        rows = np.array([row for row, _ in kept], dtype=np.int64)
        seen = self.present(self.views, rows)
        return rows[seen], [text for (_, text), there in zip(kept, seen, strict=True) if there]


def columns_of(given: Mapping[str, str | Sequence[str] | None]) -> dict[str, list[str]]:
    """Input columns by kind, each a list; raises where none is named, or one twice: only videos may be sounds too."""
    found = {kind: [value] if isinstance(value, str) else list(value or ()) for kind, value in given.items()}
    if not any(found[kind] for kind in KINDS if kind != "prompt"):
        raise ConfigError("inputs: expected a column of pictures, sounds or videos, got none; name one, as --image COL")
    for kind, names in found.items():
        if len(set(names)) < len(names):
            raise ConfigError(f"--{kind}: a column is named twice, got {', '.join(names)}; name each once")
    for name in {name for names in found.values() for name in names}:
        kinds = [kind for kind, names in found.items() if name in names]
        if len(kinds) > 1 and set(kinds) != {"audio", "video"}:
            raise ConfigError(f"column {name!r}: expected one kind of input, got {' and '.join(kinds)}; name it once")
    return found


def material(
    data: Any,
    texts: Sequence[str],
    inputs: Mapping[str, list[str]],
    joined: Mapping[str, Sequence[str]] | None = None,
    *,
    seed: int = 0,
    device: str = "cpu",
    workers: int | None = None,
    cache: str | Path | ArrayCache | None = None,
    progress: Progress | None = None,
) -> Material:
    """Read the table; only named columns are inputs.

    Where the table has no split of its own, rows that share an item stay in one part: see `blocks_of`.
    """
    if not texts:
        raise ConfigError("text: expected a column of texts to learn from, got none; name one, as --text COL")
    modalities = {name: str(kind) for kind in ("image", "video") for name in inputs[kind]}
    modalities |= {name: "audio" for name in inputs["audio"] if name not in modalities}
    modalities |= dict.fromkeys(inputs["prompt"], "text") | dict.fromkeys(texts, "text:target")
    if both := set(texts) & {name for names in inputs.values() for name in names}:
        raise ConfigError(f"column {sorted(both)[0]!r}: is both read and written; name it once")
    dataset = read(data, columns=modalities, views=joined)
    views = _views(dataset, inputs, joined or {})
    dataset = replace(dataset, views={view.name: view for view in views})
    store = cache if isinstance(cache, ArrayCache) else ArrayCache(Path(cache) if cache is not None else None)
    source = Source(dataset, cache=store, workers=workers or 4, device=device, progress=progress, steps=STEPS)
    held = _texts(dataset.to_pandas(list(texts)))
    written = np.array(["text" if one else None for one in held], dtype=object)
    if not any(held):
        raise DataError(f"column {texts[0]!r}: no row has a text; expected texts to learn from")
    blocks, repeated = blocks_of(source, views)
    split = make_split(dataset, written, seed=seed, groups=blocks if repeated else None)
    items = np.unique(np.concatenate([source.data(v).ids for v in views], axis=1), axis=0, return_inverse=True)[1]
    found = Material(source, views, split, items.reshape(-1), held)
    bare = sum(not one for one in held)
    if bare:
        found.notes.append(f"{bare} rows without a text are left out of training and of scores")
    return found


def check_parts(found: Material) -> None:
    """Refuse a part of the split in which nothing could be read; called once encoders have read all items."""
    for part in found.split.parts:
        if not len(found.rows_of(part)):
            raise DataError(
                f"the {part} part: expected rows with a text and an input that can be read, got none; "
                "mend its files, or give it other rows"
            )


def note_rows(found: Material, vocabulary: Vocabulary) -> None:
    """Note how many texts are cut for learning, and how many test inputs training shows too."""
    texts = [text for part in ("train", "valid") for text in found.pairs(part)[1]]
    if long := sum(int(vocabulary.encode(text, LONGEST)[-1]) != END for text in texts):
        found.notes.append(f"{long} texts longer than {LONGEST} tokens are cut there for learning")
    test, train = (set(found.items[found.rows_of(part)].tolist()) for part in ("test", "train"))
    if shared := len(test & train):
        found.notes.append(f"{shared} test inputs also stand in training")


def _texts(cells: pd.DataFrame) -> list[list[str]]:
    """The texts of each row, of all its cells."""
    names, rows = list(map(str, cells)), cells.itertuples(index=False, name=None)
    return [[text for name, cell in zip(names, row, strict=True) for text in said(name, cell)] for row in rows]


def _views(dataset: Dataset, inputs: Mapping[str, list[str]], joined: Mapping[str, Sequence[str]]) -> tuple[View, ...]:
    """Views of the named columns, in their order; a video column among the sounds gives its sound track."""
    wanted = {Modality.IMAGE: "image", Modality.VIDEO: "video", Modality.AUDIO: "audio", Modality.TEXT: "prompt"}
    found = [
        view
        for view in dataset.views.values()
        if view.modality in wanted and set(view.columns) <= set(inputs[wanted[view.modality]])
    ]
    lost = {name for names in inputs.values() for name in names} - {name for view in found for name in view.columns}
    if lost:
        raise DataError(f"column {sorted(lost)[0]!r}: gives no view; expected files with a picture, sound or video")
    order = [name for kind in KINDS for name in inputs[kind]]
    return tuple(sorted(found, key=lambda view: (view.name not in joined, order.index(view.columns[0]))))
