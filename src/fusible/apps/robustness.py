"""The Python face of evaluation with views missing or corrupted, and what `fusible evaluate` does with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fusible.evaluation.robustness import RobustnessResult
    from fusible.tasks.model import Model


def robustness(
    model: Model | str | Path,
    data: Any,
    *,
    missing: bool = True,
    corrupt: bool = True,
    seed: int = 0,
    workers: int = 4,
    progress: Any = None,
    **settings: Any,
) -> RobustnessResult:
    """Score a model, or its folder, on a table with its target while views are missing or corrupted.

    Parameters
    ----------
    model : Model or path
        A fitted model or its folder.
    data : path, table or Dataset
        Rows with the target; see `fusible.read`.
    missing : bool
        Score every subset of views, and curves over missing rates: at random, and depending on the target.
    corrupt : bool
        Score curves over five severities of corruption, for each corruption of each view's modality.
    seed : int
        Seeds masks, corruption and sampling of rows.
    workers : int
        Threads that decode and corrupt.
    progress : object, optional
        Shows stages; see `fusible.apps.progress`.
    **settings
        `rates`, `draws`, `rows` and `corrupted_rows` of `fusible.tasks.robustness.RobustnessSettings`.

    Returns
    -------
    RobustnessResult
        `subsets`, `curves`, `frame`, `to_json()`.

    Raises
    ------
    FusibleError
        One line: a table, target or setting that cannot be used.
    """
    from fusible.apps.models import _model
    from fusible.tasks.robustness import RobustnessSettings, model_robustness

    chosen = RobustnessSettings(missing=missing, corrupt=corrupt, **settings)
    return model_robustness(_model(model), data, chosen, seed=seed, workers=workers, progress=progress)
