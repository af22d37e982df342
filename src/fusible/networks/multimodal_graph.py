"""Multimodal graph network: rows attached to stored anchors by per-view similarity, messages across views."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from operator import is_not
from typing import Any, ClassVar

import torch
from torch import nn

from fusible.errors import ConfigError, MissingExtraError
from fusible.networks._base import Network, drop_views
from fusible.networks._neighbours import CHUNK, GRID, Nearness, nearest
from fusible.types import Encoded, ViewBatch

MOST = 2_048
"""Most training rows that are stored as anchors."""
LARGEST = 65_536
"""Most anchors of a network that is loaded."""


class MultimodalGraph(Network):
    """An inductive heterogeneous graph network over rows, views and stored anchors (with torch-geometric).

    `learn` stores a random sample of training rows as anchors: their encodings and which views they hold, never their
    labels. Of each row, every present view finds its `neighbours` nearest anchors by cosine similarity. Messages then
    pass from the anchors' nodes of each view to the row's node of the same view, whichever view found the anchor, so
    that alike rows tell what an absent view may hold; by graph attention that sees the similarity (GATv2, Brody, Alon &
    Yahav, ICLR 2022). A second step passes from the row's view nodes to the row's own node (GraphSAGE, Hamilton, Ying &
    Leskovec, NIPS 2017). Rows of a batch are never joined: a row alone gets what it gets in a batch, and any row, also
    one never seen, can be attached. In training a row is not attached to itself or to an anchor that is identical in
    all its views.

    Views come encoded (`encoders` holds none that is trained along). `anchors`, the number of stored rows, is set by
    `learn`.
    """

    trains_encoders: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("width", "neighbours", "anchors")
    held: torch.Tensor

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        widths: Mapping[str, int],
        outputs: int,
        width: int = 128,
        neighbours: int = 8,
        anchors: int = 0,
        dropout: float = 0.1,
        modality_dropout: float = 0.0,
    ) -> None:
        if width < 1 or neighbours < 1 or not 0 <= anchors <= LARGEST:
            raise ConfigError(
                f"multimodal_graph: expected width and neighbours of at least 1 and anchors from 0 to {LARGEST}, "
                f"got width {width}, neighbours {neighbours}, anchors {anchors}"
            )
        super().__init__(encoders, widths, outputs, width, dropout, modality_dropout)
        self.width, self.neighbours, self.sizes = width, neighbours, tuple(widths.values())
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in self.sizes)
        self.projections = nn.ModuleList(nn.Linear(size, width) for size in self.sizes)
        self.absent = nn.Parameter(0.02 * torch.randn(len(widths), width))
        self.start = nn.Parameter(0.02 * torch.randn(width))
        self.near, self.of = _convolutions(len(widths), width)
        self.view_norms = nn.ModuleList(nn.LayerNorm(width) for _ in widths)
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self._prepared: tuple[list[torch.Tensor], list[int | None], list[Nearness]] = [], [], []
        self._take([torch.zeros(anchors, size) for size in self.sizes], torch.zeros(anchors, len(widths)).bool())

    def _take(self, vectors: list[torch.Tensor], held: torch.Tensor) -> None:
        """Store anchors: a matrix (anchors, width) per view, and which views they hold (anchors, views)."""
        self.anchors = len(held)
        for i, matrix in enumerate(vectors):
            self.register_buffer(f"anchors{i}", matrix.float().contiguous())
        self.register_buffer("held", held)

    def learn(self, batches: Mapping[str, ViewBatch], seed: int = 0) -> None:
        """Store at most `MOST` rows that hold some view, drawn at random; labels are not used."""
        encoded, presence = self.encode(batches)
        rows = presence.any(dim=1).nonzero().flatten()
        draw = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:MOST]
        chosen = rows[draw.sort().values.to(rows.device)]
        vectors = self._clean(encoded, presence)
        self._take([vector[chosen].detach().clone() for vector in vectors], presence[chosen])

    def read(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Outputs (rows, outputs); in training, apart from anchors that are the row itself."""
        shown = presence
        if self.training and self.modality_dropout:
            shown = drop_views(presence, self.modality_dropout)
        # A row is known by all that it holds, also by what is hidden from it now.
        outputs: torch.Tensor = self.head(self._rows(encoded, shown, presence if self.training else None))
        return outputs

    def fused(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """The rows' own nodes after all messages: (rows, width)."""
        return self._rows(encoded, presence, None)

    def _rows(self, encoded: Mapping[str, Encoded], presence: torch.Tensor, whole: torch.Tensor | None) -> torch.Tensor:
        views, full = range(len(self.views)), presence if whole is None else whole
        rows, anchors, features = self._edges(self._clean(encoded, full), presence, whole)
        used, source = torch.unique(anchors, return_inverse=True)
        nodes: dict[str, torch.Tensor] = {}
        near, marks = {}, {}
        for i, vectors in enumerate(self._clean(encoded, presence)):
            held = self.held[anchors, i]
            nodes[f"anchor{i}"] = self._project(i, self._anchors(i)[used])
            nodes[f"view{i}"] = torch.where(presence[:, i : i + 1], self._project(i, vectors), self.absent[i])
            near[_near(i)], marks[_near(i)] = torch.stack([source, rows])[:, held], features[held]
        told = self.near(nodes, near, edge_attr_dict=marks)
        for i in views:
            nodes[f"view{i}"] = nn.functional.gelu(self.view_norms[i](nodes[f"view{i}"] + told[f"view{i}"]))
        nodes["row"] = self.start.expand(len(presence), -1)
        each = torch.arange(len(presence), device=presence.device).repeat(2, 1)
        fused: torch.Tensor = self.mix(self.start + self.of(nodes, {_of(i): each for i in views})["row"])
        return fused

    def _edges(
        self, vectors: list[torch.Tensor], presence: torch.Tensor, whole: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rows and anchors (edges,), and of each edge which view found it and how alike: (edges, 2 views).

        With `whole`, presence before views were hidden, anchors that are the row itself are left out.
        """
        found: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        views = range(len(self.views))
        with torch.no_grad():
            measures = self._measures()
            for at in range(0, max(1, len(presence)), CHUNK):
                part = slice(at, at + CHUNK)
                grids = [measures[i].grid(vectors[i][part]) for i in views]
                other = (
                    torch.ones_like(grids[0], dtype=torch.bool) if whole is None else ~self._same(grids, whole[part])
                )
                for i in views:
                    allowed = other & self.held[:, i] & presence[part, i : i + 1]
                    rows, anchors, alike = nearest(grids[i], allowed, self.neighbours)
                    marks = alike.new_zeros(len(rows), 2 * len(views))
                    marks[:, i], marks[:, len(views) + i] = 1.0, alike
                    found.append((rows + at, anchors, marks))
        rows, anchors, features = (torch.cat(parts) for parts in zip(*found, strict=True))
        return rows, anchors, features

    def _measures(self) -> list[Nearness]:
        """How near vectors are to the anchors, per view; prepared again only where anchors were replaced or changed."""
        stored = [self.held, *(self._anchors(i) for i in range(len(self.views)))]
        versions = [None if tensor.is_inference() else tensor._version for tensor in stored]
        known, known_versions, measures = self._prepared
        if not known or None in versions or versions != known_versions or any(map(is_not, known, stored)):
            measures = [Nearness(anchors, self.held[:, i]) for i, anchors in enumerate(stored[1:])]
            self._prepared = stored, versions, measures
        return measures

    def _same(self, grids: list[torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Bool (rows, anchors): the anchor holds the same views as the row, with identical encodings."""
        same = torch.ones_like(grids[0], dtype=torch.bool)
        for i, grid in enumerate(grids):
            row, anchor = presence[:, i : i + 1], self.held[:, i]
            same &= (row == anchor) & (~row | (grid >= GRID))
        return same

    def _anchors(self, view: int) -> torch.Tensor:
        stored: torch.Tensor = getattr(self, f"anchors{view}")
        return stored

    def _clean(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> list[torch.Tensor]:
        return [
            torch.where(presence[:, i : i + 1], encoded[view].pooled, 0.0).float() for i, view in enumerate(self.views)
        ]

    def _project(self, view: int, vectors: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.projections[view](self.norms[view](vectors))
        return projected


def _near(view: int) -> tuple[str, str, str]:
    return (f"anchor{view}", "near", f"view{view}")


def _of(view: int) -> tuple[str, str, str]:
    return (f"view{view}", "of", "row")


def _convolutions(views: int, width: int) -> tuple[Any, Any]:
    """From anchors to the row's views, and from these to the row."""
    with warnings.catch_warnings():
        # torch-geometric uses what torch deprecates, and warns of nodes that only send.
        warnings.simplefilter("ignore")
        try:
            from torch_geometric.nn import GATv2Conv, HeteroConv, SAGEConv
        except ImportError as error:
            raise MissingExtraError.of("torch-geometric", "graph", "multimodal_graph") from error
        near = {
            _near(i): GATv2Conv((width, width), width, edge_dim=2 * views, add_self_loops=False) for i in range(views)
        }
        of = {_of(i): SAGEConv((width, width), width) for i in range(views)}
        return HeteroConv(near, aggr="sum"), HeteroConv(of, aggr="sum")
