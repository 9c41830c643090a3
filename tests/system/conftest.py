import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import instance  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def build():
    return instance.need_build()
