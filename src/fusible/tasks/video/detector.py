"""Objects in the pictures of a film, with boxes, by a local Hugging Face folder of a detector such as DETR."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from fusible.data._film_spans import Track, shown
from fusible.data.film import SMALL, Frame
from fusible.encoders._hf import processor_of, quiet
from fusible.errors import ConfigError
from fusible.tasks._hf_folder import checked, load_network, loading, preprocessor
from fusible.types import Media, Modality

KINDS = {
    "detr": "DetrForObjectDetection",
    "conditional_detr": "ConditionalDetrForObjectDetection",
    "deformable_detr": "DeformableDetrForObjectDetection",
    "rt_detr": "RTDetrForObjectDetection",
    "rt_detr_v2": "RTDetrV2ForObjectDetection",
    "d_fine": "DFineForObjectDetection",
    "table-transformer": "TableTransformerForObjectDetection",
    "yolos": "YolosForObjectDetection",
}
SURE = 0.5
"""Least score of what is found."""
SIDE = 1080
"""Short side in pixels that pictures are decoded to, at most; the folder says what its model gets of that."""
GLANCE = 1e-3


class Found(NamedTuple):
    """An object in a picture: what it is, how sure, and its box (left, top, right, bottom) in pixels."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class Detector:
    """A detector and its image processor, of a local folder; by `read_detector`."""

    def __init__(self, network: Any, processor: Any, device: str = "cpu") -> None:
        self.network, self.processor, self.device = network.to(device), processor, device

    @torch.inference_mode()
    def find(self, picture: np.ndarray, least: float = SURE) -> list[Found]:
        """Objects in a picture, uint8 RGB (height, width, 3), surest first, of a score above `least`."""
        height, width = picture.shape[:2]
        with quiet():
            inputs = self.processor(images=picture, return_tensors="pt", input_data_format="channels_last")
            seen = self.network(**{name: value.to(self.device) for name, value in inputs.items()})
            told = self.processor.post_process_object_detection(seen, least, [(height, width)])[0]
        names, edges = self.network.config.id2label, torch.tensor([width, height, width, height])
        found = []
        for score, label, box in zip(told["scores"], told["labels"], told["boxes"].cpu(), strict=True):
            left, top, right, bottom = torch.minimum(box.clamp(min=0), edges).tolist()
            if left < right and top < bottom:
                found.append(Found(str(names[int(label)]), float(score), (left, top, right, bottom)))
        return sorted(found, key=lambda one: -one.score)

    def look(self, media: Media, times: Sequence[float], size: tuple[int, int]) -> Iterator[list[Found]]:
        """Objects in the frames of a film of upright `size` (width, height) at some times; boxes in pixels of that.

        Each frame is sought and decoded by itself, as the pictures of an analysis are too small for a detector.
        """
        with closing(Track(media, "video")) as track:
            first = next(track.decode(0.0), None) if track.stream is not None else None
            track.zero = 0.0 if first is None else first[0]
            for time in times:
                shot = next(shown(track, time, time + GLANCE), None) if first is not None else None
                if shot is None:
                    yield []
                    continue
                picture = _upright(shot[2])
                scale = size[0] / picture.shape[1], size[1] / picture.shape[0]
                yield [one._replace(box=_scaled(one.box, *scale)) for one in self.find(picture)]


def read_detector(folder: str | Path, device: str = "cpu") -> Detector:
    """Read a local folder of a detector: safetensors only, classes of transformers only, nothing of it run or fetched.

    Raises `ConfigError`, one line, for what is no such folder or is damaged.
    """
    place = Path(folder)
    config = checked(place, KINDS, "that finds objects")
    with loading(place):
        from transformers import AutoModelForObjectDetection

        network = load_network(place, config, AutoModelForObjectDetection)
        processor = processor_of(preprocessor(place, "image_processor"), Modality.IMAGE)
        if not hasattr(processor, "post_process_object_detection"):
            raise ConfigError(f"{place}: expected an image processor of a detector, got {type(processor).__name__}")
        return Detector(network, processor, device)


def _upright(raw: Any) -> np.ndarray:
    frame = Frame(0, 0.0, 0.0, range(0), np.zeros((*SMALL, 3), np.uint8), raw)
    return frame.picture(min(raw.width, raw.height, SIDE))


def _scaled(box: tuple[float, float, float, float], wide: float, high: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return left * wide, top * high, right * wide, bottom * high
