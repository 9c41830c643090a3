"""tools/quickstart where nobody expects it: odd folders, IPv6, two instances, again and again."""
import os
import pathlib
import shlex
import shutil
import subprocess

import pytest
from instance import BUILD, IS_ROOT, ROOT, free_base


@pytest.fixture(scope="module")
def top(tmp_path_factory):
    """A tree that is built already; open to the users of the suite."""
    where = tmp_path_factory.mktemp("tree")
    for folder in (where, *where.parents[:2]):
        folder.chmod(0o755)
    (where / "tools").mkdir()
    for name in ("quickstart", "deps.txt"):
        shutil.copy2(ROOT / "tools" / name, where / "tools")
    (where / "build").symlink_to(BUILD)
    return where


def quickstart(top, *args, cwd=None):
    return subprocess.run([top / "tools/quickstart", *map(str, args)], cwd=cwd or top, text=True, capture_output=True, timeout=120)


def instance_env(where):
    lines = (where / "instance.env").read_text().splitlines()
    return {k: "".join(shlex.split(v)) for k, v in (line.split("=", 1) for line in lines)}


@pytest.mark.parametrize("name, args", [
    ("plain", []), ("../up/./there/", []), ("with space, comma%d$x", []), ("a" * 60 + "/" + "b" * 60, []),
    ("six", ["--bind", "::1", "--set", "message_size_limit=20000", "--user", "ani=g w\"x\\y", "--user", "budi@example.com=z"])],
    ids=["plain", "relative", "odd", "long", "options"])
def test_first_letter(top, tmp_path_factory, name, args):
    where = tmp_path_factory.mktemp("at") / "here"
    where.mkdir()
    for folder in (where, *where.parents[:3]):
        folder.chmod(0o755)
    target = pathlib.Path(os.path.normpath(where / name))
    options = ["--dir", name, "--base-port", free_base(), *args]
    try:
        for _ in range(2):
            done = quickstart(top, *options, cwd=where)
            assert done.returncode == 0 and done.stdout.count("Subject: The first letter") == 2, done
        env = instance_env(target)
        assert list((pathlib.Path(env["MAILDIR2"]) / "cur").iterdir()) or list((pathlib.Path(env["MAILDIR2"]) / "new").iterdir())
        assert not IS_ROOT or "separate users" in done.stdout
        stop = done.stdout.rsplit("Stop it with: ", 1)[1].strip()
    finally:
        for _ in range(2):
            assert quickstart(top, "--stop", "--dir", target).returncode == 0
    assert shlex.split(stop)[-1] == str(target)
    state = pathlib.Path(env["CONFIG_DIR"]).parent
    if state != target:
        shutil.rmtree(state)


@pytest.mark.parametrize("args, words", [
    (["--base-port", "99999"], "up to 64540"), (["--set", "foo"], "name=value"), (["--set", "foo=bar"], "unknown parameter 'foo'"),
    (["--bind", "192.0.2.55"], "no address of this machine"), (["--user", "x"], "NAME=PASSWORD"), (["--bogus"], "usage:")])
def test_says_what_is_wrong(top, tmp_path, args, words):
    done = quickstart(top, "--dir", tmp_path / "x", "--base-port", free_base(), *args)
    assert done.returncode != 0 and words in done.stderr, done
