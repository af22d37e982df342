"""Checks of settings, shared by encoders: an error names the part, the setting, the range and the value."""

from __future__ import annotations

from typing import Any

from fusible.errors import ConfigError


def within(part: str, low: float, high: float, **settings: Any) -> None:
    """Raise `ConfigError` unless every setting is a number between `low` and `high`.

    >>> within("image_cnn", 1, 4, depth=2)
    """
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ConfigError(f"{part}: setting {name} must be a number from {low} to {high}, got {value!r}")


def one_of(part: str, choices: tuple[str, ...], **settings: Any) -> None:
    """Raise `ConfigError` unless every setting is one of `choices`.

    >>> one_of("hf", ("text", "image"), modality="text")
    """
    for name, value in settings.items():
        if value not in choices:
            raise ConfigError(f"{part}: setting {name} must be one of {', '.join(choices)}, got {value!r}")
