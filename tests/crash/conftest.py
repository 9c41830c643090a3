import os
import pathlib
import random
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]
import instance  # noqa: E402

IS_FULL = os.environ.get("SURAT_CRASH_SAMPLE", "sample") == "all"
SEED = os.environ.get("SURAT_CRASH_SEED", "surat")


@pytest.fixture(scope="session", autouse=True)
def build():
    return instance.need_build()


@pytest.fixture
def is_full():
    """Every point, not a sample."""
    return IS_FULL


@pytest.fixture
def dice():
    """The same throws in each run, unless SURAT_CRASH_SEED names others."""
    return random.Random(SEED)
