"""Watching: one pass gives encodings of the grid's pictures, shots, pictures and the sound on one clock."""

import numpy as np
import pytest
from _counted import counted
from _scenes import RATE, photo, scene, scenes

from fusible.encoders.image_efficientnet import ImageEfficientnet
from fusible.errors import DataError
from fusible.tasks.video.watching import watch
from fusible.types import Media


class Ear:
    """Keeps what it hears."""

    def __init__(self):
        self.pieces, self.over = [], False

    def push(self, samples):
        self.pieces.append(samples)

    def finish(self):
        self.over = True

    @property
    def wave(self):
        return np.concatenate(self.pieces)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return scenes(tmp_path_factory.mktemp("film") / "film.mp4", [3, 2, 4])


def test_one_pass_gives_shots_pictures_and_sound(path):
    ear = Ear()
    found = watch(Media("file", 0, path=str(path)), None, step=0.5, listeners=(ear,))
    assert [round(shot.start, 3) for shot in found.shots] == [0.0, 3.0, 5.0]
    assert found.seconds == pytest.approx(9.0)
    assert found.times.tolist() == [0.5 * k for k in range(18)]
    assert found.sights.shape == (0, 0)
    assert ear.over
    assert len(ear.wave) == pytest.approx(9 * RATE, abs=2_048)
    loud = np.abs(ear.wave[: 9 * RATE]).reshape(-1, RATE // 2).max(axis=1) > 0.3
    assert np.flatnonzero(loud).tolist() == [0, 6, 10]
    for step in (0, 7, 17):
        shown = photo(found.pictures.jpeg(step)).astype(float)
        wanted = [scene(seed, *shown.shape[:2]).astype(float) for seed in range(3)]
        assert np.argmin([np.abs(shown - one).mean() for one in wanted]) == [0, 1, 2][(step >= 6) + (step >= 10)]


def test_encodings_are_those_of_the_pictures(path):
    encoder = ImageEfficientnet(size=64)
    found = watch(Media("file", 0, path=str(path)), encoder, step=1.0)
    assert found.sights.shape == (9, 1280)
    unit = found.sights / np.linalg.norm(found.sights, axis=1, keepdims=True)
    alike = unit @ unit.T
    assert alike[0, :3].min() > 0.98 > alike[0, 3:].max()


def test_a_frame_that_stands_long_is_encoded_once(tmp_path, monkeypatch):
    encoder, encoded = ImageEfficientnet(size=64), []
    batch = encoder.batch
    monkeypatch.setattr(encoder, "batch", lambda decoded: encoded.append(len(decoded)) or batch(decoded))
    found = watch(counted(tmp_path / "slides.mp4", [0.0, 4.0, 8.0], sound=0.0), encoder, step=0.5)
    assert sum(encoded) == 3
    assert len(found.pictures) == len(found.times) == len(found.sights) >= 16
    assert (found.sights[:8] == found.sights[0]).all()
    assert found.pictures.jpeg(3) == found.pictures.jpeg(0) != found.pictures.jpeg(9)


def test_late_sound_stands_where_it_begins(tmp_path):
    media = counted(tmp_path / "late.mp4", np.arange(60) / 25, late=1.0)
    ear = Ear()
    watch(media, None, listeners=(ear,))
    assert not ear.wave[: int(0.95 * RATE)].any()
    loud = np.flatnonzero(np.abs(ear.wave) > 0.2)
    assert loud[0] / RATE == pytest.approx(1.5, abs=0.02)


def test_sound_alone_has_no_pictures_and_no_shots(tmp_path):
    import soundfile

    wave = np.random.default_rng(0).normal(0, 0.1, 2 * RATE)
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    ear = Ear()
    found = watch(Media("file", 0, path=str(tmp_path / "a.wav")), None, listeners=(ear,))
    assert (len(found.times), found.shots, found.seconds) == (0, [], pytest.approx(2.0, abs=0.01))
    assert [problem.kind for problem in found.problems] == ["no picture"]
    assert len(ear.wave) == 2 * RATE


def test_what_is_no_film_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no film at all")
    with pytest.raises(DataError, match="not a readable film"):
        watch(Media("file", 0, path=str(tmp_path / "a.mp4")), None)
