"""Documents of folders: every text file, whatever the case of its ending; what cannot be read is one line."""

from pathlib import Path

import pytest

from fusible.data.texts import read_texts
from fusible.errors import DataError


def test_text_files_of_a_folder(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "B.TXT").write_text("two")
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "c.csv").write_text("x\n1\n")
    (tmp_path / "d.txt").mkdir()
    documents, problems = read_texts(tmp_path)
    assert [(one.id, one.text) for one in documents] == [("a.txt", "one"), ("more/B.TXT", "two")]
    assert problems == []


def test_an_empty_folder_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"the folder is empty; expected \.txt files, or a table"):
        read_texts(tmp_path)


def test_a_file_that_the_system_refuses_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("two")

    def refused(path):
        if path.name == "a.txt":
            raise PermissionError(13, "Permission denied")
        return b"two"

    monkeypatch.setattr(Path, "read_bytes", refused)
    documents, (problem,) = read_texts(tmp_path)
    assert [one.id for one in documents] == ["b.txt"]
    assert "a.txt: cannot be read (Permission denied)" in problem.message
    with pytest.raises(DataError, match="cannot be read"):
        read_texts(tmp_path / "a.txt")
