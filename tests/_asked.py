"""Coloured pictures, questions about them and answers: neither view alone suffices; and an answerer fitted on them."""

import contextlib

import numpy as np
import pandas as pd
import pytest

COLOURS = {"red": (210, 60, 50), "green": (60, 170, 70), "blue": (60, 70, 210)}
PICTURES = 66
ENCODERS = {"picture": "image_efficientnet", "question": "text_tfidf"}
_MADE = {}


def write_asked(folder, png, pictures=PICTURES, seed=0):
    """Write table.csv with three questions per picture; one answer is in test rows only, one picture is unreadable."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(pictures):
        shown = list(COLOURS)[i % 3]
        noise = rng.integers(-25, 25, (24, 24, 3))
        (folder / f"{i}.png").write_bytes(png(np.clip(np.array(COLOURS[shown]) + noise, 0, 255)))
        part = "valid" if i % 5 == 1 else "test" if i % 5 == 2 else "train"
        thing = ("it", "this", "the thing")[i % 7 % 3]
        other = list(COLOURS)[(i + 1 + int(rng.integers(2))) % 3]
        for question, answer in (
            (f"is {thing} {shown}?", "yes"),
            (f"is {thing} {other}?", "no"),
            (f"what colour is {thing}?", shown if i % 2 else shown.upper()),
        ):
            rows.append({"picture": f"{i}.png", "question": question, "answer": answer, "split": part})
    table = pd.DataFrame(rows)
    table["answer"] = np.where(table.answer == "GREEN", "green ", table.answer)
    test = table.index[table.split == "test"]
    table.loc[test[0], "answer"] = "purple"
    table.loc[test[3], "picture"] = None
    table.loc[table.index[1], "question"] = None
    (folder / "bad.png").write_bytes((folder / "0.png").read_bytes()[:60])
    table.loc[table.index[2], "picture"] = "bad.png"
    table.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


@contextlib.contextmanager
def brief():
    """Heads of 30 epochs without folds, coarse evidence: seconds, and still right."""
    from fusible.tasks import end_to_end, features, saliency, settings, singles
    from fusible.training.loop import TrainSettings

    with pytest.MonkeyPatch.context() as patch:
        for module in (singles, features, end_to_end, settings):
            patch.setattr(module, "head_settings", lambda *_: TrainSettings(epochs=30, batch=16, peak_rate=5e-3))
        patch.setattr(features, "FOLDED", 0)
        patch.setattr(singles, "is_cheap", lambda *_: False)
        patch.setattr(saliency, "GRID", 3)
        patch.setattr(saliency, "WINDOWS", (1,))
        yield


def fitted(tmp_path_factory, png):
    """The table's path and what was fitted on it, once per run of the tests."""
    if not _MADE:
        from fusible.tasks.answering import fit_answers

        folder = tmp_path_factory.mktemp("asked")
        table = write_asked(folder, png)
        with brief():
            _MADE["made"] = (
                table,
                fit_answers(
                    table, "picture", "question", "answer", strategies=["feature:multiply", "feature:sum"],
                    encoders=ENCODERS, accuracy=0.9, cases=1, cache=folder / "cache",
                    command="fusible ask fit table.csv",
                ),
            )  # fmt: skip
    return _MADE["made"]
