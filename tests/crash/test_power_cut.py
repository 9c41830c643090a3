"""The power goes: a loop-mounted file system loses its device and with it all that was not synced (FS_IOC_SHUTDOWN without
a flush of the log). Queue and mailboxes lie on one file system, and on two. And the mail disk alone fails under a
running server: nothing comes back to the sender, all waits.

SIGKILL does not test any of this: the kernel keeps the pages of the dead."""
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time

import pytest
from checker import Letters, Load, Watcher, crash_instance, queue, wait_service
from conftest import IS_FULL
from instance import BUILD, IS_ROOT, wait_for

# nothing reaches the disk in these tests but what is synced: no timer, and no heuristics for programs that do not sync
MOUNT = {"ext4": "commit=300,noauto_da_alloc", "xfs": "noatime"}
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
SIZE = (4 << 30) if IS_FULL else (400 << 20)       # xfs takes nothing below 300 MB; a sparse file
TYPES = tuple(MOUNT)
CUTS = 20 if IS_FULL else 2


def has_loops():
    """A loop device can be had here: root in a container may lack it."""
    return IS_ROOT and subprocess.run(["losetup", "-f"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not has_loops(), reason="needs root and loop devices")


class Disk:
    """A file system in a file, mounted below a folder of an instance."""

    def __init__(self, i, name, kind):
        self.image, self.at, self.kind = i.dir / f"{name}.img", i.dir / name, kind
        with open(self.image, "wb") as f:
            f.truncate(SIZE)
        subprocess.run([*MAKE[kind], self.image], check=True)
        self.at.mkdir(exist_ok=True)
        self.device = subprocess.check_output(["losetup", "-f", "--show", self.image], text=True).strip()
        self.is_mounted = False
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", MOUNT[self.kind], self.device, self.at], check=True)
        self.is_mounted = True

    def cut(self):
        subprocess.run([BUILD / "tests/crash/cut", self.at], check=True)

    def detach(self):
        self.umount()
        subprocess.run(["losetup", "-d", self.device], check=True)

    def umount(self):
        if self.is_mounted:
            wait_for(f"{self.at} is unmounted", lambda: subprocess.run(["umount", self.at]).returncode == 0, 30)
        self.is_mounted = False


@contextlib.contextmanager
def on_disks(kind, layout):
    """A started instance and its disks: both, or the queue's and the mailboxes'."""
    i = crash_instance()
    disks = []
    try:
        if layout == "one":
            disks = [Disk(i, "both", kind)]
            i.settings["queue_directory"] = disks[0].at / "queue"
            i.mail = disks[0].at / "mail"
        else:
            disks = [Disk(i, "queuedisk", kind), Disk(i, "maildisk", kind)]
            i.settings["queue_directory"] = disks[0].at / "queue"
            i.mail = disks[1].at / "mail"
        i.mail.mkdir()
        shutil.chown(i.mail, pwd.getpwnam("_surat-vmail").pw_uid)
        i.settings.update(virtual_mailbox_base=i.mail, mail_home=f"{i.mail}/%d/%n")
        i.write_config()
        subprocess.run(["sync", "-f", i.mail], check=True)
        i.start()
        yield i, disks
    finally:
        kill_all(i)
        for disk in disks:
            disk.detach()
        i.__exit__(None, None, None)


def kill_all(i):
    for pid in i.pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    i.wait_gone(30)


@pytest.mark.parametrize("layout", ["one", "two"])
@pytest.mark.parametrize("kind", TYPES)
def test_power_cut(kind, layout, dice):
    with on_disks(kind, layout) as (i, disks):
        letters = Letters(i, seed=f"{kind} {layout}")
        for n in range(CUTS):
            with Load(letters):
                taken = len(letters.acked)
                wait_for("the first letters are taken", lambda: len(letters.acked) > taken + 5, 30)
                # the first cut comes while the mailboxes are being made
                time.sleep(dice.uniform(0.1, 2.0) if n else dice.uniform(0.0, 0.2))
                # one plug for all disks: what is acknowledged after the first is cut may not be forgotten by the second
                for disk in dice.sample(disks, len(disks)):
                    disk.cut()
                kill_all(i)
            for disk in disks:
                disk.umount()
                disk.mount()
            found = len(letters.named())
            with Watcher(i):
                i.surat("start")
                letters.drain()
            print(f"{kind}, {layout}: {len(letters.wanted())} deliveries acknowledged, {found} in Maildirs after the cut")
            letters.check()


@pytest.mark.parametrize("kind", TYPES)
def test_mail_disk_fails(kind, dice):
    """EIO at every write, sync and open of a mailbox under a running server."""
    with on_disks(kind, "two") as (i, disks):
        letters = Letters(i, seed=kind)
        with Load(letters, connections=2, pause=0.02):
            wait_for("the first letters are taken", lambda: len(letters.acked) > 20, 30)
            time.sleep(dice.uniform(0.1, 1.0))
            disks[1].cut()
            taken = len(letters.acked)
            wait_for("letters are taken while the mail disk is gone", lambda: len(letters.acked) > taken + 20, 30)
        waiting = wait_for("letters wait", lambda: queue(i), 30)
        i.wait_log("status=deferred", 30)
        assert "status=bounced" not in i.log_text()
        assert all(p["state"] == "ready" for p in i.processes())
        kill_all(i)
        disks[1].umount()
        disks[1].mount()
        with Watcher(i):
            i.surat("start")
            letters.drain()
        print(f"{kind}: {len(waiting)} letters waited for the mail disk")
        letters.check()


@pytest.mark.parametrize("kind", TYPES)
def test_queue_disk_fails(kind, dice):
    """The queue's disk fails under a running server: no 250 after it, and none before it is forgotten."""
    with on_disks(kind, "two") as (i, disks):
        letters = Letters(i, seed=kind)
        with Load(letters, connections=2):
            wait_for("the first letters are taken", lambda: len(letters.acked) > 20, 30)
            time.sleep(dice.uniform(0.1, 1.0))
            disks[0].cut()
            time.sleep(1.0)
            taken = len(letters.acked)
            time.sleep(1.0)
            assert len(letters.acked) == taken, "a letter was acknowledged without a queue"
        kill_all(i)
        disks[0].umount()
        disks[0].mount()
        with Watcher(i):
            i.surat("start")
            wait_service(i, letters)
            letters.drain()
        letters.check()
