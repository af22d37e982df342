"""Overhead of the training loop: one epoch of `joint` through Fusible against a bare PyTorch loop.

Both use the same modules, initial weights, batches and decoded items (easy-VQA: every picture with its questions), the
same optimiser and schedule. They take turns, and the fastest epoch of each counts, which other work on the machine
disturbs least.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _harness import Benchmark, arguments
from torch import nn

from fusible import registry
from fusible.encoders._base import Encoder
from fusible.networks.joint import Joint
from fusible.training.batches import grouped_batches
from fusible.training.feed import Feed
from fusible.training.loop import TrainSettings, train
from fusible.types import Media, ViewBatch

SETTINGS = TrainSettings(epochs=1, batch=32)


@dataclass(frozen=True)
class Problem:
    """Decoded pictures and questions, who holds them, and the answers."""

    encoders: dict[str, Encoder]
    items: dict[str, list[Any]]
    ids: dict[str, np.ndarray]
    target: torch.Tensor
    classes: int


def main() -> None:
    """Take turns, and judge the ratio of the fastest epochs."""
    args = arguments(__doc__)
    benchmark = Benchmark("overhead", args)
    problem = load(rows=1_500 if args.quick else 20_000)
    loops = {"fusible": fusible_epoch, "bare": bare_epoch}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for name in [*loops] * (2 if args.quick else 5):
        seconds[name].append(timed(loops[name], problem, args.device))
    best = {name: min(found) for name, found in seconds.items()}
    for name, found in seconds.items():
        benchmark.row(loop=name, best=best[name], median=float(np.median(found)), epochs=len(found))
    benchmark.claim("one epoch of joint over a bare loop", best["fusible"] / best["bare"], at_most=1.10)
    benchmark.finish()


def load(rows: int) -> Problem:
    """Read and decode the first questions of easy-VQA with their pictures."""
    import easy_vqa

    questions, answers, images = (column[:rows] for column in easy_vqa.get_train_questions())
    paths = easy_vqa.get_train_image_paths()
    numbers, image_ids = np.unique(images, return_inverse=True)
    texts, text_ids = np.unique(questions, return_inverse=True)
    classes, target = np.unique(answers, return_inverse=True)
    values = {
        "image": [Media("image", i, path=paths[int(n)]) for i, n in enumerate(numbers)],
        "question": [str(text) for text in texts],
    }
    torch.manual_seed(0)
    encoders = {
        "image": registry.build("encoders", "image_cnn"),
        "question": registry.build("encoders", "text_gru"),
    }
    for view, encoder in encoders.items():
        encoder.fit(values[view])
    items = {view: [encoder.decode(value) for value in values[view]] for view, encoder in encoders.items()}
    ids = {"image": image_ids.reshape(-1, 1), "question": text_ids.reshape(-1, 1)}
    return Problem(encoders, items, ids, torch.from_numpy(target), len(classes))


def network(problem: Problem) -> Joint:
    """Build the network, with the same initial weights each time."""
    import copy

    torch.manual_seed(0)
    widths = {view: encoder.output_width for view, encoder in problem.encoders.items()}
    operator = registry.build("fusion", "multiply", widths=widths)
    return Joint(copy.deepcopy(problem.encoders), operator, problem.classes)


def timed(epoch: Any, problem: Problem, device: str) -> float:
    """Seconds of one epoch, without building the network."""
    built = network(problem)
    began = time.perf_counter()
    epoch(problem, built, device)
    return time.perf_counter() - began


def fusible_epoch(problem: Problem, built: Joint, device: str) -> None:
    """Train one epoch through Fusible's loop; one row serves as its validation part."""
    feeds = {
        view: Feed(problem.ids[view], items=problem.items[view], batcher=encoder.batch)
        for view, encoder in problem.encoders.items()
    }
    rows = np.arange(len(problem.target))
    loss = nn.functional.cross_entropy
    train(built, feeds, problem.target, rows, rows[:1], loss, SETTINGS, device=device, group_by="image")


def bare_epoch(problem: Problem, built: Joint, device: str) -> None:
    """Train one epoch as one would by hand."""
    rows = np.arange(len(problem.target))
    batches = grouped_batches(rows, problem.ids["image"][:, 0], SETTINGS.batch, np.random.default_rng(0))
    built.to(device).train()
    optimiser = torch.optim.AdamW(built.parameters(), lr=SETTINGS.peak_rate, weight_decay=SETTINGS.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, SETTINGS.peak_rate, total_steps=len(batches))
    for chosen in batches:
        loss = nn.functional.cross_entropy(
            built(bare_batch(problem, chosen, device)), problem.target[chosen].to(device)
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(built.parameters(), SETTINGS.clip)
        optimiser.step()
        schedule.step()


def bare_batch(problem: Problem, chosen: np.ndarray, device: str) -> dict[str, ViewBatch]:
    """Stack the distinct items of some rows."""
    batch = {}
    for view, encoder in problem.encoders.items():
        distinct, index = np.unique(problem.ids[view][chosen, 0], return_inverse=True)
        tensors = encoder.batch([problem.items[view][i] for i in distinct])
        moved = {name: tensor.to(device) for name, tensor in tensors.items()}
        batch[view] = ViewBatch(torch.from_numpy(index.reshape(-1, 1)).to(device), tensors=moved)
    return batch


if __name__ == "__main__":
    main()
