"""SIGKILL at random moments, under load: nothing acknowledged is lost, and the service comes back by itself."""
import os
import signal
import time

import pytest
from checker import Letters, Load, Watcher, crash_instance, wait_service
from instance import wait_for

DAEMONS = ("smtpd", "qmgr", "local", "resolve", "anvil", "logger", "auth", "login", "pop3d")
# after the end of master the others leave by themselves; the next start is told to take no longer than this
START_SECONDS = 2.0
START_SLACK = 6.0


@pytest.fixture(scope="module")
def suite():
    with crash_instance() as i:
        letters = Letters(i)
        yield i, letters


def ready(i, name):
    return {p["pid"] for p in i.processes(name) if p["state"] == "ready"}


def settle(i, letters):
    """The load has ended: all is delivered, once."""
    i.wait_ready(30)
    letters.drain()
    return letters.check()


@pytest.mark.parametrize("name", DAEMONS)
def test_one_daemon(suite, dice, is_full, name):
    i, letters = suite
    for _ in range(20 if is_full else 2 if name in ("qmgr", "local", "smtpd") else 1):
        before = len(letters.acked)
        with Watcher(i), Load(letters):
            time.sleep(dice.uniform(0.2, 0.8))
            pids = [p["pid"] for p in i.processes(name) if p["pid"]]
            assert pids
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            wait_for(f"{name} has new processes", lambda: ready(i, name) - set(pids), 30)
            taken = len(letters.acked)
            wait_for("letters are taken again", lambda: len(letters.acked) > taken, 30)
        assert len(letters.acked) > before
    settle(i, letters)


@pytest.mark.parametrize("victims", ["local's child", "master", "all"])
def test_many_at_once(suite, dice, is_full, victims):
    i, letters = suite
    for _ in range(20 if is_full else 1):
        i.wait_ready(30)
        with Watcher(i), Load(letters):
            time.sleep(dice.uniform(0.3, 1.0))
            if victims == "local's child":
                kill_children(i)
                time.sleep(0.3)
                continue
            for pid in [i.master_pid()] if victims == "master" else i.pids():
                kill(pid)
            began = time.monotonic()
            i.surat("start")
            took = time.monotonic() - began
            assert took < START_SECONDS + START_SLACK, f"start took {took:.1f} s"
            taken = len(letters.acked)
            wait_for("letters are taken again", lambda: len(letters.acked) > taken, 30)
    settle(i, letters)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_children(i):
    parents = {p["pid"] for p in i.processes("local")}

    def children():
        found = []
        for pid in i.pids():
            try:
                with open(f"/proc/{pid}/stat") as f:
                    parent = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent in parents:
                found.append(pid)
        return found

    for pid in wait_for("local has children", children, 30):
        kill(pid)


def test_all_that_was_sent_arrived(suite):
    """The last word: with a quiet server, everything once more, and what smtpd held when it died was not half taken."""
    i, letters = suite
    wait_service(i, letters)
    assert settle(i, letters) == 0
    assert len(letters.acked) > 100
