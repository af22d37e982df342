"""The chosen method on test rows, beside chance, plain alignment, words and single views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fusible.evaluation.retrieval import chance, difference, per_query, summary
from fusible.evaluation.retrieved import Queries, Retrieval, Retrieved
from fusible.tasks._retrieval_baselines import by_neighbour, by_words, plain_vectors
from fusible.tasks._retrieval_candidates import Candidate
from fusible.tasks._retrieval_head import units
from fusible.tasks._retrieval_pairs import Direction, Rows, gain, measured


def measure(
    best: Candidate, train: Rows, test: Rows, ways: Sequence[Direction], texts: Mapping[str, Sequence[str]], seed: int
) -> Retrieval:
    """Score the chosen method, chance and baselines on test rows."""
    classes = test.classes is not None
    metric = "map" if classes else "mean_recall"
    vectors = {view: units(head, test.vectors[view]) for view, head in best.heads.items()}
    ours, rows = measured(ways, vectors), []
    plain = plain_vectors(train, test, seed)
    theirs = measured(ways, plain[1]) if plain is not None else []
    for i, way in enumerate(ways):
        ranked = [(best.name, "chosen", ours[i]), ("chance", "chance", chance(way.relevant))]
        if plain is not None:
            ranked.append((plain[0], "baseline", theirs[i]))
        for name, similarity in (
            ("nearest training row", by_neighbour(way, train, test, seed)),
            ("BM25 of other texts", by_words(way, test, texts)),
        ):
            if similarity is not None:
                ranked.append((name, "baseline", per_query(similarity, way.relevant)))
        rows += [
            Retrieved(way.name, name, kind, len(way.queries), len(way.items), summary(values, way.groups, seed=seed))
            for name, kind, values in ranked
        ]
    result = Retrieval(best.name, metric, rows, [], {}, [])
    if plain is not None:
        pairs = [[gain(values, classes=classes) for values in side] for side in (ours, theirs)]
        result.plain = plain[0]
        result.difference = difference(pairs[0], pairs[1], [way.groups for way in ways], seed=seed)
        result.queries = {
            way.name: Queries(one, other, way.groups) for way, one, other in zip(ways, *pairs, strict=True)
        }
        result.differences = {
            name: difference([one.ours], [one.theirs], [one.groups], seed=seed) for name, one in result.queries.items()
        }
    return result
