"""Link prediction: scorers are compared on validation triples, and the chosen one is measured on test triples once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fusible import registry
from fusible.data.graph import Graph, read_graph, split_graph
from fusible.errors import ConfigError, DataError
from fusible.evaluation.links import difference, summary
from fusible.scorers._base import Product
from fusible.tasks.knowledge.links._fitting import FREQUENT, METRIC, Fitting, Score
from fusible.tasks.knowledge.links._negatives import checked_negatives
from fusible.tasks.knowledge.links._network import LinkNetwork, LinkSettings
from fusible.tasks.knowledge.links._views import NAME, told_of, with_entities
from fusible.tasks.knowledge.links.model import LinkModel, log_chances, mean_chances
from fusible.tasks.knowledge.links.result import LinkRow, Links
from fusible.tasks.knowledge.rules.mined import Rules
from fusible.tasks.source import Progress, stage

__all__ = ["FREQUENT", "METRIC", "LinkSettings", "fit_links"]

PENALTIES = (0.003, 0.01, 0.03, 0.1)
"""Weights of the penalty that are tried."""


def fit_links(
    graph: Any,
    *,
    entities: Any = None,
    entity: str = NAME,
    encoders: Mapping[str, str] | None = None,
    scorers: Sequence[str] = ("complex",),
    penalties: Sequence[float] = PENALTIES,
    rules: bool = False,
    settings: LinkSettings | None = None,
    members: int = 1,
    negatives: Any = None,
    seed: int = 0,
    device: str = "cpu",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Links:
    """Learn which links a graph lacks, and measure it on links that were held out.

    Parameters
    ----------
    graph : path, table or Graph
        As `fusible.read_graph` reads it. Without a split a tenth of the triples each is held out for validation and
        test, none that would leave an entity or a relation without a training triple.
    entities : path, pandas.DataFrame or pyarrow.Table, optional
        What else is known of entities, a row each: the column `entity` names it, all others (descriptions, pictures,
        numbers, categories) are views, and cells may be missing. Entities that the graph lacks are taken in.
    encoders : mapping, optional
        `{view: encoder}` of those that need no labels.
    scorers : sequence of str
        Names of scorers; each is trained, and the best on validation triples is the model. `complex:relational` is the
        scorer `complex` of vectors that the network `relational` has carried along edges. With `entities` the best
        one is also trained on views alone (`:views`), on both together (`+views`), and both are put together with a
        weight per relation (`:weighted`).
    penalties : sequence of float
        Weights of the penalty, tried for scorers that multiply; validation triples choose.
    rules : bool
        Also mine rules (`fusible.mine_rules`): they are measured by themselves (`rules`), and put together with the
        best candidate, with a weight per relation (`:rules`), which is the model if validation triples say so.
    settings : LinkSettings, optional
        All else about training.
    members : int
        With more than one, the best network is trained again with other seeds, and the mean of all (`:mean`) is a
        candidate, too; validation triples decide.
    negatives : path or table, optional
        Triples that are not true, which probabilities (`LinkModel.classify`) are calibrated on beside validation
        triples. Without them those of `valid_negatives` in the graph's folder; where there are none, validation triples
        with an end that is drawn anew among the entities that the relation leads to or from.

    Raises
    ------
    FusibleError
        One line: a graph without training triples, a scorer that is unknown, a table that tells of no entity.
    """
    if members < 1:
        raise ConfigError(f"links: members = {members}, expected a whole number of at least 1")
    if not scorers or not penalties:
        raise ConfigError("links: no scorer or no penalty to try; expected one of each at least")
    held = graph if isinstance(graph, Graph) else read_graph(graph)
    negatives = checked_negatives(graph) if negatives is None else negatives
    if set(held.parts) == {"train"}:
        held = split_graph(held, seed)
    for name in ("train", "valid", "test"):
        if not len(held.part(name)):
            raise DataError(f"graph: no {name} triples; expected train, valid and test, or no split at all")
    told = None
    if entities is not None:
        held, dataset, places = with_entities(held, entities, entity)
        shared: dict[str, Any] = {"seed": seed, "device": device, "cache": cache, "progress": progress}
        told = told_of(held, dataset, places, encoders=encoders, **shared)
    fitting = Fitting(held, settings or LinkSettings(), seed, told)
    false = fitting.negatives(negatives)  # before anything is trained, for they may name what is not there
    trials = _trials(fitting, scorers, penalties, progress, members)
    rows = [fitting.frequent(), *(row for row, *_ in trials)]
    by_views = [one[0] for _, one, *_ in trials if len(one) == 1 and one[0].entities.views]
    if rules:
        alone, trial = _with_rules(fitting, trials)
        rows += [alone, trial[0]]
        trials.append(trial)
    row, networks, weights, mined = max(trials, key=lambda trial: trial[0].valid)
    stranger = max(by_views, key=fitting.strange) if by_views else None
    model = LinkModel(
        networks,
        held.entities,
        held.relations,
        held.triples,
        weights,
        stranger,
        told,
        mined,
    )
    if stranger is not None and not bool(networks[0].entities.seen.all()):
        row.values = fitting.tested(model.scores)  # of strangers the model says what views do, not what it chose
    for one in rows:
        one.test = summary(one.values, seed=seed)
    gain = difference(row.values[METRIC], rows[0].values[METRIC], seed=seed)
    model.info |= {"mrr": row.test[METRIC].score, "seed": seed, "candidate": row.name, "settings": row.settings}
    model.trained = np.isin(np.arange(len(held)), held.parts["train"])
    model.calibration, model.info["classification"] = fitting.calibrated(model, false)
    sizes = {"entities": len(held.entities), "relations": len(held.relations)}
    sizes |= {part: len(held.parts[part]) for part in held.parts}
    return Links(METRIC, row.name, rows, sizes, gain, list(held.problems), model, seed)


Trial = tuple[LinkRow, tuple[LinkNetwork, ...], np.ndarray | None, Rules | None]
"""What is measured, its networks, the weights of all but the first member, and rules where they are the last."""


def _with_rules(fitting: Fitting, trials: Sequence[Trial]) -> tuple[LinkRow, Trial]:
    """What rules find by themselves; and the best trial together with them."""
    row, networks, weights, _ = max(trials, key=lambda trial: trial[0].valid)
    alone, rules, said = fitting.ruled()
    members = [lambda queries: mean_chances(networks, queries)] if weights is None else [*map(_chances, networks)]
    together, weights = fitting.weighted(f"{row.name}:rules", [*members, said])
    return alone, (together, networks, weights, rules)


def _chances(network: LinkNetwork) -> Score:
    return lambda queries: log_chances(network.scores(queries))


def _trials(
    fitting: Fitting, scorers: Sequence[str], penalties: Sequence[float], progress: Progress | None, members: int
) -> list[Trial]:
    """Every scorer with its best penalty; then, where views are told, the best scorer with these."""
    tried = {name: _tried(name, penalties) for name in scorers}
    count = sum(map(len, tried.values())) + (2 * max(map(len, tried.values())) if fitting.told else 0) + members - 1
    with stage(progress, "links", count) as bar:

        def best(name: str, **how: bool) -> tuple[LinkRow, LinkNetwork]:
            found = []
            for penalty in tried[name]:
                found.append(fitting.trained(name, penalty, **how))
                bar.advance()
            row, network = max(found, key=lambda one: one[0].valid)
            return replace(row, cpu_seconds=sum(one.cpu_seconds for one, _ in found)), network

        plain = [best(name) for name in tried]
        trials: list[Trial] = [(row, (network,), None, None) for row, network in plain]
        if fitting.told is not None:
            _, structure = max(plain, key=lambda one: one[0].valid)
            alone, views = best(structure.name, structure=False, views=True)
            both, joint = best(structure.name, views=True)
            mixed, weights = fitting.weighted(f"{structure.name}:weighted", [*map(_chances, (structure, views))])
            trials += [(alone, (views,), None, None), (both, (joint,), None, None)]
            trials.append((mixed, (structure, views), weights, None))
        if members > 1:
            single = max((trial for trial in trials if len(trial[1]) == 1), key=lambda trial: trial[0].valid)
            trials.append(_mean(fitting, single, members, bar.advance))
    return trials


def _mean(fitting: Fitting, single: Trial, members: int, advance: Callable[[], None]) -> Trial:
    """Train a network again with other seeds, and take the mean."""
    row, (first,), *_ = single
    how = {"structure": first.structure, "views": bool(first.entities.views)}
    networks, seconds = [first], row.cpu_seconds
    for member in range(1, members):
        other, network = fitting.trained(first.name, row.settings["penalty"], member=member, **how)
        networks.append(network)
        seconds += other.cpu_seconds
        advance()
    found = fitting.several(row, networks)
    found.cpu_seconds += seconds
    return found, tuple(networks), None, None


def _tried(name: str, penalties: Sequence[float]) -> Sequence[float]:
    """Penalties that are tried; names of the scorer, and of what carries vectors along edges, are looked up."""
    scoring, _, carrying = name.partition(":")
    if carrying:
        registry.get("propagation", carrying)
    return penalties if issubclass(registry.get("scorers", scoring), Product) else (0.0,)
