"""What others change reaches an idle client at once: through the one inotify instance in imapd's parent."""
import contextlib
import os
import statistics
import time

import pytest
from instance import IS_ROOT, Instance, wait_for
from test_imap_login import TITO, USERS, Imap

BUDGET = 0.020          # from the file to the client
ROUNDS = 15


@pytest.fixture(scope="module")
def suite():
    with Instance(users=USERS, settings={"disable_plaintext_auth": "yes"}) as i:
        i.wait_ready()
        yield i


def own(suite, path):
    if IS_ROOT:
        owner = suite.mail.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def deliver(suite, name, text=b"Subject: push\n\nhello\n"):
    """As a delivery does: tmp, then new; returns the moment of the rename."""
    md = suite.maildir(TITO)
    (md / "tmp" / name).write_bytes(text)
    own(suite, md / "tmp" / name)
    at = time.monotonic()
    (md / "tmp" / name).rename(md / "new" / name)
    return at


def open_box(suite, service="imap", folder="INBOX"):
    w = Imap(suite, service)
    assert w.tagged(f"LOGIN {TITO} {USERS[TITO]}")[0].startswith("OK ")
    assert w.tagged(f"SELECT {folder}")[0].startswith("OK ")
    return w


def idle(w):
    assert w.cmd("i IDLE").startswith("+ ")


def heard(w, what):
    """Reads until a line has what; when it came."""
    while True:
        line = w.reply()
        assert line
        if what in line:
            return time.monotonic()


def done(w):
    w.send(b"DONE\r\n")
    heard(w, "i OK")


@pytest.mark.parametrize("service", ["imap", "imaps"])
def test_new_mail(suite, service):
    w = open_box(suite, service)
    n = int(w.tagged("STATUS INBOX (MESSAGES)")[1][0].split()[-1].rstrip(")"))
    idle(w)
    took = []
    for k in range(ROUNDS):
        at = deliver(suite, f"17000{k:05}.{service}.host")
        took.append(heard(w, f"* {n + k + 1} EXISTS") - at)
        time.sleep(0.08)
    done(w)
    w.close()
    print(f"{service}: median {statistics.median(took) * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms")
    assert statistics.median(took) < BUDGET, took


def test_flags_of_another_session(suite):
    deliver(suite, "1800000000.flags.host")
    a, b = open_box(suite), open_box(suite, "imaps")
    a.tagged("NOOP")
    idle(a)
    took = []
    for k in range(ROUNDS):
        sign = "+" if k % 2 == 0 else "-"
        at = time.monotonic()
        assert b.tagged(f"STORE 1 {sign}FLAGS (\\Flagged)")[0].startswith("OK ")
        took.append(heard(a, "* 1 FETCH") - at)
        time.sleep(0.08)
    done(a)
    assert statistics.median(took) < BUDGET * 2, took


def test_foreign_program(suite):
    """Another Maildir reader marks a letter and removes it."""
    name = "1900000000.foreign.host"
    deliver(suite, name)
    md = suite.maildir(TITO)
    w = open_box(suite)
    last = int(w.tagged("STATUS INBOX (MESSAGES)")[1][0].split()[-1].rstrip(")"))
    idle(w)
    path = next(p for d in ("new", "cur") for p in (md / d).iterdir() if p.name.startswith(name))
    seen = md / "cur" / f"{name}:2,S"
    at = time.monotonic()
    path.rename(seen)
    assert heard(w, "\\Seen") - at < 1
    at = time.monotonic()
    seen.unlink()
    assert heard(w, f"* {last} EXPUNGE") - at < 1
    done(w)


def test_many_sessions_one_folder(suite):
    """Eight clients of one folder: two watches in the parent, everybody hears."""
    pid = suite.processes("imapd")[0]["pid"]
    boxes = [open_box(suite) for _ in range(8)]

    def watches():
        n = 0
        for fd in os.listdir(f"/proc/{pid}/fdinfo"):
            # a descriptor of a session that just came or went
            with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/fdinfo/{fd}") as f:
                n += sum(line.startswith("inotify ") for line in f)
        return n

    for w in boxes:
        idle(w)
    wait_for("two watches", lambda: watches() == 2)
    deliver(suite, "1950000000.many.host")
    for w in boxes:
        heard(w, "EXISTS")
    for w in boxes:
        w.close()
    wait_for("no watch left", lambda: watches() == 0)


def test_search_charset_inside_the_cage(suite):
    """iconv's modules can be loaded where nothing else can be opened."""
    deliver(suite, "1960000000.koi.host", "Subject: =?koi8-r?Q?=D0=D2=C9=D7=C5=D4?=\n\nx\n".encode())
    deliver(suite, "1960000001.latin.host", "Subject: =?iso-8859-1?Q?gr=FCn?=\n\nx\n".encode())
    w = open_box(suite)
    for charset, word in (("KOI8-R", "привет".encode("koi8-r")), ("ISO-8859-1", "GRÜN".encode("latin-1")), ("UTF-8", "grün".encode())):
        w.send(b"s SEARCH CHARSET %s SUBJECT {%d+}\r\n%s\r\n" % (charset.encode(), len(word), word))
        line = w.reply()
        assert line.startswith("* SEARCH ") and len(line.split()) == 3, (charset, line)
        assert w.reply().startswith("s OK ")
    w.close()
