"""What random IMAP sessions know: a world that all share and, for each session, a model of what the server told it. A model breaks
(AssertionError) as soon as the server says what cannot be."""
import collections
import random
import re
import threading
import time

from imap_wire import Bad, Gone, Imap, numbers, pairs

FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Junk", "Work"]
FOLDERS = ["INBOX", "Other"]
LETTERS = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}


class Folder:
    """What is true of a folder for all sessions. A UID stands for one letter for ever."""

    def __init__(self, name):
        self.name = name
        self.validity = None
        self.uid_next = self.modseq = 0
        self.mark_of = {}               # uid -> mark of its letter
        self.origin = {}                # uid -> (folder, uid) it was copied from
        self.stored = set()             # UIDs that the server said it stored, or that were seen
        self.deleted = set()            # UIDs that anybody ever wanted \Deleted
        self.dead = set()               # UIDs that were seen to be gone: they stay away
        self.maybe_gone = set()         # removal was asked for since the last look
        self.was_expunged = False       # EXPUNGE or CLOSE was asked for since the last look
        self.snapshots = collections.deque(maxlen=8)    # (modseq, {uid: flags}) when all was quiet

    def meet(self, uid, mark, may_be_dead=False):
        assert uid not in self.dead or may_be_dead, f"{self.name}: UID {uid} is back"
        assert self.mark_of.setdefault(uid, mark) == mark, f"{self.name}: UID {uid} meant {self.mark_of[uid]}, now {mark}"


class World:
    def __init__(self, i, user, password, seed):
        self.i, self.user, self.password = i, user, password
        self.rng = random.Random(seed)
        self.lock = threading.Lock()
        self.folders = {name: Folder(name) for name in FOLDERS}
        self.marks = set()              # of letters that were stored and must be somewhere
        self.maybe_marks = set()        # storing was asked for, and no answer came
        self.lost_marks = set()         # removal was asked for
        self.n_marks = self.n_hidden = self.n_kills = self.n_commands = 0

    def new_mark(self):
        with self.lock:
            self.n_marks += 1
            return f"m{self.n_marks}"

    def letter(self, mark):
        n = int(mark[1:]) * 7 % 40 + 1
        return (f"From: a@example.com\r\nTo: {self.user}\r\nSubject: letter {mark}\r\nX-Mark: {mark}\r\n\r\n"
                + "".join(f"line {k} of {mark}\r\n" for k in range(n))).encode()

    def meet(self, folder, uid, mark, may_be_dead=False):
        with self.lock:
            folder.meet(uid, mark, may_be_dead)

    def remove(self, folder, uids):
        """Before removal is asked for."""
        with self.lock:
            folder.maybe_gone.update(uids)

    def came(self, folder, uid, mark=None, origin=None):
        with self.lock:
            assert uid not in folder.dead and (origin is None or uid not in folder.origin), f"{folder.name}: UID {uid} was given twice"
            folder.stored.add(uid)
            if mark:
                folder.meet(uid, mark)
            if origin:
                folder.origin[uid] = origin


def maildir(world, folder):
    return world.i.maildir(world.user) / ("" if folder.name == "INBOX" else f".{folder.name}")


def on_disk(world, folder):
    """{uid: flags} by dovecot-uidlist, dovecot-keywords and the names of the files."""
    path = maildir(world, folder)
    lines = (path / "dovecot-uidlist").read_text().splitlines()
    uids = {m[2]: int(m[1]) for line in lines[1:] if (m := re.match(r"(\d+) [^:]*:(\S+)$", line))}
    keywords = (path / "dovecot-keywords").read_text().splitlines() if (path / "dovecot-keywords").exists() else []
    names = {chr(97 + int(n)): name for n, name in (line.split(" ", 1) for line in keywords)}
    found = {}
    for f in (path / "cur").iterdir():
        base, _, letters = f.name.partition(":2,")
        assert base.split(":")[0] in uids, f"{f} has no UID"
        found[uids[base]] = frozenset(LETTERS.get(c) or names[c] for c in letters)
    assert not list((path / "new").iterdir()), "left in new/"
    return found


def flag_set(values):
    return frozenset(f.decode() for f in values if f != b"\\Recent")


class Session(Imap):
    """An IMAP session with a model of its folder."""
    is_strict = True                    # its server gives one modseq after the other, the same to all
    codes = ("EXPUNGEISSUED",)          # of NO that is no failure
    actions = [("fetch", 20), ("fetch_all", 3), ("fetch_changed", 5), ("store", 25), ("append", 8), ("copy", 4), ("move", 3),
               ("expunge", 5), ("expunge_all", 1), ("close", 0.5), ("search", 4), ("status", 3), ("noop", 14), ("idle", 4),
               ("reselect", 2), ("reconnect", 2), ("rest", 3)]

    def __init__(self, world, seed, n=0):
        self.world, self.rng, self.n_client = world, random.Random(f"{seed}/{n}"), n
        self.trace = collections.deque(maxlen=150)
        self.is_open = False
        self.folder = None
        self.forget()

    def forget(self):
        self.is_known = False
        self.uids, self.flags, self.modseqs = [], [], []        # by sequence number - 1; None: not told
        self.safe_modseq = 0            # all changes up to it were told
        self.may_shrink = True
        self.is_fetch = False
        self.has_qresync = self.has_condstore = False
        self.vanished = []              # during SELECT

    def connect(self):
        super().__init__(self.world.i, self.world.user, self.world.password)
        self.is_open = True

    def disconnect(self):
        if self.is_open:
            self.close()
        self.is_open = False

    # ---- the wire, remembered ----

    def line(self):
        parts = super().line()
        self.trace.append(f"{time.time() % 1000:.3f} S: {b''.join(parts[:3])[:300]!r}")
        return parts

    def send(self, data):
        self.trace.append(f"{time.time() % 1000:.3f} C: {data[:200]!r}")
        super().send(data)

    # ---- what the server says ----

    def on_untagged(self, name, number, values):
        if name == "EXISTS":
            if self.is_known:
                assert number >= len(self.uids), f"EXISTS fell from {len(self.uids)} to {number} without EXPUNGE"
            self.resize(number)
        elif name == "EXPUNGE":
            assert self.is_known and not self.has_qresync, "EXPUNGE where VANISHED is due"
            assert self.may_shrink, "EXPUNGE while a command without UID was in progress"
            assert 1 <= number <= len(self.uids), f"EXPUNGE {number} of {len(self.uids)}"
            self.drop(number - 1)
        elif name == "VANISHED":
            assert self.has_qresync, "VANISHED was not asked for"
            if values[0] == [b"EARLIER"]:
                self.vanished += numbers(values[-1])
            else:
                assert self.is_known and self.may_shrink
                for uid in numbers(values[-1]):
                    self.vanish(uid)
        elif name == "FETCH":
            self.on_fetch(number, pairs(values))

    def vanish(self, uid):
        if uid in self.uids:
            self.drop(self.uids.index(uid))
            return
        # a letter whose UID was not told yet: its place is between those of its neighbours
        for at, known in enumerate(self.uids):
            if known is None and all(u is None or u < uid for u in self.uids[:at]) and all(u is None or u > uid for u in self.uids[at:]):
                self.drop(at)
                # it may have been any of them
                for k, u in enumerate(self.uids):
                    if u is None:
                        self.flags[k] = self.modseqs[k] = None
                return
        raise AssertionError(f"VANISHED {uid}, which is not there: {self.uids}")

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
        assert "UID" in items or not self.has_qresync, "FETCH without UID where QRESYNC is on"
        if "FLAGS" in items:
            needs_modseq = self.has_condstore and self.is_strict and not self.is_fetch
            assert "MODSEQ" in items or not needs_modseq, "flags without MODSEQ where CONDSTORE is on"
            self.flags[at] = flag_set(items["FLAGS"])
        if "MODSEQ" in items:
            modseq = int(items["MODSEQ"][0])
            assert modseq >= (self.modseqs[at] or 0) or not self.is_strict, f"modseq of {number} fell from {self.modseqs[at]} to {modseq}"
            self.modseqs[at] = modseq
        for name, value in items.items():
            m = name.startswith("BODY[HEADER") and value is not None and re.search(rb"X-Mark: (m\d+)", value)
            if m and self.uids[at]:
                # Dovecot answers from its cache without a look at the file
                self.world.meet(self.folder, self.uids[at], m[1].decode(), not self.is_strict)

    # ---- commands ----

    def run(self, text, *literals, may_shrink=True):
        """OK, or NO with one of those codes."""
        self.may_shrink = may_shrink
        self.is_fetch = "FETCH" in text
        self.world.n_commands += 1
        try:
            got = self.cmd(text, *literals)
        finally:
            self.may_shrink = True
        if not got.startswith("OK") and not any(got.startswith(f"NO [{code}]") for code in self.codes):
            raise Bad(f"{text!r}: {got}")
        return got

    def login(self, qresync=False):
        """A new connection."""
        self.disconnect()
        self.forget()
        self.connect()
        if qresync:
            self.ok("ENABLE QRESYNC")
            self.has_qresync = self.has_condstore = True

    def select(self, name, options=""):
        self.folder = self.world.folders[name]
        with self.world.lock:
            floors = (self.folder.uid_next, self.folder.modseq) if self.is_strict else (0, 0)
        self.is_known = False
        self.uids, self.flags, self.modseqs, self.vanished = [], [], [], []
        self.has_condstore = self.has_condstore or "CONDSTORE" in options
        words = self.ok(f"SELECT {name} {options}".strip())
        assert "READ-WRITE" in words
        codes = dict(re.findall(r"\[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d+)\]", " ".join(v for n, _, v in self.untagged if n == "OK")))
        if not self.is_strict:
            codes.setdefault("HIGHESTMODSEQ", "0")          # Dovecot, until somebody asks
        f = self.folder
        with self.world.lock:
            assert f.validity in (None, codes["UIDVALIDITY"]), f"UIDVALIDITY changed from {f.validity} to {codes['UIDVALIDITY']}"
            f.validity = codes["UIDVALIDITY"]
            assert int(codes["UIDNEXT"]) >= floors[0], "UIDNEXT fell"
            assert int(codes["HIGHESTMODSEQ"]) >= floors[1], f"HIGHESTMODSEQ fell from {floors[1]} to {codes['HIGHESTMODSEQ']}"
            if self.is_strict:
                f.uid_next = max(f.uid_next, int(codes["UIDNEXT"]))
                f.modseq = max(f.modseq, int(codes["HIGHESTMODSEQ"]))
        self.uid_next, self.highest = int(codes["UIDNEXT"]), int(codes["HIGHESTMODSEQ"])
        self.safe_modseq = self.highest if self.has_condstore else 0
        self.is_known = True

    def resync(self, name, known, modseq, with_uids):
        """SELECT with QRESYNC by one who knew {uid: flags} up to modseq. with_uids: asks for those it knew alone."""
        known = dict(known)
        uids = f" {min(known)}:{max(known)}" if known and with_uids else ""
        self.select(name, f"(QRESYNC ({self.world.folders[name].validity} {modseq}{uids}))")
        for uid in self.vanished:
            known.pop(uid, None)
        for _, values in self.all("FETCH"):
            items = pairs(values)
            known[int(items["UID"])] = flag_set(items["FLAGS"])
        assert len(known) == len(self.uids) or (with_uids and len(known) < len(self.uids)), \
            f"EXISTS {len(self.uids)}, known {sorted(known)}, told {self.uids}"
        for at, (uid, flags) in enumerate(sorted(known.items())):
            assert self.uids[at] in (None, uid), f"{self.uids[at]} is known as {uid}"
            self.uids[at], self.flags[at] = uid, flags
        self.learn()

    def learn(self):
        """Asks for what is not known."""
        columns = [self.uids, self.flags] + ([self.modseqs] if self.has_condstore else [])
        holes = [column.index(None) for column in columns if None in column]
        if holes:
            modseq = " MODSEQ" if self.has_condstore else ""
            self.run(f"FETCH {min(holes) + 1}:* (UID FLAGS{modseq})", may_shrink=False)

    def do_noop(self):
        self.run(self.rng.choice(["NOOP", "NOOP", "CHECK"]))
        if self.rng.random() < 0.7:
            self.learn()
            self.run("NOOP")
            if self.has_condstore and None not in self.uids and None not in self.modseqs:
                self.safe_modseq = max([self.safe_modseq, *self.modseqs])

    def a_set(self):
        n = len(self.uids)
        # rather where all are at work
        a = self.rng.randint(1, n) if self.rng.random() < 0.5 else max(1, n - self.rng.randrange(8))
        return a, min(n, a + self.rng.choice([0, 0, 0, 1, 2, 7]))

    def meet_letters(self, a, b):
        """Before they may go for ever: which letters they are."""
        if not set(self.uids[a - 1:b]) <= set(self.folder.mark_of):
            self.run(f"FETCH {a}:{b} (UID BODY.PEEK[HEADER.FIELDS (X-MARK)])", may_shrink=False)

    def do_fetch(self):
        if self.uids:
            a, b = self.a_set()
            modseq = " MODSEQ" if self.has_condstore or self.rng.random() < 0.3 else ""
            self.has_condstore = self.has_condstore or modseq != ""
            self.run(f"FETCH {a}:{b} (UID FLAGS{modseq} BODY.PEEK[HEADER.FIELDS (X-MARK)])", may_shrink=False)

    def do_fetch_all(self):
        self.has_condstore = True
        self.run("UID FETCH 1:* (FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (X-MARK)])")

    def do_fetch_changed(self):
        """CHANGEDSINCE tells of no message that has not changed."""
        if not self.has_condstore or not self.safe_modseq:
            return
        since = self.safe_modseq
        vanished = " VANISHED" if self.has_qresync and self.rng.random() < 0.5 else ""
        self.vanished = []
        self.run(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since}{vanished})")
        for _, values in self.all("FETCH"):
            assert int(pairs(values)["MODSEQ"][0]) > since
        assert not set(self.vanished) & set(self.uids) - self.folder.maybe_gone - self.folder.deleted

    def do_store(self):
        if not self.uids:
            return
        a, b = self.a_set()
        flags = frozenset(self.rng.sample(FLAGS, self.rng.randint(0, 3)))
        if self.rng.random() < 0.7:
            flags -= {"\\Deleted"}
        how = self.rng.choice(["", "+", "-"])
        if how and not flags:
            return
        if "\\Deleted" in flags and how != "-":
            self.meet_letters(a, b)
        uids, before = self.uids[a - 1:b], self.flags[a - 1:b]
        by_uid = None not in uids and self.rng.random() < 0.5
        if "\\Deleted" in flags and how != "-":
            if None in uids:
                return
            with self.world.lock:
                self.folder.deleted.update(uids)
        silent = self.rng.random() < 0.4
        since = None
        if self.has_condstore and None not in self.modseqs[a - 1:b] and self.rng.random() < 0.3:
            since = max(1, max(self.modseqs[a - 1:b]) - self.rng.choice([0, 0, 0, 1, 1 << 30]))
        what = f"{how}FLAGS{'.SILENT' if silent else ''} ({' '.join(flags)})"
        condition = f" (UNCHANGEDSINCE {since})" if since is not None else ""
        if silent and since is None:
            # the client works it out, and what others did is told after
            self.flags[a - 1:b] = [None if f is None and how else apply(how, f, flags) for f in before]
        try:
            if by_uid:
                got = self.run(f"UID STORE {','.join(map(str, uids))}{condition} {what}")
            else:
                got = self.run(f"STORE {a}:{b}{condition} {what}", may_shrink=False)
        except Gone:
            if silent:
                self.safe_modseq = 0    # nobody knows what it did
            raise
        if since is not None:
            self.after_conditional(got, how, flags, uids, since, silent, by_uid)
        elif not silent and got.startswith("OK") and not by_uid:
            told = {n for n, v in self.all("FETCH") if "FLAGS" in pairs(v)}
            untold = {self.uids[n - 1] for n in range(a, b + 1) if n not in told} - {None}
            if untold and self.is_strict:
                self.run("NOOP")
                assert not untold & set(self.uids), f"STORE {a}:{b} did not tell of UIDs {untold & set(self.uids)}"

    def after_conditional(self, got, how, flags, uids, since, silent, by_uid):
        m = re.match(r"OK \[MODIFIED ([\d,:]+)\]", got)
        kept = set(numbers(m[1])) if m else set()
        for uid in uids:
            if uid not in self.uids:
                continue
            at = self.uids.index(uid)
            if (uid if by_uid else at + 1) not in kept and silent:
                f = self.flags[at]
                self.flags[at] = None if f is None and how else apply(how, f, flags)

    def do_append(self):
        w = self.world
        folder = w.folders[self.rng.choice(FOLDERS)]
        n = self.rng.choice([1, 1, 1, 3])
        marks = [w.new_mark() for _ in range(n)]
        flags = " ".join(self.rng.sample([f for f in FLAGS if f != "\\Deleted"], self.rng.randint(0, 2)))
        with w.lock:
            w.maybe_marks.update(marks)
        got = self.run(f"APPEND {folder.name}" + f" ({flags}) {{}}" * n, *[w.letter(mark) for mark in marks])
        m = re.match(r"OK \[APPENDUID (\d+) ([\d,:]+)\]", got)
        assert m, got
        uids = numbers(m[2])
        assert m[1] == folder.validity or not folder.validity
        assert len(uids) == n
        for uid, mark in zip(uids, marks):
            w.came(folder, uid, mark)
        with w.lock:
            w.maybe_marks.difference_update(marks)
            w.marks.update(marks)

    def do_copy(self):
        self.copy("COPY")

    def do_move(self):
        self.copy("MOVE")

    def copy(self, verb):
        if not self.uids:
            return
        a, b = self.a_set()
        self.meet_letters(a, b)
        uids = self.uids[a - 1:b]
        if None in uids:
            return
        to = self.world.folders[self.rng.choice(FOLDERS)]
        if verb == "MOVE":
            self.world.remove(self.folder, uids)
        if self.rng.random() < 0.5:
            got = self.run(f"UID {verb} {','.join(map(str, uids))} {to.name}")
        else:
            got = self.run(f"{verb} {a}:{b} {to.name}")
        texts = [v for n, _, v in self.untagged if n == "OK"] + [got[3:]]
        found = [m for text in texts if (m := re.match(r"\[COPYUID (\d+) ([\d,:]+) ([\d,:]+)\]", text))]
        if not found:
            assert got.startswith("NO [EXPUNGEISSUED]") or "No messages" in got, got
            return
        m, = found
        here, there = numbers(m[2]), numbers(m[3])
        assert m[1] == to.validity or not to.validity
        assert len(here) == len(there) and set(here) <= set(uids) and there == sorted(there), m[0]
        for old, new in zip(here, there):
            self.world.came(to, new, self.folder.mark_of.get(old), (self.folder, old))
        assert verb == "COPY" or not set(here) & set(self.uids), "moved, and still there"

    def do_expunge(self):
        if not self.uids:
            return
        a, b = self.a_set()
        self.meet_letters(a, b)
        uids = [u for u in self.uids[a - 1:b] if u is not None]
        if not uids:
            return
        text = ",".join(map(str, uids))
        with self.world.lock:
            self.folder.deleted.update(uids)
            self.folder.maybe_gone.update(uids)
        self.run(f"UID STORE {text} +FLAGS (\\Deleted)")
        self.run(f"UID EXPUNGE {text}")
        # another may have taken the flag away between the two, and set it again
        if any(b"\\Deleted" not in pairs(v).get("FLAGS", [b"\\Deleted"]) for _, v in self.all("FETCH")):
            return
        for uid in set(uids) & set(self.uids):
            f = self.flags[self.uids.index(uid)]
            assert f is None or "\\Deleted" not in f or not self.is_strict, f"UID EXPUNGE {uid} was OK and it is still there"

    def do_expunge_all(self):
        self.folder.was_expunged = True
        self.run("EXPUNGE")

    def do_close(self):
        self.folder.was_expunged = True
        self.run("CLOSE")
        self.select(self.rng.choice(FOLDERS))

    def do_search(self):
        got = self.run("SEARCH RETURN (ALL COUNT) UNDELETED", may_shrink=False)
        assert got.startswith("OK"), got
        (_, values), = self.all("ESEARCH")
        if b"ALL" in values:
            found = numbers(values[values.index(b"ALL") + 1])
            assert found[-1] <= len(self.uids)
            assert len(found) == int(values[values.index(b"COUNT") + 1])

    def do_status(self):
        folder = self.world.folders[self.rng.choice(FOLDERS)]
        with self.world.lock:
            floors = (folder.uid_next, folder.modseq) if self.is_strict else (0, 0)
        self.run(f"STATUS {folder.name} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)")
        self.has_condstore = True
        (_, values), = self.all("STATUS")
        items = {values[1][n].decode(): values[1][n + 1].decode() for n in range(0, len(values[1]), 2)}
        assert items["UIDVALIDITY"] == (folder.validity or items["UIDVALIDITY"])
        assert int(items["UIDNEXT"]) >= floors[0] and int(items["HIGHESTMODSEQ"]) >= floors[1], (items, floors)
        if self.is_strict:
            with self.world.lock:
                folder.uid_next = max(folder.uid_next, int(items["UIDNEXT"]))
                folder.modseq = max(folder.modseq, int(items["HIGHESTMODSEQ"]))

    def do_idle(self):
        self.n += 1
        tag = b"t%d" % self.n
        self.untagged, self.raw = [], []
        self.send(tag + b" IDLE\r\n")
        while not (parts := self.line())[0].startswith(b"+"):
            self.note(parts)
        time.sleep(self.rng.random() * 0.3)
        self.send(b"DONE\r\n")
        got = self.finish(tag)
        assert got.startswith("OK"), got

    def do_rest(self):
        """Says nothing for so long that the session gives up its process (imap_hibernate_timeout)."""
        time.sleep(1 + self.rng.random() * 0.7)

    def do_reselect(self):
        self.select(self.rng.choice(FOLDERS), self.rng.choice(["", "(CONDSTORE)"]))

    def do_reconnect(self):
        """Leaves, and comes back with QRESYNC when it knows enough: its model must hold then as before."""
        known = {u: f for u, f in zip(self.uids, self.flags) if u}
        modseq, name = self.safe_modseq, self.folder.name if self.folder else "INBOX"
        is_whole = modseq and None not in self.uids and None not in self.flags
        self.login(qresync=bool(is_whole) or self.rng.random() < 0.3)
        if not is_whole:
            self.select(self.rng.choice(FOLDERS))
            return
        self.resync(name, known, modseq, self.rng.random() < 0.3)

    def step(self):
        """One thing at random; False when the session has died of it."""
        try:
            if not self.is_open:
                self.do_reconnect()
                return True
            name = self.rng.choices([a for a, _ in self.actions], [w for _, w in self.actions])[0]
            getattr(self, f"do_{name}")()
            return True
        except Gone:
            self.disconnect()
            return False


def apply(how, before, flags):
    return before | flags if how == "+" else before - flags if how == "-" else flags
