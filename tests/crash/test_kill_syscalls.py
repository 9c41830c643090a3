"""Walks the system calls of one letter's way and kills the process at the entry of each: what a crash point leaves is
repaired by the next start, as the head comments of lib/store/queue.c and lib/store/maildir.c promise."""
import collections
import concurrent.futures
import contextlib
import random
import signal
import subprocess
import threading
import time

import pytest
from checker import LARGE, READERS, SMALL, Letters, Watcher, crash_instance, wait_service
from conftest import IS_FULL, SEED
from instance import BUILD, IS_ROOT, wait_for

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root may trace a process that is not dumpable")

# process, size of the letter, how many points a sample takes
WAYS = {
    "qmgr small": ("qmgr", SMALL, 16),
    "qmgr large": ("qmgr", LARGE, 16),
    "local small": ("local", SMALL, 20),
    "local large": ("local", LARGE, 16),
    "smtpd large": ("smtpd", LARGE, 8),
}
LASTING = {"write", "writev", "pwrite64", "fsync", "fdatasync", "syncfs", "openat", "mkdirat", "linkat", "renameat2", "unlinkat",
           "copy_file_range", "ftruncate", "sendmsg", "recvmsg"}
starting = threading.Lock()
QUIET = 1.5     # after the file is there, for the done mark and the unlink


class Stopper:
    """stopper around a daemon: with n = 0 it only lists the calls."""

    def __init__(self, pid, n, *call):
        self.run = subprocess.Popen([BUILD / "tests/crash/stopper", str(pid), str(n), *call], stdout=subprocess.PIPE, text=True)
        assert self.run.stdout.readline() == "ready\n"

    def end(self):
        """The lines that it printed."""
        if self.run.poll() is None:
            self.run.send_signal(signal.SIGTERM)
        return self.run.communicate(timeout=30)[0].splitlines()

    def has_ended(self):
        return self.run.poll() is not None


def pid_of(i, name):
    found = wait_for(f"{name} is ready", lambda: [p for p in i.processes(name) if p["state"] == "ready"], 30)
    return found[0]["pid"]


def points_of(i, letters, name, size):
    """What one letter takes from the first thing that the daemon hears of it: [(call, how many of these there were)].

    A point is told by its own kind, because threads and processes take turns differently each time."""
    number, _, _ = letters.next_letter()
    stopper = Stopper(pid_of(i, name), 0)
    assert letters.try_one((number, size, READERS[:2]))
    wait_for("the letter has arrived", lambda: letters.wanted() <= letters.named(), 30)
    time.sleep(QUIET)       # nothing else is asked meanwhile: the daemon's answers would count
    count = collections.Counter()
    points = []
    for line in stopper.end():
        call = line.split()[2]
        count[call] += 1
        points.append((call, count[call]))
    return points


def kill_at(i, letters, name, size, call, n):
    """One letter, killed at the n-th such call: returns the call, None when the letter did not come that far."""
    number, _, _ = letters.next_letter()
    pid = pid_of(i, name)
    stopper = Stopper(pid, n, call)
    with Watcher(i):
        was_taken = letters.try_one((number, size, READERS[:2]))
        end = time.monotonic() + (QUIET if was_taken else 0)
        while was_taken and not stopper.has_ended() and time.monotonic() < end:
            time.sleep(0.01)
        words = stopper.end()
        if words and int(words[0].split()[1]) == pid:
            wait_for("the dead one is replaced", lambda: pid not in [p["pid"] for p in i.processes(name)], 30)
        i.wait_ready(30)
        letters.drain()
    return words[0].split()[2] if words else None


def sampled(points, size, dice):
    """Each kind of call that leaves something behind, then the other kinds, then any."""
    kinds = collections.defaultdict(list)
    for point in points:
        kinds[point[0]].append(point)
    order = sorted(kinds, key=lambda kind: (kind not in LASTING, dice.random()))
    firsts = [dice.choice(kinds[kind]) for kind in order]
    others = [point for point in points if point not in firsts]
    dice.shuffle(others)
    return (firsts + others)[:size]


def walk(way, dice, is_full):
    """An instance of its own for each way: most of the time is waiting, so they are walked at the same time."""
    name, size, sample = WAYS[way]
    with contextlib.ExitStack() as stack:
        with starting:      # two that start at the same moment would find the same ports free
            i = stack.enter_context(crash_instance({"worker_processes": 1, "local_idle_time": "0s"}))
        letters = Letters(i)
        wait_service(i, letters)
        letters.drain()
        all_points = points_of(i, letters, name, size)
        assert len(all_points) > 20, all_points
        points = all_points if is_full else sampled(all_points, sample, dice)
        killed = collections.Counter(kill_at(i, letters, name, size, *point) for point in points)
        duplicates = letters.check(len(points))
    return len(all_points), len(points), killed, duplicates


@pytest.fixture(scope="module")
def walks():
    pool = concurrent.futures.ThreadPoolExecutor(len(WAYS))
    walks = {way: pool.submit(walk, way, random.Random(f"{SEED} {way}"), IS_FULL) for way in WAYS}
    yield walks
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("way", WAYS)
def test_way(walks, way):
    n_calls, n_points, killed, duplicates = walks[way].result()
    late = killed.pop(None, 0)
    print(f"{way}: {n_calls} calls, {sum(killed.values())} kills, {late} letters were through before: {dict(killed)}")
    assert sum(killed.values()) >= n_points / 2
    assert duplicates == 0
