"""Sources: a table's views as feeds, each distinct item decoded and encoded once, through the cache."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

import numpy as np

from fusible.data.cache import ArrayCache, CacheSpace
from fusible.data.dataset import Dataset
from fusible.encoders._base import Encoder
from fusible.errors import DataError
from fusible.tasks._ahead import begin, by_length, in_order, unreadable
from fusible.tasks.encode import Arrays, arrange, decode_key, encode_batch
from fusible.training.feed import Batcher, Feed
from fusible.types import MEDIA, STEPS, Problem, View, ViewData

SHARD = 512
BATCH = 32


Spaces = dict[tuple[int, bool], CacheSpace]
"""Parts of a cache that are open, by the encoder's identity and whether they hold sequences."""


class Stage(Protocol):
    """A running stage of progress."""

    def advance(self, n: int = 1) -> None:
        """Count `n` more units as done."""


class Progress(Protocol):
    """Anything that shows stages."""

    def stage(self, name: str, total: int | None) -> AbstractContextManager[Stage]:
        """Open a stage of `total` units."""


class _Silent:
    def advance(self, n: int = 1) -> None:
        """Show nothing."""


def stage(progress: Progress | None, name: str, total: int | None = None) -> AbstractContextManager[Stage]:
    """Open a stage of `progress`, or a silent one."""
    return nullcontext(_Silent()) if progress is None else progress.stage(name, total)


class Source:
    """The views of one table, or of some of its rows, ready for encoders.

    With `rows`, ids and row arguments count within these; messages name rows of the table. `steps`: most tokens of an
    item. `counts` says how many items were encoded, came from the cache, and could not be read. Unreadable items become
    absent cells, and one `Problem` per view names them. `spaces` may be shared by sources whose encoders stay as they
    are: reading all weights, to name them, then happens once.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        cache: ArrayCache | None = None,
        workers: int = 4,
        device: str = "cpu",
        progress: Progress | None = None,
        rows: np.ndarray | None = None,
        steps: int = STEPS,
        spaces: Spaces | None = None,
    ) -> None:
        self.dataset, self.rows, self.steps = dataset, rows, steps
        self.cache, self._spaces = cache, spaces
        self.workers, self.device = workers, device
        self.progress = progress
        self.problems: list[Problem] = []
        self.counts = {"encoded": 0, "cached": 0, "unreadable": 0}
        self._data: dict[str, ViewData] = {}
        self._feeds: dict[tuple[str, int, str], tuple[Encoder, Feed]] = {}
        self._items: dict[tuple[str, str], Any] = {}
        self._begun: dict[tuple[str, int], dict[int, Future[tuple[int, Any]]]] = {}

    def data(self, view: View) -> ViewData:
        """The view's distinct items and who holds them."""
        if view.name not in self._data:
            self._data[view.name] = self.dataset.view_data(view, self.rows, self.workers)
        return self._data[view.name]

    def presence(self, views: Sequence[View], rows: np.ndarray) -> np.ndarray:
        """Bool (rows, views)."""
        return np.stack([self.data(view).presence[rows] for view in views], axis=1)

    def values(self, view: View, rows: np.ndarray) -> Any:
        """Items of a one-slot view, one per row; every row must be present."""
        data = self.data(view)
        ids = data.ids[rows, 0]
        return data.values.iloc[ids] if hasattr(data.values, "iloc") else [data.values[i] for i in ids]

    def training_items(self, view: View, rows: np.ndarray) -> Any:
        """Distinct items that some rows hold: what an encoder may `fit` on."""
        data = self.data(view)
        ids = np.unique(data.ids[rows])
        ids = ids[ids >= 0]
        return data.values.iloc[ids] if hasattr(data.values, "iloc") else [data.values[i] for i in ids]

    def feed(self, view: View, encoder: Encoder, *, encoded: bool, tokens: bool = False) -> Feed:
        """The view for a network: encoded once now (`encoded`), or decoded, to be encoded within the network.

        With `tokens`, encoded sequences too, of at most `steps` tokens an item; asked for first, they also serve those
        who ask for vectors later. Feeds are remembered per encoder object; `forget` drops those of an encoder whose
        weights change. Decoded items serve every encoder that decodes alike: copies that are trained apart decode
        nothing again.
        """
        kind = ("tokens" if tokens else "encoded") if encoded else "decoded"
        key = (view.name, id(encoder), kind)
        longer = self._feeds.get((view.name, id(encoder), "tokens"))
        if key not in self._feeds and kind == "encoded" and longer is not None:
            self._feeds[key] = (encoder, replace(longer[1], tokens=None, mask=None))
        if key not in self._feeds:
            data = self.data(view)
            if encoded:
                features, steps, mask = arrange(
                    self._encode(view, encoder, data, tokens), len(data.values), encoder, tokens
                )
                feed = Feed(data.ids, features=features, tokens=steps, mask=mask, batcher=encoder.batch)
            else:
                feed = Feed(data.ids, items=self._decode(view, encoder, data), batcher=self._batcher(view, encoder))
            self._feeds[key] = (encoder, feed)
        return replace(self._feeds[key][1], ids=self.data(view).ids)

    def begin(self, view: View, encoder: Encoder, pool: ThreadPoolExecutor) -> None:
        """Begin to decode, in threads of `pool`, the first media that encoding this view will ask for."""
        data, space = self.data(view), self._space(encoder)
        if view.modality in MEDIA:
            lacking = set(space.missing(list(data.keys)) if space else data.keys)
            ids = [i for i in sorted(self._readable(data)) if data.keys[i] in lacking]
            self._begun[view.name, id(encoder)] = begin(encoder.decode, data.values, ids, pool)

    def hiding(self, hidden: Mapping[str, np.ndarray]) -> Source:
        """The same source, nothing decoded or encoded twice, with views absent in some rows.

        `hidden` {view: bool (rows,)}: true where the view is taken for absent.
        """
        other = copy.copy(self)
        other._data = dict(self._data)
        for name, gone in hidden.items():
            data = self._data[name]
            other._data[name] = replace(data, ids=np.where(gone[:, None], -1, data.ids))
        return other

    def replacing(self, replaced: Mapping[str, ViewData]) -> Source:
        """The same source with other items in some views; they stay out of the cache.

        What was decoded and encoded of the other views is kept: prepare those first.
        """
        other = copy.copy(self)
        other._data = {**self._data, **replaced}
        other._feeds = {k: v for k, v in self._feeds.items() if k[0] not in replaced}
        other._items = {k: v for k, v in self._items.items() if k[0] not in replaced}
        other.cache = None
        return other

    def forget(self, encoder: Encoder) -> None:
        """Drop remembered feeds of an encoder."""
        self._feeds = {k: v for k, v in self._feeds.items() if v[0] is not encoder}

    @staticmethod
    def _batcher(view: View, encoder: Encoder) -> Batcher:
        return encoder.collate if view.modality == "table" else encoder.batch

    # -- decoding and encoding ----------------------------------------------------------------------------------

    def _decode(self, view: View, encoder: Encoder, data: ViewData) -> Any:
        """Decoded items by id: in the store on disk for media, in memory for text, the frame itself for tables."""
        if view.modality == "table":
            return data.values
        key = (view.name, decode_key(encoder))
        if key not in self._items:
            self._items[key] = self._decode_all(view, encoder, data)
        return self._items[key]

    def _decode_all(self, view: View, encoder: Encoder, data: ViewData) -> dict[int, Any]:
        if view.modality not in MEDIA or self.cache is None:
            decoded = self._decoded(view, encoder, data, range(len(data.values)), "decode")
            return dict(decoded)
        space = self.cache.open(f"decoded-{decode_key(encoder)}")
        self._fill(view, encoder, data, space, encode=False)
        kept = sorted(self._readable(data))
        return dict(zip(kept, space.gather([data.keys[i] for i in kept]), strict=True))

    def _encode(self, view: View, encoder: Encoder, data: ViewData, tokens: bool) -> Mapping[int, np.ndarray] | Arrays:
        """What each item is encoded to, by id; nothing for an unreadable one, whose rows are absent.

        A vector (width,), or with `tokens` (1 + steps, width): the vector first.
        """
        if view.modality == "table":
            frame, steps = data.values, self.steps if tokens else 0
            pieces: Arrays = []
            for i in range(0, len(frame), SHARD):
                pieces += encode_batch(encoder, encoder.collate(frame.iloc[i : i + SHARD]), self.device, steps)
            return pieces
        if (space := self._space(encoder, tokens)) is not None:
            self._fill(view, encoder, data, space, encode=True, tokens=tokens)
            kept = sorted(self._readable(data))
            return dict(zip(kept, space.gather([data.keys[i] for i in kept]), strict=True))
        found: dict[int, np.ndarray] = dict.fromkeys(range(len(data.values)), np.zeros(0, np.float32))
        for ids, arrays in self._encoded(view, encoder, data, range(len(data.values)), tokens):
            found.update(zip(ids, arrays, strict=True))
        return {i: array for i, array in found.items() if array.size}

    def _space(self, encoder: Encoder, tokens: bool = False) -> CacheSpace | None:
        """Where the cache keeps what this encoder makes; None where nothing is kept."""
        if not encoder.frozen or self.cache is None:
            return None
        known = {} if self._spaces is None else self._spaces
        if (id(encoder), tokens) not in known:
            kind = "tokens" if self.steps == STEPS else f"tokens{self.steps}"
            opened = self.cache.open(f"{kind if tokens else 'encoded'}-{encoder.fingerprint()}")
            known[id(encoder), tokens] = opened
        return known[id(encoder), tokens]

    def _fill(
        self, view: View, encoder: Encoder, data: ViewData, space: CacheSpace, *, encode: bool, tokens: bool = False
    ) -> None:
        """Put into the cache what it lacks, a shard at a time, so that a killed run keeps what it did."""
        lacking = set(space.missing(list(data.keys)))
        ids = [i for i, key in enumerate(data.keys) if key in lacking]
        if encode:
            self.counts["cached"] += len(data.keys) - len(ids)
        work = (
            self._encoded(view, encoder, data, ids, tokens)
            if encode
            else (([i], [array]) for i, array in self._decoded(view, encoder, data, ids, "decode"))
        )
        held: list[tuple[str, np.ndarray]] = []
        for chunk, arrays in work:
            held += [(data.keys[i], np.asarray(array)) for i, array in zip(chunk, arrays, strict=True)]
            if len(held) >= SHARD:
                space.put([k for k, _ in held], [a for _, a in held])
                held = []
        if held:
            space.put([k for k, _ in held], [a for _, a in held])

    def _encoded(
        self, view: View, encoder: Encoder, data: ViewData, ids: Sequence[int], tokens: bool = False
    ) -> Iterator[tuple[list[int], Arrays]]:
        """Encode items in batches, decoding ahead in threads."""
        decoded, steps = self._ready(view, encoder, data, ids), self.steps if tokens else 0
        while batch := list(islice(decoded, BATCH)):
            chunk = [i for i, _ in batch]
            arrays = encode_batch(encoder, encoder.batch([item for _, item in batch]), self.device, steps)
            self.counts["encoded"] += len(chunk)
            yield chunk, arrays

    def _ready(self, view: View, encoder: Encoder, data: ViewData, ids: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """Decoded items: from a feed that is already there, else decoded now."""
        known = self._items.get((view.name, decode_key(encoder)))
        if known is None:
            return self._decoded(view, encoder, data, by_length(data.values, ids), "encode")
        held = self._readable(data) & known.keys()
        return ((i, known[i]) for i in ids if i in held)

    def _decoded(
        self, view: View, encoder: Encoder, data: ViewData, ids: Sequence[int], what: str
    ) -> Iterator[tuple[int, Any]]:
        """Decode items in worker threads, in order, a bounded number ahead; unreadable ones become absent."""
        bad: dict[int, str] = {}
        readable = self._readable(data)
        ids = [i for i in ids if i in readable]
        begun = self._begun.pop((view.name, id(encoder)), {})
        with stage(self.progress if ids else None, f"{what} {view.name}", len(ids)) as bar:
            for i, item in in_order(encoder.decode, data.values, ids, self.workers, begun):
                bar.advance()
                if isinstance(item, DataError):
                    bad[i] = str(item)
                else:
                    yield i, item
        if bad:
            self._mark_absent(view, data, bad)

    def _readable(self, data: ViewData) -> set[int]:
        return set(np.unique(data.ids[data.ids >= 0]).tolist())

    def _mark_absent(self, view: View, data: ViewData, bad: dict[int, str]) -> None:
        rows = np.flatnonzero(np.isin(data.ids, list(bad)).any(axis=1))
        rows = rows if self.rows is None else self.rows[rows]
        data.ids[np.isin(data.ids, list(bad))] = -1
        self.counts["unreadable"] += len(bad)
        self.problems.append(unreadable(view, list(bad.values()), rows))
