"""Films made short: spans within the ratio, the film and the storyboard that are written, and queries."""

import numpy as np
import pytest
from _scenes import scenes
from PIL import Image

from fusible.data.film import probe
from fusible.errors import ConfigError
from fusible.tasks.video.summarizing import summarize_film
from fusible.types import Media


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return scenes(tmp_path_factory.mktemp("film") / "film.mp4", [5, 2, 5, 2, 6], [0, 1, 0, 2, 0])


def test_the_summary_is_written_with_its_sound_and_its_storyboard(path, tmp_path):
    found = summarize_film(path, tmp_path / "short.mp4", ratio=0.3, board=tmp_path / "board.png")
    assert 0 < found.summary.seconds <= 0.3 * 20 + 1e-6
    film = probe(Media("short", 0, path=str(tmp_path / "short.mp4")))
    assert film.has_picture
    assert film.has_sound
    assert film.duration == pytest.approx(found.summary.seconds, abs=0.3)
    with Image.open(tmp_path / "board.png") as board:
        assert board.size[0] > 200
    plain = found.to_json()
    assert plain["written"]["seconds"] == pytest.approx(found.summary.seconds, abs=0.3)
    assert [span["start"] for span in plain["spans"]] == [start for start, _ in found.summary.spans]


def test_folders_of_what_is_written_are_made_or_refused(path, tmp_path):
    summarize_film(path, tmp_path / "new" / "short.mp4", board=tmp_path / "other" / "board.png")
    assert (tmp_path / "new" / "short.mp4").is_file()
    assert (tmp_path / "other" / "board.png").is_file()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="expected a file to write, got a folder"):
        summarize_film("absent.mp4", board=tmp_path)
    with pytest.raises(ConfigError, match="cannot be written"):
        summarize_film("absent.mp4", tmp_path / "file" / "short.mp4")


def test_the_summary_is_made_of_whole_segments(path):
    found = summarize_film(path, ratio=0.4)
    bounds = set(found.analysis.segments.ravel().tolist())
    assert {time for span in found.summary.spans for time in span} <= bounds
    assert summarize_film(path, ratio=0.4).summary.spans == found.summary.spans


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ratio": 0.0}, "expected a ratio above 0 and at most 1, got 0"),
        ({"ratio": float("nan")}, "expected a ratio above 0 and at most 1, got nan"),
        ({"query": "dogs"}, "a query needs a retriever"),
    ],
)
def test_bad_settings_are_refused_before_any_work(path, given, said):
    with pytest.raises(ConfigError, match=said):
        summarize_film(path, **given)


def test_a_storyboard_needs_pictures(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 64_000), 16_000)
    with pytest.raises(ConfigError, match="has no storyboard"):
        summarize_film(tmp_path / "a.wav", board=tmp_path / "b.png")
