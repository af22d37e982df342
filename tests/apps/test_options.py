"""What the shared options parse to."""

import pytest

from fusible.apps.options import parse_columns, parse_encoders, parse_views
from fusible.errors import ConfigError


def test_nothing_given_is_none():
    assert parse_columns(None) is None
    assert parse_views([]) is None
    assert parse_encoders(None) is None


def test_columns():
    given = ["title=text", "price=number:target", "id=:ignore", "a=b=category"]
    assert parse_columns(given) == {"title": "text", "price": "number:target", "id": ":ignore", "a=b": "category"}


def test_views_and_encoders():
    assert parse_views(["photos=front,back", "t=title"]) == {"photos": ["front", "back"], "t": ["title"]}
    assert parse_encoders(["title=text_gru", "x=hf:a=b"]) == {"title": "text_gru", "x": "hf:a=b"}


@pytest.mark.parametrize("text", ["title", "=text", "title=", "", "="])
@pytest.mark.parametrize("parse", [parse_columns, parse_views, parse_encoders])
def test_a_malformed_pair_says_the_form(parse, text):
    with pytest.raises(ConfigError, match=r"^--\w+ '.*': expected [A-Z]+="):
        parse([text])


def test_a_name_given_twice_is_refused():
    with pytest.raises(ConfigError, match="--column: 'a' is given twice"):
        parse_columns(["a=text", "a=image"])
