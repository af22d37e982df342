"""Bytes and keys of media cells."""

from hashlib import blake2b

import pytest

from fusible.data.content import content_key, open_media, read_bytes, text_key
from fusible.errors import DataError
from fusible.types import Media


def test_bytes_and_file_of_equal_content_have_one_key(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"hello" * 1000)
    by_path = Media("x", 1, path=str(file))
    by_bytes = Media("y", 2, data=b"hello" * 1000)
    expected = blake2b(b"hello" * 1000, digest_size=20).hexdigest()
    assert content_key(by_path) == content_key(by_bytes) == expected
    assert read_bytes(by_path) == read_bytes(by_bytes)


def test_text_key_is_of_utf8_and_takes_lone_surrogates():
    assert text_key("ä") == blake2b("ä".encode(), digest_size=20).hexdigest()
    assert text_key("\ud800") != text_key("\ud801")


@pytest.mark.parametrize("read", [read_bytes, content_key, open_media])
@pytest.mark.parametrize(
    ("media", "said"),
    [
        (Media("photo", 7, path="/nowhere/x.jpg"), r"row 7, column 'photo' \(/nowhere/x.jpg\): no such file"),
        (Media("photo", 7, data=b""), "row 7, column 'photo': expected media, got zero bytes"),
        (Media("photo", 7), "expected a path or bytes, got neither"),
        (Media("photo", 7, path="a\0b"), "cannot be opened"),
    ],
)
def test_errors_name_row_column_and_cause(read, media, said):
    with pytest.raises(DataError, match=said):
        read(media)


def test_empty_file_and_folder_are_errors(tmp_path):
    (tmp_path / "empty.wav").touch()
    with pytest.raises(DataError, match="the file is empty"):
        read_bytes(Media("x", 0, path=str(tmp_path / "empty.wav")))
    with pytest.raises(DataError, match="Is a directory"):
        read_bytes(Media("x", 0, path=str(tmp_path)))
