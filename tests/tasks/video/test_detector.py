"""Folders of detectors: boxes as transformers gives them, in pixels of the film, in the frame of each shot."""

import json
import shutil

import numpy as np
import pytest
import torch
from _scenes import photo, scene, scenes
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig
from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil

from fusible.errors import ConfigError
from fusible.report._timeline_story import boxed
from fusible.tasks.video.analysis import Analyst
from fusible.tasks.video.detector import Detector, Found, read_detector
from fusible.tasks.video.timeline import Entry, Timeline
from fusible.types import Media


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("detr")
    torch.manual_seed(0)
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "out_features": ["stage4"]}
    config = DetrConfig(
        use_timm_backbone=False, backbone=None, use_pretrained_backbone=False, backbone_config=ResNetConfig(**sizes),
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=5, id2label={0: "cat", 1: "dog", 2: "hat"},
    )  # fmt: skip
    network = DetrForObjectDetection(config)
    with torch.no_grad():
        network.class_labels_classifier.bias[1] += 3.0
    network.save_pretrained(place)
    DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(place)
    return place


def test_boxes_are_those_of_transformers(folder):
    picture = scene(0)
    found = read_detector(folder).find(picture, 0.3)
    peer, processor = (
        DetrForObjectDetection.from_pretrained(folder).eval(),
        DetrImageProcessorPil.from_pretrained(folder),
    )
    with torch.inference_mode():
        seen = peer(**processor(images=picture, return_tensors="pt"))
    told = processor.post_process_object_detection(seen, threshold=0.3, target_sizes=[picture.shape[:2]])[0]
    order = told["scores"].argsort(descending=True)
    assert len(found) == len(order) > 0
    edges = torch.tensor([picture.shape[1], picture.shape[0]] * 2)
    for own, place in zip(found, order.tolist(), strict=True):
        assert own.label == peer.config.id2label[int(told["labels"][place])]
        assert own.score == pytest.approx(float(told["scores"][place]), abs=1e-5)
        box = torch.minimum(told["boxes"][place].clamp(min=0), edges)
        assert own.box == pytest.approx(box.tolist(), abs=1e-2)


class Planted(Detector):
    """Finds the brightness of a picture in its left upper quarter."""

    def __init__(self):
        self.seen = []

    def find(self, picture, least=0.5):
        self.seen.append(picture)
        height, width = picture.shape[:2]
        return [Found("quarter", 0.9, (0.0, 0.0, width / 2, height / 2))]


def test_frames_are_those_at_the_times_in_full_size(tmp_path):
    film, planted = scenes(tmp_path / "film.mp4", [1, 1, 1]), Planted()
    found = list(planted.look(Media("file", 0, path=str(film)), [0.5, 1.5, 2.5, 9.0], (128, 96)))
    assert [len(one) for one in found] == [1, 1, 1, 0]
    assert found[0][0].box == (0.0, 0.0, 64.0, 48.0)
    assert [picture.shape for picture in planted.seen] == [(96, 128, 3)] * 3
    for seed, picture in enumerate(planted.seen):
        errors = [np.abs(picture - scene(other).astype(float)).mean() for other in range(3)]
        assert int(np.argmin(errors)) == seed


def test_objects_stand_on_a_lane_with_their_boxes(folder, tmp_path, monkeypatch):
    film = scenes(tmp_path / "film.mp4", [1, 1.5])
    monkeypatch.setattr("fusible.tasks.video.analysis.read_detector", lambda place, device: Planted())
    timeline = Analyst(detector=folder, step=0.5).analyze(film).timeline
    objects = timeline.lane("object")
    assert [(one.label, one.score) for one in objects] == [("quarter", 0.9)] * 2
    assert [one.start for one in objects] == pytest.approx([0.0, 1.0])
    assert timeline.plain()["lanes"]["object"][0]["box"] == [0.0, 0.0, 64.0, 48.0]
    key = timeline.key_frames[0].jpeg
    drawn, plain = photo(boxed(key, objects[:1], timeline.film)).astype(int), photo(key).astype(int)
    changed = np.abs(drawn - plain).sum(axis=2) > 150
    assert changed.any()
    assert not changed[changed.shape[0] * 6 // 10 :].any()
    assert boxed(key, [], timeline.film) == key


def test_an_entry_without_a_box_says_none():
    timeline = Timeline("a.mp4", {"seconds": 1.0}, [Entry("object", 0.0, 1.0, "cat", 0.5)])
    assert "box" not in timeline.plain()["lanes"]["object"][0]


def test_folders_that_cannot_be_used_are_one_line(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a local Hugging Face folder with config.json, found none"):
        read_detector(tmp_path / "absent")
    pickled = shutil.copytree(folder, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"has no .safetensors file; other formats can run code"):
        read_detector(pickled)
    for name, change, said in (
        ("kind", {"model_type": "resnet"}, "expected a model that finds objects"),
        ("code", {"auto_map": {"AutoModel": "own.Model"}}, "asks for code of its own"),
        ("timm", {"use_timm_backbone": True}, "asks for what is not its own"),
    ):
        place = shutil.copytree(folder, tmp_path / name)
        config = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ConfigError, match=said):
            read_detector(place)
    bare = shutil.copytree(folder, tmp_path / "bare")
    (bare / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match=r"expected preprocessor_config.json"):
        read_detector(bare)
