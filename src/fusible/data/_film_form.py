"""Sound frames of one form: a broadcast or a joined file may change its rate or channels as it goes."""

from __future__ import annotations

from typing import Any


class OneForm:
    """Gives audio frames in the format, layout and rate of the first one."""

    def __init__(self) -> None:
        self._first: tuple[str, str, int] | None = None
        self._last: tuple[str, str, int] | None = None
        self._resampler: Any = None

    def take(self, frame: Any) -> list[Any]:
        """What a decoded frame gives: itself, or what it is resampled to."""
        import av

        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        self._first = self._first or form
        if form == self._first:
            self._last = form
            return [frame]
        if form != self._last:
            self._resampler = av.AudioResampler(*self._first)
            self._last = form
        frame.pts = None
        return list(self._resampler.resample(frame))
