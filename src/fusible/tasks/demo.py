"""The demonstration: easy-VQA, picture and question to answer, official split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from fusible.errors import MissingExtraError
from fusible.tasks.compare import compare

if TYPE_CHECKING:
    from fusible.evaluation.study import StudyResult

SHOWN = (
    *(f"feature:{operator}" for operator in ("concat", "multiply", "gated", "film")),
    *(f"model:{rule}" for rule in ("average", "product", "stacking", "greedy")),
    "end_to_end:joint",
)
"""Some strategies of each family: a demonstration is to take a few minutes."""
VALID_EVERY = 10
"""Every tenth training picture, with all its questions, is for validation."""


def easy_vqa_table(limit: int | None = None) -> pd.DataFrame:
    """The easy-VQA set as a table: `image` (path), `question`, `answer`, `split`, `group` (one per picture).

    48,248 questions on 5,000 rendered pictures of 64 pixels (Zhou, easy-VQA, 2019), in the author's split; questions
    on every tenth training picture are the validation part. `limit` keeps so many pictures of each official part.
    """
    try:
        import easy_vqa
    except ImportError as error:
        raise MissingExtraError.of("easy-vqa", "demo", "the demonstration") from error
    parts = {
        "train": (easy_vqa.get_train_questions(), easy_vqa.get_train_image_paths()),
        "test": (easy_vqa.get_test_questions(), easy_vqa.get_test_image_paths()),
    }
    frames = []
    for name, ((questions, answers, pictures), paths) in parts.items():
        frame = pd.DataFrame(
            {
                "image": [str(paths[i]) for i in pictures],
                "question": questions,
                "answer": answers,
                "split": [name if name == "test" or i % VALID_EVERY else "valid" for i in pictures],
                "group": [f"{name}-{i}" for i in pictures],
            }
        )
        frames.append(frame if limit is None else frame[[i < limit for i in pictures]])
    return pd.concat(frames, ignore_index=True)


def demo(*, seed: int = 0, progress: Any = None, command: str = "fusible demo", **options: Any) -> StudyResult:
    """Compare picture alone, question alone and all families of fusion on easy-VQA, with the strategies `SHOWN`."""
    options = {"strategies": SHOWN} | options
    return compare(easy_vqa_table(), "answer", seed=seed, progress=progress, command=command, **options)
