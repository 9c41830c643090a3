"""Commands that change state, the same stream to Surat and to Debian's Dovecot on equal Maildirs: what differs is listed here,
with its reason."""
import pathlib
import re
import shutil
import tempfile

import pytest
from imap_peer import Client, Dovecot
from instance import Instance

TITO = "tito@example.com"
LETTER = b"Subject: x\r\n\r\nHello\r\n"


def lit(data, kind=b"{%d+}"):
    return kind % len(data) + b"\r\n" + data


# name, commands of two sessions of one mailbox: "1 ..." and "2 ..."
STREAMS = {
    "append": [b"1 APPEND box (\\Seen) " + lit(LETTER), b"1 SELECT box", b"1 APPEND box " + lit(LETTER), b"1 APPEND none " + lit(LETTER),
               b"1 APPEND box (\\Flagged $Mine) \" 7-Feb-1994 21:52:25 -0800\" " + lit(LETTER), b"1 APPEND box " + lit(b""),
               b"1 APPEND box (\\Bogus) " + lit(LETTER), b"1 APPEND box \"never\" " + lit(LETTER), b"1 APPEND box",
               b"1 APPEND box " + lit(LETTER) + b" (\\Draft) " + lit(LETTER), b"1 FETCH 1:* (UID FLAGS)", b"1 CLOSE"],
    "store": [b"1 APPEND box " + lit(LETTER) + b" (\\Seen) " + lit(LETTER), b"1 SELECT box", b"1 UNSELECT", b"1 SELECT box",
              b"1 STORE 1 +FLAGS (\\Seen)", b"1 STORE 1:2 FLAGS (\\Deleted \\Draft)", b"1 STORE 2 -FLAGS \\Draft", b"1 STORE 1 FLAGS.SILENT ()",
              b"1 UID STORE 2 +FLAGS.SILENT (\\Answered)", b"1 UID STORE 1:* +FLAGS (\\Flagged)", b"1 UID STORE 99 +FLAGS (\\Seen)",
              b"1 STORE 9 +FLAGS (\\Seen)", b"1 STORE 1 +FLAGS ($New)", b"1 STORE 2 +FLAGS ($new other)", b"1 STORE 1 -FLAGS ($none)",
              b"1 STORE 1 +FLAGS (\\Recent)", b"1 FETCH 1:* FLAGS", b"1 EXAMINE box", b"1 FETCH 1:* FLAGS", b"1 CLOSE"],
    "expunge": [b"1 APPEND box" + b"".join(b" " + lit(LETTER) for _ in range(6)), b"1 SELECT box", b"1 UNSELECT", b"1 SELECT box",
                b"1 STORE 1,3:5 +FLAGS.SILENT (\\Deleted)", b"1 UID EXPUNGE 4", b"1 UID EXPUNGE 2,99", b"1 EXPUNGE", b"1 EXPUNGE",
                b"1 FETCH 1:* UID", b"1 STORE 1 +FLAGS.SILENT (\\Deleted)", b"1 CLOSE", b"1 SELECT box", b"1 FETCH 1:* UID", b"1 CHECK",
                b"1 UNSELECT", b"1 CLOSE", b"1 EXPUNGE"],
    "copy": [b"1 APPEND box" + b"".join(b" (\\Seen) " + lit(LETTER) for _ in range(4)), b"1 SELECT box",
             b"1 UNSELECT", b"1 SELECT box", b"1 COPY 1,3 other", b"1 UID COPY 4,1 other", b"1 COPY 1 none", b"1 UID COPY 99 other",
             b"1 COPY 9 other", b"1 MOVE 2 other", b"1 UID MOVE 1:3 other", b"1 MOVE 1 none", b"1 FETCH 1:* UID", b"1 SELECT other",
             b"1 FETCH 1:* (UID FLAGS)", b"1 CLOSE"],
    "two": [b"1 APPEND box" + b"".join(b" (\\Seen) " + lit(LETTER) for _ in range(4)), b"1 SELECT box", b"1 UNSELECT", b"1 SELECT box",
            b"2 SELECT box", b"1 STORE 2 +FLAGS (\\Deleted)", b"2 NOOP", b"1 EXPUNGE", b"2 FETCH 1 UID", b"2 NOOP",
            b"2 APPEND box " + lit(LETTER), b"1 NOOP", b"1 STORE 1 +FLAGS.SILENT ($Word)", b"2 NOOP", b"2 MOVE 1 other", b"1 NOOP",
            b"1 FETCH 1:* (UID FLAGS)", b"2 FETCH 1:* (UID FLAGS)"],
    "qresync": [b"1 APPEND box" + b"".join(b" (\\Seen) " + lit(LETTER) for _ in range(4)), b"1 SELECT box", b"1 UNSELECT",
                b"1 ENABLE QRESYNC", b"1 SELECT box", b"1 STORE 1 +FLAGS (\\Flagged)", b"1 STORE 2:3 +FLAGS.SILENT (\\Deleted)",
                b"1 EXPUNGE", b"1 UID MOVE 1 other", b"1 STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)", b"1 CLOSE"],
    "states": [b"1 CHECK", b"1 SELECT none", b"1 CLOSE", b"1 FROB", b"1 UID FROB 1", b"1 UID", b"1 SELECT box", b"1 SELECT none", b"1 CHECK",
               b"1 ENABLE CONDSTORE", b"1 ENABLE FROB", b"1 LOGIN a b", b"1 ID NIL", b"1 NOOP", b"1 CAPABILITY x", b"1 LOGOUT"],
}

# regular expression for "stream | command | part", reason
ALLOWED = [
    (r"\* ID ", "another program"),
    (r"\| \* OK \[HIGHESTMODSEQ N\]$", "RFC 7162 section 3.1.2: always told; Dovecot waits until somebody wants CONDSTORE"),
    (r"APPEND box( \"never\".*)?' \| (\*|Hello|Subject:) BAD$", "Dovecot takes the letter behind a refused APPEND for commands"),
    (r"-FLAGS \(\$none\)|EXAMINE box' \| \* FLAGS", "Dovecot makes a keyword that is to be taken away"),
    (r"(EXPUNGE|MOVE [0-9:]+ other)' \| \* \d+ EXPUNGE$", "Dovecot tells the last message first"),
    (r"NOOP' \| \* \d+ RECENT$", "we tell RECENT with each EXISTS, Dovecot when it changed"),
    (r"SELECT none' \| \S+ NO( \[NONEXISTENT\])?$", "RFC 5530"),
    (r"ENABLE FROB' \| \* ENABLED$", "RFC 5161 section 3.2: told even when there is nothing new"),
    (r"CAPABILITY x' ", "Dovecot does not look at what follows"),
]


def normal(line):
    """Answers without texts for people and without numbers that nobody could foretell."""
    line = line.decode("utf-8", "replace").rstrip("\r\n")
    line = re.sub(r"(UIDVALIDITY|HIGHESTMODSEQ|MODSEQ|APPENDUID|COPYUID) \(?\d+\)?", r"\1 N", line)
    line = re.sub(r"^(\S+ (?:OK|NO|BAD)(?: \[[^\]]*\])?).*", r"\1", line)
    if m := re.match(r"(\* \d+ FETCH )\((.*)\)$", line):
        return m[1] + " ".join(sorted(re.findall(r"\w+ (?:\([^)]*\)|\S+)", m[2])))
    return line


def run(connect, stream):
    clients, out = {}, []
    for line in STREAMS[stream]:
        who, _, text = line.partition(b" ")
        if who not in clients:
            clients[who] = connect(who.decode())
        out.append([normal(x) for x in clients[who].command(text)])
    return out


@pytest.fixture(scope="module")
def ours():
    with Instance(users={TITO: "secret-tito"}, settings={"mailbox_defaults": ""}) as i:
        i.wait_ready()
        yield i


def our_client(suite, prefix):
    c = Client.connect(suite.port("imap"))
    c.prefix = prefix
    c.ok("LOGIN tito secret-tito")
    c.count = 0
    return c


@pytest.mark.parametrize("stream", STREAMS)
def test_same_answers(ours, stream):
    if why := Dovecot.missing():
        pytest.skip(why)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="imap-dovecot-"))
    folder.chmod(0o755)
    (folder / "Maildir").mkdir()
    dovecot, sessions = Dovecot(folder), []

    def their_client(prefix):
        c = dovecot.session()
        sessions.append(dovecot.process)
        c.prefix = prefix
        return c
    setup = our_client(ours, "s")
    for name in (b"box", b"other"):
        setup.command(b"DELETE " + name)
        setup.ok(b"CREATE " + name)
    setup.ok("LOGOUT")
    their = dovecot.session()
    their.ok("CREATE box")
    their.ok("CREATE other")
    their.ok("LOGOUT")
    dovecot.close()
    a, b = run(lambda p: our_client(ours, p), stream), run(their_client, stream)
    for p in sessions:
        p.stdin.close()
        p.wait(10)
    shutil.rmtree(folder)
    faults = []
    for line, mine, other in zip(STREAMS[stream], a, b):
        for part in sorted(set(mine) ^ set(other)):
            where = f"{stream} | {line[:60]!r} | {part}"
            if not any(re.search(pattern, where) for pattern, _ in ALLOWED):
                faults.append(f"{'ours' if part in mine else 'Dovecot'}: {where}")
    assert not faults, "\n" + "\n".join(faults)
