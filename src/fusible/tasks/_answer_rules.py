"""What an answerer keeps beside its model, as plain values of the model folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fusible.errors import ConfigError, ModelFormatError
from fusible.evaluation.answered import NEVER
from fusible.evaluation.calibration import HIGHEST, LOWEST
from fusible.tasks._answer_score import Calibrated

SECTION = "answers"
"""Where a model folder keeps what an answerer needs beside its model."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What an answerer keeps beside its model: columns, calibration, threshold, question types."""

    images: tuple[str, ...]
    question: str
    told: tuple[str, ...]
    calibrated: Calibrated
    threshold: float | None = None
    types: tuple[str, ...] = ()

    def to_config(self) -> dict[str, Any]:
        """Plain values for the model folder."""
        return {
            "images": list(self.images),
            "question": self.question,
            "told": list(self.told),
            "temperature": self.calibrated.temperature,
            "known": self.calibrated.known,
            "threshold": self.threshold,
            "types": list(self.types),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], where: str) -> Rules:
        """Take back what `to_config` gave; `ModelFormatError` where it is out of range."""
        try:
            temperature, known = float(config["temperature"]), float(config["known"])
            threshold = None if config["threshold"] is None else float(config["threshold"])
            images, told, types = (_names(config[key]) for key in ("images", "told", "types"))
            (question,) = _names([config["question"]])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFormatError(
                f"{where}: {SECTION}: damaged ({type(error).__name__}: {error}); expected it as `fusible ask fit` "
                "wrote it, copy or fit it again"
            ) from None
        if not (
            LOWEST <= temperature <= HIGHEST and 0 <= known <= 1 and (threshold is None or 0 <= threshold <= NEVER)
        ):
            raise ModelFormatError(
                f"{where}: {SECTION}: expected a temperature from {LOWEST} to {HIGHEST} and shares from 0 to 1, got "
                f"temperature {temperature}, known {known}, threshold {threshold}"
            )
        return cls(images, question, told, Calibrated(temperature, known), threshold, types)


def check_share(value: float) -> float:
    """Refuse a threshold of confidence that is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ConfigError(f"abstain: expected a confidence from 0 to 1, got {value!r}")
    return float(value)


def _names(given: Any) -> tuple[str, ...]:
    """Names of a saved list; `TypeError` for anything else."""
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise TypeError(f"expected a list of names, got {given!r}")
    return tuple(given)
