"""Decoding of images."""

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from fusible.data.image import decode_image
from fusible.errors import DataError
from fusible.types import Media

PHOTOS = Path(skimage.__file__).parent / "data"


def encoded(image, form="PNG", **settings):
    out = io.BytesIO()
    image.save(out, form, **settings)
    return Media("photo", 3, data=out.getvalue())


def test_rgb_is_kept_bit_by_bit(rng):
    pixels = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    decoded = decode_image(encoded(Image.fromarray(pixels)))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)


def test_path_and_bytes_agree():
    path = PHOTOS / "coffee.png"
    by_path = decode_image(Media("photo", 0, path=str(path)))
    np.testing.assert_array_equal(by_path, decode_image(Media("photo", 0, data=path.read_bytes())))
    assert by_path.shape == (400, 600, 3)


def test_grey_and_palette_and_cmyk_become_rgb():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(grey))), np.repeat(grey[:, :, None], 3, 2))
    red = Image.new("RGB", (4, 3), (255, 0, 0))
    np.testing.assert_array_equal(decode_image(encoded(red.convert("P")))[0, 0], [255, 0, 0])
    np.testing.assert_array_equal(decode_image(encoded(red.convert("CMYK"), "TIFF"))[0, 0], [255, 0, 0])
    np.testing.assert_array_equal(decode_image(encoded(Image.new("1", (4, 3), 1)))[0, 0], [255, 255, 255])


def test_transparency_is_composited_on_white():
    clear = decode_image(encoded(Image.new("RGBA", (2, 2), (10, 20, 30, 0))))
    np.testing.assert_array_equal(clear, np.full((2, 2, 3), 255))
    half = decode_image(encoded(Image.new("RGBA", (2, 2), (0, 100, 200, 51))))
    np.testing.assert_allclose(half[0, 0], [204, 224, 244], atol=1)  # 0.2 colour + 0.8 white
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([1, 2, 3])
    np.testing.assert_array_equal(decode_image(encoded(palette, transparency=0)), np.full((2, 2, 3), 255))


def test_deep_images_are_float():
    values = np.array([[-1.5, 0.0], [0.25, 7.0]], dtype=np.float32)
    decoded = decode_image(encoded(Image.fromarray(values), "TIFF"))
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, np.repeat(values[:, :, None], 3, 2))
    sixteen = np.array([[0, 65535], [32768, 1]], dtype=np.uint16)
    decoded = decode_image(encoded(Image.fromarray(sixteen)))
    np.testing.assert_allclose(decoded[:, :, 1], sixteen / 65535, rtol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation, rng):
    upright = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    undo = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    media = encoded(Image.fromarray(np.ascontiguousarray(undo[orientation])), exif=exif)
    np.testing.assert_array_equal(decode_image(media), upright)


def test_orientation_of_a_deep_image_is_applied():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    media = encoded(Image.fromarray(values[::-1].copy()), "TIFF", tiffinfo={0x0112: 4})
    np.testing.assert_array_equal(decode_image(media)[:, :, 0], values)


@pytest.mark.parametrize(("size", "short"), [(53, 54), (64, 107), (100, 107), (149, 214), (427, 427), (9999, 427)])
def test_size_decodes_a_jpeg_smaller_but_never_under_it(size, short):
    decoded = decode_image(Media("photo", 0, path=str(PHOTOS / "rocket.jpg")), size)
    assert min(decoded.shape[:2]) == short >= min(size, 427)


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (3, 3), colour) for colour in ("red", "blue")]
    media = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode_image(media)[1, 1], [255, 0, 0])


def png_of_size(width, height):
    """A valid PNG header that announces a size, with hardly any data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(8000, 8000), (12000, 9000), (60000, 60000)])
def test_a_bomb_is_refused_before_it_is_decoded(width, height):
    with pytest.raises(DataError, match="pixels, at most 50 million allowed; shrink it"):
        decode_image(Media("photo", 3, data=png_of_size(width, height)))


def test_damaged_and_foreign_bytes_are_data_errors(rng):
    whole = (PHOTOS / "rocket.jpg").read_bytes()
    png = (PHOTOS / "coffee.png").read_bytes()
    for data in (whole[:5000], png[: len(png) // 2], b"no image", rng.bytes(500), png_of_size(100, 100)):
        with pytest.raises(DataError, match="row 3, column 'photo': not a readable image: "):
            decode_image(Media("photo", 3, data=data))


def test_pillow_warnings_stay_inside_also_in_threads():
    exif = Image.Exif()
    exif[0x0112] = 6
    media = encoded(Image.new("RGB", (4, 3)), "JPEG", exif=exif)
    damaged = Media("photo", 0, data=media.data.replace(b"Exif\0\0MM\0*\0\0\0\x08", b"Exif\0\0MM\0*\0\0\0\xf8"))
    assert damaged.data != media.data
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with ThreadPoolExecutor(4) as threads:
            shapes = {decoded.shape for decoded in threads.map(decode_image, [damaged] * 16)}
    assert shapes == {(3, 4, 3)}
    assert caught == []
