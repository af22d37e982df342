"""Video of one scene by what moves in it: a region found, steadied and reduced without labels, then a small network."""

from __future__ import annotations

import torch
from torch import nn

from fusible.encoders._base import Plain, Tensors
from fusible.encoders._scene import SceneEncoder
from fusible.encoders._settings import within
from fusible.types import Encoded


class VideoMotion(SceneEncoder):
    """Tokens (rows, frames, width), one per frame; the vector joins `heads` weighted means over time.

    For clips of one scene by a fixed camera, such as a talker's face: `fit` finds the window of `share` of the short
    side (its width a third more) in which training videos change most, a template onto which each clip is shifted, and
    the `components` main directions of its changes (eigenlips, see `_motion`). The trained part is small: temporal
    convolutions over the components and their change, and attention that also knows the place in time. `frames` evenly
    spaced frames are taken, the short side scaled to `size`.
    """

    def __init__(
        self,
        frames: int = 75,
        size: int = 144,
        share: float = 0.33,
        components: int = 32,
        width: int = 128,
        heads: int = 4,
        noise: float = 0.3,
    ) -> None:
        settings: dict[str, Plain] = {"frames": frames, "size": size, "share": share, "components": components}
        settings |= {"width": width, "heads": heads, "noise": noise}
        within("video_motion", 2, 1024, frames=frames)
        within("video_motion", 1, 64, heads=heads)
        within("video_motion", heads, 8192, width=width)
        within("video_motion", 0.0, 10.0, noise=noise)
        super().__init__("video_motion", frames, size, share, components, settings)
        self.noise = noise
        self.output_width = width
        self.enter = nn.Conv1d(2 * components, width, 5, padding=2)
        self.convolution = nn.Conv1d(width, width, 5, padding=2)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(2))
        self.dropout = nn.Dropout(0.4)
        self.attention = nn.Linear(width, heads)
        self.when = nn.Parameter(torch.zeros(frames, heads))
        self.read = nn.Linear(width, width)

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode clips."""
        clips = tensors["clips"]
        levels = self.levels(clips)
        with torch.no_grad(), torch.autocast(clips.device.type, enabled=False):
            change = torch.diff(levels, dim=1, prepend=levels[:, :1])
            steps = torch.cat([levels / self.scale[0], change / self.scale[1]], dim=2)
            steps = self._disturbed(steps) if self.training else steps
        first = self.norms[0](self.enter(steps.transpose(1, 2))).relu()
        second = first + self.norms[1](self.convolution(self.dropout(first))).relu()
        tokens = second.transpose(1, 2)
        weights = (self.attention(tokens) + self.when).softmax(dim=1)
        heads = self.read(tokens).tensor_split(weights.shape[2], dim=2)
        vector = torch.cat([(w.unsqueeze(2) * h).sum(dim=1) for w, h in zip(weights.unbind(2), heads, strict=True)], 1)
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return Encoded(tokens, mask, vector)

    def _disturbed(self, steps: torch.Tensor) -> torch.Tensor:
        """Move in time by at most a twentieth, and add noise per frame and per clip: augmentation for few clips."""
        most = self.frames // 20
        steps = steps.roll(int(torch.randint(-most, most + 1, ())), dims=1)
        per_clip = torch.randn(len(steps), 1, steps.shape[2], device=steps.device)
        return steps + self.noise * (torch.randn_like(steps) + 0.7 * per_clip)
