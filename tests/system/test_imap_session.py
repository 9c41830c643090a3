"""Commands that change state, by the examples and error rules of their RFCs, against the running suite."""
import imaplib
import itertools
import pathlib
import re
import ssl
import time
import zlib

import pytest
from imap_peer import Client
from instance import Instance, memory_kib, wait_for

TITO = "tito@example.com"
LETTER = b"From: a@example.com\r\nSubject: %s\r\n\r\nHello\r\n"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def suite():
    with Instance(users={TITO: "secret-tito"}, settings={"imap_append_limit": "200000", "max_idle": "0"}) as i:
        i.wait_ready()
        yield i


def login(suite, port="imap"):
    c = Client.connect(suite.port(port))
    c.ok("LOGIN tito secret-tito")
    return c


@pytest.fixture
def box(suite):
    """A new folder's name."""
    c = login(suite)
    name = f"box{next(numbers)}"
    c.ok(f"CREATE {name}")
    c.ok("LOGOUT")
    return name


def append(c, box, *subjects, flags="()"):
    for s in subjects:
        text = LETTER % s.encode()
        c.ok(b"APPEND %s %s {%d+}\r\n%s" % (box.encode(), flags.encode(), len(text), text))


def code(line, name):
    """What stands behind NAME in a response code."""
    m = re.search(rb"\[" + name.encode() + rb" ([^\]]*)\]", line)
    assert m, (name, line)
    return m[1]


def word(lines):
    """The second word of the tagged answer, and its first response code."""
    m = re.match(rb"\S+ (\S+) (?:\[(\S+?)[ \]])?", lines[-1])
    return m[1].decode() + (" " + m[2].decode() if m[2] else "")


def untagged(lines, what):
    return [x for x in lines if re.match(rb"\* (\d+ )?" + what.encode() + rb"\b", x)]


# ---- RFC 3501 ----

def test_imaplib(suite, box):
    """A client library's whole round."""
    m = imaplib.IMAP4("127.0.0.1", suite.port("imap"))
    assert m.login("tito", "secret-tito")[0] == "OK"
    for k in range(5):
        assert m.append(box, r"(\Flagged)", '"07-Feb-1994 21:52:25 -0800"', LETTER % b"%d" % k)[0] == "OK"
    assert m.select(box) == ("OK", [b"5"])
    assert m.search(None, "FLAGGED")[1] == [b"1 2 3 4 5"]
    assert m.store("2:3", "+FLAGS", r"(\Deleted)")[1] == [rb"2 (FLAGS (\Flagged \Deleted \Recent))", rb"3 (FLAGS (\Flagged \Deleted \Recent))"]
    assert m.copy("1", "INBOX")[0] == "OK"
    assert m.expunge() == ("OK", [b"2", b"2"])
    assert m.fetch("1:*", "(UID)")[1] == [b"1 (UID 1)", b"2 (UID 4)", b"3 (UID 5)"]
    assert m.noop()[0] == "OK" and m.check()[0] == "OK"
    assert m.uid("STORE", "4", "FLAGS.SILENT", r"(\Deleted)") == ("OK", [None])
    assert m.close()[0] == "OK"
    assert m.select(box, readonly=True) == ("OK", [b"2"])
    assert m.response("READ-ONLY")[1] == [b""]
    assert m.unselect()[0] == "OK"
    assert m.logout()[0] == "BYE"


def test_session_over_tls(suite, box):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    m = imaplib.IMAP4_SSL("127.0.0.1", suite.port("imaps"), ssl_context=context)
    m.login("tito", "secret-tito")
    text = LETTER % b"big" + b"0123456789abcdef" * 10000 + b"\r\n"
    assert m.append(box, None, None, text)[0] == "OK"
    assert m.select(box) == ("OK", [b"1"])
    assert m.fetch("1", "(BODY.PEEK[])")[1][0][1] == text
    m.logout()


@pytest.mark.parametrize("line", [
    "SELECT", "SELECT a b", "STORE 1", "STORE 1 FLAGS", "STORE 1 +FLAG (\\Seen)", "STORE 0 FLAGS ()", "STORE a FLAGS ()",
    "STORE 1 FLAGS (\\Recent)", "STORE 1 FLAGS ((\\Seen))", "COPY 1", "COPY 1,, x", "COPY x y", "MOVE 1", "EXPUNGE 1",
    "UID EXPUNGE", "UID EXPUNGE x", "UID", "UID NOOP", "UID FROB 1", "CLOSE now", "IDLE now", "ENABLE", "ID", "ID (a",
    "COMPRESS", "COMPRESS LZMA", "APPEND", "APPEND x", "APPEND x (\\Seen)", "CHECK 1", "LOGOUT now",
    "SELECT INBOX (QRESYNC (1 1))", "SELECT INBOX (CONDSTORE", "STORE 1 (UNCHANGEDSINCE) FLAGS ()", "AUTHENTICATE PLAIN",
])
def test_bad_syntax_changes_nothing(suite, box, line):
    c = login(suite)
    append(c, box, "one")
    c.ok(f"SELECT {box}")
    assert word(c.command(line)) == "BAD"
    assert c.ok("FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS (\\Recent))\r\n"]
    c.ok("LOGOUT")


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64, 10**40])
@pytest.mark.parametrize("form", [
    "STORE {} +FLAGS (\\Deleted)", "UID STORE {0}:{0} +FLAGS (\\Deleted)", "COPY {} INBOX", "UID MOVE {} INBOX", "UID EXPUNGE {}",
    "STORE 1 (UNCHANGEDSINCE {}) -FLAGS (\\Draft)", "SELECT INBOX (QRESYNC ({} 1))", "SELECT INBOX (QRESYNC (1 {}))",
])
def test_numbers(suite, form, number):
    """Any number in any place: an answer, and the session goes on (SECURITY: integers)."""
    c = login(suite)
    c.command("CREATE numbers")
    c.ok("SELECT numbers")
    before = c.ok("STATUS numbers (MESSAGES DELETED)")
    c.command(form.format(number))
    c.ok("NOOP")
    assert c.ok("STATUS numbers (MESSAGES DELETED)") == before
    c.ok("LOGOUT")


# ---- RFC 4315, 3502, 3516, 6855, 7888: APPEND ----

def test_uidplus(suite, box):
    """RFC 4315 sections 2.1, 3: the UIDs of APPENDUID and COPYUID are those of the letters, in their order."""
    c = login(suite)
    text = LETTER % b"x"
    done = c.command(b"APPEND %s {%d+}\r\n%s" % (box.encode(), len(text), text))
    validity, uid = code(done[-1], "APPENDUID").split()
    append(c, box, "two", "three", "four", "five")
    lines = c.ok(f"SELECT {box}")
    assert any(code(x, "UIDVALIDITY") == validity for x in lines if b"UIDVALIDITY" in x) and uid == b"1"
    v, old, new = code(c.command("COPY 5,1:2 INBOX")[-1], "COPYUID").split()
    assert old == b"1:2,5" and len(new.split(b":")) == 2
    c.ok("STORE 2:4 +FLAGS.SILENT (\\Deleted)")
    assert c.ok("UID EXPUNGE 3,9") == [b"* 3 EXPUNGE\r\n"]
    assert c.ok("UID SEARCH DELETED") == [b"* SEARCH 2 4\r\n"]
    assert word(c.command(f"APPEND nowhere {{{len(text)}}}")) == "NO TRYCREATE"
    assert word(c.command("COPY 1 nowhere")) == "NO TRYCREATE"
    assert word(c.command("MOVE 1 nowhere")) == "NO TRYCREATE"
    c.ok("LOGOUT")


def test_multiappend(suite, box):
    """RFC 3502 section 6.3.11: all or nothing, and the UIDs as a set."""
    c = login(suite)
    name = box.encode()
    done = c.command(b"APPEND %s (\\Seen) {5+}\r\nA: 1\n \" 7-Feb-1994 22:43:04 -0800\" {5+}\r\nA: 2\n {5+}\r\nA: 3\n" % name)
    assert word(done) == "OK APPENDUID" and code(done[-1], "APPENDUID").split()[1] == b"1:3"
    for bad in (b"(\\Seen) {5+}\r\nA: 1\n (\\Bogus) {5+}\r\nA: 2\n", b"{5+}\r\nA: 1\n {0+}\r\n", b"{5+}\r\nA: 1\n {200001+}\r\n" + b"x" * 200001,
                b"{5+}\r\nA: 1\nA: 2", b"{5+}\r\nA: 1\n \"yesterday\" {5+}\r\nA: 2\n"):
        assert word(c.command(b"APPEND %s %s" % (name, bad)))[:2] in ("NO", "BA"), bad
    assert b"MESSAGES 3" in c.ok(f"STATUS {box} (MESSAGES)")[0]
    c.ok(f"EXAMINE {box}")
    assert [b"\\Seen" in x for x in c.ok("FETCH 1:* FLAGS")] == [True, False, False]
    assert b'" 7-Feb-1994 22:43:04 -0800"' in c.ok("FETCH 2 INTERNALDATE")[0] or b"8-Feb-1994 06:43:04 +0000" in c.ok("FETCH 2 INTERNALDATE")[0]
    assert not list((suite.maildir(TITO) / f".{box}" / "tmp").iterdir())
    c.ok("LOGOUT")


def test_literal8_and_utf8(suite, box):
    """RFC 3516 section 4.4: NUL only in a literal8; RFC 6855 section 4: UTF8 (~{n})."""
    c = login(suite)
    name = box.encode()
    assert word(c.command(b"APPEND %s {8+}\r\nA: 1\n\nx\0" % name)) == "BAD"
    done = c.command(b"APPEND %s ~{8+}\r\nA: 1\n\nx\0" % name)
    assert word(done) == "OK APPENDUID"
    assert word(c.command(b"APPEND %s (\\Seen) UTF8 (~{11+}\r\nA: \xc3\xa4\n\nbody)" % name)) == "OK APPENDUID"
    assert word(c.command(b"APPEND %s UTF8 (~{11+}\r\nA: \xc3\xa4\n\nbody" % name)) == "BAD"
    c.ok(f"EXAMINE {box}")
    assert b"~{2}\r\nx\0" in c.ok("FETCH 1 BINARY.PEEK[1]")[0]
    assert b"A: \xc3\xa4" in c.ok("FETCH 2 BODY.PEEK[HEADER]")[0]
    c.ok("LOGOUT")


def test_literals(suite, box):
    """RFC 7888 section 4: a refused literal+ is swallowed; what is in it never runs."""
    c = login(suite)
    evil = b"t9 CREATE evil\r\n" * 8000
    assert word(c.command(b"APPEND nowhere {%d+}\r\n%s" % (len(evil), evil))) == "NO TRYCREATE"
    assert word(c.command(b"SELECT {%d+}\r\n%s" % (len(evil), evil))) == "BAD TOOBIG"
    assert word(c.command(b"APPEND %s {300000}" % box.encode())) == "NO TOOBIG"
    assert word(c.command(b"FROB {3000000000}")) == "BAD TOOBIG"
    assert untagged(c.ok('LIST "" evil'), "LIST") == []
    c.send(b"s SELECT {%d}\r\n" % len(box))
    assert c.answer().startswith(b"+ ")
    c.send(box.encode() + b"\r\n")
    while not (line := c.answer()).startswith(b"s "):
        pass
    assert line.startswith(b"s OK")
    assert word(c.command(b"SELECT {99999999999999999999}")) == "BAD TOOBIG"
    c.send(b"x SELECT {99999999999999999999+}\r\n")
    assert c.answer().startswith(b"* BYE")


# ---- RFC 6851 ----

def test_move(suite, box):
    c = login(suite)
    append(c, box, "one", "two", "three", flags="(\\Flagged $Mine)")
    c.ok(f"CREATE {box}x")
    c.ok(f"SELECT {box}")
    done = c.command(f"MOVE 2:3 {box}x")
    at = [i for i, x in enumerate(done) if b"COPYUID" in x]
    gone = [i for i, x in enumerate(done) if b"EXPUNGE" in x]
    assert at == [0] and len(gone) == 2 and word(done) == "OK"
    assert code(done[0], "COPYUID").split()[1:] == [b"2:3", b"1:2"]
    assert word(c.command(f"UID MOVE 2 {box}x")) == "OK"
    c.ok(f"EXAMINE {box}x")
    assert all(b"$Mine" in x and b"\\Flagged" in x for x in c.ok("FETCH 1:2 FLAGS"))
    assert word(c.command(f"MOVE 1 {box}")) == "NO READ-ONLY"
    c.ok("LOGOUT")


# ---- RFC 2177 ----

def test_idle(suite, box):
    a, b = login(suite), login(suite)
    a.ok(f"SELECT {box}")
    a.send(b"i IDLE\r\n")
    assert a.answer().startswith(b"+ ")
    append(b, box, "one")
    assert a.answer() == b"* 1 EXISTS\r\n"
    assert b"RECENT" in a.answer()
    b.ok(f"SELECT {box}")
    b.ok("STORE 1 +FLAGS (\\Deleted)")
    assert b"\\Deleted" in a.answer()
    b.ok("EXPUNGE")
    assert a.answer() == b"* 1 EXPUNGE\r\n"
    a.send(b"DONE\r\n")
    assert a.answer().startswith(b"i OK")
    for c in (a, b):
        c.ok("LOGOUT")


def test_many_changes_are_gathered(suite, box):
    """A burst of deliveries is a handful of answers, the first of them at once."""
    a, b = login(suite), login(suite)
    a.ok(f"SELECT {box}")
    a.send(b"i IDLE\r\n")
    a.answer()
    text = b" ".join(b"{%d+}\r\n%s" % (len(LETTER % b"x"), LETTER % b"x") for _ in range(40))
    b.ok(b"APPEND %s %s" % (box.encode(), text))
    heard = []
    while not heard or b"40 EXISTS" not in heard[-1]:
        heard.append(a.answer())
    assert len(untagged(heard, "EXISTS")) < 20
    a.send(b"DONE\r\n")
    while not a.answer().startswith(b"i OK"):
        pass


# ---- RFC 4978 ----

class Deflated:
    """A file-like end of a compressed connection."""

    def __init__(self, sock):
        self.sock, self.out, self.inflater = sock, zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
        self.buffer = b""

    def write(self, data):
        self.sock.sendall(self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH))

    def flush(self):
        pass

    def more(self):
        data = self.sock.recv(65536)
        self.buffer += self.inflater.decompress(data)
        return data

    def readline(self):
        while b"\n" not in self.buffer:
            if not self.more():
                return b""
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def read(self, n):
        while len(self.buffer) < n and self.more():
            pass
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data


def compressed(suite):
    c = login(suite)
    c.ok("COMPRESS DEFLATE")
    c.reader = c.writer = Deflated(c.sock)
    return c


def test_compress(suite, box):
    c = compressed(suite)
    text = LETTER % b"x" + b"all work and no play\r\n" * 5000
    c.ok(b"APPEND %s {%d+}\r\n%s" % (box.encode(), len(text), text))
    c.ok(f"SELECT {box}")
    assert text in c.ok("FETCH 1 BODY.PEEK[]")[0]
    assert word(c.command("COMPRESS DEFLATE")) == "NO COMPRESSIONACTIVE"
    assert b"COMPRESS" not in c.ok("CAPABILITY")[0]
    c.send(b"i IDLE\r\n")
    assert c.answer().startswith(b"+ ")
    c.send(b"DONE\r\n")
    assert c.answer().startswith(b"i OK")
    c.ok("LOGOUT")


def test_compress_errors(suite):
    c = login(suite)
    assert word(c.command("COMPRESS LZ4")) == "BAD"
    c.send(b"a COMPRESS DEFLATE\r\nb NOOP\r\n")
    assert c.answer().startswith(b"a BAD") and c.answer().startswith(b"b OK")
    c.ok("LOGOUT")
    c = compressed(suite)
    c.sock.sendall(b"\xff\xff\xff\xff no deflate\r\n")
    assert c.reader.readline() == b""


def test_compress_bomb(suite):
    """A megabyte that is a gigabyte: a command is as long as a command may be, whatever it came from."""
    c = compressed(suite)
    pid = max(suite_children(suite))
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"".join(bomb.compress(b"a" * (1 << 20)) for _ in range(100)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    try:
        c.sock.sendall(data)
        assert b"BYE" in c.reader.readline()
    except (ConnectionResetError, BrokenPipeError):
        pass
    wait_for("the session to end", lambda: pid not in suite_children(suite))


def suite_children(suite):
    """Process ids of the sessions."""
    parent, out = suite.processes("imapd")[0]["pid"], []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, ppid = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(ppid) == parent and state != "Z":
            out.append(int(path.parent.name))
    return out


# ---- RFC 7162, 5161 ----

def modseq(line):
    return int(re.search(rb"MODSEQ \(?(\d+)", line)[1])


def test_condstore(suite, box):
    """Two clients change one message; who comes late is told (section 3.1.3)."""
    a, b = login(suite), login(suite)
    append(a, box, "one", "two", "three")
    lines = a.ok(f"SELECT {box} (CONDSTORE)")
    high = max(modseq(x) for x in lines if b"HIGHESTMODSEQ" in x)
    b.ok(f"SELECT {box}")
    first = b.ok(f"UID STORE 2 (UNCHANGEDSINCE {high}) +FLAGS.SILENT ($Work)")
    told = [x for x in first if b"FETCH" in x]
    assert len(told) == 1 and modseq(told[0]) > high
    late = a.command(f"STORE 1:3 (UNCHANGEDSINCE {high}) +FLAGS.SILENT (\\Deleted)")
    assert code(late[-1], "MODIFIED") == b"2"
    assert any(b"* 2 FETCH" in x and b"$Work" in x for x in late), late
    assert [x.split()[1] for x in late if b"FETCH (UID" in x and b"FLAGS" not in x] == [b"1", b"3"]
    assert word(a.command("STORE 1 (UNCHANGEDSINCE 0) FLAGS ()")) == "OK MODIFIED"
    changed = a.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq(told[0])})")
    assert [x.split()[1] for x in untagged(changed, "FETCH")] == [b"1", b"3"]
    for c in (a, b):
        c.ok("LOGOUT")


def test_enable(suite, box):
    c = login(suite)
    assert c.ok("ENABLE X-GOOD-IDEA") == [b"* ENABLED\r\n"]
    assert c.ok("ENABLE CONDSTORE X-GOOD-IDEA") == [b"* ENABLED CONDSTORE\r\n"]
    assert c.ok("enable qresync imap4REV2 utf8=accept") == [b"* ENABLED QRESYNC IMAP4rev2 UTF8=ACCEPT\r\n"]
    assert c.ok("ENABLE QRESYNC") == [b"* ENABLED\r\n"]
    c.ok("LOGOUT")


def test_qresync(suite, box):
    """Section 3.2.5 and on: away, back, and only what changed is told."""
    a, b = login(suite), login(suite)
    append(a, box, *"abcdefgh")
    a.ok("ENABLE QRESYNC")
    lines = a.ok(f"SELECT {box}")
    validity = [code(x, "UIDVALIDITY") for x in lines if b"UIDVALIDITY" in x][0].decode()
    high = max(modseq(x) for x in lines if b"HIGHESTMODSEQ" in x)
    assert a.ok("UNSELECT") == []
    b.ok(f"SELECT {box}")
    b.ok("STORE 2,4:5 +FLAGS.SILENT (\\Deleted)")
    b.ok("STORE 7 +FLAGS.SILENT (\\Answered)")
    b.ok("EXPUNGE")
    append(b, box, "i")
    lines = a.ok(f"SELECT {box} (QRESYNC ({validity} {high}))")
    assert b"* VANISHED (EARLIER) 2,4:5\r\n" in lines
    assert {int(re.search(rb"UID (\d+)", x)[1]) for x in untagged(lines, "FETCH")} == {7, 9}
    lines = a.command(f"SELECT {box} (QRESYNC ({validity} {high} 1:4 (1:4 1:4)))")
    assert lines[0].startswith(b"* OK [CLOSED]") and b"* VANISHED (EARLIER) 2,4\r\n" in lines and not untagged(lines, "FETCH")
    assert not any(b"VANISHED" in x for x in a.ok(f"SELECT {box} (QRESYNC (1 1))"))
    a.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    done = a.command("EXPUNGE")
    assert done[0] == b"* VANISHED 1\r\n" and int(code(done[-1], "HIGHESTMODSEQ")) > high
    assert untagged(b.ok("NOOP"), "EXPUNGE") == [b"* 1 EXPUNGE\r\n"]
    a.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert word(a.command("CLOSE")) == "OK HIGHESTMODSEQ"
    for c in (a, b):
        c.ok("LOGOUT")


# ---- RFC 9051 ----

def test_rev2(suite, box):
    c = login(suite)
    append(c, box, "one")
    c.ok("ENABLE IMAP4rev2")
    lines = c.ok(f"SELECT {box}")
    assert not untagged(lines, "RECENT") and not any(b"UNSEEN" in x for x in lines)
    assert any(x.startswith(b"* LIST ") and box.encode() in x for x in lines)
    assert untagged(c.ok("SEARCH ALL"), "ESEARCH") and b"\\Recent" not in c.ok("FETCH 1 FLAGS")[0]
    assert not untagged(c.ok(b"APPEND %s {5+}\r\nA: 1\n" % box.encode()), "RECENT")
    c.ok('CREATE "b\u00e4r"')
    assert any("b\u00e4r".encode() in x for x in c.ok('LIST "" "b*"'))
    assert any("b\u00e4r".encode() in x for x in c.ok('SELECT "b\u00e4r"'))
    c.ok("LOGOUT")


# ---- the rest ----

def test_id(suite):
    c = login(suite)
    assert b'"name" "Surat"' in c.ok('ID ("name" "sodr" "version" "19.34")')[0]
    assert c.ok("ID NIL")
    assert word(c.command("ID (" + " ".join('"k%d" "v"' % k for k in range(31)) + ")")) == "BAD"
    c.ok("LOGOUT")


def test_every_capability_is_a_command_that_answers(suite, box):
    c = login(suite)
    caps = c.ok("CAPABILITY")[0].decode().split()[2:]
    assert len(caps) == len(set(caps)) and "IMAP4rev1" in caps and "AUTH=PLAIN" not in caps
    tries = {"ID": "ID NIL", "ENABLE": "ENABLE CONDSTORE", "NAMESPACE": "NAMESPACE", "UNSELECT": "UNSELECT", "MOVE": "MOVE 1 INBOX",
             "UIDPLUS": "UID EXPUNGE 1", "ESEARCH": "SEARCH RETURN (COUNT) ALL", "SEARCHRES": "SEARCH RETURN (SAVE) ALL",
             "SORT": "SORT (DATE) UTF-8 ALL", "THREAD=REFERENCES": "THREAD REFERENCES UTF-8 ALL", "WITHIN": "SEARCH YOUNGER 60",
             "THREAD=ORDEREDSUBJECT": "THREAD ORDEREDSUBJECT UTF-8 ALL", "CONDSTORE": "FETCH 1 (MODSEQ)", "BINARY": "FETCH 1 BINARY.SIZE[1]",
             "LIST-EXTENDED": 'LIST (SUBSCRIBED) "" *', "LIST-STATUS": 'LIST "" * RETURN (STATUS (MESSAGES))',
             "STATUS=SIZE": "STATUS INBOX (SIZE)", "SPECIAL-USE": 'LIST (SPECIAL-USE) "" *', "QUOTA": "GETQUOTAROOT INBOX"}
    for cap, line in tries.items():
        append(c, box, "one")
        c.ok(f"SELECT {box}")
        assert cap in caps
        c.ok(line)
    c.ok("LOGOUT")


def test_refused_appends_leave_memory_alone(suite, box):
    """A thousand refusals and a thousand odd commands: the child is as large as before."""
    c = login(suite)
    c.ok("NOOP")
    child = max(suite_children(suite))

    def round_of(n):
        for k in range(n):
            c.command(b"APPEND nowhere {3000+}\r\n" + b"x" * 3000)
            c.command(b"STORE " + b"1," * 300 + b"1 FLAGS (a b c)")
            c.ok("NOOP")
        return memory_kib(child, "Rss")
    before = round_of(100)
    assert round_of(400) < before + 1024
    c.ok("LOGOUT")


def test_dead_client_ends_the_session(suite, box):
    c = login(suite)
    c.ok(f"SELECT {box}")
    count = len(suite_children(suite))
    c.send(b"i IDLE\r\n")
    c.answer()
    c.sock.shutdown(2)
    c.sock.close()
    c.reader.close()
    start = time.monotonic()
    wait_for("the child to leave", lambda: len(suite_children(suite)) < count)
    assert time.monotonic() - start < 5
