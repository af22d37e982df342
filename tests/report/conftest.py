from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

from fusible.evaluation.bootstrap import interval, paired
from fusible.evaluation.metrics import all_scores, default_metric
from fusible.evaluation.study import StrategyResult, StudyResult
from fusible.evaluation.verdict import statement, verdict
from fusible.types import Problem, Task

NAMES = {
    "single:question": ("single", 1.0),
    "single:image": ("single", 0.2),
    "feature:concat": ("feature", 2.2),
    "model:average": ("model", 1.1),
    "auto": ("auto", 2.2),
}


def picture(width=64, height=64, kind="PNG"):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def _predictions(task, truth, random, strength):
    rows = len(truth)
    if task.kind == "regression":
        return (truth + random.normal(0, 1 / (strength + 0.1), rows) * truth.std())[:, None]
    if task.kind == "multilabel":
        return 1 / (1 + np.exp(-(2 * truth - 1) * strength - random.normal(0, 1, truth.shape)))
    logits = random.normal(0, 1, (rows, task.outputs))
    logits[np.arange(rows), truth] += strength * 2
    return softmax(logits, axis=1)


def make_study(kind="multiclass", classes=5, rows=300, seed=0, **changes):
    names = () if kind == "regression" else tuple(f"class {k}" for k in range(classes))
    task = Task(kind, names)
    random = np.random.default_rng(seed)
    truth = {
        "regression": lambda: np.exp(random.normal(13, 0.5, rows)),
        "multilabel": lambda: random.integers(0, 2, (rows, classes)),
    }.get(kind, lambda: random.integers(0, classes, rows))()
    predictions = {
        name: _predictions(task, truth, random, power) for name, (_, power) in NAMES.items() if name != "auto"
    }
    predictions["auto"] = predictions["feature:concat"]
    metric = default_metric(task)
    strategies = []
    for k, (name, (family, _)) in enumerate(NAMES.items()):
        test = interval(metric, task, truth, predictions[name], resamples=200)
        metrics = all_scores(task, truth, predictions[name])
        strategies.append(StrategyResult(name, family, test, test, metrics, 12_345 * k, 1.5 * k, 4000.0 * (k + 1)))
    difference = paired(metric, task, truth, predictions["auto"], predictions["single:question"], resamples=200)
    sentence = statement(difference, metric=metric, auto="feature:concat", best_single="single:question")
    values = {
        "task": task,
        "metric": metric,
        "target": "answer",
        "rows": {"train": 1400, "valid": 300, "test": rows},
        "strategies": strategies,
        "best_single": "single:question",
        "auto": "feature:concat",
        "verdict": verdict(difference),
        "difference": difference,
        "statement": sentence,
        "columns": [
            {"name": "question", "modality": "text", "role": "input", "reason": "words with spaces", "coverage": 1.0},
            {"name": "image", "modality": "image", "role": "input", "reason": "paths ending in .png", "coverage": 0.98},
        ],
        "views": [
            {
                "name": "image",
                "modality": "image",
                "columns": ["image"],
                "encoder": ["image_cnn"],
                "why": "small pictures: trained here",
                "coverage": 0.98,
            }
        ],
        "problems": [Problem("unreadable", "image", "2 pictures cannot be decoded: truncated", (3, 17), 2)],
        "settings": {"device": "cpu", "training": {"epochs": 12, "learning_rate": 0.00025}},
        "command": "fusible compare table.csv --target answer --seed 0 -o study",
        "versions": {"fusible": "0.1.0", "torch": "2.13.0"},
        "seconds": {"read": 0.4, "encode": 12.2, "feature:concat": 63.0},
        "truth": truth,
        "predictions": predictions,
        "examples": [
            {
                "title": "row 4",
                "image": picture(),
                "fields": {"question": "what colour is the shape?"},
                "truth": "class 1",
                "prediction": "class 1",
                "confidence": 0.97,
            }
        ],
    }
    return StudyResult(**{**values, **changes})


@pytest.fixture
def study():
    """Build a study of any task kind, with settings replaced by keyword."""
    return make_study


@pytest.fixture
def photo():
    """Encode a random picture: width, height, kind."""
    return picture
