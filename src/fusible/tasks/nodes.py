"""Fitted strategies as a tree: networks and predictors are leaves, ensembles hold members."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from fusible.encoders._base import Encoder
from fusible.ensembles._base import Rule
from fusible.evaluation.calibration import apply_temperature
from fusible.networks._base import Network
from fusible.tasks.evidence import evidence
from fusible.tasks.source import Source
from fusible.tasks.vectors import pooled
from fusible.training.feed import Feed
from fusible.training.loop import outputs
from fusible.types import Predictions, Task, View


@dataclass(slots=True)
class Node(ABC):
    """A fitted strategy: `scores` gives probabilities, or standardised values for regression.

    `prior` (outputs,) is the answer for a row in which nothing that the node sees is present.
    """

    name: str
    task: Task
    prior: np.ndarray

    @abstractmethod
    def inputs(self) -> list[tuple[View, Encoder]]:
        """Views that the node sees, each with the encoder it is seen through."""

    @abstractmethod
    def _present_scores(self, source: Source, rows: np.ndarray) -> np.ndarray:
        """Scores of rows in which something is present."""

    @abstractmethod
    def parameters(self) -> int:
        """Number of parameters that were trained."""

    def presence(self, source: Source, rows: np.ndarray) -> np.ndarray:
        """Bool (rows,): whether anything that the node sees is present."""
        views = list({view.name: view for view, _ in self.inputs()}.values())
        return np.asarray(source.presence(views, rows).any(axis=1))

    def scores(self, source: Source, rows: np.ndarray) -> np.ndarray:
        """Shape (rows, outputs)."""
        self.prepare(source)
        result = np.tile(self.prior, (len(rows), 1)).astype(np.float64)
        seen = self.presence(source, rows)
        if seen.any():
            result[seen] = self._present_scores(source, rows[seen])
        return result

    def prepare(self, source: Source) -> None:  # noqa: B027
        """Decode and encode what the node needs, so that presence is known before scoring."""

    def leaves(self) -> Iterator[Node]:
        """The node itself, or the leaves of its members."""
        yield self


@dataclass(slots=True)
class PredictorNode(Node):
    """One view through an encoder that predicts by itself (linear on TF-IDF, trees on a table)."""

    view: View
    encoder: Encoder

    def inputs(self) -> list[tuple[View, Encoder]]:
        """The one view."""
        return [(self.view, self.encoder)]

    def parameters(self) -> int:
        """Size of its arrays; trees count nothing here."""
        return sum(b.numel() for b in self.encoder.buffers()) + sum(p.numel() for p in self.encoder.parameters())

    def _present_scores(self, source: Source, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.encoder.predict_scores(source.values(self.view, rows)), np.float64)


@dataclass(slots=True)
class NetworkNode(Node):
    """A network over one or more views; `live` names the views that it encodes by itself (trained end to end).

    `bases` {view: node}: the views' own predictors, from whose scores the network starts (`networks/_offset`).
    """

    views: tuple[View, ...]
    encoders: dict[str, Encoder]
    network: Network
    recipe: dict[str, object] = field(default_factory=dict)
    live: tuple[str, ...] = ()
    bases: dict[str, Node] = field(default_factory=dict)

    def inputs(self) -> list[tuple[View, Encoder]]:
        """All views, in the operator's order."""
        return [(view, self.encoders[view.name]) for view in self.views]

    def parameters(self) -> int:
        """Parameters of operator, head, trained encoders and the views' own predictors."""
        own = sum(p.numel() for p in self.network.parameters())
        own += sum(base.parameters() for base in self.bases.values())
        counted = {id(e) for base in self.bases.values() for leaf in base.leaves() for _, e in leaf.inputs()}
        counted |= {id(encoder) for encoder in self.network.encoders}
        held = [e for e in self.encoders.values() if not e.frozen and id(e) not in counted]
        return own + sum(p.numel() for encoder in held for p in encoder.parameters())

    def feeds(self, source: Source, rows: np.ndarray) -> dict[str, Feed]:
        """One feed per view: decoded where the network encodes, encoded elsewhere; evidence for `rows` alone."""
        feeds = self._items(source)
        for view, base in self.bases.items():
            said = np.zeros((len(feeds[view].ids), self.task.outputs), np.float32)
            said[rows] = evidence(base.scores(source, rows), self.prior, self.task)
            feeds[view] = replace(feeds[view], evidence=said)
        return feeds

    def _items(self, source: Source) -> dict[str, Feed]:
        tokens = self.network.reads_tokens
        return {v.name: source.feed(v, e, encoded=v.name not in self.live, tokens=tokens) for v, e in self.inputs()}

    def prepare(self, source: Source) -> None:
        """Decode and encode all views, also for the predictors that it starts from."""
        self._items(source)
        for base in self.bases.values():
            base.prepare(source)

    def leaves(self) -> Iterator[Node]:
        """The network, then leaves of the predictors that it starts from."""
        yield self
        for base in self.bases.values():
            yield from base.leaves()

    def _present_scores(self, source: Source, rows: np.ndarray) -> np.ndarray:
        return activate(outputs(self.network, self.feeds(source, rows), rows), self.task)


@dataclass(slots=True)
class EnsembleNode(Node):
    """A rule over the predictions of members, each scaled by its own temperature."""

    rule: Rule
    rule_name: str
    members: tuple[Node, ...]
    temperatures: tuple[float, ...]

    def inputs(self) -> list[tuple[View, Encoder]]:
        """Those of all members."""
        return [pair for member in self.members for pair in member.inputs()]

    def parameters(self) -> int:
        """Those of all members and the rule's arrays."""
        return sum(m.parameters() for m in self.members) + sum(a.size for a in self.rule.state().values())

    def prepare(self, source: Source) -> None:
        """Prepare every member, and encode what the rule sees."""
        for member in self.members:
            member.prepare(source)
        if self.rule.sees_encodings:
            encodings(self.members, source, np.zeros(0, np.int64))

    def leaves(self) -> Iterator[Node]:
        """Leaves of all members."""
        for member in self.members:
            yield from member.leaves()

    def _present_scores(self, source: Source, rows: np.ndarray) -> np.ndarray:
        scores = [member.scores(source, rows) for member in self.members]
        present = np.stack([member.presence(source, rows) for member in self.members], axis=1)
        extra = sight(self.members, source, rows)
        if self.rule.sees_encodings:
            extra["encodings"] = encodings(self.members, source, rows)
        return self.rule.predict(predictions(self.members, scores, present, self.temperatures, self.task, extra))


def sight(members: Sequence[Node], source: Source, rows: np.ndarray) -> dict[str, Any]:
    """What rules are told of views: `views` (names), `sees` (members, views) and `seen` (rows, views), both bool."""
    views, sees = seeing(members)
    return {"views": tuple(v.name for v in views), "sees": sees, "seen": source.presence(views, rows)}


def seeing(members: Sequence[Node]) -> tuple[list[View], np.ndarray]:
    """All views of some nodes, and which node sees which: bool (members, views)."""
    views = {view.name: view for member in members for view, _ in member.inputs()}
    own = [{view.name for view, _ in member.inputs()} for member in members]
    return list(views.values()), np.array([[name in names for name in views] for names in own], bool)


def encodings(members: Sequence[Node], source: Source, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Encodings {view: (rows, width) float32} through the first encoder that encodes the view; NaN where absent.

    A view whose encoders only predict, or are trained within a network, gives none.
    """
    found = {view.name: pooled(source.feed(view, encoder, encoded=True), rows) for view, encoder, _ in eyes(members)}
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def labelled_views(members: Sequence[Node]) -> list[str]:
    """Views whose encoder in `encodings` was trained with the labels of training rows."""
    return [view.name for view, _, labelled in eyes(members) if labelled]


def eyes(members: Sequence[Node]) -> list[tuple[View, Encoder, bool]]:
    """Each view with the encoder that `encodings` takes, and whether that was trained with labels."""
    found: dict[str, tuple[View, Encoder, bool]] = {}
    for leaf in (leaf for member in members for leaf in member.leaves()):
        live = leaf.live if isinstance(leaf, NetworkNode) else ()
        for view, encoder in leaf.inputs():
            if encoder.encodes and view.name not in live:
                labelled = isinstance(leaf, NetworkNode) and not encoder.frozen
                found.setdefault(view.name, (view, encoder, labelled))
    return list(found.values())


def predictions(
    members: Sequence[Node],
    scores: Sequence[np.ndarray],
    presence: np.ndarray,
    temperatures: Sequence[float],
    task: Task,
    extra: Mapping[str, Any] | None = None,
) -> Predictions:
    """Members' scores, temperature-scaled, as a rule wants them; `extra` as `sight` and `encodings` give it."""
    scaled = [
        s if task.kind == "regression" else apply_temperature(s, t, task)
        for s, t in zip(scores, temperatures, strict=True)
    ]
    return Predictions(tuple(m.name for m in members), np.stack(scaled), presence, dict(extra or {}))


def activate(raw: np.ndarray, task: Task) -> np.ndarray:
    """Raw outputs -> probabilities (softmax or sigmoid); values of a regression pass."""
    logits = torch.from_numpy(raw).double()
    if task.is_classification:
        return logits.softmax(dim=1).numpy()
    if task.kind == "multilabel":
        return logits.sigmoid().numpy()
    return logits.numpy()
