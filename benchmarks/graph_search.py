"""Questions of held-out CoDEx-S facts: a hybrid of text, vectors and graph beside each alone.

The graph that is searched is the training part. Every test fact gives two questions, one for its tail and one for its
head, by templates that were written for the relations; entities are named by their Wikidata number (the data has no
labels but for the few that are types themselves), their texts are labels and descriptions of their types. A ComplEx
link model is fitted on the training part. How members count is learned on all questions of validation facts; test
questions are ranked once per seed. Ranks are among all entities, other true answers left out (filtered), equal scores
at the mean of their places. Seeds draw the link model. Intervals are by bootstrap of facts.

Each seed is kept as soon as it is done, and a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from _graph_questions import Question, questions, told_of_entities, told_of_relations
from _harness import ROOT, Benchmark, data_folder
from _parts import Parts

NAME = "CoDEx-S"
HYBRID = "hybrid"
ALONE = {
    "text only": ("text",),
    "vectors only": ("vectors", "types", "model"),
    "graph only": ("facts", "beyond", "walk", "alike", "usual", "rules"),
}
"""What the hybrid is compared with: members of a kind, with weights that are learned in the same way."""
GRAPH = ("facts", "beyond", "walk", "alike", "usual")
METRICS = ("hits@10", "mrr")
TUNED, QUICK = 4_000, 40
"""Validation questions that weights are learned on, and questions of a quick run."""
TIMED, BLOCK = 50, 64
"""Questions that are timed one by one, and questions whose texts are encoded together."""
ENTITIES = 150
"""Entities of a quick run."""


def main() -> None:
    """Run what is lacking, then judge."""
    parts = Parts("graph_search", __doc__, "graph", [NAME])
    runs = parts.run(measure)[NAME]
    benchmark = parts.benchmark
    _table(benchmark, runs)
    for other in ALONE:
        for metric in METRICS:
            found = _ahead(runs, other, metric)
            text = f"{NAME}: {metric}, hybrid minus {other}, mean of seeds: lower end of the 95 % interval"
            benchmark.claim(text, found.low, at_least=1e-9)
    benchmark.claim(f"{NAME}: CPU milliseconds per question", float(np.mean([r["ms"] for r in runs])), at_most=100)
    benchmark.finish()


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One link model, one choice of weights, and all test questions."""
    import fusible
    from fusible.data.graph import Graph, read_graph
    from fusible.evaluation.links import Known, difference, per_triple, ranks, summary

    folder = data_folder("graphs") / "codex_s"
    whole = read_graph(folder)
    if args.quick:
        inside = np.isin(whole.triples[:, [0, 2]], np.arange(ENTITIES)).all(axis=1)
        whole = replace(whole, parts={part: rows[inside[rows]] for part, rows in whole.parts.items()})
    model = _model(whole, seed, args)
    train = whole.part("train")
    graph = Graph(whole.entities, whole.relations, train, {"train": np.arange(len(train))})
    entities = told_of_entities(folder)
    if args.quick:
        entities = entities[entities["entity"].isin(whole.entities[:ENTITIES])]
    searcher = fusible.GraphSearcher(
        graph,
        entities=entities,
        relations=told_of_relations(folder),
        model=model,
        rules=fusible.mine_rules(graph),
        cache=args.cache,
    )
    known = Known(whole.triples, len(whole.relations))
    asked = {part: _asked(whole, part, searcher) for part in ("valid", "test")}
    drawn = np.random.default_rng(seed).permutation(len(asked["valid"]))[: QUICK if args.quick else TUNED]
    fusions, chosen = _fusions(searcher, [asked["valid"][i] for i in drawn], known)
    if args.quick:
        half = len(asked["test"]) // 2
        asked["test"] = asked["test"][: QUICK // 2] + asked["test"][half : half + QUICK // 2]
    began = time.process_time()
    for question in asked["valid"][:TIMED]:
        fusions[HYBRID].scores(searcher.members.features(searcher.read(question.text)))
    ms = 1000 * (time.process_time() - began) / min(TIMED, len(asked["valid"]))
    found = {name: [] for name in fusions}
    for question, features in _features(searcher, asked["test"]):
        query, answer = np.array([[question.entity, question.slot]]), np.array([question.answer])
        for method, fusion in fusions.items():
            found[method].append(ranks(fusion.scores(features)[None], query, answer, known)[0])
    values = {method: per_triple(np.array(places), (10,)) for method, places in found.items()}
    return {
        "rows": {
            method: {metric: vars_of(score) for metric, score in summary(held, seed=seed).items() if metric in METRICS}
            for method, held in values.items()
        },
        "apart": {
            other: {m: vars_of(difference(values[HYBRID][m], values[other][m], seed=seed)) for m in METRICS}
            for other in ALONE
        },
        "gains": {
            other: {m: (values[HYBRID][m] - values[other][m]).round(6).tolist() for m in METRICS} for other in ALONE
        },
        "weights": fusions[HYBRID].to_json(),
        "valid": chosen,
        "ms": ms,
        "questions": len(asked["test"]),
        "link_mrr": model.info["mrr"],
    }


def _model(whole: Any, seed: int, args: argparse.Namespace) -> Any:
    """The link model of a seed: fitted now, or what an earlier run of this benchmark kept."""
    import fusible

    place = (args.json or ROOT / "benchmarks" / "results" / "graph_search.json").with_suffix(f".links-{seed}")
    if place.is_dir() and not args.quick:
        return fusible.load_links(place)
    model = fusible.fit_links(whole, settings=_settings(args.quick), penalties=(0.01,), seed=seed).model
    if not args.quick:
        model.save(place)
    return model


def _features(searcher: Any, asked: Sequence[Question]) -> Iterator[tuple[Question, Mapping[str, np.ndarray]]]:
    """Questions with their features; texts are encoded some at a time, which is quicker than one by one."""
    for start in range(0, len(asked), BLOCK):
        block = asked[start : start + BLOCK]
        searcher.members.texts.encode([question.text for question in block])
        for question in block:
            yield question, searcher.members.features(searcher.read(question.text))


def _settings(quick: bool) -> Any:
    from fusible.tasks.knowledge.links.fit import LinkSettings

    held = LinkSettings(width=128, batch=500, epochs=16, look=4, patience=2)
    return replace(held, width=8, epochs=2) if quick else held


def _asked(whole: Any, part: str, searcher: Any) -> list[Question]:
    names = [called[0] for called in searcher.members.held.names]
    return questions([tuple(triple) for triple in whole.part(part).tolist()], whole.relations, names)


def _fusions(searcher: Any, valid: Sequence[Question], known: Any) -> tuple[dict[str, Any], Mapping[str, float]]:
    """All that are compared: the hybrid, each kind alone, and each member alone; weights are learned on `valid`."""
    from fusible.tasks.knowledge.search.fusion import Fusion, choose_fusion, fit_fusion
    from fusible.tasks.knowledge.search.searcher import FUSION

    features = [found for _, found in _features(searcher, valid)]
    answers = [question.answer for question in valid]
    others = []
    for question in valid:
        true = known.answers(np.array([[question.entity, question.slot]]))[1]
        others.append(true[true != question.answer])
    names = searcher.members.names
    chosen, scores = choose_fusion(
        features, answers, others, names, FUSION, asked=[question.text for question in valid]
    )
    found = {HYBRID: chosen}
    for kind, members in ALONE.items():
        found[kind] = fit_fusion(features, answers, others, [name for name in names if name in members])
    found["hybrid, equal reciprocal ranks"] = Fusion("ranks", dict.fromkeys(names, 1.0))
    found["hybrid, weights as shipped"] = FUSION
    found["hybrid without the link model"] = fit_fusion(features, answers, others, [n for n in names if n != "model"])
    found["graph only, without mined rules"] = fit_fusion(features, answers, others, GRAPH)
    return found | {f"member {name}": Fusion("weights", {name: 1.0}) for name in names}, scores


def vars_of(held: Any) -> dict[str, float]:
    """Plain values of a score or a difference."""
    return {name: float(getattr(held, name)) for name in held.__dataclass_fields__}


def _ahead(runs: Sequence[dict[str, Any]], other: str, metric: str) -> Any:
    """How far the hybrid is ahead of another, by facts, of the mean over seeds."""
    from fusible.evaluation.links import difference

    gains = np.mean([np.array(run["gains"][other][metric]) for run in runs], axis=0)
    return difference(gains, np.zeros_like(gains))


def _table(benchmark: Benchmark, runs: list[dict[str, Any]]) -> None:
    for seed, run in zip(benchmark.arguments.seeds, runs, strict=True):
        for method, row in run["rows"].items():
            apart = run["apart"].get(method, {}).get("hits@10", {})
            benchmark.row(
                graph=NAME,
                seed=seed,
                method=method,
                hits_10=row["hits@10"]["score"],
                low=row["hits@10"]["low"],
                high=row["hits@10"]["high"],
                mrr=row["mrr"]["score"],
                mrr_low=row["mrr"]["low"],
                mrr_high=row["mrr"]["high"],
                hybrid_ahead=apart.get("mean"),
                ahead_low=apart.get("low"),
                ahead_high=apart.get("high"),
            )


if __name__ == "__main__":
    main()
