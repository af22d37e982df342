"""What a strategy costs: trainable parameters, seconds, rows per second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


class Timer:
    """Wall-clock seconds of a block, also when it fails.

    >>> with Timer() as timer:
    ...     total = sum(range(10))
    >>> timer.seconds >= 0
    True
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def __enter__(self) -> Timer:
        self._start = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = perf_counter() - self._start


class Stages:
    """Seconds per named stage; a stage that is entered again adds to its sum.

    >>> stages = Stages()
    >>> with stages("encode"):
    ...     pass
    >>> list(stages.seconds)
    ['encode']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time the block as the stage `name`."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start


def parameters(module: nn.Module, *, trainable: bool = True) -> int:
    """Count parameters, each shared one once; only trainable ones unless `trainable` is false."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def rows_per_second(rows: int, seconds: float) -> float:
    """Rows per second; 0 where no time was measured.

    >>> rows_per_second(100, 0.5)
    200.0
    """
    return rows / seconds if seconds > 0 else 0.0
