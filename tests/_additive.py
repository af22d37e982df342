"""Models whose answers are sums of known functions of their views, so that attributions are known exactly."""

import numpy as np
import pandas as pd

from fusible.data.media import decode_audio, decode_image
from fusible.data.read import read
from fusible.encoders._base import Encoder
from fusible.ensembles._base import Rule
from fusible.tasks.model import Model
from fusible.tasks.nodes import EnsembleNode, PredictorNode
from fusible.tasks.target import Target
from fusible.types import Modality, Task


class Known(Encoder):
    """Predicts by a given function of the items of a view, (rows,) or (rows, outputs)."""

    modality = Modality.TEXT
    frozen = True
    predicts = True

    def __init__(self, function):
        super().__init__()
        self.function, self.output_width = function, 1

    def decode(self, value):
        return value

    def batch(self, decoded):
        return {}

    def forward(self, tensors):
        raise AssertionError("a predictor encodes nothing here")

    def predict_scores(self, values):
        scores = np.asarray(self.function(values), float)
        return scores[:, None] if scores.ndim == 1 else scores


class Total(Rule):
    """Sum of the members that are present; with `product`, also the product of the first two where both are."""

    product = False

    def combine(self, scores, presence):
        held = np.where(presence.T[:, :, None], scores, 0.0)
        return held.sum(axis=0) + (held[0] * held[1] if self.product else 0.0)


class TotalAndProduct(Total):
    """Sum, and product of the first two."""

    product = True


REGRESSION = Task("regression")


def regression_model(table, functions, rule=Total, views=None, columns=None, metric="r2"):
    """A model whose answer is the total of a function per view, and its data set; `functions` {view: function}."""
    dataset = read(table, views=views, columns=columns, target="y" if "y" in table else None)
    seen = [dataset.views[name] for name in functions]
    zero = np.zeros(1)
    members = tuple(
        PredictorNode(f"single:{view.name}", REGRESSION, zero, view, Known(functions[view.name])) for view in seen
    )
    built = rule().restore(REGRESSION, zero, {})
    node = EnsembleNode("model:total", REGRESSION, zero, built, "total", members, (1.0,) * len(members))
    target = Target("y", REGRESSION, "number")
    return Model(node, target, tuple(dataset.columns.values()), tuple(seen), metric)


def class_model(table, function, view, classes=("no", "yes"), columns=None):
    """A model of one view that gives class probabilities by a function of its items."""
    dataset = read(table, columns=columns, target="y" if "y" in table else None)
    kind = "binary" if len(classes) == 2 else "multiclass"
    task = Task(kind, classes)
    prior = np.full(len(classes), 1 / len(classes))
    node = PredictorNode(f"single:{view}", task, prior, dataset.views[view], Known(function))
    return Model(node, Target("y", task), tuple(dataset.columns.values()), (dataset.views[view],), "accuracy")


def numbers_table(rng, rows=60):
    """Two views of numbers (`left`: a, b; `right`: c) and a text; `y` is a + 2b + 3c plus noise."""
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame["note"] = [f"word{k % 3} and {'red' if k % 2 else 'blue'} and more words here" for k in range(rows)]
    frame["y"] = frame.a + 2 * frame.b + 3 * frame.c + 0.1 * rng.normal(size=rows)
    return frame


VIEWS = {"left": ["a", "b"], "right": ["c"]}
SUMS = {"left": lambda cells: cells.a.fillna(0) + 2 * cells.b.fillna(0), "right": lambda cells: 3 * cells.c.fillna(0)}


def brightness(corner):
    """Mean brightness, 0 to 1, of a corner of pictures: a slice of rows, a slice of columns."""
    return lambda items: np.array([decode_image(item)[corner].mean() / 255 for item in items])


def loudness(start, end, rate=16_000):
    """Root mean square between two times of sounds."""

    def function(items):
        waves = [decode_audio(item, rate)[int(start * rate) : int(end * rate)] for item in items]
        return np.array([float(np.sqrt((wave.astype(float) ** 2).mean())) for wave in waves])

    return function
