"""IMAP clients that mean harm: what they send is bounded in memory and time, ends only their own session, and names lead nowhere."""
import base64
import contextlib
import os
import random
import re
import shutil
import socket
import threading
import time
import zlib

import pytest
from imap_wire import Gone, Imap
from instance import IS_ROOT, Instance, memory_kib, wait_for
from wire import anonymous, descriptors, trusting

TITO, IQBAL = "tito@example.com", "iqbal@example.com"
USERS = {TITO: "secret-tito", IQBAL: "secret-iqbal"}
LETTER = b"From: a@example.com\nSubject: plain letter\n\nHello\n"
APPEND_LIMIT = 2000000
PER_USER = 30
MEMORY_MIB = 300

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="looks into processes of other users")


@pytest.fixture(scope="module")
def suite():
    settings = {"login_client_connection_count_limit": 0, "auth_failure_delay": "0s", "imap_append_limit": str(APPEND_LIMIT),
                "mail_max_userip_connections": str(PER_USER), "worker_processes": 1, "imap_memory_limit": f"{MEMORY_MIB}M",
                "auth_mechanisms": "plain login scram-sha-256", "max_idle": "0"}
    with Instance(users=USERS, settings=settings) as i:
        i.wait_ready()
        for user in USERS:
            Imap(i, user, USERS[user]).close()
        yield i


@pytest.fixture(autouse=True)
def unharmed(suite):
    """Nobody but the children of tito ends, and a session that was open before goes on."""
    before = {p["pid"] for p in suite.processes()}
    with Imap(suite, IQBAL, USERS[IQBAL]) as other:
        yield
        other.ok("NOOP")
        other.ok("SELECT INBOX")
    assert {p["pid"] for p in suite.processes()} == before, suite.log_text()[-3000:]
    wait_for("the children are gone", lambda: not children(suite))
    for entry in os.scandir(suite.maildir(TITO)):
        shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)


def parent(suite):
    return suite.processes("imapd")[0]["pid"]


def children(suite):
    pid = parent(suite)
    return {int(c) for c in open(f"/proc/{pid}/task/{pid}/children").read().split()}


def cpu(pid):
    words = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Session(Imap):
    """A session of tito that knows its process: what it used, how large it was at most."""

    def __init__(self, suite, user=TITO, timeout=60):
        before = children(suite)
        super().__init__(suite, user, USERS[user], timeout=timeout)
        self.pid = (children(suite) - before).pop()
        self.start_kib = self.most_kib = memory_kib(self.pid)
        self.start_cpu = cpu(self.pid)
        self.cpu = 0.0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        with contextlib.suppress(OSError, TypeError, IndexError):
            while not self.is_over.wait(0.01):
                self.most_kib = max(self.most_kib, memory_kib(self.pid))
                self.cpu = cpu(self.pid) - self.start_cpu

    def bounded(self, kib=4000, seconds=10):
        assert self.most_kib - self.start_kib < kib, (self.start_kib, self.most_kib)
        assert self.cpu < seconds

    def talk(self, data):
        """Sends data and LOGOUT; all that comes back. The server may end the session in the middle."""
        def push():
            with contextlib.suppress(OSError):
                self.s.sendall(data + b"\r\nzz LOGOUT\r\n")
        pusher = threading.Thread(target=push, daemon=True)
        pusher.start()
        got = b""
        with contextlib.suppress(ConnectionError):
            while chunk := self.s.recv(65536):
                got += chunk
        self.s.close()
        pusher.join()
        return got

    def close(self):
        self.is_over.set()
        self.thread.join()
        super().close()


@pytest.fixture
def tito(suite):
    with Session(suite) as c:
        yield c


def maildir(suite, folder="", letters=()):
    """Fills a folder of tito from behind; folder "" is the inbox."""
    path = suite.maildir(TITO) / (f".{folder}" if folder else "")
    for sub in ("cur", "new", "tmp"):
        (path / sub).mkdir(parents=True, exist_ok=True)
    for n, text in enumerate(letters):
        (path / "cur" / f"{1700000000 + n}.M{n}.host:2,").write_bytes(text)
    own(suite, path)
    return path


def own(suite, path):
    st = suite.mail.stat()
    for root, dirs, names in os.walk(path):
        for name in [".", *dirs, *names]:
            os.chown(os.path.join(root, name), st.st_uid, st.st_gid, follow_symlinks=False)


def answers(got):
    """{tag: word} of the tagged lines."""
    return dict(re.findall(rb"^([a-z0-9]+) (OK|NO|BAD)", got, re.M))


# ---- lines, parentheses, numbers ----

DEEP = {
    "search": b"a SEARCH " + b"(" * 60000, "fetch": b"a FETCH 1 " + b"(" * 60000, "list": b'a LIST ' + b"(" * 60000,
    "status": b"a STATUS INBOX " + b"(" * 60000, "id": b"a ID " + b"(" * 60000, "store": b"a STORE 1 FLAGS " + b"(" * 60000,
    "select": b"a SELECT INBOX " + b"(" * 60000, "append": b"a APPEND INBOX " + b"(" * 60000, "sort": b"a SORT " + b"(" * 60000,
    "not": b"a SEARCH " + b"NOT " * 15000 + b"ALL", "or": b"a SEARCH " + b"OR ALL " * 8000 + b"ALL",
    "left or": b"a SEARCH " + b"OR " * 8000 + b"ALL " * 8000, "or of lists": b"a SEARCH " + b"OR (" * 10000 + b"ALL" + b") ALL" * 4000,
    "closed": b"a SEARCH " + b"(" * 30000 + b"ALL" + b")" * 30000, "sections": b"a FETCH 1 BODY[" + b"1." * 30000 + b"1]",
    "brackets": b"a FETCH 1 BODY" + b"[" * 60000, "fields": b"a FETCH 1 BODY[HEADER.FIELDS (" + b"x " * 30000 + b"x)]",
    "tag": b"a" * 60000 + b" NOOP", "verb": b"a " + b"N" * 60000, "quotes": b'a SELECT "' + b'\\"' * 30000 + b'"',
    "enable": b"a ENABLE " + b"X " * 30000, "qresync": b"a SELECT INBOX (QRESYNC (1 1 " + b"1," * 30000 + b"1))",
}


@pytest.mark.parametrize("what", DEEP)
def test_depth(tito, what):
    tito.ok("SELECT INBOX")
    got = answers(tito.talk(DEEP[what]))
    assert got.get(b"zz") == b"OK"
    assert len(got) == 2 and set(got.values()) <= {b"BAD", b"NO", b"OK"}
    tito.bounded()


@pytest.mark.parametrize("data", [b"a NOOP " + b"x" * 3000000, b"x" * 3000000, b'a SELECT "' + b"y" * 3000000, b"\0" * 3000000,
                                  b"a SEARCH " + b"TEXT {4+}\r\nabcd " * 200000, b"(" * 3000000],
                         ids=["words", "letters", "quoted", "NULs", "literals", "parentheses"])
def test_endless_line(tito, data):
    got = tito.talk(data)
    assert b"* BYE [TOOBIG]" in got and b"zz OK" not in got
    tito.bounded()


@pytest.mark.parametrize("data", [b"\r\n" * 50000, b"\n" * 50000, b"a\r\n" * 1000, b"\0\r\n" * 1000, b"a \xff\xfe\r\n" * 1000,
                                  b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100, bytes(range(256)) * 1000],
                         ids=["CRLF", "LF", "tag", "NUL", "8-bit", "HTTP", "bytes"])
def test_noise_is_given_up(tito, data):
    got = tito.talk(data)
    assert b"* BYE Too many invalid IMAP commands." in got and got.count(b"\r\n") < 100 and b"zz OK" not in got
    tito.bounded()


# what is sent; whether b, which stands behind or within, runs
LITERALS = [
    (b"a SELECT {-1}\r\nb NOOP", True), (b"a SELECT {}\r\nb NOOP", True), (b"a SELECT {+}\r\nb NOOP", True), (b"a SELECT {1x}\r\nb NOOP", True),
    (b"a SELECT {4294967296}\r\nb NOOP", True), (b"a SELECT {18446744073709551616}\r\nb NOOP", True), (b"a SELECT {65537}\r\nb NOOP", True),
    (b"a SELECT {4294967296+}\r\nb NOOP", False), (b"a SELECT {4294967295+}\r\nb NOOP", False), (b"a SELECT {2147483648+}\r\nb NOOP", False),
    (b"a SELECT {18446744073709551615+}\r\nb NOOP", False), (b"a SELECT {18446744073709551617+}\r\nb NOOP", False),
    (b"a SELECT {" + b"9" * 1000 + b"+}\r\nb NOOP", False), (b"a SELECT {9223372036854775808+}\r\nb NOOP", False),
    (b"a SELECT {70000+}\r\n" + b"b NOOP\r\n" * 8750, False), (b"a NONSENSE {16+}\r\nb NOOP\r\nb NOOP\r\n", False),
    (b"a SELECT {0+}\r\n\r\nb NOOP", True), (b"a SELECT {8+}\r\nb NOOP\r\n", False), (b"a SELECT ~{8+}\r\nb NOOP\r\n", False),
    (b"a LOGIN {8+}\r\nb NOOP\r\n {8+}\r\nb NOOP\r\n", False), (b"a APPEND INBOX {4294967296}\r\nb NOOP", True),
    (b"a APPEND INBOX {18446744073709551615+}\r\nb NOOP", False), (b"a APPEND nowhere {8+}\r\nb NOOP\r\n", False),
    (b"a APPEND INBOX (((((((( {8+}\r\nb NOOP\r\n", False), (b"a APPEND INBOX {0}\r\nb NOOP", True),
    (b"a APPEND INBOX {8+}\r\nb N\0OP\r\n", False), (b"a APPEND {70000+}\r\n" + b"b NOOP\r\n" * 8750, False),
]


@pytest.mark.parametrize("data,runs", LITERALS, ids=[d[:60].decode("latin-1").replace("\r\n", "|").replace("\0", "0") for d, _ in LITERALS])
def test_refused_literals_are_no_commands(tito, data, runs):
    got = tito.talk(data)
    assert (b"b" in answers(got)) == runs, got
    assert answers(got).get(b"a", b"BAD") in (b"NO", b"BAD") and (b"a" in answers(got) or b"* BYE [TOOBIG]" in got), got
    assert (b"zz OK" in got) != (b"* BYE [TOOBIG]" in got) and not re.search(rb"^\+", got, re.M), got
    tito.bounded()


@pytest.mark.parametrize("n", [-1, 0, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**40])
def test_numbers(suite, tito, n):
    maildir(suite, "Numbers", [LETTER])
    tito.ok("SELECT Numbers")
    for line in (f"FETCH {n} UID", f"FETCH 1:{n} UID", f"UID FETCH {n}:* UID", f"FETCH 1 BODY.PEEK[]<{n}.10>", f"FETCH 1 BODY.PEEK[]<0.{n}>",
                 f"FETCH 1 BODY.PEEK[]<{n}.{n}>", f"FETCH 1 BODY.PEEK[{n}]", f"FETCH 1 BODY.PEEK[1.{n}.MIME]", f"FETCH 1 BINARY.PEEK[1]<{n}.{n}>",
                 f"SEARCH LARGER {n}", f"SEARCH SMALLER {n}", f"SEARCH OLDER {n}", f"SEARCH YOUNGER {n}", f"SEARCH MODSEQ {n}", f"SEARCH UID {n}:{n}",
                 f"FETCH 1 FLAGS (CHANGEDSINCE {n})", f"STORE 1 (UNCHANGEDSINCE {n}) +FLAGS (\\Seen)", f"UID COPY {n} INBOX", f"UID EXPUNGE {n}",
                 f"SELECT Numbers (QRESYNC ({n} {n}))", f"SELECT Numbers (QRESYNC ({n} {n} {n}:{n} ({n} {n})))", f"SEARCH RETURN (PARTIAL {n}:{n}) ALL"):
        assert tito.cmd(line).startswith(("OK", "NO", "BAD")), line
        tito.cmd("NOOP")
        if "SELECT" in line:
            tito.ok("SELECT Numbers")
    tito.bounded()


def test_sets_patterns_items(suite, tito):
    """Long sets, patterns of stars, items by the thousand, keys by the thousand: no more than polynomial, and soon."""
    maildir(suite, "Many", [LETTER + b"%d\n" % n for n in range(50)])
    for n in range(40):
        maildir(suite, ("a" * 30 + ".") * 6 + f"{n}")
    tito.ok("SELECT Many")
    for line in ("FETCH " + ",".join(["1:*"] * 16000) + " UID", "UID FETCH " + ",".join(f"{n}:*" for n in range(7000, 1, -1)) + " FLAGS",
                 "SEARCH " + " ".join(["1:50,3:*"] * 1900), "SEARCH " + ",".join(str(n % 97 + 1) for n in range(20000)),
                 "STORE " + ",".join(["*:1"] * 16000) + " +FLAGS.SILENT (\\Seen)", "SEARCH " + "TEXT zzz " * 1900 + "ALL",
                 "SEARCH " + "NOT BODY Hello " * 1900 + "ALL", "SEARCH " + "OR BODY qqqqq " * 900 + "ALL",
                 "SORT (" + " ".join(["REVERSE SUBJECT"] * 32) + ") UTF-8 ALL", "FETCH 1:* (" + "BODY.PEEK[HEADER.FIELDS (X)] " * 400 + "UID)",
                 "FETCH 1 (" + " ".join(f"BODY.PEEK[]<{n}.100>" for n in range(500)) + ")",
                 'LIST "" "' + "*%" * 400 + 'x"', 'LIST "" "' + "%*a" * 300 + 'x"', 'LIST "' + "a*" * 200 + '" "' + "%a" * 200 + '"',
                 'LIST "" (' + ('"' + "*a" * 300 + 'x" ') * 90 + '"x")', 'LSUB "" "' + "*a%a" * 240 + 'x"', 'LIST "" "' + "*" * 60000 + '"'):
        assert tito.cmd(line).startswith("OK"), line[:60]
    for line in ("FETCH 1 (" + "BODY.PEEK[]<0.1> " * 3600 + "UID)", "SEARCH " + "ALL " * 15000 + "ALL",
                 'LIST "" (' + "* " * 20000 + "*)", "SORT (" + "SUBJECT " * 1000 + "SUBJECT) UTF-8 ALL"):
        assert tito.cmd(line).startswith("BAD"), line[:60]
    tito.bounded(16000, 30)


# ---- names ----

ROOTS = [b"../x", b"..", b"../../x", b"/etc/passwd", b"/tmp/x", b"a/../../x", b"a/b", b"INBOX/../../x", b".x", b"x..y", b"x.", b"~root", b"x\0y",
         b"x\r\ny", b"x\ny", b"\x7f", b"\xff\xfe", b"x\xc3\x28", b"&AC8-etc", b"&AAA-x", b"&AA0ACg-", b"&", b"&&&", b"&ACYA", b"&2AA-", b"x" * 300,
         b".".join([b"x"] * 200), b"%", b"*", b"", b" ", b"x/", b"/", b"../iqbal/Maildir", b"../../iqbal/Maildir", b".." * 100]


def tree(suite):
    """All that is outside of tito's Maildir, and the names within it."""
    mine = str(suite.maildir(TITO))
    outside = {(root, n) for top in (suite.mail, suite.etc) for root, dirs, names in os.walk(top) if not root.startswith(mine) for n in dirs + names}
    return {o for o in outside if "surat-index" not in o[0]}, set(os.listdir(mine))


def test_names_never_leave_the_root(suite, tito):
    maildir(suite, "From", [LETTER])
    tito.ok("SELECT From")
    outside, inside = tree(suite)
    for name in ROOTS:
        for enabled in (False, True):
            for line in (b"CREATE {}", b"RENAME From {}", b"RENAME {} To", b"SUBSCRIBE {}", b"DELETE {}", b"STATUS {} (MESSAGES)", b"COPY 1 {}",
                         b"MOVE 1 {}", b"UNSUBSCRIBE {}", b"LIST {} *", b"LSUB {} *", b"EXAMINE {}"):
                if line.startswith(b"RENAME {}") and name in (b"%", b"*", b"~root", b"&", b" "):
                    continue
                got = tito.cmd(line, name)
                assert got.startswith(("NO", "BAD")) or line.startswith((b"L", b"UNS", b"SUB", b"CREATE", b"DELETE", b"RENAME", b"STATUS", b"EX",
                                                                          b"COPY", b"MOVE")), (line, name, got)
                if got.startswith("OK") and line.startswith(b"RENAME From"):
                    tito.ok(b"RENAME {} From", name)
                if line.startswith(b"EXAMINE"):
                    tito.ok("SELECT From")
            tito.cmd(b"APPEND {} {}", name, LETTER)
            tito.cmd(b"DELETE {}", name)
        if name == ROOTS[len(ROOTS) // 2]:
            tito.ok("ENABLE UTF8=ACCEPT")
    now, names = tree(suite)
    assert now - {o for o in now if o[1].startswith("dovecot") or o[1].startswith("surat")} == outside - {
        o for o in outside if o[1].startswith("dovecot") or o[1].startswith("surat")}
    assert all(n.startswith(".") and ".." not in n and not re.search(r"[\x00-\x1f/]", n) for n in names - inside -
               {"subscriptions", "surat-folders", "dovecot-uidlist", "dovecot-keywords", "dovecot-uidvalidity"} if "uidvalidity" not in n), names


def test_line_end_in_quotes_ends_the_command(suite, tito):
    got = tito.talk(b'a CREATE "zeta\r\ny"\r\nb SUBSCRIBE "zeta\ny"\r\nc SEARCH SUBJECT "x\r\n" ALL\r\nd NOOP')
    assert [w for t, w in answers(got).items() if t in b"abcd"] == [b"BAD", b"BAD", b"BAD", b"OK"], got
    assert not [n for n in os.listdir(suite.maildir(TITO)) if n.startswith(".zeta")]


def test_names_on_disk_do_not_break_answers(suite, tito):
    """Folders and subscriptions that another program made with control bytes in them."""
    path = maildir(suite)
    for name in (b".x\r\n* BYE fake", b".x\ny", b".\xff\xfe", b'.q"q', b".b\\b", b".{5}", b"...", b".a..b", b".\x01"):
        os.makedirs(os.path.join(os.fsencode(path), name, b"cur"), exist_ok=True)
    (path / "subscriptions").write_bytes(b"x\0y\n\xff\n../../iqbal\n/etc\nq\"q\nx\r\n" + b"z" * 5000 + b"\n")
    own(suite, path)
    for line in ('LIST "" *', 'LSUB "" *', 'LIST (SUBSCRIBED) "" *', 'LIST "" * RETURN (STATUS (MESSAGES SIZE))'):
        tito.ok(line)                       # the parser of the client would fail
        assert not [v for _, v in tito.all("LIST") + tito.all("LSUB") if any(c in v[2] for c in (b"\r", b"\n", b"\0", b"/", b".."))]
    tito.bounded()


# ---- before login ----

def plain(suite, timeout=20):
    return Imap(suite, timeout=timeout)


@pytest.mark.parametrize("before,after", [
    (b"a STARTTLS\r\nb LOGIN {16+}\r\ntito@example.com {11+}\r\nsecret-tito\r\n", b""),
    (b"a STARTTLS\r\nb LOGIN {16}\r\n", b"tito@example.com {11+}\r\nsecret-tito\r\n"),
    (b"a STARTTLS\r\nb LOGIN {16+}\r\ntito@", b"example.com secret-tito\r\n"),
    (b"a STARTTLS\r\nb AUTHENTICATE PLAIN\r\n", base64.b64encode(b"\0tito@example.com\0secret-tito") + b"\r\n"),
    (b"a STARTTLS\r\nb LOGIN tito@example.com ", b"secret-tito\r\n"), (b"a STARTTLS\r\n\"", b"b NOOP\r\n"),
], ids=["command", "sync literal", "half a literal", "exchange", "half a line", "quote"])
def test_starttls_forgets(suite, before, after):
    c = plain(suite)
    c.s.sendall(before)
    assert c.f.readline().startswith(b"a OK")
    c.s = trusting().wrap_socket(c.s)
    c.s.sendall(after + b"zz NOOP\r\n")
    got = b""
    while b"zz " not in got:
        got += c.s.recv(4096)
    assert b"b OK Logged" not in got and b"Logged in" not in got and b"zz OK NOOP" in got, got
    assert (b"b OK" in got) == (after == b"b NOOP\r\n") and not got.startswith(b"+"), got
    c.close()


def test_literal_around_starttls(suite):
    """STARTTLS within a literal begins nothing."""
    c = plain(suite)
    c.s.sendall(b"b LOGIN {12+}\r\na STARTTLS\r\n x\r\nzz NOOP\r\n")
    got = b""
    while b"zz " not in got:
        got += c.s.recv(4096)
    assert b"a OK" not in got and b"b NO" in got or b"b BAD" in got, got
    c.close()


TURNS = (b"a AUTHENTICATE PLAIN\r\n*\r\n", b"a AUTHENTICATE PLAIN !!!\r\n", b"a AUTHENTICATE PLAIN\r\n=====\r\n", b"a AUTHENTICATE LOGIN\r\n*\r\n",
         b"a AUTHENTICATE SCRAM-SHA-256 biwsbj10aXRvLHI9YWJj\r\n*\r\n", b"a AUTHENTICATE LOGIN dGl0bw==\r\n*\r\n", b"a AUTHENTICATE PLAIN =\r\n",
         b"a ID " + b"(" * 8000 + b"\r\n", b"a LOGIN {2000+}\r\n" + b"x" * 2000 + b"\r\n")


def spoil(suite, rounds):
    for n in range(0, rounds, 6):
        with plain(suite) as c:
            for turn in [TURNS[(n + k) % len(TURNS)] for k in range(6)]:
                c.s.sendall(turn)
                line = c.f.readline()
                while line.startswith(b"+"):
                    line = c.f.readline()
                assert re.match(rb"a (NO|BAD)", line), (turn[:40], line)
            c.s.sendall((b"b AUTHENTICATE PLAIN\r\n", b"b LOGIN {3000}\r\n", b"b LOGIN {3000+}\r\nxx", b"")[n // 6 % 4])


@pytest.mark.parametrize("rounds", [600, pytest.param(10000, marks=pytest.mark.full)])
def test_spoiled_exchanges(suite, rounds):
    """Aborted, given up, not base64: login, auth and anvil stay as they are, and an exchange in the middle goes on."""
    front = ("login", "auth", "anvil", "imapd")
    spoil(suite, 200)
    before, fds = anonymous(suite, front), descriptors(suite, ("login", "imapd"))
    with plain(suite) as c:
        c.s.sendall(b"a AUTHENTICATE LOGIN\r\n")
        assert c.f.readline().startswith(b"+")
        spoil(suite, rounds)
        c.s.sendall(base64.b64encode(TITO.encode()) + b"\r\n")
        assert c.f.readline().startswith(b"+")
        c.s.sendall(base64.b64encode(USERS[TITO].encode()) + b"\r\n")
        assert c.f.readline().startswith(b"a OK")
    after = anonymous(suite, front)
    assert all(after[k] - before[k] < 1000 for k in before if k in after), (before, after)
    wait_for("descriptors are back", lambda: all(n <= fds[k] + 1 for k, n in descriptors(suite, ("login", "imapd")).items()))


def test_flood_of_sessions(suite):
    """More than the user may have at once: NO for the rest, the parent as large as before, everything comes back."""
    def look():
        return memory_kib(parent(suite)), len(os.listdir(f"/proc/{parent(suite)}/fd"))
    open_, kib = [], look()[0]
    fds = look()[1]
    try:
        for turn in range(2):
            open_ = []
            for _ in range(90):
                c = plain(suite)
                c.s.sendall(f"a LOGIN {TITO} {USERS[TITO]}\r\n".encode())
                open_.append(c)
            got = [c.f.readline() for c in open_]
            assert sum(g.startswith(b"a OK") for g in got) == PER_USER and len(children(suite)) in (PER_USER, PER_USER + 1), got
            assert all(g.startswith(b"a NO [LIMIT]") for g in got if not g.startswith(b"a OK"))
            assert look()[0] - kib < 2000
            for c in open_:
                c.close()
            wait_for("the children are gone", lambda: len(children(suite)) <= 1)
    finally:
        for c in open_:
            c.close()
    wait_for("descriptors are back", lambda: look()[1] <= fds + 1)
    assert look()[0] - kib < 1000 and "(zombie)" not in open(f"/proc/{parent(suite)}/status").read()


# ---- floods ----

FLOODS = {"noop": b"a NOOP\r\n", "bad": b"a NOOP x\r\nb NOOP\r\n", "body": b"a FETCH 1:* BODY.PEEK[]\r\n", "list": b'a LIST "" *\r\n',
          "capability": b"a CAPABILITY\r\n", "search": b"a SEARCH TEXT letter\r\n"}


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compress"])
@pytest.mark.parametrize("what", FLOODS)
def test_flood_without_reading(suite, tito, what, compress):
    """Its output is bounded: it waits for the client, and leaves with him."""
    maildir(suite, "Flood", [LETTER + b"x" * 100000 + b"\n" for _ in range(20)])
    tito.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    tito.ok("SELECT Flood")
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    if compress:
        tito.ok("COMPRESS DEFLATE")
    tito.s.setblocking(False)
    end = time.monotonic() + 0.7
    while time.monotonic() < end:
        data = FLOODS[what] * (1 if what == "body" else 2000)
        try:
            tito.s.send(z.compress(data) + z.flush(zlib.Z_SYNC_FLUSH) if compress else data)
        except BlockingIOError:
            time.sleep(0.05)
    tito.bounded()
    tito.close()
    wait_for("its process is gone", lambda: not os.path.exists(f"/proc/{tito.pid}"))


@pytest.mark.parametrize("data,word", [(b"\0" * 100000000, b"* BYE [TOOBIG]"), (b"a NOOP" * 16000000, b"* BYE [TOOBIG]"),
                                       (b"\r\n" * 20000000, b"* BYE Too many invalid"), (b"a APPEND INBOX {100000000+}\r\n" + b"x" * 100000000, b"BYE [TOOBIG]"),
                                       (b"a IDLE\r\n" + b"x" * 100000000, b"* BYE Too long line")],
                         ids=["NULs", "line", "empty", "literal", "idle"])
def test_compress_bomb(tito, data, word):
    """What becomes large is bounded as if it had come so."""
    tito.ok("COMPRESS DEFLATE")
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    got = zlib.decompressobj(-15).decompress(tito.talk(z.compress(data) + z.flush()))
    assert word in got, got[-300:]
    tito.bounded()


@pytest.mark.parametrize("data", [b"\xff" * 100000, b"\x06" * 1000, b"", b"\x00" * 1000, os.urandom(5000)], ids=["ff", "06", "end", "00", "random"])
def test_broken_deflate(tito, data):
    tito.ok("COMPRESS DEFLATE")
    tito.talk(data)
    tito.bounded()


@pytest.mark.parametrize("junk,goes_on", [(b"x" * 1000000, False), (b"junk\r\n", True), (b"\0\r\n", True), (b"DONE x\r\n", True), (b"a NOOP\r\n", True),
                                          (b"\xff\r\n", True), (b"{5}\r\n", True), (b"DONE\r\n", True), (b"\r\n", True)],
                         ids=["endless", "word", "NUL", "DONE x", "command", "8-bit", "literal", "DONE", "empty"])
def test_idle_with_junk(tito, junk, goes_on):
    tito.ok("SELECT INBOX")
    got = tito.talk(b"i IDLE\r\n" + junk)
    assert (b"zz OK" in got) == goes_on and answers(got).get(b"i") == ((b"OK" if junk == b"DONE\r\n" else b"BAD") if goes_on else None), got
    tito.bounded()


def test_append_is_bounded(suite, tito):
    path = maildir(suite, "Append")
    big = b"x" * (APPEND_LIMIT + 1)
    assert "[TOOBIG]" in tito.cmd(b"APPEND Append {}", big)
    for line, want in ((b"APPEND Append {%d+}\r\n%s" % (len(big), big), b"NO [TOOBIG]"),
                       (b"APPEND Append {5+}\r\nabc\r\n {%d+}\r\n%s" % (len(big), big), b"NO [TOOBIG]"),
                       (b"APPEND Append {5+}\r\nabc\r\n {5+}\r\nab\0\r\n", b"BAD"),
                       (b"APPEND Append {5+}\r\nabc\r\n (" + b"k" * 60000 + b") {5+}\r\nabc\r\n", b"")):
        tito.s.sendall(b"a " + line + b"\r\n")
        assert tito.f.readline().startswith(b"a " + want)
    tito.ok("NOOP")
    tito.bounded()
    tito.s.sendall(b"a APPEND Append {100000+}\r\nhalf")
    time.sleep(0.2)
    tito.close()
    wait_for("its process is gone", lambda: not os.path.exists(f"/proc/{tito.pid}"))
    assert not os.listdir(path / "cur") and not os.listdir(path / "new") and not os.listdir(path / "tmp")


def test_keywords_are_bounded(suite, tito):
    path = maildir(suite, "Words", [LETTER])
    tito.ok("SELECT Words")
    for first in range(0, 1000, 200):
        assert tito.cmd(f"STORE 1 +FLAGS ({' '.join(f'k{n}' for n in range(first, first + 200))})").startswith(("OK", "NO"))
    assert tito.cmd(f"STORE 1 +FLAGS ({' '.join(f'k{n}' for n in range(5000))})").startswith("BAD")
    assert tito.cmd(f"STORE 1 +FLAGS ({'k' * 60000})").startswith(("NO", "BAD"))
    for n in range(200):
        assert tito.cmd(f"STORE 1 +FLAGS (other{n})").startswith(("OK", "NO"))
    assert len((path / "dovecot-keywords").read_text().splitlines()) <= 26
    tito.bounded()


# ---- letters ----

def nested(n):
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (k, k) for k in range(n)) + b"\nx\n"


FLAT = b"Content-Type: multipart/mixed; boundary=b\n\n"
BOMBS = {
    "nested": nested(10000), "messages": b"Content-Type: message/rfc822\n\n" * 10000 + b"x\n", "same boundary": (FLAT + b"--b\n") * 10000,
    "flat": FLAT + b"--b\nContent-Type: text/plain; name=x\n\nx\n" * 100000 + b"--b--\n", "empty parts": FLAT + b"--b\n" * 100000,
    "digest": b"Content-Type: multipart/digest; boundary=b\n\n" + b"--b\n\nSubject: x\n\nx\n" * 30000,
    "boundaries": FLAT + b"--bx\n--c\n--\n" * 300000, "parameters": b"Content-Type: text/plain; " + b"a*0*=x; " * 100000 + b"\n\nx\n",
    "addresses": b"To: " + b"a@b.example, " * 100000 + b"x\nFrom: " + b"g:a@b,(" * 100000 + b"\n\nx\n", "comments": b"From: " + b"(" * 1000000 + b"\n\nx\n",
    "references": b"References: " + b"<a@b> " * 200000 + b"\nSubject: " + b"Re: [x] " * 100000 + b"\n\nx\n",
    "words": b"Subject: " + b"=?iso-2022-jp?b?GyRC?= " * 50000 + b"\n\nx\n", "headers": b"X: y\n" * 400000 + b"\nx\n", "no end": b"x" * 3000000,
    "base64": b"Content-Type: text/plain; charset=utf-7\nContent-Transfer-Encoding: base64\n\n" + b"K0FBQS0=" * 300000 + b"\n",
    "qp": b"Content-Transfer-Encoding: quoted-printable\nContent-Type: text/html; charset=nonsense\n\n" + b"=\n" * 1000000,
}


@pytest.mark.parametrize("what", BOMBS)
def test_mime_bombs(suite, tito, what):
    maildir(suite, f"Bomb-{what.replace(' ', '-')}", [BOMBS[what]] * 3)
    tito.ok(f"SELECT Bomb-{what.replace(' ', '-')}")
    for line in ("FETCH 1:* BODYSTRUCTURE", "FETCH 1:* (ENVELOPE BODY RFC822.SIZE)", "FETCH 1:* BODY.PEEK[" + "1." * 90 + "1]",
                 "FETCH 1:* (BODY.PEEK[1.MIME] BODY.PEEK[10000] BODY.PEEK[99999.1.HEADER] BODY.PEEK[HEADER.FIELDS (TO X)])", "FETCH 1:* BINARY.SIZE[1]",
                 "SEARCH TEXT nothing", "SEARCH BODY nothing", "SEARCH HEADER X nothing", "SORT (SUBJECT FROM DATE) UTF-8 TO nobody",
                 "SORT (REVERSE SUBJECT DISPLAYFROM) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "THREAD ORDEREDSUBJECT UTF-8 ALL"):
        tag = tito.start(line)
        while not (got := tito.f.readline()).startswith(tag + b" "):
            assert got, line
        assert got.split()[1] in (b"OK", b"NO"), (line, got)
    tito.bounded(64000, 30)


def test_many_mime_bombs(suite, tito):
    """A folder of them costs no more than a few."""
    maildir(suite, "Bombs", [BOMBS["flat"]] * 60)
    tito.ok("SELECT Bombs")
    for line in ("FETCH 1:* BODYSTRUCTURE", "SEARCH SUBJECT x", "FETCH 1:* (ENVELOPE BODY)"):
        tag = tito.start(line)
        while not (got := tito.f.readline()).startswith(tag + b" "):
            assert got, line
        assert got.split()[1] == b"OK"
    tito.bounded(64000, 30)


# ---- what lies in the Maildir ----

SECRET = b"Subject: of iqbal\n\nnobody else may read this\n"


@pytest.fixture
def theirs(suite):
    """A letter and state files of iqbal, that stay as they are."""
    box = suite.maildir(IQBAL)
    (box / "cur" / "1.secret.host:2,").write_bytes(SECRET)
    (box / "subscriptions").write_bytes(b"V\t2\n\nOf-Iqbal\n")
    (box / "dovecot-keywords").write_bytes(b"0 of-iqbal\n")
    own(suite, box)
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        c.ok("SELECT INBOX")
        c.ok("FETCH 1:* (UID ENVELOPE)")

    def state():
        return {p: ((box / p).read_bytes() if (box / p).is_file() else sorted(os.listdir(box / p)))
                for p in ("cur", "new", "tmp", "subscriptions", "dovecot-keywords", "dovecot-uidlist", "cur/1.secret.host:2,")}
    before = state()
    yield box
    assert state() == before


def everything(c, folder):
    """All that a client can get from a folder, whatever the answers."""
    got = []
    for line in (f"STATUS {folder} (MESSAGES UIDNEXT UNSEEN SIZE)", f"SELECT {folder}", "FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE)",
                 "FETCH 1:* BODY.PEEK[]", "SEARCH TEXT nobody", "STORE 1:* +FLAGS (\\Seen kw)", "COPY 1:* INBOX", f"SUBSCRIBE {folder}x",
                 f"APPEND {folder} {{5+}}\r\nabc\r\n", 'LIST "" *', 'LSUB "" *', "EXPUNGE", "CLOSE", f"DELETE {folder}", f"UNSUBSCRIBE {folder}x"):
        c.n += 1
        c.s.sendall(b"t%d %s\r\n" % (c.n, line.encode()))
        while not (text := c.f.readline()).startswith(b"t%d " % c.n):
            assert text, (line, got[-3:])
            got.append(text)
        got.append(text)
    return b"".join(got)


def links(box, where):
    """Ways from a folder of tito to iqbal."""
    return {
        "folder": [(".Way", box)], "absolute": [(".Way", "/etc")], "up": [(".Way", "../../iqbal/Maildir")], "self": [(".Way", ".")],
        "cur": [(".Way/cur", box / "cur")], "new": [(".Way/new", "../../../iqbal/Maildir/cur")], "tmp": [(".Way/tmp", box / "tmp")],
        "letter": [(".Way/cur/5.a.host:2,", box / "cur/1.secret.host:2,"), (".Way/new/6.a.host", "/etc/passwd"), (".Way/cur/7.a:2,", "/proc/self/environ")],
        "uidlist": [(".Way/dovecot-uidlist", box / "dovecot-uidlist")], "keywords": [(".Way/dovecot-keywords", box / "dovecot-keywords")],
        "lock": [(".Way/dovecot-uidlist.lock", box / "x"), (".Way/dovecot-keywords.lock", box / "dovecot-keywords")],
        "subscriptions": [("subscriptions", box / "subscriptions"), ("subscriptions.lock", box / "subscriptions")],
        "folders": [("surat-folders", box / "subscriptions"), ("maildirsize", box / "subscriptions")],
        "validity": [("dovecot-uidvalidity", box / "subscriptions")],
    }[where]


@pytest.mark.parametrize("where", ["folder", "absolute", "up", "self", "cur", "new", "tmp", "letter", "uidlist", "keywords", "lock", "subscriptions",
                                   "folders", "validity"])
def test_links_lead_nowhere(suite, theirs, where):
    mine = maildir(suite)
    ways = links(theirs, where)
    if ways[0][0] != ".Way":
        maildir(suite, "Way", [LETTER])
    for name, to in ways:
        if (mine / name).is_dir():
            shutil.rmtree(mine / name)
        (mine / name).symlink_to(to)
        os.utime(mine / name, (1, 1), follow_symlinks=False)    # an old lock is nobody's
    own(suite, mine)
    with Session(suite) as c:
        got = everything(c, "Way")
        assert b"nobody else" not in got and b"root:" not in got and b"f-Iqbal" not in got and b"f-iqbal" not in got and b"PATH=" not in got, got
        c.ok("SELECT INBOX")
        c.bounded()


def test_odd_files_in_cur(suite, tito):
    """Names of all bytes, devices, folders, files without rights: what can be read is served."""
    path = maildir(suite, "Odd", [LETTER])
    cur = os.fsencode(path / "cur")
    for name in (b"1.line\nend:2,", b"2.\xff\xfe\x01\x1b[2J:2,S", b"3.flags:2,zzzzzzzzzzSSSS,,,;::", b"4." + b"x" * 250, b"5.S=99999999999999999999,W=-1:2,",
                 b"6.quote\"(){}%*\\:2,", b"99999999999999999999999.x:2,", b"-1.x:1,", b"a", b"7 blank :2,", b"\xc2\x85:2,", b"::2,", b"8.a\r:2,", b"%n%s%s%d:2,"):
        with open(os.path.join(cur, name), "wb") as f:
            f.write(LETTER)
    os.mkdir(os.path.join(cur, b"20.folder:2,"))
    os.mkfifo(os.path.join(cur, b"21.fifo:2,"))
    os.mkfifo(os.path.join(os.fsencode(path / "new"), b"22.fifo"))
    s = socket.socket(socket.AF_UNIX)
    s.bind(os.path.join(cur, b"23.sock:2,")) if len(cur) < 90 else None
    os.mknod(os.path.join(cur, b"24.null:2,"), 0o20666, os.makedev(1, 5))
    own(suite, path)
    with open(path / "cur" / "25.root:2,", "wb") as f:
        f.write(LETTER)
    os.chmod(path / "cur" / "25.root:2,", 0)
    tito.ok("SELECT Odd")
    tito.ok("FETCH 1:* (UID FLAGS)")
    uids = [v["UID"] for v in tito.fetched().values()]
    assert len(uids) > 12
    read = 0
    for uid in uids:
        got = tito.cmd(f"UID FETCH {uid.decode()} (RFC822.SIZE ENVELOPE BODY.PEEK[])")
        read += any(v.get("BODY[]") == LETTER.replace(b"\n", b"\r\n") for v in tito.fetched().values())
        assert got.startswith(("OK", "NO")), got
    assert read >= 12, (read, len(uids))
    assert tito.cmd("FETCH 1:* BODY.PEEK[]").startswith("NO [SERVERBUG] Some") and len(tito.fetched()) == read
    for line in ("SEARCH TEXT Hello", "SEARCH SUBJECT plain", "STORE 1:* +FLAGS (\\Flagged)", "COPY 1:* INBOX", "SORT (SIZE) UTF-8 ALL", "NOOP"):
        assert tito.cmd(line).startswith(("OK", "NO")), line
    text = (path / "dovecot-uidlist").read_bytes()
    assert all(re.match(rb"3 V|\d+ [^:]*:.", line) for line in text.splitlines()[:1] + text.split(b"\n")[1:-1]), text
    tito.bounded()
    s.close()


@pytest.mark.parametrize("name", ["dovecot-uidlist", "dovecot-keywords", "subscriptions", "surat-folders", "surat-index/inbox", "maildirsize"])
@pytest.mark.parametrize("kind", ["line", "short lines", "zeros", "fifo", "folder"])
def test_hostile_state_files(suite, name, kind):
    """100 MB where a few lines should be, or no file at all: bounded, and the letters are served."""
    mine = maildir(suite)
    (mine / "cur" / "1.plain.host:2,").write_bytes(LETTER)
    victim = mine / name
    victim.parent.mkdir(exist_ok=True)
    if victim.exists():
        victim.unlink()
    if kind == "fifo":
        os.mkfifo(victim)
    elif kind == "folder":
        victim.mkdir()
    else:
        with open(victim, "wb") as f:
            if name == "dovecot-uidlist":
                f.write(b"3 V1 N4000000000 G" + b"0" * 32 + b"\n")
            if kind == "line":
                f.write(b"1 :" + b"x" * 100000000 + b"\n")
            elif kind == "zeros":
                f.truncate(100000000)
            else:
                f.write(b"".join(b"%d :%x\n" % (n, n) for n in range(1, 3000000)) if name == "dovecot-uidlist" else b"25 a\n" * 20000000)
    own(suite, mine)
    with Session(suite) as c:
        with contextlib.suppress(Gone):     # imap_memory_limit ends what needs more
            refused = c.cmd("SELECT INBOX").startswith("NO")
            c.cmd("FETCH 1:* (FLAGS BODY.PEEK[])")
            for line in ('LIST "" *', 'LSUB "" *', "SUBSCRIBE INBOX", "STORE 1 +FLAGS (word)", "STATUS INBOX (MESSAGES)", "CREATE Fresh", "DELETE Fresh"):
                assert c.cmd(line).startswith(("OK", "NO")) or refused, line
        c.bounded(MEMORY_MIB * 1024, 20)
    shutil.rmtree(victim) if victim.is_dir() else victim.unlink(missing_ok=True)
    with Session(suite) as c:
        c.ok("SELECT INBOX")
        c.ok("FETCH 1:* BODY.PEEK[]")
        assert LETTER.replace(b"\n", b"\r\n") in [v["BODY[]"] for v in c.fetched().values()]


def damage(kind, data, index):
    rnd = random.Random(kind)
    if kind == "random":
        data = rnd.randbytes(len(data))
    elif kind == "zeros":
        data = bytes(len(data))
    elif kind == "short":
        data = data[:5000]
    elif kind == "bits":
        data = bytearray(data)
        for _ in range(200):
            data[rnd.randrange(8192, len(data))] ^= 1 << rnd.randrange(8)
    elif kind == "pages":
        data = data[:8192] + rnd.randbytes(len(data) - 8192)
    elif kind == "meta":
        data = data[:16] + b"\xff" * 120 + data[136:]
    elif kind == "empty":
        data = b""
    (index / "data.mdb").write_bytes(data)


@pytest.mark.parametrize("kind", ["random", "zeros", "short", "bits", "pages", "meta", "empty", "fifo", "folder", "lock folder", "file", "link"])
def test_hostile_index(suite, theirs, kind):
    """At worst it ends the session of who wrote it, and the next one is served."""
    mine = maildir(suite, "", [LETTER] * 100)
    index = mine / "surat-index"
    with Imap(suite, TITO, USERS[TITO]) as c:
        c.ok("SELECT INBOX")
        c.ok("FETCH 1:* (UID ENVELOPE)")
    wait_for("the session is gone", lambda: len(children(suite)) <= 1)
    if kind == "file":
        shutil.rmtree(index)
        index.write_bytes(b"x")
    elif kind == "link":
        shutil.rmtree(index)
        index.symlink_to(theirs / "surat-index")
    elif kind in ("fifo", "folder", "lock folder"):
        name = index / ("lock.mdb" if kind == "lock folder" else "data.mdb")
        name.unlink(missing_ok=True)
        name.mkdir() if kind != "fifo" else os.mkfifo(name)
    else:
        damage(kind, (index / "data.mdb").read_bytes(), index)
    own(suite, mine)

    def served():
        try:
            with Imap(suite, TITO, USERS[TITO]) as c:
                c.ok("SELECT INBOX")
                c.ok("FETCH 1:* (UID ENVELOPE BODY.PEEK[])")
                c.ok("SEARCH SUBJECT plain")
                c.ok("STORE 1:* +FLAGS (\\Seen)")
                return len(c.fetched()) >= 100
        except Gone:
            return False
    assert any(served() for _ in range(3)), suite.log_text()[-2000:]
