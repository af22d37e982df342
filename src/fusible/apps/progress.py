"""Progress on standard error: bars with time left on a terminal, one plain line per stage elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class Stage:
    """One running stage: `advance` counts what is done."""

    def __init__(self, name: str, total: int | None) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.began = time.perf_counter()

    def advance(self, n: int = 1) -> None:
        """Count `n` more units as done."""
        self.done += n

    def line(self) -> str:
        """Name, count and seconds, for a log."""
        seconds = time.perf_counter() - self.began
        count = f" {self.done:,}" if self.done else ""
        return f"{self.name}:{count} in {seconds:.1f} s"


class _BarStage(Stage):
    """A stage that is also a bar of the terminal."""

    def __init__(self, name: str, total: int | None, bars: Progress, task: TaskID) -> None:
        super().__init__(name, total)
        self._bars = bars
        self._task = task

    def advance(self, n: int = 1) -> None:
        """Count, and move the bar."""
        super().advance(n)
        self._bars.advance(self._task, n)


class RichProgress:
    """Progress of a run in stages; give it as `progress` to the functions of the Python face.

    Stages may be nested: each has a bar of its own, and the outermost one opens and closes the display.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self.console = console if console is not None else Console(stderr=True)
        self._bars: Progress | None = None

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        """Open a stage of `total` units (None: unknown); on leaving it the bar goes and a line says what it took."""
        if not self.console.is_terminal:
            stage = Stage(name, total)
            yield stage
            self.console.print(stage.line(), highlight=False, markup=False)
            return
        with self._display() as bars:
            task = bars.add_task(name, total=total)
            bar = _BarStage(name, total, bars, task)
            try:
                yield bar
                bars.console.print(f"[dim]{_escape(bar.line())}[/dim]", highlight=False)
            finally:
                bars.remove_task(task)

    @contextmanager
    def _display(self) -> Iterator[Progress]:
        if self._bars is not None:
            yield self._bars
            return
        with _bars(self.console) as bars:
            self._bars = bars
            try:
                yield bars
            finally:
                self._bars = None


def _bars(console: Console) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
