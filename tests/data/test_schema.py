"""Inference of modality and role."""

import io

import pyarrow as pa
import pytest
from PIL import Image

from fusible.data.cells import normalise
from fusible.data.guess import FEW
from fusible.data.schema import infer, near_names, parse
from fusible.errors import SchemaError, TargetError
from fusible.types import Modality, Role

N = 200


def guessed(cells, name="x", *, kind=None, root=None, **settings):
    column = infer(normalise(pa.table({name: pa.array(cells, kind)})), root, **settings)[name]
    return column.modality.value, column.role.value, column.reason


def png():
    out = io.BytesIO()
    Image.new("RGB", (2, 2)).save(out, "PNG")
    return out.getvalue()


CASES = {
    "floats": ([i / 3 for i in range(N)], "number", "input", "200 different"),
    "few integers": ([i % 3 for i in range(N)], "number", "input", "3 different"),
    "row counter": (list(range(5, 5 + N)), "entity", "ignore", "count the rows"),
    "distinct integers with gaps": ([i * i for i in range(N)], "number", "input", "numbers"),
    "booleans": ([i % 2 == 0 for i in range(N)], "category", "input", "true or false"),
    "few words": ([("red", "dark blue")[i % 2] for i in range(N)], "category", "input", "2 different values"),
    "few digits as text": ([str(i % 4) for i in range(N)], "category", "input", "4 different values"),
    "many numbers as text": ([str(i / 7) for i in range(N)], "number", "input", "number or a date"),
    "leading zeros": ([f"0{i % 9}" for i in range(N)], "category", "input", "9 different"),
    "iso dates": ([f"2020-01-{i % 28 + 1:02d}" for i in range(N)], "category", "input", "28 different"),
    "few sentences": ([f"is the shape a {i % 5}" for i in range(N)], "text", "input", "5 words on average"),
    "many sentences": ([f"photo number {i} of a cat" for i in range(N)], "text", "input", "200 different"),
    "codes": ([f"b{i}x" for i in range(N)], "entity", "ignore", "without blanks"),
    "few codes in a short table": ([f"b{i}x" for i in range(8)], "category", "input", "8 different"),
    "chinese words": ([("红色", "蓝色")[i % 2] for i in range(N)], "category", "input", "2 different"),
    "chinese sentences": ([f"图片里有{chr(0x4E00 + i)}只猫" for i in range(N)], "text", "input", "200 different"),
    "many names": ([f"name {i % 60}" for i in range(N)], "text", "input", "60 different values in 200"),
    "label lists": ([["a", "b"][: i % 3] for i in range(N)], "category", "input", "lists of labels"),
    "number lists": ([[1.0, 2.0]] * N, "category", "ignore", "are not used"),
    "constant": (["same"] * N, "category", "ignore", "the same value in every row"),
    "constant where there": (["same", None] * N, "category", "input", "1 different"),
    "all null": ([None] * N, "category", "ignore", "every cell is empty"),
    "empty text": (["", " "] * N, "category", "ignore", "every cell is empty"),
    "images": ([png()] * N, "image", "input", "by their first bytes"),
    "other bytes": ([b"hello"] * N, "entity", "ignore", "no known image"),
    "mostly numbers": (["1.5", "2", "x", "3", "4", "5"] * 40, "category", "input", "all but 40 cells are numbers"),
}


@pytest.mark.parametrize("case", CASES)
def test_rules(case):
    cells, modality, role, said = CASES[case]
    assert guessed(cells)[:2] == (modality, role)
    assert said in guessed(cells)[2]


def test_a_category_may_have_many_values_in_a_long_table():
    short = [f"item {i % (FEW + 20)}" for i in range(20 * (FEW + 20))]
    assert guessed(short)[0] == "category"
    assert guessed([word + " " + "x" * 60 for word in short])[0] == "text"


def test_digits_are_numbers_where_the_format_has_no_types():
    digits = [str(i % 4) for i in range(N)]
    assert guessed(digits, textual=True)[:2] == ("number", "input")
    assert guessed([str(i) for i in range(N)], textual=True)[:2] == ("entity", "ignore")
    assert guessed([f"2020-01-{i % 28 + 1:02d}" for i in range(N)], textual=True)[0] == "number"
    assert guessed([f"0{i % 9}" for i in range(N)], textual=True)[0] == "category"


@pytest.mark.parametrize("name", ["id", "ID", "user_id", "row_uuid"])
def test_identifiers_by_name(name):
    for cells in ([i % 9 for i in range(N)], [str(i % 9) for i in range(N)], [f"some {i % 9}" for i in range(N)]):
        assert guessed(cells, name)[:2] == ("entity", "ignore")
    assert guessed([0.5 * i for i in range(N)], name)[:2] == ("number", "input")
    assert guessed(["a", "b"] * N, "android")[:2] == ("category", "input")


def test_a_target_is_no_identifier_and_not_ignored():
    assert guessed([i % 9 for i in range(N)], "class_id", target="class_id")[:2] == ("number", "target")
    assert guessed([f"c{i}" for i in range(N)], target="x")[:2] == ("text", "target")
    assert guessed(["same"] * N, target="x")[:2] == ("category", "target")
    assert guessed(["a", "b"] * N, overrides={"x": ":target"})[:2] == ("category", "target")


@pytest.mark.parametrize("parts", [["train", "test"], ["Train", "VAL", "test"], ["training", "dev"]])
def test_split_column(parts):
    assert guessed((parts * N)[:N], "split")[:2] == ("category", "split")
    assert guessed((parts * N)[:N], "Split")[1] == "split"
    assert guessed((parts * N)[:N], "other")[1] == "input"
    assert guessed([*parts * N, "unknown"], "split")[1] == "input"


def test_group_and_nameless_columns():
    assert guessed([i % 9 for i in range(N)], "group")[1] == "group"
    assert guessed(list(range(N)), "")[:2] == ("entity", "ignore")
    assert guessed(list(range(N)), "Unnamed: 0")[:2] == ("entity", "ignore")


def test_paths_and_missing_files(tmp_path):
    (tmp_path / "a.JPG").write_bytes(png())
    cells = ["a.JPG", *[f"photos/{i}.jpg" for i in range(3)], None]
    problems = []
    modality, role, reason = guessed(cells, root=tmp_path, problems=problems)
    assert (modality, role) == ("image", "input")
    assert "1 of 4 sampled files exist" in reason
    assert problems == []
    assert guessed(["x.wav", "y.mp3"], root=tmp_path, problems=problems)[0] == "audio"
    assert problems[0].kind == "missing files"
    assert problems[0].count == 2
    assert guessed(["x.mp4", "y.webm"])[0] == "video"
    assert guessed(["see x.jpg", "y.mp4", "some text", "more text"])[0] != "image"


def test_overrides():
    cells = [i % 3 for i in range(N)]
    assert guessed(cells, overrides={"x": "category"})[:2] == ("category", "input")
    assert guessed(cells, overrides={"x": "category:ignore"})[:2] == ("category", "ignore")
    assert guessed(cells, overrides={"x": "ignore"})[:2] == ("number", "ignore")
    assert guessed(list(range(N)), overrides={"x": "number"})[:2] == ("number", "input")
    assert "set to category (guess: numbers" in guessed(cells, overrides={"x": " Category "})[2]


@pytest.mark.parametrize("modality", [m for m in Modality if m is not Modality.TABLE])
@pytest.mark.parametrize("role", Role)
def test_every_override_is_understood(modality, role):
    assert parse("x", f"{modality.value}:{role.value}") == (modality, role)
    assert parse("x", modality.value) == (modality, None)
    assert parse("x", role.value) == parse("x", f":{role.value}") == (None, role)


@pytest.mark.parametrize("text", ["", ":", "picture", "image:", "image:output", "table", "input:image", "a:b:c"])
def test_bad_overrides(text):
    if text == "image:":
        assert parse("x", text) == (Modality.IMAGE, None)
        return
    with pytest.raises(SchemaError, match=r"column 'x': expected modality\[:role\]"):
        parse("x", text)


def test_near_names_are_offered():
    with pytest.raises(SchemaError, match="column 'colours': no such column; did you mean 'colour'"):
        guessed([1], "colour", overrides={"colours": "text"})
    with pytest.raises(TargetError, match="target 'colr': no such column; did you mean 'colour'"):
        guessed([1], "colour", target="colr")
    with pytest.raises(SchemaError, match="got 'imagee'; did you mean 'image'"):
        parse("x", "imagee")
    assert near_names("zzz", ["a", "b"]) == "columns are 'a', 'b'"
