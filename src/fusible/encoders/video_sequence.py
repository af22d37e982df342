"""Video of one scene as a sequence: what moves in it, stretch by stretch of its length, without labels."""

from __future__ import annotations

from typing import ClassVar

import torch

from fusible.encoders._base import Tensors
from fusible.encoders._frozen import FrozenEncoder
from fusible.encoders._scene import SceneEncoder
from fusible.encoders._settings import within
from fusible.types import Encoded


class VideoSequence(SceneEncoder, FrozenEncoder):
    """One token per clip (rows, 1, steps × components): the course of its motion, step by step.

    The clip is cut in `steps` equal stretches, of each of which one frame is taken. A step is what lies in the window
    in which training videos change most, steadied, less the clip's mean picture, by its `components` main directions
    (eigenlips: Bregler and Konig 1994; see `_scene`), half whitened. Beside `audio_sequence` of as many steps it is on
    one clock: what `sequence_cca` needs to match a silent clip and its sound.
    """

    stretches: ClassVar[bool] = True

    def __init__(self, steps: int = 75, size: int = 144, share: float = 0.33, components: int = 32) -> None:
        within("video_sequence", 2, 1024, steps=steps)
        settings = {"steps": steps, "size": size, "share": share, "components": components}
        super().__init__("video_sequence", steps, size, share, components, settings)
        self.steps = steps
        self.output_width = steps * components
        self.freeze()

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode clips."""
        vectors = (self.levels(tensors["clips"]) / self.scale[0]).flatten(1)
        mask = torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device)
        return Encoded(vectors.unsqueeze(1), mask)
