"""Errors: one family, one line, and what to do."""

import pytest

from fusible import errors
from fusible.errors import FusibleError, MissingExtraError

NAMED = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, FusibleError)]


@pytest.mark.parametrize("error", NAMED)
def test_every_error_is_caught_by_the_base(error):
    with pytest.raises(FusibleError, match=r"^row 3: bad$"):
        raise error("row 3: bad")


def test_a_missing_package_names_the_extra_and_is_an_import_error():
    error = MissingExtraError.of("easy_vqa", "demo", "The demo")
    assert isinstance(error, ImportError)
    assert str(error) == "The demo needs the package 'easy_vqa', which is not installed: pip install 'fusible[demo]'"
