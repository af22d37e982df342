"""Tables of spans: rows that are none are named, splits keep films whole."""

import numpy as np
import pandas as pd
import pytest

from fusible.errors import DataError, FusibleError, SchemaError
from fusible.tasks.video._events_table import labelled


def table(rows=12, **columns):
    base = {
        "file": [f"film{i // 2}.mp4" for i in range(rows)],
        "start": [float(i % 2) for i in range(rows)],
        "end": [i % 2 + 0.5 for i in range(rows)],
        "label": ["dog" if i % 3 else "cat" for i in range(rows)],
    }
    return pd.DataFrame({**base, **columns})


def test_spans_are_sorted_by_film_and_time():
    found = labelled(table().iloc[::-1].reset_index(drop=True))
    assert [film.name for film in found.films] == [f"film{i}.mp4" for i in (5, 4, 3, 2, 1, 0)]
    for spans, labels, rows in zip(found.spans, found.labels, found.rows, strict=True):
        assert spans.tolist() == [[0.0, 0.5], [1.0, 1.5]]
        assert len(labels) == 2
        assert rows[0] == rows[1] + 1
    assert sum(map(len, found.split.parts.values())) == 6
    assert labelled(table(), seed=3).split.test.tolist() == labelled(table(), seed=3).split.test.tolist()


def test_columns_are_found_by_usual_names_or_named():
    frame = table().rename(columns={"file": "clip", "start": "start_s", "end": "end_s", "label": "word"})
    assert labelled(frame).columns == {"file": "clip", "start": "start_s", "end": "end_s", "label": "word"}
    odd = table().rename(columns={"label": "what"})
    with pytest.raises(SchemaError, match="no column for the label of a span"):
        labelled(odd)
    assert labelled(odd, columns={"label": "what"}).columns["label"] == "what"
    with pytest.raises(SchemaError, match="no column 'nothing'"):
        labelled(odd, columns={"label": "nothing"})


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("end", 0.5, "row 3: the span is reversed, 1 to 0.5 s"),
        ("end", 1.0, "row 3: the span has no length, 1 to 1 s"),
        ("start", -1.0, "row 3: begins at -1 s, expected 0 or later"),
        ("start", np.nan, "row 3, column 'start': expected seconds"),
        ("end", np.inf, "row 3, column 'end': expected seconds"),
        ("label", "", "row 3, column 'label': expected a label"),
        ("label", None, "row 3, column 'label': expected a label"),
        ("file", None, "row 3, column 'file': expected a file"),
    ],
)
def test_a_row_that_is_no_span_is_named(column, value, said):
    frame = table()
    frame[column] = frame[column].astype(object)
    frame.loc[3, column] = value
    if column in {"start", "end"}:
        frame[column] = frame[column].astype(float)
    with pytest.raises(FusibleError, match=said):
        labelled(frame)


def test_spans_of_one_label_that_overlap_are_kept_and_named():
    frame = table(label="dog")
    frame.loc[4, "end"] = 1.2
    found = labelled(frame)
    (problem,) = found.problems
    assert problem.kind == "overlapping spans"
    assert "rows 4 and 5 (dog in film2.mp4)" in problem.message
    assert sum(map(len, found.spans)) == len(frame)
    frame.loc[4, "label"] = "cat"
    assert not labelled(frame).problems


def test_a_split_column_keeps_films_whole():
    parts = ["train"] * 8 + ["valid"] * 2 + ["test"] * 2
    found = labelled(table(split=parts))
    assert {name: own.tolist() for name, own in found.split.parts.items()} == {
        "train": [0, 1, 2, 3], "valid": [4], "test": [5],
    }  # fmt: skip
    with pytest.raises(DataError, match="stands in several parts"):
        labelled(table(split=["train", "test"] * 6))


def test_spans_with_parts_and_a_list_of_films_keep_the_parts():
    parts = ["test"] * 2 + ["valid"] * 2 + ["train"] * 8
    names = [f"film{i}.mp4" for i in range(6)]
    told = labelled(table(split=parts), names)
    assert {name: own.tolist() for name, own in told.split.parts.items()} == {
        "train": [2, 3, 4, 5], "valid": [1], "test": [0],
    }  # fmt: skip
    found = labelled(table(split=parts), [*names, "film6.mp4"])
    assert [film.name for film in found.films] == names
    assert "1 films stand in no part of the split and are left out; the first is film6.mp4" in found.problems[0].message
    own = pd.DataFrame({"file": [*names, "film6.mp4"], "split": ["test", "dev", *["train"] * 4, "train"]})
    assert labelled(table(split=parts), own).split.train.tolist() == [2, 3, 4, 5, 6]
    own.loc[1, "split"] = "train"
    with pytest.raises(DataError, match=r"'film1\.mp4' is of the part 'valid', in the table of films of 'train'"):
        labelled(table(split=parts), own)


def test_a_file_of_two_names_is_one_film(tmp_path):
    (tmp_path / "film0.mp4").write_bytes(b"")
    (tmp_path / "linked.mp4").symlink_to(tmp_path / "film0.mp4")
    spans = table()
    spans["file"] = [f"{name} " if i % 2 else f"./{name}" for i, name in enumerate(spans["file"])]
    spans.loc[1, "file"] = "linked.mp4"
    spans.to_csv(tmp_path / "spans.csv", index=False)
    found = labelled(tmp_path / "spans.csv")
    assert [film.name for film in found.films] == [f"./film{i}.mp4" for i in range(6)]
    assert [len(own) for own in found.spans] == [2] * 6
    assert found.films[1].film.path == str(tmp_path / "film1.mp4")
    films = pd.DataFrame({"file": [f"film{i}.mp4" for i in range(6)]})
    films.to_csv(tmp_path / "films.csv", index=False)
    again = labelled(tmp_path / "spans.csv", tmp_path / "films.csv")
    assert [film.name for film in again.films] == list(films["file"])
    assert [len(own) for own in again.spans] == [2] * 6
    films.loc[6, "file"] = "linked.mp4"
    films.to_csv(tmp_path / "films.csv", index=False)
    with pytest.raises(DataError, match=r"'film0\.mp4' stands in two rows"):
        labelled(tmp_path / "spans.csv", tmp_path / "films.csv")


def test_transcripts_are_read_and_bad_ones_named(tmp_path):
    (tmp_path / "good.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\na dog barks\n", "utf-8")
    (tmp_path / "bad.srt").write_text("nothing", "utf-8")
    told = pd.DataFrame({"file": [f"film{i}.mp4" for i in range(6)], "said": ["good.srt", "bad.srt", *[""] * 4]})
    told.to_csv(tmp_path / "films.csv", index=False)
    found = labelled(table(), tmp_path / "films.csv", columns={"transcript": "said"})
    assert found.films[0].cues == [(1.0, 2.5, "a dog barks")]
    assert [film.cues for film in found.films[1:]] == [None] * 5
    assert [(problem.kind, problem.rows) for problem in found.problems] == [("unreadable", (1,))]
    given = labelled(table(), told, cues={"film3.mp4": [(0.0, 1.0, "a cat")]})
    assert given.films[3].cues == [(0.0, 1.0, "a cat")]


def test_whole_files_with_a_label_are_learned_elsewhere():
    with pytest.raises(SchemaError, match="learned by `fusible video fit --target`"):
        labelled(table().drop(columns=["start", "end"]))


def test_films_without_events_come_from_a_table_of_films(tmp_path):
    films = pd.DataFrame({"film": [f"film{i}.mp4" for i in range(8)], "noise": [f"s{i}.wav" for i in range(8)]})
    films.to_csv(tmp_path / "films.csv", index=False)
    found = labelled(table(), tmp_path / "films.csv", columns={"sound": "noise"})
    assert len(found.films) == 8
    assert found.films[7].sound.path == str(tmp_path / "s7.wav")
    assert len(found.spans[7]) == 0
    with pytest.raises(DataError, match=r"'film5\.mp4' is none of the 5 films"):
        labelled(table(), films.head(5))
    with pytest.raises(DataError, match="stands in two rows"):
        labelled(table(), pd.concat([films, films]))
    assert len(labelled(table(), [f"film{i}.mp4" for i in range(9)]).films) == 9


def test_a_folder_of_films_and_spans_that_name_them_in_any_way(tmp_path):
    place = tmp_path / "films"
    (place / "more").mkdir(parents=True)
    for name in ("film0.mp4", "film1.MKV", *(f"film{i}.mp4" for i in range(2, 8)), ".h.mp4", "a.wav", "more/film9.mp4"):
        (place / name).touch()
    spans = table(6, file=["film0.mp4", "films/film0.mp4", str(place / "film1.MKV"), "film2.mp4"] + ["film2.mp4"] * 2)
    spans.to_csv(tmp_path / "spans.csv", index=False)
    found = labelled(tmp_path / "spans.csv", place)
    assert [film.name for film in found.films] == ["film0.mp4", "film1.MKV", *(f"film{i}.mp4" for i in range(2, 8))]
    assert found.films[1].film.path == str(place / "film1.MKV")
    assert [len(spans) for spans in found.spans] == [2, 1, 3, 0, 0, 0, 0, 0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no film and no table in the folder"):
        labelled(table(), tmp_path / "empty")


def test_folders_called_train_valid_and_test_are_the_split(tmp_path):
    for part in ("train", "val", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "a.mp4").touch()
    found = labelled(table(2, file=["train/a.mp4"] * 2), tmp_path)
    assert [film.name for film in found.films] == ["test/a.mp4", "train/a.mp4", "val/a.mp4"]
    assert {name: own.tolist() for name, own in found.split.parts.items()} == {"train": [1], "valid": [2], "test": [0]}


def test_spans_give_the_split_of_films_that_have_none_and_the_rest_is_named():
    parts = ["train"] * 8 + ["valid"] * 2 + ["test"] * 2
    found = labelled(table(split=parts), [f"film{i}.mp4" for i in range(7)])
    assert {name: len(own) for name, own in found.split.parts.items()} == {"train": 4, "valid": 1, "test": 1}
    assert len(found.films) == 6
    (problem,) = found.problems
    assert (problem.kind, problem.rows) == ("no part", (6,))
    assert "the first is film6.mp4" in problem.message
