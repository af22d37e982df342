"""What robustness is measured on: rows with their truth, and every strategy's scores for any pattern of views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np

from fusible.encoders._base import Encoder
from fusible.evaluation import bootstrap
from fusible.evaluation.metrics import METRICS
from fusible.evaluation.missing import MOST_VIEWS, robustness
from fusible.evaluation.robustness import Curve
from fusible.evaluation.study import Score
from fusible.tasks.nodes import EnsembleNode, NetworkNode, Node
from fusible.tasks.source import Source
from fusible.tasks.target import Target
from fusible.types import View

RESAMPLES = 200
"""Bootstrap resamples of a score that is averaged over draws."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One strategy to be scored, with the threshold of its decisions."""

    name: str
    node: Node
    threshold: float | None = None

    @property
    def views(self) -> list[str]:
        """Names of the views that it sees."""
        return list(dict.fromkeys(view.name for view, _ in self.node.inputs()))


@dataclass(slots=True)
class Ground:
    """Rows of a source with their truth, in original units as the metric wants it."""

    source: Source
    rows: np.ndarray
    truth: np.ndarray
    target: Target
    metric: str
    views: tuple[View, ...]
    seed: int = 0

    def score(self, scores: np.ndarray, threshold: float | None, *, resamples: int = 1000) -> Score:
        """Score predictions (rows, outputs) of all rows."""
        return self._score(self.truth, scores, threshold, resamples)

    def average(self, drawn: Sequence[np.ndarray], threshold: float | None) -> Score:
        """Mean over draws of score and bounds of the interval over rows."""
        found = [self._score(self.truth, scores, threshold, RESAMPLES) for scores in drawn]
        return Score(*(float(np.mean([getattr(one, part) for one in found])) for part in ("score", "low", "high")))

    def _score(self, truth: np.ndarray, scores: np.ndarray, threshold: float | None, resamples: int) -> Score:
        return bootstrap.interval(
            self.metric,
            self.target.task,
            truth,
            self.target.backward(scores),
            threshold=threshold,
            resamples=resamples,
            seed=self.seed,
        )

    def part(self, rows: np.ndarray) -> Ground:
        """Some of its rows, by their places among them."""
        return replace(self, rows=self.rows[rows], truth=self.truth[rows])


@dataclass(slots=True)
class Ledger:
    """Scores of one strategy on a ground for any pattern of hidden views.

    A row's scores depend on nothing but which of its views are there, so that each subset of views is scored once and
    every mask over rows is looked up. Beyond `MOST_VIEWS` views a mask is scored as it comes.
    """

    ground: Ground
    subject: Subject
    known: dict[tuple[bool, ...], np.ndarray] = field(default_factory=dict)

    def scores(self, hidden: np.ndarray) -> np.ndarray:
        """Scores (rows, outputs) with `hidden` (rows, views of the ground) taken for absent."""
        seen = self.subject.views
        own = hidden[:, [place for place, view in enumerate(self.ground.views) if view.name in seen]]
        if len(seen) > MOST_VIEWS:
            return self._scored(own)
        patterns, place = np.unique(own, axis=0, return_inverse=True)
        result: np.ndarray | None = None
        for number, pattern in enumerate(patterns):
            found = self._of(tuple(map(bool, pattern)))
            result = np.empty_like(found) if result is None else result
            here = place.reshape(-1) == number
            result[here] = found[here]
        return self._scored(own) if result is None else result

    def _of(self, pattern: tuple[bool, ...]) -> np.ndarray:
        if pattern not in self.known:
            self.known[pattern] = self._scored(np.tile(pattern, (len(self.ground.rows), 1)))
        return self.known[pattern]

    def _scored(self, hidden: np.ndarray) -> np.ndarray:
        source, rows = self.ground.source, self.ground.rows
        views = [view for view in self.ground.views if view.name in self.subject.views]
        masks = {}
        for place, view in enumerate(views):
            masks[view.name] = np.zeros(len(source.data(view).ids), bool)
            masks[view.name][rows] = hidden[:, place]
        return self.subject.node.scores(source.hiding(masks), rows)


def curves(
    ground: Ground,
    names: tuple[str, str, str],
    levels: Sequence[float],
    scores: Mapping[str, Sequence[Score]],
    shown: Sequence[str],
    baseline: str | None,
) -> list[Curve]:
    """Curves, called (kind, view, what), of the strategies `shown`, each against that of the baseline."""
    sign = METRICS[ground.metric].sign
    signed = {name: [sign * one.score for one in line] for name, line in scores.items()}
    base = None if baseline is None else signed[baseline]
    return [
        Curve(name, *names, tuple(levels), tuple(scores[name]), robustness(levels, signed[name], base))
        for name in shown
    ]


def settled(node: Node) -> Node:
    """The same network with every view encoded before it, once per source, instead of at each call.

    Ensembles are settled by `remembering`, which keeps the identity of what they share.
    """
    return replace(node, live=()) if isinstance(node, NetworkNode) and node.live else node


def remembering(subjects: Sequence[Subject]) -> tuple[list[Subject], Memory]:
    """Subjects, settled, whose ensembles and offsets share what members score, and the memory that they share."""
    memory = Memory()
    return [replace(subject, node=memory.shared(subject.node)) for subject in subjects], memory


@dataclass(slots=True)
class Memory:
    """Members of ensembles and bases of networks, by identity: each is scored once for the same cells."""

    nodes: dict[int, Remembered] = field(default_factory=dict)

    def shared(self, node: Node) -> Node:
        """The node, settled, its members, or what it starts from, replaced by ones that remember."""
        if isinstance(node, NetworkNode):
            return replace(node, live=(), bases={v: self._remembered(base) for v, base in node.bases.items()})
        if not isinstance(node, EnsembleNode):
            return node
        return replace(node, members=tuple(self._remembered(member) for member in node.members))

    def _remembered(self, member: Node) -> Remembered:
        if id(member) not in self.nodes:
            self.nodes[id(member)] = Remembered(member.name, member.task, member.prior, self.shared(member), member)
        return self.nodes[id(member)]

    def clear(self, view: str | None = None) -> None:
        """Forget all scores, or those of members that see a view."""
        for node in self.nodes.values():
            if view is None or any(view == one.name for one, _ in node.inputs()):
                node.kept.clear()


@dataclass(slots=True)
class Remembered(Node):
    """A node that keeps its scores, by rows and by which items they hold."""

    inner: Node
    original: Node
    """The node as it was, kept alive: its identity is the key under which this one is shared."""
    kept: dict[bytes, np.ndarray] = field(default_factory=dict)

    def inputs(self) -> list[tuple[View, Encoder]]:
        """Those of the node."""
        return self.inner.inputs()

    def parameters(self) -> int:
        """Those of the node."""
        return self.inner.parameters()

    def prepare(self, source: Source) -> None:
        """Prepare the node."""
        self.inner.prepare(source)

    def leaves(self) -> Iterator[Node]:
        """Those of the node as it was: which encoder a gate sees a view through must not change."""
        yield from self.original.leaves()

    def scores(self, source: Source, rows: np.ndarray) -> np.ndarray:
        """Scores of the node, remembered."""
        self.prepare(source)
        key = blake2b(np.ascontiguousarray(rows).tobytes())
        for view in {view.name: view for view, _ in self.inputs()}.values():
            key.update(np.ascontiguousarray(source.data(view).ids[rows]).tobytes())
        if key.digest() not in self.kept:
            self.kept[key.digest()] = self.inner.scores(source, rows)
        return self.kept[key.digest()]

    def _present_scores(self, source: Source, rows: np.ndarray) -> np.ndarray:
        return self.inner.scores(source, rows)
