"""The real tables: what the schema must be."""

import numpy as np
import pytest

from fusible.data.checks import check
from fusible.data.read import read
from fusible.types import Role

IMAGES = dict.fromkeys(("frontal", "kitchen", "bedroom", "bathroom"), "image")
EXPECTED = {
    "houses/houses.csv": (
        "price",
        {**IMAGES, "bedrooms": "number", "bathrooms": "number", "area_sqft": "number", "zipcode": "number"},
        {"house"},
        (375, 53, 107),
    ),
    "grid_s1/clips.csv": (
        "colour",
        {
            "video": "video",
            "transcript": "text",
            **dict.fromkeys(("command", "preposition", "letter", "digit", "adverb"), "category"),
        },
        {"clip"},
        (600, 100, 100),
    ),
    "fsdd": ("digit", {"audio": "audio", "speaker": "category", "take": "number"}, set(), (2700, 0, 300)),
    "flickr8k_1k/captions.csv": (None, {"image": "image", "caption": "text"}, set(), (3250, 250, 500)),
    "fashion/fashion.parquet": (
        "usage",
        {"image": "image", "title": "text", **dict.fromkeys(("master", "sub", "article", "colour"), "category")},
        {"id"},
        (8000, 1000, 3000),
    ),
    "womens_clothing/reviews.parquet": (
        "recommended_ind",
        {
            "title": "text",
            "review_text": "text",
            **dict.fromkeys(("age", "rating", "positive_feedback_count"), "number"),
            **dict.fromkeys(("division_name", "department_name", "class_name"), "category"),
        },
        {"clothing_id"},
        (18788, 2349, 2349),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_schema(data_folder, name):
    target, inputs, ignored, sizes = EXPECTED[name]
    data = read(data_folder / name, target=target)
    assert {c.name: c.modality.value for c in data.columns.values() if c.role is Role.INPUT} == inputs
    assert set(data.names(Role.IGNORE)) == ignored
    assert data.names(Role.TARGET) == (() if target is None else (target,))
    assert tuple(data.split().sizes.values()) == sizes
    assert data.problems == []
    assert all(column.reason for column in data.columns.values())


def test_a_video_table_offers_its_sound(data_folder):
    views = read(data_folder / "grid_s1/clips.csv").views
    assert views["video_sound"].modality.value == "audio"
    assert views["video_sound"].columns == ("video",)


def test_each_photo_of_many_captions_is_one_item(data_folder):
    data = read(data_folder / "flickr8k_1k/captions.csv")
    photos = data.view_data("image")
    paths = data.to_pandas(["image"])["image"]
    assert len(photos.values) == len(set(photos.keys)) == paths.nunique()
    assert photos.ids.shape == (len(paths), 1)
    first = dict(zip(paths, photos.ids[:, 0].tolist(), strict=True))
    assert np.array_equal(paths.map(first).to_numpy(), photos.ids[:, 0])


def test_the_photos_of_one_house_stand_in_two_parts(data_folder):
    problems = check(read(data_folder / "houses/houses.csv", target="price"), "price", media=False)
    assert {(p.kind, p.rows) for p in problems} == {
        ("duplicates across splits", (198,)),
        ("media across splits", (198,)),
    }


def test_a_transcript_is_a_leak_of_its_words(data_folder):
    data = read(data_folder / "grid_s1/clips.csv", target="colour")
    problems = check(data, "colour", media=False)
    assert [(p.kind, p.column) for p in problems] == [("leakage suspect", "transcript")]
