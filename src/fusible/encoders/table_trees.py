"""Numbers and categories by gradient-boosted trees: a predictor of its own, no input of fusion operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch

from fusible.encoders._base import Encoder, Tensors
from fusible.encoders._boosting import Problem, boost, mean_prediction
from fusible.encoders._columns import KNOWN, Columns
from fusible.encoders._settings import within
from fusible.errors import ConfigError, ModelFormatError
from fusible.types import Encoded, Modality, Task

FEW = 10_000
"""Rows under which one thread is faster than several (measured: 375 rows, 30 times on a busy machine)."""


class TableTrees(Encoder):
    """LightGBM on numbers as they are and categories as codes of levels seen in training.

    A category whose levels are all numbers (postal codes, grades) is also given as a number. Missing,
    infinite and never seen cells are missing to the trees. Size and number of trees are chosen by cross-validation on
    training rows where there are fewer than 5,000, else on the validation rows given. `bags` models that differ by
    their seed are averaged. `threads`: 0 takes one below `FEW` rows, where
    threads wait for one another, else all cores.
    """

    modality: ClassVar[Modality] = Modality.TABLE
    frozen: ClassVar[bool] = True
    predicts: ClassVar[bool] = True
    encodes: ClassVar[bool] = False
    output_width = 0

    def __init__(self, bags: int = 5, learning_rate: float = 0.03, threads: int = 0) -> None:
        super().__init__(bags=bags, learning_rate=learning_rate, threads=threads)
        within("table_trees", 1, 100, bags=bags)
        within("table_trees", 1e-4, 1.0, learning_rate=learning_rate)
        within("table_trees", 0, 1024, threads=threads)
        self.bags, self.learning_rate, self.threads = bags, learning_rate, threads
        self.columns = Columns([], {})
        self.task: Task | None = None
        self.seen: list[list[int]] = []
        self.model_texts: dict[str, str] = {}
        self.models: dict[str, Any] = {}

    def _threads(self, rows: int) -> int:
        return self.threads or int(rows < FEW)

    def fit(self, values: Sequence[Any] | pd.DataFrame) -> None:
        """Learn columns and levels."""
        self.columns = Columns.learn(_frame(values))

    def decode(self, value: Any) -> Any:
        """Rows are taken as they are."""
        return value

    def collate(self, values: Sequence[Any] | pd.DataFrame) -> Tensors:
        """Tensors of a DataFrame, or of a list of DataFrames."""
        return self.batch(values)

    def batch(self, decoded: Sequence[Any] | pd.DataFrame) -> Tensors:
        """Tensor `rows` (rows, columns) float64, as the trees see them."""
        if not isinstance(decoded, pd.DataFrame) and not len(decoded):
            decoded = pd.DataFrame(columns=pd.Index(self.columns.names))
        return {"rows": torch.from_numpy(self._matrix(decoded))}

    def forward(self, tensors: Tensors) -> Encoded:
        """Trees give no encoding: raises `ConfigError`."""
        raise ConfigError("table_trees: gives predictions, no encoding; use table_mlp as input of a fusion operator")

    def _matrix(self, values: Sequence[Any] | pd.DataFrame) -> np.ndarray:
        frame = _frame(values)
        codes = self.columns.codes(frame).astype(np.float64) - KNOWN
        ordered = Columns(self.columns.ordered, {}).values(frame)
        return np.concatenate([self.columns.values(frame), ordered, np.where(codes < 0, np.nan, codes)], axis=1)

    def fit_target(self, values: Any, target: np.ndarray, task: Task, valid: tuple[Any, np.ndarray], seed: int) -> None:
        """Fit the trees: one ensemble, or one per label."""
        if not self.columns.names:
            self.fit(values)
        self.task = task
        rows, valid_rows = self._matrix(values), self._matrix(valid[0])
        heads, valid_heads = _heads(target, task), _heads(valid[1], task)
        self.seen = [[] if task.kind == "regression" else np.unique(head).astype(int).tolist() for head in heads]
        texts: dict[str, str] = {}
        for place, (head, valid_head, seen) in enumerate(zip(heads, valid_heads, self.seen, strict=True)):
            if len(seen) == 1:
                continue
            kept = np.isin(valid_head, seen) if seen else np.ones(len(valid_head), dtype=bool)
            held = (valid_rows[kept], _codes(valid_head[kept], seen))
            categories = tuple(range(rows.shape[1] - len(self.columns.levels), rows.shape[1]))
            problem = Problem(rows, _codes(head, seen), len(seen), categories)
            fitted = boost(problem, held, self.bags, self.learning_rate, self._threads(len(rows)), seed)
            texts |= {f"output{place}_bag{bag}": text for bag, text in enumerate(fitted)}
        self.restore_texts(texts)

    def predict_scores(self, values: Any) -> np.ndarray:
        """Shape (rows, outputs): class probabilities (0 for classes never seen), label probabilities, or values."""
        if self.task is None:
            raise ConfigError("table_trees: predict_scores before fit_target; fit it on labelled rows first")
        rows = self._matrix(values)
        parts = [self._predict(place, seen, rows) for place, seen in enumerate(self.seen)]
        if self.task.kind == "multilabel":
            return np.stack([part[:, 1] for part in parts], axis=1)
        return parts[0]

    def _predict(self, place: int, seen: list[int], rows: np.ndarray) -> np.ndarray:
        assert self.task is not None
        outputs = 2 if self.task.kind == "multilabel" else self.task.outputs
        scores = np.zeros((len(rows), outputs))
        if len(seen) == 1 or not len(rows):
            scores[:, seen[:1]] = 1.0
            return scores
        models = [self.models[f"output{place}_bag{bag}"] for bag in range(self.bags)]
        mean = mean_prediction(models, rows, self._threads(len(rows)))
        if not seen:
            return mean.reshape(-1, 1)
        scores[:, seen] = np.stack([1.0 - mean, mean], axis=1) if len(seen) == 2 else mean
        return scores

    def learned(self) -> Mapping[str, Any]:
        """Columns, levels, task, and the classes that training rows have."""
        task = None if self.task is None else {"kind": self.task.kind, "classes": list(self.task.classes)}
        return {"columns": self.columns.plain(), "task": task, "seen": self.seen}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back what `learned` gave."""
        self.columns = Columns(**learned["columns"])
        saved = learned["task"]
        self.task = None if saved is None else Task(saved["kind"], tuple(saved["classes"]))
        self.seen = [list(map(int, one)) for one in learned["seen"]]

    def texts(self) -> Mapping[str, str]:
        """Models as LightGBM text."""
        return self.model_texts

    def restore_texts(self, texts: Mapping[str, str]) -> None:
        """Load models from their text, also right after fitting: what is saved is what predicts."""
        import lightgbm

        wanted = {
            f"output{place}_bag{bag}"
            for place, seen in enumerate(self.seen)
            if self.task is not None and len(seen) != 1
            for bag in range(self.bags)
        }
        if wanted - set(texts):
            missing = sorted(wanted - set(texts))
            raise ModelFormatError(f"table_trees: expected {len(wanted)} model texts, missing {missing}; save it again")
        self.model_texts = {name: texts[name] for name in sorted(wanted)}
        self.models = {name: lightgbm.Booster(model_str=text) for name, text in self.model_texts.items()}


def _heads(target: np.ndarray, task: Task) -> list[np.ndarray]:
    """One target per ensemble: every label of a multi-label task, else the target itself."""
    return list((np.asarray(target) > 0).astype(int).T) if task.kind == "multilabel" else [np.asarray(target)]


def _codes(target: np.ndarray, seen: list[int]) -> np.ndarray:
    """Places of classes among those seen; values as they are."""
    return np.searchsorted(seen, target) if seen else target


def _frame(values: Sequence[Any] | pd.DataFrame) -> pd.DataFrame:
    return values if isinstance(values, pd.DataFrame) else pd.concat(list(values))
