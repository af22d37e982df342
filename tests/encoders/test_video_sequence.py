import numpy as np
import pytest
import torch
from _films import film, talks

from fusible.encoders.video_motion import VideoMotion
from fusible.encoders.video_sequence import VideoSequence
from fusible.errors import ConfigError, DataError
from fusible.types import Media

SMALL = {"steps": 24, "size": 64, "components": 3}


@pytest.fixture(scope="module")
def talk():
    films, _, courses = talks(0, 10)
    return [Media("clip", row, data=data) for row, data in enumerate(films)], courses


@pytest.fixture(scope="module")
def fitted(talk):
    encoder = VideoSequence(**SMALL)
    encoder.fit(talk[0][:6])
    return encoder


def test_the_first_component_follows_the_mouth_step_by_step(fitted, talk):
    clips, courses = talk
    vectors = fitted(fitted.collate(clips[6:])).pooled
    assert vectors.shape == (4, 24 * 3)
    first = vectors.view(4, 24, 3)[:, :, 0].numpy()
    for found, course in zip(first, courses[6:], strict=True):
        assert abs(np.corrcoef(found, course)[0, 1]) > 0.95


def test_steps_are_the_levels_of_the_scene_half_whitened(fitted, talk):
    tensors = fitted.collate(talk[0][:2])
    levels = fitted.levels(tensors["clips"])
    torch.testing.assert_close(fitted(tensors).pooled, (levels / fitted.scale[0]).flatten(1))
    motion = VideoMotion(frames=24, size=64, components=3, width=8, heads=2)
    motion.fit(talk[0][:6])
    torch.testing.assert_close(motion.levels(motion.collate(talk[0][:2])["clips"]), levels)
    assert fitted.steps == 24
    assert motion.steps == 1


@pytest.mark.parametrize(("frames", "times"), [(24, 2), (6, 4), (8, 3)])
def test_time_runs_evenly_whatever_the_number_of_frames(frames, times, fitted, rng):
    pictures = rng.integers(0, 255, (frames, 64, 64)).astype(np.uint8)
    once, repeated = film(pictures), film(np.repeat(pictures, times, axis=0))
    one, other = (fitted(fitted.collate([Media("clip", 0, data=data)])).pooled for data in (once, repeated))
    assert torch.nn.functional.cosine_similarity(one, other).item() > 0.98


def test_a_still_clip_has_nothing_to_say(fitted):
    still = Media("clip", 0, data=film(np.full((24, 64, 64), 90, np.uint8)))
    assert fitted(fitted.collate([still])).pooled.abs().max() < 1e-3


def test_bad_settings_and_no_video_are_refused():
    with pytest.raises(ConfigError, match="video_sequence: setting steps"):
        VideoSequence(steps=1)
    with pytest.raises(ConfigError, match="video_sequence: setting share"):
        VideoSequence(share=0.9)
    with pytest.raises(DataError, match="video_sequence: no video to learn from"):
        VideoSequence().fit([])
    with pytest.raises(DataError, match="row 7"):
        VideoSequence().fit([Media("clip", 7, data=b"no video")])
