"""Shots: cuts, dissolves and fades are found, flashes and motion are not, in one pass and constant memory."""

import numpy as np
import pytest
from _reels import reel

from fusible.data.film import FilmReader
from fusible.errors import ArrayError
from fusible.evaluation.cuts import Transition
from fusible.tasks.video._signature import REACH, Signatures
from fusible.tasks.video.shots import ShotDetector, find_shots, find_transitions, part
from fusible.types import Media


def scene(seed, count, speed=0.0, noise=1.0):
    """A textured picture, (count, 36, 64, 3) float, that moves `speed` pixels a frame to the side."""
    rng = np.random.default_rng(seed)
    wide = 64 + int(abs(speed) * count) + 1
    coarse = rng.uniform(0, 255, (6, wide // 8 + 2, 3))
    picture = np.kron(coarse, np.ones((6, 8, 1)))
    starts = np.arange(count) * speed
    frames = np.stack([picture[:, int(s) : int(s) + 64] for s in starts])
    return frames + rng.normal(0, noise, frames.shape)


def dissolve(one, other, length):
    share = ((np.arange(length) + 1) / (length + 1))[:, None, None, None]
    return np.concatenate([one[:-length], one[-length:] * (1 - share) + other[:length] * share, other[length:]])


def found(frames):
    detector = ShotDetector()
    small = np.clip(np.rint(frames), 0, 255).astype(np.uint8)
    return [t for frame in small for t in detector.add(frame)] + detector.finish()


def shown(transitions):
    return [(t.kind, t.first, t.last) for t in transitions]


@pytest.mark.parametrize("at", [12, 63, 64, 65, 150])
def test_a_cut_is_found_at_its_frame(at):
    assert shown(found(np.concatenate([scene(0, at), scene(1, 200 - at)]))) == [("cut", at, at)]


@pytest.mark.parametrize("length", [6, 12, 24])
@pytest.mark.parametrize("before", [45, 100])
def test_a_dissolve_is_found_with_its_ends(length, before):
    only = found(dissolve(scene(2, before + length), scene(3, 80), length))
    assert [t.kind for t in only] == ["dissolve"]
    assert abs(only[0].first - before) <= 2
    assert abs(only[0].last - (before + length - 1)) <= 2


@pytest.mark.parametrize("ground", [0.0, 255.0])
@pytest.mark.parametrize("hold", [0, 8, 40])
def test_a_fade_through_one_colour_is_one_transition(ground, hold):
    one, other = scene(4, 60), scene(5, 60)
    down = np.linspace(1, 0, 13)[1:, None, None, None]
    one[-12:] = one[-12:] * down + ground * (1 - down)
    other[:12] = other[:12] * down[::-1] + ground * (1 - down[::-1])
    only = found(np.concatenate([one, np.full((hold, 36, 64, 3), ground), other]))
    assert [t.kind for t in only] == ["fade"]
    assert only[0].first == pytest.approx(48, abs=3)
    assert only[0].last == pytest.approx(71 + hold, abs=4)


def test_a_fade_at_the_start_or_the_end_parts_nothing():
    frames = scene(6, 120)
    up = np.linspace(0, 1, 12)[:, None, None, None]
    frames[:12] *= up
    frames[-12:] *= up[::-1]
    black = np.zeros((10, 36, 64, 3))
    assert found(np.concatenate([black, frames, black])) == []


@pytest.mark.parametrize("many", [1, 2, 3])
def test_a_flash_is_no_cut(many):
    frames = scene(7, 120)
    frames[60 : 60 + many] += 120
    assert found(frames) == []


@pytest.mark.parametrize("speed", [0.5, 2.0, 6.0])
def test_a_pan_is_no_transition(speed):
    assert found(scene(8, 150, speed)) == []


def test_a_shaking_camera_is_no_transition():
    rng = np.random.default_rng(9)
    wide = scene(9, 1, noise=0.0)[0]
    frames = np.stack([np.roll(wide, rng.integers(-4, 5, 2), axis=(0, 1)) for _ in range(120)])
    assert found(frames) == []


@pytest.mark.parametrize("frames", [0, 1, 2, 5, 64, 65])
def test_still_films_of_any_length_have_no_transition(frames):
    assert found(np.full((frames, 36, 64, 3), 90.0)) == []


def test_a_long_film_needs_no_more_than_a_short_one():
    detector = ShotDetector()
    picture = np.zeros((36, 64, 3), np.uint8)  # one colour: no quiet place ever comes
    for _ in range(5000):
        detector.add(picture)
    assert len(detector._flat) < 2_200
    assert len(detector._band) < 200


def test_distances_are_those_of_the_pictures():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (60, 36, 64, 3), dtype=np.uint8)
    signatures = Signatures()
    for picture in small:
        signatures.add(picture)
    band = signatures.give()
    coarse = small.reshape(60, 18, 2, 32, 2, 3).mean(axis=(2, 4))
    for frame, back in [(1, 1), (40, 7), (59, REACH)]:
        expected = np.sqrt(np.square(coarse[frame] - coarse[frame - back]).mean())
        assert band.distance[frame, back] == pytest.approx(expected, rel=1e-4)
    assert np.isnan(band.distance[3, 4])
    assert band.energy[5] == pytest.approx(np.square(coarse[5] - coarse[5].mean(axis=(0, 1))).mean(), rel=1e-4)


def test_a_film_is_parted_without_gaps():
    frames = np.concatenate([scene(10, 40), scene(11, 40)])
    big = np.clip(frames, 0, 255).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    media = Media("film", 0, data=reel(big))
    shots = find_shots(media)
    assert [(s.first, s.last, s.begins) for s in shots] == [(0, 39, "start"), (40, 79, "cut")]
    assert shots[0].start == 0.0
    assert shots[0].end == shots[1].start == pytest.approx(1.6)
    assert shots[1].end == pytest.approx(3.2)
    assert shown(find_transitions(iter(FilmReader(media)))) == [("cut", 40, 40)]


def test_shots_of_a_film_with_known_cuts(clips):
    assert [s.first for s in find_shots(Media("film", 0, path=str(clips / "bikes.mp4")))] == [0, 30, 76, 137, 187, 242]


def test_shots_without_clear_frames_have_their_middle():
    close = [Transition("dissolve", 10, 20), Transition("dissolve", 21, 30)]
    shots = part(close, np.arange(40) / 10, 4.0)
    assert [s.first for s in shots] == [0, 15, 26]
    assert shots[1].clear == (20, 20)
    assert part([], [], 0.0) == []


@pytest.mark.parametrize("shape", [(35, 64, 3), (36, 64), (36, 64, 4)])
def test_frames_of_another_form_are_refused(shape):
    with pytest.raises(ArrayError, match="expected uint8"):
        ShotDetector().add(np.zeros(shape, np.uint8))
