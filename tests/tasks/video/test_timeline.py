"""Timelines: entries by lane, their tables and files, and steps joined to entries."""

import json
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.tasks.video.timeline import Entry, KeyFrame, Timeline, ordered, runs
from fusible.tasks.video.timeline_files import clock, vtt, write_json, write_parquet, write_vtt

HOSTILE = "a <b> & --> c\n\nd"


def timeline():
    entries = [
        Entry("words", 0.5, 1.0, HOSTILE),
        Entry("shot", 0.0, 2.0, "shot 1", 1.0),
        Entry("shot", 2.0, 3.25, "shot 2", 0.87654321),
        Entry("sight", 0.0, 2.0, "dog", 0.5),
        Entry("sight", 2.0, 3.25, "dog", 0.6),
    ]
    curves = {"novelty": np.array([0.0, np.nan, 0.123456])}
    return Timeline(
        "film.mp4", {"seconds": 3.25}, ordered(entries), [KeyFrame(0, 1.0, b"jpeg")], np.arange(3) * 1.0, curves
    )


def test_entries_are_in_the_order_of_their_starts_and_lanes():
    assert [(entry.lane, entry.start) for entry in timeline().entries] == [
        ("shot", 0.0), ("sight", 0.0), ("words", 0.5), ("shot", 2.0), ("sight", 2.0),
    ]  # fmt: skip


def test_json_is_plain_and_whole(tmp_path):
    write_json(timeline(), tmp_path / "t.json")
    found = json.loads((tmp_path / "t.json").read_text())
    assert list(found["lanes"]) == ["shot", "sight", "words"]
    assert found["lanes"]["shot"][1] == {"lane": "shot", "start": 2.0, "end": 3.25, "label": "shot 2", "score": 0.8765}
    assert found["grid"] == {"times": [0.0, 1.0, 2.0], "novelty": [0.0, None, 0.1235]}
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


def test_parquet_holds_a_row_per_entry(tmp_path):
    write_parquet(timeline(), tmp_path / "t.parquet")
    found = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert len(found) == 5
    assert found[2] == {"file": "film.mp4", "lane": "words", "start": 0.5, "end": 1.0, "label": HOSTILE, "score": None}


def test_a_timeline_without_entries_is_a_table_without_rows(tmp_path):
    write_parquet(Timeline("a", {"seconds": 0.0}, []), tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").num_rows == 0


def test_vtt_has_a_cue_per_shot_with_what_is_in_it(tmp_path):
    write_vtt(timeline(), tmp_path / "t.vtt")
    assert (tmp_path / "t.vtt").read_text().split("\n") == [
        "WEBVTT", "",
        "1", "00:00:00.000 --> 00:00:02.000", "shot 1", "sight: dog", "words: a &lt;b&gt; &amp; --&gt; c d", "",
        "2", "00:00:02.000 --> 00:00:03.250", "shot 2", "sight: dog", "",
    ]  # fmt: skip


def test_vtt_without_shots_has_what_is_heard_and_said():
    heard = [Entry("sound", 0.0, 1.5, "speech"), Entry("words", 0.2, 1.7, "hi"), Entry("sound", 1.5, 4.0, "music")]
    assert vtt(Timeline("a", {"seconds": 4.0}, heard)).split("\n") == [
        "WEBVTT", "",
        "1", "00:00:00.000 --> 00:00:01.500", "sound", "sound: speech", "words: hi", "",
        "2", "00:00:01.500 --> 00:00:04.000", "sound", "words: hi", "sound: music", "",
    ]  # fmt: skip
    shots = [Entry("shot", 0.0, 1.0, "shot 1"), Entry("shot", 1.0, 3.0, "shot 2")]
    late = vtt(Timeline("a", {"seconds": 3.0}, ordered([*heard, *shots]))).split("\n")
    assert late[-4:] == ["00:00:03.000 --> 00:00:04.000", "after the picture", "sound: music", ""]
    assert vtt(Timeline("a", {"seconds": 1.0}, [])) == "WEBVTT\n"


def test_names_that_are_no_text_are_written(tmp_path):
    odd = Timeline("caf\udce9.mp4", {"seconds": 2.0}, [Entry("shot", 0.0, 2.0, "shot 1")], warnings=["caf\udce9: bad"])
    write_json(odd, tmp_path / "t.json")
    write_parquet(odd, tmp_path / "t.parquet")
    assert json.loads((tmp_path / "t.json").read_text("utf-8"))["warnings"] == ["caf?: bad"]
    assert pq.read_table(tmp_path / "t.parquet")["file"].to_pylist() == ["caf?.mp4"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "00:00:00.000"), (59.9996, "00:01:00.000"), (3_600.0, "01:00:00.000"), (-1.0, "00:00:00.000")],
)
def test_clock(seconds, said):
    assert clock(seconds) == said


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "t.json").mkdir()
    with pytest.raises(IsADirectoryError):
        write_json(timeline(), tmp_path / "t.json")
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


@given(st.lists(st.sampled_from(["a", "b", None]), max_size=30))
def test_runs_cover_every_labelled_step_once(labels):
    entries = runs(labels, np.ones(len(labels)), np.arange(len(labels) + 1.0), "sight")
    covered = [None] * len(labels)
    for entry in entries:
        for step in range(int(entry.start), int(entry.end)):
            assert covered[step] is None
            covered[step] = entry.label
    assert covered == labels
    assert all(a.end < b.start or a.label != b.label for a, b in pairwise(entries))
