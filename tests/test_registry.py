"""The registry: names to classes, own and of other packages."""

from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible import registry
from fusible.errors import RegistryError


@pytest.fixture
def third_party(monkeypatch):
    """Pretend that other packages offer these entry points; gives a function that takes (name, value) pairs."""

    def offer(*pairs):
        points = [EntryPoint(name, value, "fusible.fusion") for name, value in pairs]
        monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "fusible.fusion" else [])
        registry._foreign.cache_clear()

    yield offer
    monkeypatch.undo()
    registry._foreign.cache_clear()


def test_names_are_the_files_of_a_family():
    names = registry.names("fusion")
    assert {"concat", "multiply"} <= set(names)
    assert list(names) == sorted(names)
    assert not any(name.startswith("_") for name in names)


def test_an_unknown_family_names_the_known_ones():
    with pytest.raises(RegistryError, match=r"family 'encoder' is unknown.*encoders, alignment, fusion"):
        registry.names("encoder")


def test_get_gives_the_class_of_the_file():
    from fusible.fusion.concat import Concat

    assert registry.get("fusion", "concat") is Concat


def test_build_passes_the_settings():
    operator = registry.build("fusion", "concat", widths={"a": 3}, width=7)
    assert operator.output_width == 7


def test_an_unknown_name_gets_near_ones():
    with pytest.raises(RegistryError, match="no part of fusion is called 'concta': did you mean concat"):
        registry.get("fusion", "concta")


def test_a_name_unlike_any_gets_the_list():
    with pytest.raises(RegistryError, match=r"expected one of .*concat"):
        registry.get("fusion", "zzzzzzzz")


@pytest.mark.parametrize("name", ["_base", "__init__", "../data/read", "os", "concat.py", "Concat", "concat\n", ""])
def test_no_name_reaches_beyond_the_family(name):
    with pytest.raises(RegistryError):
        registry.get("fusion", name)


@given(st.text(max_size=20))
def test_any_other_name_is_refused(name):
    if name not in registry.names("fusion"):
        with pytest.raises(RegistryError):
            registry.get("fusion", name)


def test_another_package_adds_a_part(third_party):
    third_party(("ordered", "collections:OrderedDict"))
    from collections import OrderedDict

    assert "ordered" in registry.names("fusion")
    assert registry.get("fusion", "ordered") is OrderedDict


def test_a_clash_with_an_own_part_raises(third_party):
    third_party(("concat", "collections:OrderedDict"))
    with pytest.raises(RegistryError, match="two parts of fusion are called 'concat'"):
        registry.names("fusion")


def test_a_clash_of_two_packages_raises(third_party):
    third_party(("mine", "collections:OrderedDict"), ("mine", "collections:Counter"))
    with pytest.raises(RegistryError, match="collections:Counter clashes"):
        registry.names("fusion")


@pytest.mark.parametrize(("name", "expected"), [("concat", "Concat"), ("text_minilm", "TextMinilm"), ("a_b_c", "ABC")])
def test_class_names(name, expected):
    assert registry.class_name(name) == expected
