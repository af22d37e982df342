"""PyKEEN beside Fusible: its rank-based evaluator on given scores, and its ComplEx."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

HAS_PYKEEN = find_spec("pykeen") is not None
NAMES = {"mrr": "inverse_harmonic_mean_rank", "mean_rank": "arithmetic_mean_rank"}


def metrics(scores: np.ndarray, triples: np.ndarray, known: np.ndarray, ks: tuple[int, ...]) -> dict[str, float]:
    """Filtered realistic metrics by `RankBasedEvaluator`, both sides together.

    `scores` (2, rows, entities) are those of tails, then of heads, of triples (rows, 3); `known` (…, 3) is
    what is true.
    PyKEEN holds ranks in single precision, which is exact for them; they are widened before it takes means, which in
    single precision are off by up to 1e-6.
    """
    import torch
    from pykeen.evaluation import RankBasedEvaluator
    from pykeen.evaluation.evaluator import create_sparse_positive_filter_, filter_scores_

    evaluator = RankBasedEvaluator(filtered=True)
    asked, true = torch.from_numpy(triples), torch.from_numpy(known)
    for target, column, values in (("tail", 2, scores[0]), ("head", 0, scores[1])):
        rows, given = torch.arange(len(asked)), torch.from_numpy(values.copy())
        own = given[rows, asked[:, column]]
        held, _ = create_sparse_positive_filter_(asked, true, filter_col=column)
        filter_scores_(given, held)
        given[rows, asked[:, column]] = own
        evaluator.process_scores_(asked, target, given, own[:, None])
    for key, parts in evaluator.ranks.items():
        evaluator.ranks[key] = [part.astype(np.float64) for part in parts]
    found = evaluator.finalize()
    names = {**NAMES, **{f"hits@{k}": f"hits_at_{k}" for k in ks}}
    return {ours: float(found.get_metric(f"both.realistic.{theirs}")) for ours, theirs in names.items()}


def epochs(triples: np.ndarray, sizes: tuple[int, int], width: int, rows: int, seed: int) -> Callable[[int], Any]:
    """What trains ComplEx for a number of epochs: queries once with all their answers, both ways, cross entropy.

    Of PyKEEN's loops the fastest that has this loss; Adagrad is the fused one, and nothing is penalised.
    """
    import torch
    from pykeen.models import ComplEx
    from pykeen.training import LCWATrainingLoop
    from pykeen.triples import CoreTriplesFactory

    entities, relations = sizes
    factory = CoreTriplesFactory(
        mapped_triples=torch.from_numpy(triples),
        num_entities=entities,
        num_relations=relations,
        create_inverse_triples=True,
    )
    model = ComplEx(
        triples_factory=factory, embedding_dim=width, loss="crossentropy", regularizer=None, random_seed=seed
    )
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    loop = LCWATrainingLoop(model=model, triples_factory=factory, optimizer=optimizer)

    def run(count: int) -> Any:
        return loop.train(
            triples_factory=factory, num_epochs=count, batch_size=rows, use_tqdm=False, clear_optimizer=False
        )

    return run
