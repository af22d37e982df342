"""Link prediction: scorers are compared on validation triples, and the chosen one is measured on test triples once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from time import process_time
from typing import Any

import numpy as np

from fusible import registry
from fusible.data.graph import Graph, read_graph, split_graph
from fusible.errors import DataError
from fusible.evaluation.links import Known, difference, per_triple, summary
from fusible.scorers._base import Product
from fusible.tasks.knowledge._links_network import LinkNetwork, LinkSettings
from fusible.tasks.knowledge._links_train import ranked, train
from fusible.tasks.knowledge.links_model import LinkModel
from fusible.tasks.knowledge.links_result import LinkRow, Links
from fusible.tasks.source import Progress, stage
from fusible.training.loop import seeded

METRIC = "mrr"
FREQUENT = "most frequent"
PENALTIES = (0.003, 0.01, 0.03, 0.1)


def fit_links(
    graph: Any,
    *,
    scorers: Sequence[str] = ("complex",),
    penalties: Sequence[float] = PENALTIES,
    settings: LinkSettings | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Links:
    """Learn which links a graph lacks, and measure it on links that were held out.

    Parameters
    ----------
    graph : path, table or Graph
        As `fusible.read_graph` reads it. Without a split a tenth of the triples each is held out for validation and
        test, none that would leave an entity or a relation without a training triple.
    scorers : sequence of str
        Names of scorers; each is trained, and the best on validation triples is the model.
    penalties : sequence of float
        Weights of the penalty, tried for scorers that multiply; validation triples choose.
    settings : LinkSettings, optional
        All else about training.

    Raises
    ------
    DataError, RegistryError
        One line: a graph without training triples, a scorer that is unknown.
    """
    held = graph if isinstance(graph, Graph) else read_graph(graph)
    if set(held.parts) == {"train"}:
        held = split_graph(held, seed)
    for name in ("train", "valid", "test"):
        if not len(held.part(name)):
            raise DataError(f"graph: no {name} triples; expected train, valid and test, or no split at all")
    fitting = _Fitting(held, settings or LinkSettings(), seed)
    rows = [fitting.frequent()]
    trials = [(name, penalty) for name in scorers for penalty in _tried(name, penalties)]
    best: tuple[float, LinkNetwork | None] = (-1.0, None)
    with stage(progress, "links", len(trials)) as bar:
        for name, penalty in trials:
            row, network = fitting.trained(name, penalty)
            best = max(best, (row.valid, network), key=lambda one: one[0])
            rows.append(row)
            bar.advance()
    rows = _best_of_each(rows)
    chosen = max(rows, key=lambda row: row.valid if row.kind == "scorer" else -1.0)
    for row in rows:
        row.test = summary(row.values, seed=seed)
    gain = difference(chosen.values[METRIC], rows[0].values[METRIC], seed=seed)
    assert best[1] is not None
    info = {"mrr": chosen.test[METRIC].score, "seed": seed, "settings": chosen.settings}
    model = LinkModel(best[1], held.entities, held.relations, held.triples, info)
    sizes = {"entities": len(held.entities), "relations": len(held.relations)}
    sizes |= {part: len(held.parts[part]) for part in held.parts}
    return Links(METRIC, chosen.name, rows, sizes, gain, list(held.problems), [], model, seed)


def _tried(name: str, penalties: Sequence[float]) -> Sequence[float]:
    return penalties if issubclass(registry.get("scorers", name), Product) else (0.0,)


def _best_of_each(rows: Sequence[LinkRow]) -> list[LinkRow]:
    """Of trials of one scorer the best on validation triples, with the processor time of all."""
    found: dict[str, LinkRow] = {}
    spent: dict[str, float] = {}
    for row in rows:
        spent[row.name] = spent.get(row.name, 0.0) + row.cpu_seconds
        if row.name not in found or row.valid > found[row.name].valid:
            found[row.name] = row
    return [replace(row, cpu_seconds=spent[row.name]) for row in found.values()]


class _Fitting:
    """One graph, whose candidates are trained and measured alike."""

    def __init__(self, graph: Graph, settings: LinkSettings, seed: int) -> None:
        self.graph, self.settings, self.seed = graph, settings, seed
        self.relations = len(graph.relations)
        self.known = Known(graph.triples, self.relations)

    def trained(self, name: str, penalty: float) -> tuple[LinkRow, LinkNetwork]:
        """Train one scorer."""
        began, settings = process_time(), replace(self.settings, penalty=penalty)
        with seeded(self.seed):
            network = LinkNetwork(len(self.graph.entities), self.relations, name, settings.width)
        train(
            network, self.graph.part("train"), self.relations, settings, self.seed, lambda: self._valid(network.scores)
        )
        row = self._row(name, "scorer", network.scores, asdict(settings))
        row.parameters = sum(part.numel() for part in network.parameters())
        row.cpu_seconds = process_time() - began
        return row, network

    def frequent(self) -> LinkRow:
        """What leads from a relation most often, whatever the entity: the baseline that any scorer must beat."""
        heads, kinds, tails = self.graph.part("train").T
        counts = np.zeros((2 * self.relations, len(self.graph.entities)))
        np.add.at(counts, (kinds, tails), 1)
        np.add.at(counts, (kinds + self.relations, heads), 1)
        return self._row(FREQUENT, "baseline", lambda queries: counts[queries[:, 1]], {})

    def _row(self, name: str, kind: str, score: Any, settings: dict[str, Any]) -> LinkRow:
        values = per_triple(ranked(score, self.graph.part("test"), self.known, self.relations))
        return LinkRow(name, kind, self._valid(score), {}, settings, values=values)

    def _valid(self, score: Any) -> float:
        return float(per_triple(ranked(score, self.graph.part("valid"), self.known, self.relations))[METRIC].mean())
