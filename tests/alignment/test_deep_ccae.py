"""Deep CCA autoencoders: with no weight on reconstruction they are deep CCA, with some they keep more."""

import numpy as np
import pytest
import torch

from fusible.alignment._branches import Standardise
from fusible.alignment._gather import Batch
from fusible.alignment._losses import cca_loss
from fusible.alignment.deep_cca import DeepCca
from fusible.alignment.deep_ccae import CcaeObjective, DeepCcae
from fusible.errors import ConfigError

SMALL = {"hidden": (16,), "epochs": 10, "batch": 100, "learning_rate": 1e-2, "dropout": 0.0}


def views(rows=500, seed=0):
    """One weak shared variable, and a strong one of each view's own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(rows, 1))
    made = {}
    for name in ("one", "other"):
        own = rng.normal(size=(rows, 1)) @ np.ones((1, 4))
        made[name] = own + 0.3 * rng.normal(size=(rows, 4)) + 0.5 * shared * [1, -1, 1, -1]
    return made


def explained(aligner, rows):
    """Share of the variance of a view that a linear map of its scores explains."""
    scores = aligner.transform_view(rows, "one")
    design = np.hstack([scores, np.ones((len(rows), 1))])
    rest = rows - design @ np.linalg.lstsq(design, rows, rcond=None)[0]
    return 1 - rest.var() / (rows - rows.mean(0)).var()


def test_weight_zero_is_deep_cca():
    given = views()
    one = DeepCcae(1, reconstruction=0.0, **SMALL).fit(given)
    other = DeepCca(1, **SMALL).fit(given)
    np.testing.assert_allclose(one.transform(given)["one"], other.transform(given)["one"], atol=1e-5)


def test_outputs_that_rebuild_their_view_keep_more_of_it():
    given = views()
    kept = [
        explained(DeepCcae(1, reconstruction=weight, **{**SMALL, "epochs": 30}).fit(given), given["one"])
        for weight in (0.0, 10.0)
    ]
    assert kept[0] < 0.3
    assert kept[1] > 0.5


def test_the_objective_is_correlation_plus_weighted_error():
    torch.manual_seed(0)
    rows = [torch.randn(50, 3), torch.randn(50, 4)]
    standards = [Standardise(3), Standardise(4)]
    for standard in standards:
        standard.factor.fill_(2.0)
    objective = CcaeObjective(standards, 2, (8,), 0.0, 1e-3, 0.7)
    outputs = [torch.randn(50, 2), torch.randn(50, 2)]
    for decoder in objective.decoders:
        for parameter in decoder.parameters():
            torch.nn.init.zeros_(parameter)
    expected = cca_loss(*outputs, ridge=1e-3) + 0.7 * sum((2 * v).double().square().mean() for v in rows)
    loss = objective(outputs, Batch(np.arange(50), rows, None)).detach()
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


def test_a_negative_weight_is_refused():
    with pytest.raises(ConfigError, match="reconstruction: expected at least 0, got -1"):
        DeepCcae(1, reconstruction=-1, **SMALL).fit(views())
