"""Whisper folders: tokens as transformers writes them, times of pieces in closed form, windows one after the other."""

import json

import numpy as np
import pytest
import torch
from _scenes import scenes
from _whispers import STAMP, write_whisper
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

from fusible.errors import ConfigError
from fusible.tasks.video._whisper_cues import Piece, pieces_of
from fusible.tasks.video.analysis import Analyst
from fusible.tasks.video.whisper import Scribe, read_whisper

RATE = 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_whisper(tmp_path_factory.mktemp("whisper"), seed=2)


@pytest.fixture
def noise():
    return (0.1 * np.random.default_rng(0).normal(size=2 * RATE)).astype(np.float32)


@pytest.mark.parametrize(
    ("tokens", "pieces", "until"),
    [
        ([100, 1, 150, 150, 2, 3, 200, 200, 4], [(0, 1, (1,)), (1, 2, (2, 3))], 2),
        ([100, 1, 150, 160, 2, 200], [(0, 1, (1,)), (1.2, 2, (2,))], 30),
        ([110, 1, 150], [(0.2, 1, (1,))], 30),
        ([110, 1, 2], [(0.2, 30, (1, 2))], 30),
        ([1, 2], [(0, 30, (1, 2))], 30),
        ([100, 150, 150, 1, 140, 140], [], 0.8),
        ([100, 1, 3000, 3000, 2], [(0, 30, (1,))], 30),
        ([100], [], 30),
        ([], [], 30),
    ],
)
def test_time_stamps_make_pieces(tokens, pieces, until):
    found, done = pieces_of(tokens, 100, 30.0)
    assert found == [Piece(*piece) for piece in pieces]
    assert done == pytest.approx(until)


def test_tokens_are_those_of_transformers(folder, noise):
    peer = WhisperForConditionalGeneration.from_pretrained(folder).eval()
    features = WhisperFeatureExtractor.from_pretrained(folder)(noise, sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        whole = peer.generate(features.input_features, return_timestamps=True, return_segments=True)
    first = whole["segments"][0][0]
    written = read_whisper(folder, RATE).write(noise)
    assert len(written) >= 4
    assert written == first["result"].tolist()[-len(written) :]
    pieces, until = pieces_of(written, STAMP, 2.0)
    assert pieces[0][:2] == pytest.approx((float(first["start"]), float(first["end"])))
    assert until == pytest.approx(float(whole["segments"][0][1]["start"]))


class Clock:
    """Writes of each window one word, from its start to its middle, or, while `open_`, one that its edge cuts."""

    seconds, rate, stamp = 2.0, RATE, STAMP

    def __init__(self):
        self.windows = []

    def write(self, samples):
        self.windows.append(float(samples[0]))
        return [STAMP, 1, STAMP + 60, STAMP + 60, 2]

    def text(self, tokens):
        return " ".join(f"w{token}" for token in tokens)


def test_a_window_begins_where_the_last_whole_piece_ended():
    model = Clock()
    scribe = Scribe(model)
    sound = np.arange(1, 5 * RATE + 1, dtype=np.float32)
    for block in np.array_split(sound, 7):
        scribe.push(block)
    said = scribe.finish()
    starts = [float(cue.start) for cue in said.cues]
    assert model.windows[:4] == pytest.approx([1 + 1.2 * RATE * n for n in range(4)])
    assert starts == pytest.approx([1.2 * n for n in range(len(starts))])
    assert said.cues[-1].end == pytest.approx(5.0)
    assert said.cues[0].text == "w1"


def test_silence_is_not_written_down(folder):
    model = Clock()
    scribe = Scribe(model)
    scribe.push(np.zeros(5 * RATE, np.float32))
    assert scribe.finish().cues == ()
    assert model.windows == []


def test_a_transcript_wins_over_the_model(folder, tmp_path):
    film = scenes(tmp_path / "film.mp4", [1, 1.5])
    (tmp_path / "a.srt").write_text("1\n00:00:00,500 --> 00:00:01,000\nmine\n")
    analyst = Analyst(whisper=folder, step=1.0)
    written = analyst.analyze(film).timeline.lane("words")
    assert written
    assert all(0 <= entry.start < entry.end <= 2.6 and entry.label.startswith("w") for entry in written)
    given = analyst.analyze(film, tmp_path / "a.srt").timeline.lane("words")
    assert [entry.label for entry in given] == ["mine"]
    silent = scenes(tmp_path / "silent.mp4", [1], sound=False)
    assert analyst.analyze(silent).timeline.lane("words") == []


def test_folders_that_cannot_be_used_are_one_line(folder, tmp_path):
    def copy(name):
        import shutil

        return shutil.copytree(folder, tmp_path / name)

    with pytest.raises(ConfigError, match=r"expected a local Hugging Face folder with config.json, found none"):
        read_whisper(tmp_path / "absent", RATE)
    pickled = copy("pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"has no .safetensors file; other formats can run code"):
        read_whisper(pickled, RATE)
    for name, change, said in (
        ("kind", {"model_type": "bert"}, "expected a model that writes down speech"),
        ("code", {"auto_map": {"AutoModel": "own.Model"}}, "asks for code of its own"),
    ):
        place = copy(name)
        config = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ConfigError, match=said):
            read_whisper(place, RATE)
    with pytest.raises(ConfigError, match="expected no_timestamps_token_id"):
        read_whisper(write_whisper(tmp_path / "old", no_timestamps_token_id=None), RATE)
    with pytest.raises(ConfigError, match="hears sound of 16000 Hz, expected 8000"):
        read_whisper(folder, 8_000)
