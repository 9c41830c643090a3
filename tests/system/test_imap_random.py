"""Many IMAP sessions do random things to two folders at the same time, while letters come by SMTP and from other programs, flags are
changed and files removed behind the server's back, and sessions are killed. Each session holds what it was told in a model of its own
(imap_model.py), which must stay true; now and then all is quiet for a moment and everything must agree: models, a new session, the
files, and those who come back with QRESYNC.

SURAT_RANDOM_SECONDS sets how long (25 seconds unless told), SURAT_RANDOM_SEED the seed.
"""
import os
import random
import re
import signal
import smtplib
import threading
import time
import traceback

from imap_model import FOLDERS, Session, World, maildir, on_disk
from imap_wire import Gone, pairs
from instance import Instance, wait_for

USER, PASSWORD = "tito@example.com", "rahasia-1"
SECONDS = float(os.environ.get("SURAT_RANDOM_SECONDS", "25"))
SEED = int(os.environ.get("SURAT_RANDOM_SEED", "7"))
MANY = 80                               # letters of a folder, above which some are removed


class Foreign:
    """Other programs in the same Maildir, SMTP, and the one that kills."""

    def __init__(self, world, seed):
        self.w, self.rng = world, random.Random(f"{seed}/foreign")
        self.root = world.i.maildir(USER)
        self.n = self.n_sent = self.n_arrived = self.log_at = 0

    def a_dir(self):
        return self.root / self.rng.choice(["", ".Other"])

    def deliver(self):
        """As procmail or maildrop would."""
        mark = self.w.new_mark()
        self.n += 1
        folder = self.a_dir()
        name = f"{int(time.time())}.F{self.n}.foreign"
        tmp = folder / "tmp" / name
        tmp.write_bytes(self.w.letter(mark).replace(b"\r\n", b"\n"))
        st = folder.stat()
        os.chown(tmp, st.st_uid, st.st_gid)
        with self.w.lock:
            self.w.marks.add(mark)
        tmp.rename(folder / "new" / name)

    def send(self):
        mark = self.w.new_mark()
        with self.w.lock:
            self.w.maybe_marks.add(mark)
        self.n_sent += 1
        with smtplib.SMTP("127.0.0.1", self.w.i.port("smtp"), timeout=30) as s:
            s.sendmail("a@example.org", USER, self.w.letter(mark))
        with self.w.lock:
            self.w.marks.add(mark)
            self.w.maybe_marks.discard(mark)

    def has_arrived(self):
        """What was sent is in the Maildir."""
        with open(self.w.i.log, "rb") as f:
            f.seek(self.log_at)
            text = f.read()
        text = text[:text.rfind(b"\n") + 1]
        self.log_at += len(text)
        self.n_arrived += text.count(b"(delivered to maildir)")
        return self.n_arrived >= self.n_sent

    def a_file(self):
        files = [f for f in (self.a_dir() / "cur").iterdir() if ":2," in f.name]
        return self.rng.choice(files) if files else None

    def change_flags(self):
        f = self.a_file()
        if f:
            base, _, flags = f.name.partition(":2,")
            keywords = "".join(c for c in flags if c.islower())
            flags = "".join(sorted(self.rng.sample("DFRS", self.rng.randint(0, 3)))) + keywords
            try:
                f.rename(f.with_name(f"{base}:2,{flags}"))
            except FileNotFoundError:
                pass

    def remove(self):
        f = self.a_file()
        if f:
            try:
                mark = re.search(rb"X-Mark: (m\d+)", f.read_bytes())[1].decode()
                with self.w.lock:
                    self.w.lost_marks.add(mark)
                f.unlink()
            except FileNotFoundError:
                pass

    def kill(self):
        """kill -9 of one session's process."""
        children = [int(c) for p in self.w.i.processes("imapd") for c in open(f"/proc/{p['pid']}/task/{p['pid']}/children").read().split()]
        if children:
            try:
                os.kill(self.rng.choice(children), signal.SIGKILL)
                self.w.n_kills += 1
            except ProcessLookupError:
                pass

    def step(self):
        self.rng.choices([self.deliver, self.send, self.change_flags, self.remove, self.kill], [4, 2, 5, 1, 0.7])[0]()
        time.sleep(self.rng.random() * 0.1)


# ---- when all is quiet ----

def look(c, world, folder):
    """What a session sees that knows nothing: {uid: flags}, and the books are balanced."""
    c.select(folder.name, "(CONDSTORE)")
    truth, modseqs = {}, {}
    c.run("UID FETCH 1:* (FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (X-MARK)])")
    assert None not in c.uids + c.modseqs, f"{folder.name} is not quiet\n" + "\n".join(c.trace)
    for uid, flags, modseq in zip(c.uids, c.flags, c.modseqs):
        truth[uid], modseqs[uid] = flags, modseq
        assert modseq <= c.highest, f"MODSEQ {modseq} above HIGHESTMODSEQ {c.highest}"
    return truth, modseqs


def settle(c, world, folder, had_threads):
    """A change by another program in the very moment of one of ours may stay unseen, until there is another or for 30 s
    (lib/store/mailbox_disk.c). So there is another one then, but only then."""
    try:
        truth, modseqs = look(c, world, folder)
    except AssertionError:
        if not had_threads:
            raise
        truth = None
    disk = on_disk(world, folder)
    if had_threads and disk != truth:
        os.utime(maildir(world, folder) / "cur")
        world.n_hidden += 1
        truth, modseqs = look(c, world, folder)
    assert disk == truth, f"{folder.name}: {set(disk.items()) ^ set(truth.items())}"
    return truth, modseqs


def was_deleted(folder, uid):
    """It or what it was copied from was once wanted \\Deleted."""
    while True:
        if uid in folder.deleted:
            return True
        if uid not in folder.origin:
            return False
        folder, uid = folder.origin[uid]


def balance(world, folder, truth):
    for uid in (folder.stored | set(folder.mark_of)) - set(truth) - folder.dead:
        mark = folder.mark_of.get(uid)
        gone = uid in folder.maybe_gone or mark in world.lost_marks or (folder.was_expunged and was_deleted(folder, uid))
        assert gone, f"{folder.name}: UID {uid} ({mark}) is lost"
        folder.dead.add(uid)
        if mark:
            world.lost_marks.add(mark)
    for uid in truth:
        origin = folder.origin.get(uid)
        if origin and origin[1] in origin[0].mark_of:
            assert origin[0].mark_of[origin[1]] == folder.mark_of[uid], f"{folder.name}: COPYUID told of another letter at {uid}"
    folder.stored.update(truth)
    folder.maybe_gone.clear()
    folder.was_expunged = False


def check_search(c, truth):
    for flag, key in [("\\Seen", "SEEN"), ("\\Deleted", "DELETED"), ("Work", "KEYWORD Work"), ("$Junk", "KEYWORD $Junk")]:
        c.run(f"UID SEARCH {key}")
        (_, values), = c.all("SEARCH")
        found = {int(v) for v in values if isinstance(v, bytes) and v.isdigit()}
        assert found == {u for u, f in truth.items() if flag in f}, f"UID SEARCH {key}"


def check_status(c, folder, truth):
    c.run(f"STATUS {folder.name} (MESSAGES UNSEEN DELETED UIDNEXT HIGHESTMODSEQ)")
    (_, values), = c.all("STATUS")
    got = {values[1][n].decode(): int(values[1][n + 1]) for n in range(0, len(values[1]), 2)}
    unseen, deleted = sum("\\Seen" not in f for f in truth.values()), sum("\\Deleted" in f for f in truth.values())
    assert (got["MESSAGES"], got["UNSEEN"], got["DELETED"]) == (len(truth), unseen, deleted), got
    assert got["UIDNEXT"] > max(truth, default=0)


def check_condition(c, truth, modseqs, rng):
    """STORE UNCHANGEDSINCE, exactly."""
    if not truth:
        return
    uid = rng.choice(list(truth))
    got = c.run(f"UID STORE {uid} (UNCHANGEDSINCE {modseqs[uid] - 1}) +FLAGS ($Never)")
    assert f"[MODIFIED {uid}]" in got, got
    how = "-" if "\\Flagged" in truth[uid] else "+"
    got = c.run(f"UID STORE {uid} (UNCHANGEDSINCE {modseqs[uid]}) {how}FLAGS (\\Flagged)")
    assert "MODIFIED" not in got, got
    truth[uid] ^= {"\\Flagged"}
    assert c.modseqs[c.uids.index(uid)] > modseqs[uid]


def check_model(c, truth, name):
    """After NOOP a session knows what there is."""
    before = c.world.n_kills
    c.run("NOOP")
    assert len(c.uids) == len(truth), f"{name} counts {len(c.uids)}, there are {len(truth)}"
    for uid, flags, (true_uid, true_flags) in zip(c.uids, c.flags, sorted(truth.items())):
        assert uid in (None, true_uid), f"{name} knows {uid} for {true_uid}"
        assert flags in (None, true_flags), \
            f"{name} knows UID {true_uid} with {set(flags)}, it has {set(true_flags)}\n" + "\n".join(c.trace)
    assert before == c.world.n_kills


def check_resync(world, folder, truth, rng, modseq):
    """Who knew an older state misses nothing."""
    with_uids = rng.random() < 0.5
    for old_modseq, old in rng.sample(list(folder.snapshots), min(2, len(folder.snapshots))):
        c = Session(world, rng.random(), "resync")
        c.login(qresync=True)
        c.resync(folder.name, old, old_modseq, with_uids)
        known = dict(zip(c.uids, c.flags))
        differs = set(known.items()) ^ set(truth.items())
        assert not differs, f"{folder.name} by QRESYNC from {old_modseq}: {differs}; {list(c.trace)[-12:]}"
        c.disconnect()
    folder.snapshots.append((modseq, dict(truth)))


def quiet(world, sessions, rng, had_threads=False):
    found = set()
    n = Session(world, rng.random(), "quiet")
    n.login()
    truths = {}
    for folder in world.folders.values():
        truth, modseqs = settle(n, world, folder, had_threads)
        balance(world, folder, truth)
        check_condition(n, truth, modseqs, rng)
        check_search(n, truth)
        check_status(n, folder, truth)
        found |= {folder.mark_of[uid] for uid in truth}
        truths[folder.name] = truth
    strange = found - set(world.marks) - world.maybe_marks
    assert not strange, f"nobody stored {strange}"
    missing = set(world.marks) - found - world.lost_marks
    assert not missing, f"lost: {missing}"
    for c in sessions:
        if c.is_open:
            try:
                check_model(c, truths[c.folder.name], f"session {c.n_client}")
            except Gone:
                c.disconnect()          # it had been killed
    for folder in world.folders.values():
        n.select(folder.name, "(CONDSTORE)")
        check_resync(world, folder, truths[folder.name], rng, n.highest)
    if max(map(len, truths.values())) > MANY:
        thin_out(n, world, truths, rng)
    n.disconnect()


def thin_out(n, world, truths, rng):
    for folder in world.folders.values():
        some = rng.sample(sorted(truths[folder.name]), len(truths[folder.name]) // 2)
        if not some:
            continue
        world.remove(folder, some)
        n.select(folder.name)
        text = ",".join(map(str, sorted(some)))
        n.run(f"UID STORE {text} +FLAGS.SILENT (\\Deleted)")
        n.run(f"UID EXPUNGE {text}")


def whole(world):
    """At the end every letter is whole."""
    c = Session(world, 0, "whole")
    c.login()
    for folder in world.folders.values():
        c.select(folder.name)
        c.run("UID FETCH 1:* (BODY.PEEK[])")
        for _, values in c.all("FETCH"):
            items = pairs(values)
            mark = folder.mark_of[int(items["UID"])]
            head, _, body = world.letter(mark).partition(b"\r\n\r\n")
            got_head, _, got_body = items["BODY[]"].partition(b"\r\n\r\n")
            # SMTP adds fields
            assert head in got_head and got_body == body, f"{mark} is not whole"
    c.disconnect()


# ---- ----

class Round:
    """One stretch of noise: every session and the stranger in threads of their own."""

    def __init__(self, sessions, foreign, seconds):
        self.end = time.monotonic() + seconds
        self.failed = []
        self.threads = [threading.Thread(target=self.work, args=(c,)) for c in (*sessions, foreign)]

    def work(self, c):
        try:
            while time.monotonic() < self.end and not self.failed:
                c.step()
        except BaseException as e:
            self.failed.append((c, e, traceback.format_exc()))

    def run(self):
        for t in self.threads:
            t.start()
        for t in self.threads:
            t.join(120)
            assert not t.is_alive(), "a command hangs"
        if self.failed:
            c, e, text = self.failed[0]
            print("\n".join(getattr(c, "trace", [])))
            print(text)
            raise e


def turns(sessions, foreign, rng, seconds):
    """The same, one thing after the other."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        rng.choice([*sessions, *sessions, foreign]).step()


def play(world, seconds, seed):
    rng, end = world.rng, time.monotonic() + seconds
    foreign = Foreign(world, seed)
    sessions = [Session(world, seed, n) for n in range(6)]
    n_quiet = 0
    while time.monotonic() < end:
        length = rng.uniform(0.3, 2.5)
        has_threads = rng.random() < 0.6
        if has_threads:
            Round(sessions, foreign, length).run()
        else:
            turns(sessions, foreign, rng, length)
        wait_for("what was sent", foreign.has_arrived, 30)
        quiet(world, sessions, rng, has_threads)
        n_quiet += 1
    for c in sessions:
        c.disconnect()
    quiet(world, [], rng)
    whole(world)
    return n_quiet


def test_random_sessions():
    with Instance(users={USER: PASSWORD}, settings={"mail_max_userip_connections": 50, "imap_hibernate_timeout": "1s"}) as i:
        i.wait_ready()
        world = World(i, USER, PASSWORD, SEED)
        try:
            c = Session(world, SEED, "first")
            c.login()
            c.ok("CREATE Other")
            for name in FOLDERS:
                c.select(name)
                c.do_append()
            c.disconnect()
            n = play(world, SECONDS, SEED)
        except BaseException:
            print(f"SURAT_RANDOM_SEED={SEED}, {world.n_commands} commands, {world.n_kills} kills\n{i.log_text()[-3000:]}")
            raise
        print(f"seed {SEED}: {world.n_commands} commands, {n} quiet looks, {world.n_kills} kills, {world.n_marks} letters, "
              f"{world.n_hidden} hidden changes")
        assert world.n_commands > 5 * min(SECONDS, 60) and n > 1, "hardly anything happened"
        bad = [line for line in i.log_text().splitlines()
               if (" panic" in line or " error: " in line) and "killed by signal 9" not in line]
        assert not bad, bad[:5]
