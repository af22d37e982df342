"""What the benchmarks of deep CCA share."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np


def fitted(aligner: Any, views: dict[str, np.ndarray]) -> float:
    """Fit, and return the CPU seconds that it took."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*constant.*")  # pixels at the border are black in every image
        aligner.fit(views)
    return time.process_time() - start


def linear(components: int) -> Any:
    """Linear CCA, its ridge chosen by cross-validation on training rows."""
    from fusible.alignment.cca import CcaCV

    return CcaCV(components, ridges=(1e-4, 1e-3, 1e-2, 1e-1))


def taken(views: dict[str, np.ndarray], deep: Any) -> dict[str, np.ndarray]:
    """The rows that the deep aligner did not hold out."""
    return {name: np.delete(rows, deep.validation_rows_, axis=0) for name, rows in views.items()}
