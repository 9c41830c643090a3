import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import instance  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def build():
    """The build folder (SURAT_BUILD, else build/), with the users of the suite present when we are root."""
    surat = instance.BUILD / "tools/surat"
    if not surat.exists():
        pytest.exit(f"{surat} is not there: build first, or set SURAT_BUILD", 2)
    if instance.IS_ROOT:
        subprocess.run([surat, "setup"], check=True)
    return instance.BUILD
