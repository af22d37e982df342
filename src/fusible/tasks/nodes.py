"""Fitted strategies as a tree: networks and predictors are leaves, ensembles hold members."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from fusible.encoders._base import Encoder
from fusible.ensembles._base import Rule
from fusible.evaluation.calibration import apply_temperature
from fusible.networks._base import Network
from fusible.tasks.source import Source
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
    """A network over one or more views; `live` names the views that it encodes by itself (trained end to end)."""

    views: tuple[View, ...]
    encoders: dict[str, Encoder]
    network: Network
    recipe: dict[str, object] = field(default_factory=dict)
    live: tuple[str, ...] = ()

    def inputs(self) -> list[tuple[View, Encoder]]:
        """All views, in the operator's order."""
        return [(view, self.encoders[view.name]) for view in self.views]

    def parameters(self) -> int:
        """Parameters of operator, head and trained encoders."""
        own = sum(p.numel() for p in self.network.parameters())
        held = [e for e in self.encoders.values() if not e.frozen and e not in self.network.encoders]
        return own + sum(p.numel() for encoder in held for p in encoder.parameters())

    def feeds(self, source: Source) -> dict[str, Feed]:
        """One feed per view: decoded where the network encodes, encoded elsewhere."""
        tokens = self.network.reads_tokens
        return {v.name: source.feed(v, e, encoded=v.name not in self.live, tokens=tokens) for v, e in self.inputs()}

    def prepare(self, source: Source) -> None:
        """Decode and encode all views."""
        self.feeds(source)

    def _present_scores(self, source: Source, rows: np.ndarray) -> np.ndarray:
        return activate(outputs(self.network, self.feeds(source), rows), self.task)


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
        """Prepare every member."""
        for member in self.members:
            member.prepare(source)

    def leaves(self) -> Iterator[Node]:
        """Leaves of all members."""
        for member in self.members:
            yield from member.leaves()

    def _present_scores(self, source: Source, rows: np.ndarray) -> np.ndarray:
        scores = [member.scores(source, rows) for member in self.members]
        present = np.stack([member.presence(source, rows) for member in self.members], axis=1)
        return self.rule.predict(predictions(self.members, scores, present, self.temperatures, self.task))


def predictions(
    members: Sequence[Node],
    scores: Sequence[np.ndarray],
    presence: np.ndarray,
    temperatures: Sequence[float],
    task: Task,
) -> Predictions:
    """Members' scores, temperature-scaled, as a rule wants them."""
    scaled = [
        s if task.kind == "regression" else apply_temperature(s, t, task)
        for s, t in zip(scores, temperatures, strict=True)
    ]
    return Predictions(tuple(m.name for m in members), np.stack(scaled), presence)


def activate(raw: np.ndarray, task: Task) -> np.ndarray:
    """Raw outputs -> probabilities (softmax or sigmoid); values of a regression pass."""
    logits = torch.from_numpy(raw).double()
    if task.is_classification:
        return logits.softmax(dim=1).numpy()
    if task.kind == "multilabel":
        return logits.sigmoid().numpy()
    return logits.numpy()
