"""Media by file name and first bytes."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from fusible.data.kinds import SUFFIXES, by_bytes, by_path, resolve
from fusible.types import MEDIA, Modality


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_endings_in_any_case(suffix):
    assert by_path(f"a/b c.{suffix}") is by_path(f"A.{suffix.upper()} ") is SUFFIXES[suffix]
    assert SUFFIXES[suffix] in MEDIA


@pytest.mark.parametrize("text", ["", "jpg", "a sentence.", "x.txt", "line\nbreak.jpg", "a" * 2000 + ".jpg", "7.5"])
def test_other_text_is_no_path(text):
    assert by_path(text) is None


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_images_by_their_first_bytes(form):
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, form)
    assert by_bytes(out.getvalue()[:16]) is Modality.IMAGE


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_sounds_by_their_first_bytes(form):
    out = io.BytesIO()
    soundfile.write(out, np.zeros(4000), 16000, format=form)
    assert by_bytes(out.getvalue()[:16]) is Modality.AUDIO


def test_videos_by_their_first_bytes(clips):
    assert by_bytes((clips / "bikes.mp4").read_bytes()[:16]) is Modality.VIDEO
    assert by_bytes(b"RIFF1234AVI LIST") is Modality.VIDEO
    assert by_bytes(b"\x00\x00\x00\x20ftypM4A ") is Modality.AUDIO
    assert by_bytes(b"hello") is None
    assert by_bytes(b"") is None


def test_paths_are_relative_to_the_table():
    assert resolve(" a/b.jpg ", Path("/data")) == Path("/data/a/b.jpg")
    assert resolve("/abs/b.jpg", Path("/root")) == Path("/abs/b.jpg")
    assert resolve("a.jpg", None) == Path("a.jpg")
