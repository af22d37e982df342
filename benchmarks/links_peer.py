"""Link prediction beside PyKEEN: the same metrics of the same scores, and the time of an epoch of the same model.

Metrics: random scores with many ties and known-true filters, as PyKEEN's `RankBasedEvaluator`, as a loop over entities,
and as Fusible ranks them. Epochs: ComplEx on CoDEx-S, every query (entity and relation, or reciprocal relation) once
with all its answers, cross entropy over all entities, Adagrad, no penalty, the same number of queries per batch, one
thread; PyKEEN runs its fastest loop that does this (`LCWATrainingLoop` with inverse triples). Processor seconds, the
least of rounds that take turns, after one epoch to warm up.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np
from _harness import Benchmark, arguments, data_folder
from _links_pykeen import HAS_PYKEEN, epochs, metrics

KS = (1, 3, 10)
SAME = 1e-9
FASTER = 2
RATE = 0.1
ABSENT = "without PyKEEN, which is not installed: pip install 'fusible[bench]'"


def main() -> None:
    """Compare metrics, then epochs."""
    benchmark = Benchmark("links_peer", arguments(__doc__))
    if not HAS_PYKEEN:
        print(ABSENT, file=sys.stderr)
    compare_metrics(benchmark)
    compare_epochs(benchmark)
    benchmark.finish()


def compare_metrics(benchmark: Benchmark) -> None:
    """Rows of each metric, and the largest differences."""
    from fusible.evaluation.links import Known, both_ways, per_triple, ranks

    apart: dict[str, float] = {}
    for seed in range(2 if benchmark.arguments.quick else 20):
        scores, triples, known, relations = drawn(seed)
        queries, answers = both_ways(triples, relations)
        found = per_triple(ranks(np.concatenate(scores), queries, answers, Known(known, relations)), KS)
        ours = {name: float(values.mean()) for name, values in found.items()}
        others = {"a loop": looped(scores, triples, known)}
        if HAS_PYKEEN:
            others["PyKEEN"] = metrics(scores, triples, known, KS)
        for name, theirs in others.items():
            apart[name] = max([apart.get(name, 0.0), *(abs(ours[metric] - theirs[metric]) for metric in ours)])
    for name, difference in apart.items():
        benchmark.row(what="metrics", beside=name, largest_difference=difference)
        benchmark.claim(f"largest difference of a metric from {name}, same scores", difference, at_most=SAME)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Scores (2, rows, entities) with many ties, triples (rows, 3) to rank, all that are true, number of relations."""
    random = np.random.default_rng(seed)
    entities, relations = int(random.integers(20, 60)), 4
    known = np.unique(random.integers(0, [entities, relations, entities], (400, 3)), axis=0)
    triples = random.permutation(known)[:100]
    return random.integers(0, 12, (2, len(triples), entities)).astype(float), triples, known, relations


def looped(scores: np.ndarray, triples: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """The metrics of realistic filtered ranks, triple by triple and entity by entity."""
    true = set(map(tuple, known.tolist()))
    places = []
    for side, column in enumerate((2, 0)):
        for row, triple in enumerate(triples.tolist()):
            own = scores[side, row, triple[column]]
            better = equal = 0
            for entity, score in enumerate(scores[side, row].tolist()):
                other = (*triple[:column], entity, *triple[column + 1 :])
                if entity != triple[column] and other not in true:
                    better, equal = better + (score > own), equal + (score == own)
            places.append(1 + better + equal / 2)
    found = {"mrr": float(np.mean([1 / place for place in places])), "mean_rank": float(np.mean(places))}
    return found | {f"hits@{k}": float(np.mean([place <= k for place in places])) for k in KS}


def compare_epochs(benchmark: Benchmark) -> None:
    """Processor seconds of an epoch."""
    import fusible
    from fusible.evaluation.links import both_ways

    quick = benchmark.arguments.quick
    graph = fusible.read_graph(data_folder("graphs") / ("nations" if quick else "codex_s"))
    train, sizes = graph.part("train"), (len(graph.entities), len(graph.relations))
    width, batch = (16, 1_000) if quick else (300, 1_000)
    queries = len(np.unique(both_ways(train, sizes[1])[0], axis=0))
    rows = round(batch * queries / (2 * len(train)))
    systems: dict[str, Callable[[int], Any]] = {"Fusible": our_epochs(train, sizes, width, batch)}
    if HAS_PYKEEN:
        systems["PyKEEN"] = epochs(train, sizes, width, rows, seed=0)
    seconds = in_turns(systems, 1 if quick else 2)
    for name, spent in seconds.items():
        benchmark.row(what="epoch", beside=name, cpu_seconds=spent, width=width, queries_per_batch=rows)
    if HAS_PYKEEN:
        ratio = seconds["PyKEEN"] / seconds["Fusible"]
        benchmark.claim("processor time of PyKEEN's epoch over that of Fusible's", ratio, at_least=FASTER)


def our_epochs(train: np.ndarray, sizes: tuple[int, int], width: int, batch: int) -> Callable[[int], Any]:
    """What trains Fusible's ComplEx for a number of epochs."""
    from fusible.tasks.knowledge.links._network import LinkNetwork, LinkSettings
    from fusible.tasks.knowledge.links._train import train as run

    network = LinkNetwork(*sizes, "complex", width)
    settings = LinkSettings(width=width, batch=batch, rate=RATE, penalty=0.0)

    def epochs_of(count: int) -> Any:
        from dataclasses import replace

        return run(network, train, sizes[1], replace(settings, epochs=count), seed=0)

    return epochs_of


def in_turns(systems: dict[str, Callable[[int], Any]], rounds: int) -> dict[str, float]:
    """Least processor seconds of an epoch, systems taking turns, so that a busy machine slows all of them alike."""
    found = {}
    for run in systems.values():
        run(1)
    for _ in range(rounds):
        for name, run in systems.items():
            began = process_time()
            run(1)
            found[name] = min(found.get(name, np.inf), process_time() - began)
    return found


if __name__ == "__main__":
    main()
