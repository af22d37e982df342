"""The Python face of saved models: `predict` and `evaluate` with a folder or a loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from fusible.tasks.model import Model


def predict(model: Model | str | Path, data: Any, **options: Any) -> pd.DataFrame:
    """Predict a table with a model or its folder; options and result as in `Model.predict`."""
    return _model(model).predict(data, **options)


def evaluate(model: Model | str | Path, data: Any, **options: Any) -> dict[str, Any]:
    """Score a model or its folder on a table with its target; options and result as in `Model.evaluate`.

    One of `fit_answers` is scored as its fit was: spellings are merged, and an answer that it does not know is wrong.
    """
    from fusible.tasks._answer_rules import SECTION
    from fusible.tasks.answerer import answerer_of

    found = _model(model)
    return (answerer_of(found) if SECTION in found.info else found).evaluate(data, **options)


def _model(model: Model | str | Path) -> Model:
    if isinstance(model, str | Path):
        from fusible.tasks.folder import load

        return load(model)
    return model
