"""Encoders without labels: video finds one, and sound beside it runs on the same clock."""

import numpy as np
import pandas as pd
import pytest
from _films import film, talks

from fusible.data.read import read
from fusible.errors import ConfigError
from fusible.tasks.align import align
from fusible.tasks.aligned import PER_STEP, STEP_RIDGE, build_aligner, clock, room
from fusible.tasks.aligner import load_aligner
from fusible.tasks.label_free import label_free_encoder, label_free_encoders
from fusible.tasks.source import Source

COLUMNS = {"clip": "video", "voice": "audio"}


@pytest.fixture(scope="module")
def talk():
    films, voices, _ = talks(3, 60)
    return pd.DataFrame({"clip": films, "voice": voices, "split": ["train"] * 40 + ["test"] * 20})


def chosen(frame, given=None, columns=None):
    dataset = read(frame, columns=columns or COLUMNS)
    views = tuple(dataset.views.values())
    names = label_free_encoders(Source(dataset), views, np.arange(dataset.rows), given or {})
    return {view: name for view, (name, _) in names.items()}


def test_video_of_one_scene_is_a_sequence_and_its_sound_follows(talk):
    assert chosen(talk) == {"clip": "video_sequence", "voice": "audio_sequence"}
    assert chosen(talk, {"voice": "audio_stats"})["voice"] == "audio_stats"
    assert chosen(talk, {"clip": "video_efficientnet"})["voice"] == "audio_stats"
    alone = read(talk.drop(columns="clip"), columns={"voice": "audio"})
    assert label_free_encoder(Source(alone), alone.views["voice"], np.arange(60))[0] == "audio_stats"


def test_video_of_many_scenes_is_seen_by_a_pretrained_network(rng, talk):
    scenes = [film(np.repeat(np.kron(rng.integers(0, 255, (4, 4)), np.ones((16, 16)))[None], 4, 0).astype(np.uint8))
              for _ in range(6)]  # fmt: skip
    frame = pd.DataFrame({"clip": scenes, "voice": talk["voice"][:6]})
    assert chosen(frame) == {"clip": "video_efficientnet", "voice": "audio_stats"}


def test_without_the_package_video_of_many_scenes_has_none(rng, monkeypatch):
    monkeypatch.setattr("fusible.tasks.label_free.find_spec", lambda name: None)
    clips = [film(rng.integers(0, 255, (4, 32, 32)).astype(np.uint8)) for _ in range(3)]
    with pytest.raises(ConfigError, match="view 'clip': every encoder of video that is at hand learns from a target"):
        chosen(pd.DataFrame({"clip": clips, "n": range(3)}), columns={"clip": "video", "n": "number"})


def test_silent_clips_and_their_sounds_find_one_another(talk, tmp_path):
    result = align(talk, method="sequence_cca", columns=COLUMNS, components=2)
    assert {view["encoder"] for view in result.views} == {"video_sequence", "audio_sequence"}
    assert result.settings["steps"] == 75
    assert result.settings["ridge"] == STEP_RIDGE
    for direction in ("clip -> voice", "voice -> clip"):
        assert result.retrieval[direction]["recall@1"] > 0.8
    result.aligner.save(tmp_path / "aligner")
    again = load_aligner(tmp_path / "aligner")
    test = talk[40:].drop(columns="clip").reset_index(drop=True)
    np.testing.assert_array_equal(
        again.transform(test, ["voice"])["voice"], result.aligner.transform(test, ["voice"])["voice"]
    )


def test_sequences_need_a_clock(talk):
    assert build_aligner("sequence_cca", 3, 100, 0, steps=5).get_params()["steps"] == 5
    assert room({"a": np.zeros((9, 2))}, "sequence_cca") == PER_STEP
    with pytest.raises(ConfigError, match="aligner 'sequence_cca': expected all views as sequences"):
        build_aligner("sequence_cca", 3, 100, 0)


def test_a_clock_is_what_all_encoders_share():
    class Runs:
        def __init__(self, steps):
            self.steps = steps

    assert clock({"a": Runs(5), "b": Runs(5)}) == 5
    assert clock({"a": Runs(5), "b": Runs(4)}) == 1
    assert clock({"a": Runs(1), "b": Runs(1)}) == 1
