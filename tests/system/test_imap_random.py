"""Many IMAP clients do random things to one mailbox while letters come, other programs change files and sessions are killed; each
client holds what it was told in a model of its own, and the model must stay true.

SURAT_RANDOM_SECONDS sets how long (a minute unless told), SURAT_RANDOM_SEED the seed.
"""
import os
import random
import re
import signal
import time

from imap_wire import Bad, Gone, Imap, numbers, pairs
from instance import Instance

USER, PASSWORD = "tito@example.com", "rahasia-1"
SECONDS = float(os.environ.get("SURAT_RANDOM_SECONDS", "60"))
SEED = int(os.environ.get("SURAT_RANDOM_SEED", "7"))
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Junk", "Work"]


class World:
    """What is true for all clients: which letter a UID means, and what was removed."""

    def __init__(self, i, rng):
        self.i, self.rng = i, rng
        self.mark_of = {}               # uid -> mark; a UID never means another letter
        self.alive = set()              # marks that were stored and nobody removed
        self.maybe_gone = set()         # removal was asked for and the answer did not come, or another program did it
        self.maybe_there = set()        # storing was asked for and the answer did not come
        self.next_mark = 0
        self.modseq = 0
        self.validity = None
        self.uid_next = 0

    def new_mark(self):
        self.next_mark += 1
        return f"m{self.next_mark}"

    def letter(self, mark):
        lines = self.rng.randrange(1, 40)
        return (f"From: a@example.com\r\nTo: {USER}\r\nSubject: letter {mark}\r\nX-Mark: {mark}\r\n\r\n"
                + "".join(f"line {n} of {mark}\r\n" for n in range(lines))).encode()

    def meet(self, uid, mark):
        assert self.mark_of.setdefault(uid, mark) == mark, f"UID {uid} meant {self.mark_of[uid]}, now {mark}"


class Client(Imap):
    """An IMAP session with a model: what the server told about the selected folder."""

    def __init__(self, world):
        self.world = world
        self.is_known = False           # selected
        self.uids, self.flags, self.modseqs = [], [], []        # by sequence number - 1; None: not told
        self.may_shrink = True
        self.has_qresync = False
        self.seen_modseq = 0
        super().__init__(world.i, USER, PASSWORD)

    # ---- what the server says ----

    def on_untagged(self, name, number, values):
        if not self.is_known:
            if name == "EXISTS":
                self.resize(number)
            return
        if name == "EXISTS":
            assert number >= len(self.uids), f"EXISTS fell from {len(self.uids)} to {number} without EXPUNGE"
            self.resize(number)
        elif name == "EXPUNGE":
            assert self.may_shrink, "EXPUNGE while a command without UID was in progress"
            assert 1 <= number <= len(self.uids), f"EXPUNGE {number} of {len(self.uids)}"
            self.drop(number - 1)
        elif name == "VANISHED":
            earlier = values[0] == [b"EARLIER"]
            for uid in numbers(values[-1]):
                if uid in self.uids:
                    assert self.may_shrink or earlier
                    self.drop(self.uids.index(uid))
                else:
                    assert earlier or None in self.uids, f"VANISHED {uid}, which is not there"
                    if not earlier:
                        # a message that came and went before its UID was told
                        self.drop(self.uids.index(None))
        elif name == "FETCH":
            self.on_fetch(number, pairs(values))

    def resize(self, n):
        for column in (self.uids, self.flags, self.modseqs):
            del column[n:]
            column += [None] * (n - len(column))

    def drop(self, at):
        for column in (self.uids, self.flags, self.modseqs):
            del column[at]

    def on_fetch(self, number, items):
        assert 1 <= number <= len(self.uids), f"FETCH {number} of {len(self.uids)}"
        at = number - 1
        if "UID" in items:
            uid = int(items["UID"])
            assert self.uids[at] in (None, uid), f"message {number} was UID {self.uids[at]}, now {uid}"
            self.uids[at] = uid
            before = [u for u in self.uids[:at] if u]
            after = [u for u in self.uids[at + 1:] if u]
            assert (not before or before[-1] < uid) and (not after or uid < after[0]), f"UIDs not in order around {number}"
        if "FLAGS" in items:
            self.flags[at] = frozenset(f.decode() for f in items["FLAGS"] if f != b"\\Recent")
        if "MODSEQ" in items:
            modseq = int(items["MODSEQ"][0])
            assert modseq >= (self.modseqs[at] or 0), f"modseq of {number} fell"
            self.modseqs[at] = modseq
            self.seen_modseq = max(self.seen_modseq, modseq)
        for name, value in items.items():
            m = name.startswith("BODY[HEADER") and value is not None and re.search(rb"X-Mark: (m\d+)", value)
            if m and self.uids[at]:
                self.world.meet(self.uids[at], m[1].decode())

    # ---- commands ----

    def run(self, text, *literals, may_shrink=True):
        self.may_shrink = may_shrink
        try:
            return self.cmd(text, *literals)
        finally:
            self.may_shrink = True

    def select(self):
        self.is_known = False
        self.resize(0)
        w = self.world
        words = self.ok("SELECT INBOX" + (" (CONDSTORE)" if w.rng.random() < 0.5 else ""))
        assert "READ-WRITE" in words
        self.learn_numbers()
        self.is_known = True

    def learn_numbers(self):
        codes = dict(re.findall(r"\[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d+)\]", " ".join(v for n, _, v in self.untagged if n == "OK")))
        w = self.world
        assert w.validity in (None, codes["UIDVALIDITY"]), "UIDVALIDITY changed"
        w.validity = codes["UIDVALIDITY"]
        assert int(codes["UIDNEXT"]) >= w.uid_next, "UIDNEXT fell"
        w.uid_next = int(codes["UIDNEXT"])
        assert int(codes["HIGHESTMODSEQ"]) >= w.modseq, "HIGHESTMODSEQ fell"
        w.modseq = int(codes["HIGHESTMODSEQ"])

    def a_set(self):
        n = len(self.uids)
        a = self.world.rng.randint(1, n)
        b = min(n, a + self.world.rng.choice([0, 0, 0, 1, 2, 7]))
        return a, b

    def do_fetch(self):
        if self.uids:
            a, b = self.a_set()
            got = self.run(f"FETCH {a}:{b} (UID FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (X-MARK)])", may_shrink=False)
            assert got.startswith(("OK", "NO")), got

    def do_fetch_all(self):
        got = self.run("UID FETCH 1:* (FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (X-MARK)])")
        assert got.startswith(("OK", "NO")), got

    def do_store(self):
        if not self.uids:
            return
        w = self.world
        a, b = self.a_set()
        flags = frozenset(w.rng.sample(FLAGS, w.rng.randint(0, 3)))
        if w.rng.random() < 0.8:
            flags -= {"\\Deleted"}
        how = w.rng.choice(["", "+", "-"])
        if how and not flags:
            return
        silent = w.rng.random() < 0.3
        before = self.flags[a - 1:b]
        got = self.run(f"STORE {a}:{b} {how}FLAGS{'.SILENT' if silent else ''} ({' '.join(flags)})", may_shrink=False)
        assert got.startswith(("OK", "NO")), got
        if silent:
            self.flags[a - 1:b] = [None] * (b - a + 1)
            return
        told = {n for n, _ in self.all("FETCH")}
        for n, old in zip(range(a, b + 1), before):
            if n not in told or got.startswith("NO"):
                continue
            now = self.flags[n - 1]
            if how == "+":
                assert flags <= now, f"+{set(flags)} left {set(now)}"
            elif how == "-":
                assert not flags & now, f"-{set(flags)} left {set(now)}"

    def do_append(self):
        w = self.world
        mark = w.new_mark()
        w.maybe_there.add(mark)
        got = self.run("APPEND INBOX (\\Seen) {}", w.letter(mark))
        m = re.match(r"OK \[APPENDUID (\d+) (\d+)\]", got)
        assert m, got
        assert m[1] == w.validity
        w.meet(int(m[2]), mark)
        w.maybe_there.discard(mark)
        w.alive.add(mark)

    def do_copy(self):
        if not self.uids:
            return
        a, _ = self.a_set()
        got = self.run(f"COPY {a} Other", may_shrink=False)
        assert got.startswith(("OK", "NO")), got

    def do_expunge(self):
        w = self.world
        a = w.rng.randint(1, len(self.uids)) if self.uids else 0
        if not a or self.uids[a - 1] is None:
            return
        uid = self.uids[a - 1]
        # everybody's \Deleted letters of that UID alone
        mark = w.mark_of.get(uid)
        if mark:
            w.maybe_gone.add(mark)
        self.run(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        self.flags = [None if u == uid else f for u, f in zip(self.uids, self.flags)]
        got = self.run(f"UID EXPUNGE {uid}")
        assert got.startswith("OK"), got
        assert uid not in self.uids, f"UID EXPUNGE {uid} was OK and it is still there"
        if mark:
            w.alive.discard(mark)

    def do_search(self):
        got = self.run("SEARCH RETURN (ALL COUNT) UNDELETED", may_shrink=False)
        assert got.startswith("OK"), got
        (_, values), = self.all("ESEARCH")
        if b"ALL" in values:
            found = numbers(values[values.index(b"ALL") + 1])
            assert found[-1] <= len(self.uids)
            assert len(found) == int(values[values.index(b"COUNT") + 1])

    def do_noop(self):
        self.run("NOOP")

    def do_check_truth(self):
        """After a NOOP and with nobody else at work the model equals what a fetch of all says."""
        self.run("NOOP")
        uids, flags = list(self.uids), list(self.flags)
        self.run("UID FETCH 1:* (FLAGS)")
        n = min(len(uids), len(self.uids))
        kept = [k for k in range(n) if uids[k] is not None and uids[k] == self.uids[k]]
        for k in kept:
            # a change between the two would have been told before the second's own answer
            assert flags[k] in (None, self.flags[k]) or self.has_changed(k), f"flags of UID {uids[k]}: {flags[k]} != {self.flags[k]}"

    def has_changed(self, at):
        return len([1 for n, values in self.all("FETCH") if n == at + 1]) > 1 or self.world.i is not None and self.world.is_busy

    def do_idle(self):
        tag = b"t%d" % (self.n + 1)
        self.n += 1
        self.untagged, self.raw = [], []
        self.send(tag + b" IDLE\r\n")
        while not (parts := self.line())[0].startswith(b"+"):
            self.note(parts)
        self.send(b"DONE\r\n")
        got = self.finish(tag)
        assert got.startswith("OK"), got

    def do_reselect(self):
        self.select()

    def do_resync(self):
        """Comes back with QRESYNC and must know the truth from what changed alone."""
        w = self.world
        self.do_fetch_all()
        if not self.seen_modseq or None in self.uids or None in self.flags:
            return
        modseq = max(m or 0 for m in self.modseqs) if self.modseqs else 0
        if not modseq:
            return
        uids, flags = list(self.uids), list(self.flags)
        self.close()
        time.sleep(w.rng.random() * 0.2)
        super().__init__(w.i, USER, PASSWORD)
        self.ok("ENABLE QRESYNC")
        self.is_known = False
        known = dict(zip(uids, flags))
        self.resize(0)
        self.ok(f"SELECT INBOX (QRESYNC ({w.validity} {modseq}))")
        for _, values in self.all("VANISHED"):
            assert values[0] == [b"EARLIER"]
            for uid in numbers(values[-1]):
                known.pop(uid, None)
        for _, values in self.all("FETCH"):
            items = pairs(values)
            known[int(items["UID"])] = frozenset(f.decode() for f in items["FLAGS"] if f != b"\\Recent")
        self.learn_numbers()
        self.is_known = True
        self.uids = [None] * len(self.uids)
        self.ok("UID FETCH 1:* (FLAGS)")
        if not w.is_busy:
            truth = {u: f for u, f in zip(self.uids, self.flags)}
            assert truth == known, f"QRESYNC: {set(truth.items()) ^ set(known.items())}"


ACTIONS = [("fetch", 20), ("fetch_all", 3), ("store", 20), ("append", 8), ("copy", 3), ("expunge", 7), ("search", 6), ("noop", 12),
           ("check_truth", 5), ("idle", 4), ("reselect", 2), ("resync", 2)]


class Foreign:
    """Other programs in the same Maildir, and the one that kills."""

    def __init__(self, world):
        self.w = world
        self.maildir = world.i.maildir(USER)
        self.n = 0

    def deliver(self):
        mark = self.w.new_mark()
        self.n += 1
        name = f"{int(time.time())}.F{self.n}.foreign"
        tmp = self.maildir / "tmp" / name
        tmp.write_bytes(self.w.letter(mark).replace(b"\r\n", b"\n"))
        st = self.maildir.stat()
        os.chown(tmp, st.st_uid, st.st_gid)
        tmp.rename(self.maildir / "new" / name)
        self.w.alive.add(mark)

    def a_file(self):
        files = [f for f in (self.maildir / "cur").iterdir() if ":2," in f.name]
        return self.w.rng.choice(files) if files else None

    def change_flags(self):
        f = self.a_file()
        if f:
            base = f.name.split(":2,")[0]
            flags = "".join(sorted(self.w.rng.sample("DFRS", self.w.rng.randint(0, 3))))
            try:
                f.rename(f.with_name(f"{base}:2,{flags}"))
            except FileNotFoundError:
                pass

    def remove(self):
        f = self.a_file()
        if f:
            try:
                mark = re.search(rb"X-Mark: (m\d+)", f.read_bytes())[1].decode()
                self.w.maybe_gone.add(mark)
                f.unlink()
                self.w.alive.discard(mark)
            except FileNotFoundError:
                pass

    def kill(self):
        """kill -9 of one session's process."""
        parent = [p["pid"] for p in self.w.i.processes("imapd")]
        children = [int(c) for p in parent for c in open(f"/proc/{p}/task/{p}/children").read().split()]
        if children:
            try:
                os.kill(self.w.rng.choice(children), signal.SIGKILL)
            except ProcessLookupError:
                pass


def step(world, clients, n):
    if clients[n] is None:
        clients[n] = Client(world)
        clients[n].select()
    name = world.rng.choices([a for a, _ in ACTIONS], [w for _, w in ACTIONS])[0]
    try:
        getattr(clients[n], f"do_{name}")()
    except Gone:
        clients[n].close()
        clients[n] = None


def final_truth(world):
    """All letters that were stored and not removed are there, once, whole."""
    with Client(world) as c:
        c.select()
        c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])")
        marks = []
        for _, values in c.all("FETCH"):
            items = pairs(values)
            body = items["BODY[]"]
            mark = re.search(rb"X-Mark: (m\d+)", body)[1].decode()
            assert body.endswith(f"of {mark}\r\n".encode()), "a letter is not whole"
            world.meet(int(items["UID"]), mark)
            marks.append(mark)
    assert len(marks) == len(set(marks)), "a letter is there twice"
    lost = world.alive - set(marks) - world.maybe_gone
    assert not lost, f"lost: {lost}"
    strange = set(marks) - world.alive - world.maybe_gone - world.maybe_there
    assert not strange, f"came back: {strange}"


def test_random_sessions():
    rng = random.Random(SEED)
    with Instance(users={USER: PASSWORD}, settings={"mail_max_userip_connections": 50}) as i:
        world = World(i, rng)
        world.is_busy = False
        with Imap(i, USER, PASSWORD) as c:
            c.ok("CREATE Other")
        foreign = Foreign(world)
        clients = [None] * 6
        n_steps, end = 0, time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                step(world, clients, rng.randrange(len(clients)))
                n_steps += 1
                if n_steps % 7 == 0:
                    rng.choices([foreign.deliver, foreign.change_flags, foreign.remove, foreign.kill], [4, 4, 1, 0.5])[0]()
        except (AssertionError, Bad):
            print(f"seed {SEED}, step {n_steps}\n{i.log_text()[-4000:]}")
            raise
        for c in clients:
            if c:
                c.close()
        final_truth(world)
        assert n_steps > 20 * min(SECONDS, 60), "hardly anything happened"
        lines = [line for line in i.log_text().splitlines() if "killed by signal" in line and "signal 9" not in line or " panic" in line]
        assert not lines, lines
