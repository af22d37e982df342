"""Fit, and write the model's folder: what commands of several tasks do alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")


def fit_and_save(run: Callable[..., Result], output: str | Path | None, *data: Any, **given: Any) -> Result:
    """Give the result of `run`, whose `model` is written to `output` where that is named.

    Raises `FusibleError` before anything is fitted where nothing can be written there.
    """
    from fusible.tasks.folder import check_model

    place = None if output is None else check_model(Path(output))
    result: Any = run(*data, **given)
    if place is not None:
        result.model.save(place)
    found: Result = result
    return found
