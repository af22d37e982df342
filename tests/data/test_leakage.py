"""Leakage suspects."""

import numpy as np
import pandas as pd
import pytest

from fusible.data.leakage import leaks
from fusible.data.read import read

N = 600


def suspects(target, **columns):
    data = read(pd.DataFrame({"y": target, **columns}), target="y", columns={"t": "text"} if "t" in columns else None)
    return {problem.column: problem.message for problem in leaks(data, "y")}


@pytest.fixture
def classes(rng):
    return np.array(["cat", "dog", "big bird"])[rng.integers(0, 3, N)]


def test_a_column_made_from_the_classes_is_a_suspect(rng, classes):
    codes = {"cat": "k1", "dog": "k2", "big bird": "k3"}
    noisy = np.where(rng.random(N) < 0.2, "k1", [codes[c] for c in classes])
    number = np.array([{"cat": -1.0, "dog": 5.0, "big bird": 2.0}[c] for c in classes]) + rng.normal(size=N) * 0.01
    found = suspects(
        classes,
        code=[codes[c] for c in classes],
        noisy=noisy,
        number=number,
        free=rng.normal(size=N),
        kind=["u", "v"] * (N // 2),
    )
    assert set(found) == {"code", "number"}
    assert "alone predicts 'y' almost perfectly (cross-validated 1.000)" in found["code"]


def test_missingness_can_leak(rng):
    target = np.array(["no", "yes"])[rng.integers(0, 2, N)]
    found = suspects(target, paid=np.where(target == "yes", rng.normal(size=N), np.nan), other=rng.normal(size=N))
    assert set(found) == {"paid"}


def test_a_number_made_from_a_quantity_is_a_suspect(rng):
    price = rng.lognormal(size=N)
    found = suspects(
        price, tax=price * 0.19 + 3, log=np.log(price), near=price + rng.normal(size=N), area=rng.normal(size=N)
    )
    assert set(found) == {"tax", "log"}


def test_a_majority_class_is_no_leak(rng):
    target = np.where(rng.random(N) < 0.01, "rare", "usual")
    assert suspects(target, x=rng.normal(size=N), c=rng.choice(["a", "b"], N)) == {}


def test_a_text_that_names_the_class_is_a_suspect(rng, classes):
    filler = rng.choice(["indeed", "perhaps", "certainly"], N)
    named = [f"{word}, this is a {name.title()}!" for word, name in zip(filler, classes, strict=True)]
    assert "names the row's own 'y' in 100.0% of rows (another class in 0.0%)" in suspects(classes, t=named)["t"]
    every = [f"{word}: cat dog big bird" for word in filler]
    assert suspects(classes, t=every) == {}
    assert suspects(classes, t=[f"{word} it is this animal" for word in filler]) == {}


def test_few_rows_say_nothing():
    assert suspects(["a", "b"] * 5, c=["u", "v"] * 5) == {}


def test_one_class_is_no_error():
    assert suspects(["a"] * 50, c=["u", "v"] * 25, t=["a text of four words", "one more of a"] * 25) == {}


def test_rows_without_a_target_do_not_count(classes):
    codes = [{"cat": "k1", "dog": "k2", "big bird": "k3"}[c] for c in classes]
    target = np.where(np.arange(N) % 2 == 0, classes.astype(object), None)
    assert set(suspects(target, code=[c if i % 2 == 0 else "k1" for i, c in enumerate(codes)])) == {"code"}
