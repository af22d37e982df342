"""Progress: lines in a log, bars on a terminal."""

import io
import re

import pytest
from rich.console import Console

from fusible.apps.progress import RichProgress


def progress(terminal):
    """A progress, and the stream it writes to."""
    stream = io.StringIO()
    return RichProgress(Console(file=stream, force_terminal=terminal, width=100)), stream


def test_a_log_gets_one_line_per_stage():
    log, stream = progress(terminal=False)
    with log.stage("encode [image]", 5) as stage:
        stage.advance(2)
        stage.advance()
    with log.stage("read", None):
        pass
    assert re.fullmatch(r"encode \[image\]: 3 in \d\.\d s\nread: in \d\.\d s\n", stream.getvalue())


def test_nested_stages_have_bars_of_their_own():
    bars, stream = progress(terminal=True)
    with bars.stage("outer", 2) as outer:
        with bars.stage("inner [x]", None) as inner:
            inner.advance(7)
        outer.advance()
    shown = stream.getvalue()
    assert "outer" in shown
    assert "inner [x]: 7 in" in shown
    assert outer.done == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_passes_through_and_the_progress_can_be_used_again(terminal):
    shown, stream = progress(terminal)
    with pytest.raises(ValueError, match="bad"), shown.stage("first", 1):
        raise ValueError("bad")
    with shown.stage("second", 1) as stage:
        stage.advance()
    assert "second: 1 in" in stream.getvalue()
    assert "first: " not in stream.getvalue()
