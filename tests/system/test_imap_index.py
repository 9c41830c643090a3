"""The index is a cache: whatever becomes of it while the suite runs, mail is served, UIDs hold, and a client that comes back with what
it knew misses nothing."""
import contextlib
import os
import signal
import subprocess
import time

import pytest
from imap_model import Session, World, maildir, on_disk
from imap_wire import Gone
from instance import IS_ROOT, Instance, wait_for

USER, PASSWORD = "tito@example.com", "rahasia-1"
SEED = int(os.environ.get("SURAT_RANDOM_SEED", "7"))
N = 40
# an index is clean as soon as its last session has ended
SETTINGS = {"mail_max_userip_connections": 50, "max_idle": "0"}


def start(i):
    """A world with N letters in INBOX."""
    i.wait_ready()
    w = World(i, USER, PASSWORD, SEED)
    w.n_foreign = 0
    c = session(w)                              # makes the Maildir
    c.disconnect()
    for _ in range(N):
        deliver(w)
    return w


def session(w, qresync=False):
    c = Session(w, SEED, w.n_commands)
    c.login(qresync)
    c.select("INBOX", "(CONDSTORE)")
    return c


def deliver(w):
    """As another program does."""
    mark, box = w.new_mark(), maildir(w, w.folders["INBOX"])
    w.n_foreign += 1
    tmp = box / "tmp" / f"{int(time.time())}.F{w.n_foreign}.foreign"
    tmp.write_bytes(w.letter(mark))
    os.chown(tmp, box.stat().st_uid, box.stat().st_gid)
    tmp.rename(box / "new" / tmp.name)


def truth(w):
    """{uid: flags} as one sees it who knows nothing; UIDs mean what they always did, and the files agree."""
    c = session(w)
    c.run("UID FETCH 1:* (FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (X-MARK)])")
    found = dict(zip(c.uids, c.flags))
    modseq = c.highest
    assert set(found) <= set(w.folders["INBOX"].mark_of)
    assert found == on_disk(w, w.folders["INBOX"])
    c.disconnect()
    return found, modseq


def change(w):
    """What the client that is away does not see: all that can happen to a folder."""
    c = session(w)
    c.run("NOOP")
    c.run("UID FETCH 1:* (UID FLAGS)")
    a, b, gone = w.rng.sample(c.uids, 3)
    for uid, flag in ((a, w.rng.choice(["\\Flagged", "Work"])), (b, "\\Answered"), (gone, "\\Deleted")):
        c.run(f"UID STORE {uid} {'+' if w.rng.random() < 0.7 or uid == gone else '-'}FLAGS ({flag})")
    c.run(f"UID EXPUNGE {gone}")
    c.run("APPEND INBOX {}", w.letter(w.new_mark()))
    c.disconnect()


def change_by_others(w):
    box = maildir(w, w.folders["INBOX"])
    files = sorted(f for f in (box / "cur").iterdir())
    gone, changed = w.rng.sample(files, 2)
    gone.unlink()
    base, _, flags = changed.name.partition(":2,")
    changed.rename(changed.with_name(f"{base}:2,{''.join(sorted(set(flags) ^ {'D'}))}"))
    deliver(w)


def comes_back(w, old, modseq):
    """The client that knew old up to modseq."""
    for with_uids in (False, True):
        c = Session(w, SEED, w.n_commands)
        c.login(qresync=True)
        c.resync("INBOX", old, modseq, with_uids)
        now, _ = truth(w)
        assert dict(zip(c.uids, c.flags)) == now, f"from {modseq}: {list(c.trace)[-15:]}"
        c.disconnect()


def index_of(w):
    return maildir(w, w.folders["INBOX"]) / "surat-index"


# ---- damage: (name, function of the index's directory and a random generator) ----

def cut(name, length):
    def do(where, rng):
        size = (where / name).stat().st_size
        os.truncate(where / name, min(size, length) if length >= 0 else max(0, size + length))
    return do


def fill(name, size=None):
    def do(where, rng):
        n = (where / name).stat().st_size if size is None else size
        with open(where / name, "r+b") as f:
            f.write(rng.randbytes(n))
    return do


def scratch(name, count):
    """A few bytes here and there."""
    def do(where, rng):
        n = (where / name).stat().st_size
        with open(where / name, "r+b") as f:
            for _ in range(count):
                f.seek(rng.randrange(n))
                f.write(rng.randbytes(8))
    return do


def remove(*names):
    def do(where, rng):
        for name in names or [f.name for f in where.iterdir()]:
            (where / name).unlink(missing_ok=True)
        if not names:
            where.rmdir()
    return do


DAMAGE = {
    "deleted": remove(), "data deleted": remove("data.mdb"), "lock deleted": remove("lock.mdb"), "state deleted": remove("state"),
    "all but state deleted": remove("data.mdb", "lock.mdb"),
    **{f"data cut to {n}": cut("data.mdb", n) for n in (0, 1, 100, 4095, 4096, 8191, 8192, 12288, 20000, 40960, -4096, -1)},
    "data garbage": fill("data.mdb"), "head garbage": fill("data.mdb", 4096), "heads garbage": fill("data.mdb", 8192),
    "data scratched": scratch("data.mdb", 20), "data scratched much": scratch("data.mdb", 2000),
    "state garbage": fill("state"), "state cut": cut("state", 50), "state empty": cut("state", 0), "state longer": fill("state", 5000),
    "lock garbage": fill("lock.mdb"), "lock cut": cut("lock.mdb", 10),
}


@pytest.fixture(scope="module")
def world():
    with Instance(users={USER: PASSWORD}, settings=SETTINGS) as i:
        w = start(i)
        yield w
        assert " panic" not in i.log_text()


@pytest.mark.parametrize("what", DAMAGE)
def test_damage(world, what):
    old, modseq = truth(world)
    change(world)
    wait_for("a clean index", lambda: b" clean " in (index_of(world) / "state").read_bytes())
    DAMAGE[what](index_of(world), world.rng)
    change_by_others(world)
    comes_back(world, old, modseq)
    assert (index_of(world) / "state").read_bytes().startswith(b"surat-index 1 "), "there is no index after it"
    # and the client that came back then goes on from there
    old, modseq = truth(world)
    change(world)
    comes_back(world, old, modseq)


# what is scratched in the middle while it is in use is found when it is put away, or never
@pytest.mark.parametrize("what", [what for what in DAMAGE if "scratched" not in what])
def test_damage_under_a_session(world, what):
    """The same while a session has the index open: it goes on, or ends; others go on."""
    old, modseq = truth(world)
    change(world)
    c = session(world)
    c.run("UID FETCH 1:* (FLAGS)")
    DAMAGE[what](index_of(world), world.rng)
    change_by_others(world)
    try:
        c.run("NOOP")
        c.run("UID FETCH 1:* (FLAGS)")
        c.run(f"UID STORE {c.uids[-1]} +FLAGS (\\Seen)")
        c.run("NOOP")
        c.run("UID FETCH 1:* (FLAGS)")
        assert dict(zip(c.uids, c.flags)) == truth(world)[0]
    except Gone:
        pass
    comes_back(world, old, modseq)
    c.disconnect()


def test_killed_while_writing(world):
    """kill -9 at any moment of STORE, APPEND, COPY and EXPUNGE."""
    for turn in range(25):
        old, modseq = truth(world)
        c = session(world)
        c.run("UID FETCH 1:* (FLAGS)")
        before = {p for p in children(world)}
        assert before
        kind = turn % 5
        texts = [f"STORE 1:* {'+-'[turn // 5 % 2]}FLAGS.SILENT (\\Flagged Work)", "COPY 1:5 INBOX",
                 f"MOVE {world.rng.randrange(1, 9)} INBOX", "UID EXPUNGE 1:*", ""]
        if kind == 3:
            c.run("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
        for _ in range(4):
            letter = world.letter(world.new_mark())
            append = b"APPEND INBOX {%d+}\r\n%s" % (len(letter), letter)
            c.send(b"x " + (texts[kind].encode() or append) + b"\r\n")
        time.sleep(world.rng.random() * 0.02)
        for pid in before:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        c.disconnect()
        comes_back(world, old, modseq)
        # COPY of all that is there would grow for ever
        now, _ = truth(world)
        if len(now) > 2 * N:
            c = session(world)
            c.run("UID FETCH 1:* (FLAGS)")
            text = ",".join(map(str, c.uids[:N]))
            c.run(f"UID STORE {text} +FLAGS.SILENT (\\Deleted)")
            c.run(f"UID EXPUNGE {text}")
            c.disconnect()


def children(w):
    found = []
    for p in w.i.processes("imapd"):
        found += [int(n) for n in open(f"/proc/{p['pid']}/task/{p['pid']}/children").read().split()]
    return found


# ---- no room ----

@pytest.fixture
def tmpfs():
    """A function that makes a file system of that size; None without the right to mount."""
    made = []

    def make(where, options):
        where.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", where], check=True)
        made.append(where)

    if not IS_ROOT:
        pytest.skip("mounting needs root")
    yield make
    for where in made:
        subprocess.run(["umount", "-l", where], check=True)


@pytest.mark.parametrize("size", ["4k", "40k", "64k", "160k", "400k"])
def test_full_disk(tmpfs, size):
    """The index has so much room and no more, and at last none at all."""
    i = Instance(users={USER: PASSWORD}, settings=SETTINGS)
    i.settings["mail_location"] = f"maildir:~/Maildir:INDEX={i.dir}/idx/%u"
    i.write_config()
    owner = i.settings["mail_uid"], i.settings["mail_gid"]
    tmpfs(i.dir / "idx", f"size={size},mode=755,uid={owner[0]},gid={owner[1]}")
    with i:
        w = start(i)
        for turn in range(3):
            old, modseq = truth(w)
            change(w)
            for _ in range(20):
                deliver(w)
            change_by_others(w)
            if turn == 1:
                # what is left of it
                with open(i.dir / "idx/filler", "wb", buffering=0) as f, contextlib.suppress(OSError):
                    while True:
                        f.write(b"x" * 4096)
            comes_back(w, old, modseq)
        assert " panic" not in i.log_text() and "killed by signal" not in i.log_text()


def test_read_only_index(tmpfs):
    i = Instance(users={USER: PASSWORD}, settings=SETTINGS)
    i.settings["mail_location"] = f"maildir:~/Maildir:INDEX={i.dir}/idx/%u"
    i.write_config()
    owner = i.settings["mail_uid"], i.settings["mail_gid"]
    tmpfs(i.dir / "idx", f"size=10m,mode=755,uid={owner[0]},gid={owner[1]}")
    with i:
        w = start(i)
        old, modseq = truth(w)
        change(w)
        subprocess.run(["mount", "-o", "remount,ro", i.dir / "idx"], check=True)
        change_by_others(w)
        comes_back(w, old, modseq)
        old, modseq = truth(w)
        change(w)
        change_by_others(w)
        comes_back(w, old, modseq)
        # and writable again: what it has is old
        subprocess.run(["mount", "-o", "remount,rw", i.dir / "idx"], check=True)
        comes_back(w, old, modseq)
        change(w)
        comes_back(w, old, modseq)
        assert " panic" not in i.log_text() and "killed by signal" not in i.log_text()



@pytest.mark.parametrize("what", ["as it was written", "an older one", "zeros", "data scratched much", "data cut to 8192"])
def test_power_cut(what):
    """All processes die at once, and of what was written without a sync the disk has any part."""
    with Instance(users={USER: PASSWORD}, settings=SETTINGS) as i:
        w = start(i)
        truth(w)
        index = index_of(w)
        older = (index / "data.mdb").read_bytes()
        old, modseq = truth(w)
        change(w)
        c = session(w)
        c.run("STORE 1 +FLAGS (Power)")
        # one that sees another die would still put things away
        for how in (signal.SIGSTOP, signal.SIGKILL):
            for pid in i.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)
        i.wait_gone()
        c.disconnect()
        assert b" dirty " in (index / "state").read_bytes()
        if what == "an older one":
            (index / "data.mdb").write_bytes(older)
        elif what == "zeros":
            (index / "data.mdb").write_bytes(older[:8192] + bytes(len(older) - 8192))
        elif what in DAMAGE:
            DAMAGE[what](index, w.rng)
        i.surat("start")
        i.wait_ready()
        change_by_others(w)
        comes_back(w, old, modseq)
        assert " panic" not in i.log_text()
