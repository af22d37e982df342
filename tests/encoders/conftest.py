"""Small media made in memory."""

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from fusible.types import Media


@pytest.fixture
def image():
    """Media of pixels: uint8 as PNG, float32 grey as TIFF."""

    def encode(pixels):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "TIFF" if pixels.dtype == np.float32 else "PNG")
        return Media("photo", 0, data=stream.getvalue())

    return encode


@pytest.fixture
def sound():
    """Media of samples, as a WAV of floats."""

    def encode(samples, rate=8000):
        stream = io.BytesIO()
        soundfile.write(stream, np.asarray(samples, np.float32), rate, format="WAV", subtype="FLOAT")
        return Media("sound", 0, data=stream.getvalue())

    return encode
