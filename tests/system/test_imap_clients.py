"""IMAP programs that people use, against the whole suite: what they show, fetch, mark, move and synchronise is looked at on disk."""
import contextlib
import email
import imaplib
import os
import pty
import re
import select
import subprocess
import time

import pytest
from imap_wire import Imap, pairs
from instance import Instance, wait_for
from letters import crlf, letter, smtp, trust

TITO, IQBAL = "tito@example.com", "iqbal@example.com"
USERS = {TITO: "rahasia-1", IQBAL: "rahasia-2"}


@pytest.fixture(scope="module")
def suite():
    with Instance(users=USERS, settings={"mail_max_userip_connections": 30}) as i:
        yield i


@pytest.fixture
def box(suite):
    """INBOX of iqbal with three letters and nothing else; the marks of the letters."""
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        for _, values in list_folders(c):
            name = values[-1].decode()
            if name not in ("INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"):
                c.ok(f'DELETE "{name}"')
        for name in ("INBOX", "Archive"):
            c.ok(f"SELECT {name}")
            c.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)") if c.all("EXISTS")[0][0] else None
            c.ok("EXPUNGE")
        marks = []
        for n in range(3):
            text, m = letter(to=IQBAL, body="".join(f"line {k} of {n}\n" for k in range(30)))
            c.ok("APPEND INBOX {}", crlf(text))
            marks.append(m)
    return marks


def list_folders(c):
    c.ok('LIST "" *')
    return c.all("LIST")


def run(args, text=None, check=True, **kw):
    done = subprocess.run([str(a) for a in args], input=text, capture_output=True, timeout=90, text=True, **kw)
    assert not check or done.returncode == 0, (args, done.stdout[-3000:], done.stderr[-3000:])
    return done


def seen(suite, folder="INBOX", user=IQBAL):
    """What another session sees: {mark: flags}."""
    with Imap(suite, user, USERS[user]) as c:
        c.ok(f"EXAMINE {folder}")
        c.ok("FETCH 1:* (FLAGS ENVELOPE)") if c.all("EXISTS")[0][0] else None
        return {pairs(v)["ENVELOPE"][1].decode(): {f.decode() for f in pairs(v)["FLAGS"]} - {"\\Recent"} for _, v in c.all("FETCH")}


# ---- mbsync, offlineimap ----

def mbsync(suite, where, *args):
    config = where / "mbsyncrc"
    config.write_text(f"""IMAPAccount surat
Host localhost
Port {suite.port('imap')}
User {IQBAL}
Pass {USERS[IQBAL]}
SSLType STARTTLS
CertificateFile {suite.cert}
AuthMechs PLAIN

IMAPStore far
Account surat

MaildirStore near
Path {where}/mail/
Inbox {where}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
Sync All
SyncState *
CopyArrivalDate yes
""")
    (where / "mail").mkdir(exist_ok=True)
    return run(["mbsync", "-c", config, "-a", *args], env={**os.environ, "HOME": str(where)})


def local_files(where, folder="INBOX"):
    return [f for sub in ("cur", "new") for f in (where / "mail" / folder / sub).iterdir()]


def mark_of(f):
    return email.message_from_bytes(f.read_bytes())["Subject"]


def test_mbsync_both_ways(suite, box, tmp_path):
    mbsync(suite, tmp_path)
    assert sorted(mark_of(f) for f in local_files(tmp_path)) == sorted(box)

    # a flag here, a flag and a removal there
    near = {mark_of(f): f for f in local_files(tmp_path)}
    f = near[box[0]]
    f.rename(tmp_path / "mail/INBOX/cur" / (f.name.split(":2,")[0] + ":2,FS"))
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        c.ok("SELECT INBOX")
        c.ok("STORE 2 +FLAGS (\\Answered)")
        c.ok("STORE 3 +FLAGS (\\Deleted)")
        c.ok("EXPUNGE")
    mbsync(suite, tmp_path)
    assert seen(suite)[box[0]] == {"\\Flagged", "\\Seen"}
    near = {mark_of(f): f for f in local_files(tmp_path)}
    assert set(near) == set(box[:2]) and "R" in near[box[1]].name.split(":2,")[1]

    # a removal, a new letter and a new folder here
    near[box[1]].unlink()
    text, m = letter(to=IQBAL)
    (tmp_path / "mail/INBOX/new/1.1.here").write_text(text)
    for sub in ("cur", "new", "tmp"):
        (tmp_path / "mail/Kerja" / sub).mkdir(parents=True)
    text, k = letter(to=IQBAL)
    (tmp_path / "mail/Kerja/cur/2.1.here:2,S").write_text(text)
    mbsync(suite, tmp_path)
    assert set(seen(suite)) == {box[0], m}
    assert seen(suite, "Kerja") == {k: {"\\Seen"}}
    before = {p: p.stat().st_mtime_ns for p in suite.maildir(IQBAL).glob("**/cur/*")}
    mbsync(suite, tmp_path)
    assert before == {p: p.stat().st_mtime_ns for p in suite.maildir(IQBAL).glob("**/cur/*")}, "a settled mailbox was touched"


def test_offlineimap_both_ways(suite, box, tmp_path):
    config = tmp_path / "offlineimaprc"
    config.write_text(f"""[general]
accounts = a
metadata = {tmp_path}/meta
ui = quiet
[Account a]
localrepository = here
remoterepository = there
[Repository here]
type = Maildir
localfolders = {tmp_path}/mail
[Repository there]
type = IMAP
remotehost = localhost
remoteport = {suite.port('imaps')}
remoteuser = {IQBAL}
remotepass = {USERS[IQBAL]}
ssl = yes
sslcacertfile = {suite.cert}
""")
    sync = ["offlineimap", "-c", config, "-o", "-1"]
    (tmp_path / "mail").mkdir()
    run(sync, env={**os.environ, "HOME": str(tmp_path)})
    near = {mark_of(f): f for f in local_files(tmp_path)}
    assert set(near) == set(box)
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        c.ok("SELECT INBOX")
        c.ok("STORE 2 +FLAGS (\\Flagged)")
        c.ok("STORE 3 +FLAGS (\\Deleted)")
        c.ok("EXPUNGE")
    near[box[0]].unlink()
    f = near[box[1]]
    f.rename(tmp_path / "mail/INBOX/cur" / (f.name.split(":2,")[0] + ":2,S"))
    text, m = letter(to=IQBAL)
    (tmp_path / "mail/INBOX/new/1.1.here").write_text(text)
    run(sync, env={**os.environ, "HOME": str(tmp_path)})
    there = seen(suite)
    assert set(there) == {box[1], m} and there[box[1]] == {"\\Flagged", "\\Seen"}
    near = {mark_of(f): f for f in local_files(tmp_path)}
    assert set(near) == {box[1], m} and near[box[1]].name.endswith(":2,FS")


# ---- mutt, neomutt ----

def screen(args, keys, where, until):
    """Runs a program on a terminal, types keys a little apart, and returns what it wrote until it ends."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(where)
        os.execvpe(args[0], args, {**os.environ, "HOME": str(where), "TERM": "xterm-256color", "LINES": "40", "COLUMNS": "120"})
    out, end, at = b"", time.monotonic() + 40, time.monotonic() + 1.5
    keys = list(keys)
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                got = os.read(fd, 65536)
            except OSError:
                break
            if not got:
                break
            out += got
        if keys and time.monotonic() > at and until.encode() in out:
            os.write(fd, keys.pop(0).encode())
            at = time.monotonic() + 0.8
    os.close(fd)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 9)
    os.waitpid(pid, 0)
    return out.decode("utf-8", "replace")


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_mutt(suite, box, tmp_path, program):
    """Reads the first letter, marks the second, removes the third, saves a copy of the first to Archive."""
    (tmp_path / ".muttrc").write_text(f"""set folder="imap://{IQBAL}@127.0.0.1:{suite.port('imap')}/"
set imap_user="{IQBAL}"
set imap_pass="{USERS[IQBAL]}"
set ssl_force_tls=yes
set certificate_file={suite.cert}
set ssl_verify_host=no
set spoolfile="+INBOX"
set sort=mailbox-order
set delete=yes
set quit=yes
set confirmcreate=no
set confirmappend=no
set beep=no
""")
    screen_text = screen([program, "-n", "-F", str(tmp_path / ".muttrc")], ["1\n", "\n", "i", "C", "=Archive\n", "2\n", "F", "3\n", "d", "q"], tmp_path,
                         box[2][:20])
    there = wait_for(f"{program} did its work; screen: {screen_text[-3000:]}",
                     lambda: (s if set(s := seen(suite)) == set(box[:2]) else None), 10)
    assert "\\Seen" in there[box[0]] and "\\Flagged" in there[box[1]], screen_text[-2000:]
    assert set(seen(suite, "Archive")) == {box[0]}, screen_text[-2000:]


# ---- curl, fetchmail ----

def curl(suite, path, *args):
    return run(["curl", "-sS", "--cacert", suite.cert, "--user", f"{IQBAL}:{USERS[IQBAL]}", f"imaps://localhost:{suite.port('imaps')}/{path}", *args])


def test_curl(suite, box, tmp_path):
    assert 'LIST' in curl(suite, "").stdout and "INBOX" in curl(suite, "").stdout
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        c.ok("SELECT INBOX")
        c.ok("UID FETCH 1:* (UID)")
        uid = pairs(c.all("FETCH")[0][1])["UID"].decode()
    whole = curl(suite, f"INBOX;UID={uid}").stdout
    assert box[0] in whole and whole.replace("\r", "").endswith("line 29 of 0\n")
    assert curl(suite, f"INBOX;UID={uid};SECTION=TEXT").stdout.startswith("line 0 of 0")
    assert curl(suite, f"INBOX?SUBJECT%20{box[1]}").stdout.strip() == "* SEARCH 2"
    assert "FLAGS (\\Seen \\Flagged" in curl(suite, "INBOX", "-X", "STORE 1 +FLAGS (\\Flagged)").stdout.replace("(\\Flagged \\Seen", "(\\Seen \\Flagged")
    text, m = letter(to=IQBAL)
    (tmp_path / "l").write_bytes(crlf(text))
    curl(suite, "INBOX", "-T", tmp_path / "l")
    assert m in seen(suite)


def test_fetchmail(suite, box, tmp_path):
    rc = tmp_path / "rc"
    rc.write_text(f"""poll 127.0.0.1 protocol imap service {suite.port('imap')}
  user "{IQBAL}" password "{USERS[IQBAL]}" sslproto "TLS1.2+" sslcertck sslcertfile "{suite.cert}" sslcommonname "localhost"
  mda "/bin/sh -c 'cat >> {tmp_path}/got'" keep fetchall
""")
    rc.chmod(0o700)
    run(["fetchmail", "-f", rc, "--pidfile", tmp_path / "pid", "--nosyslog"], check=False, env={**os.environ, "HOME": str(tmp_path)})
    got = (tmp_path / "got").read_text()
    assert all(m in got for m in box)
    assert all("\\Seen" in flags for flags in seen(suite).values())


# ---- Python's imaplib ----

def test_imaplib(suite, box):
    c = imaplib.IMAP4("127.0.0.1", suite.port("imap"))
    context = trust(suite)
    context.check_hostname = False
    c.starttls(context)
    c.login(IQBAL, USERS[IQBAL])
    assert "STARTTLS" not in c.capabilities
    assert b" UIDPLUS " in c.capability()[1][0]
    assert c.enable("CONDSTORE")[0] == "OK"
    assert c.select("INBOX") == ("OK", [b"3"])
    assert c.response("HIGHESTMODSEQ")[1] != [None]
    typ, data = c.search(None, "SUBJECT", box[1])
    assert (typ, data) == ("OK", [b"2"])
    typ, data = c.fetch("2", "(RFC822)")
    assert email.message_from_bytes(data[0][1])["Subject"] == box[1]
    assert c.create('"Proyek & Rapat"')[0] == "NO", "'&' alone is no modified UTF-7"
    assert c.create('"Proyek &- Rapat"')[0] == "OK"
    assert c.copy("1:2", '"Proyek &- Rapat"')[0] == "OK"
    assert c.store("1", "+FLAGS", "(\\Deleted)")[0] == "OK"
    assert c.expunge() == ("OK", [b"1"])
    assert c.status('"Proyek &- Rapat"', "(MESSAGES UNSEEN)")[1][0].endswith(b"(MESSAGES 2 UNSEEN 1)")
    assert c.uid("SORT", "(REVERSE SUBJECT)", "UTF-8", "ALL")[0] == "OK"
    assert c.thread("REFERENCES", "UTF-8", "ALL")[0] == "OK"
    assert c.namespace()[1] == [b'(("" ".")) NIL NIL']
    c.close()
    c.logout()


# ---- a letter's whole way, pushed ----

def test_push_from_smtp_to_idle(suite, box):
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        c.ok("SELECT INBOX")
        c.send(b"i IDLE\r\n")
        while not (parts := c.line())[0].startswith(b"+"):
            c.note(parts)
        text, m = letter(to=IQBAL)
        with contextlib.closing(smtp(suite)) as s:
            s.sendmail(TITO, [IQBAL], crlf(text))
        while not re.match(rb"\* 4 EXISTS", c.line()[0]):
            pass
        c.send(b"DONE\r\n")
        while not c.line()[0].startswith(b"i OK"):
            pass
        c.ok("FETCH 4 (ENVELOPE)")
        assert pairs(c.all("FETCH")[0][1])["ENVELOPE"][1].decode() == m


def test_pop3_and_imap_agree(suite, box):
    import poplib

    p = poplib.POP3("127.0.0.1", suite.port("pop3"))
    context = trust(suite)
    context.check_hostname = False
    p.stls(context)
    p.user(IQBAL)
    p.pass_(USERS[IQBAL])
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        c.ok("SELECT INBOX")
        c.ok("FETCH 1:* (UID RFC822.SIZE)")
        sizes = [int(pairs(v)["RFC822.SIZE"]) for _, v in c.all("FETCH")]
        assert [int(line.split()[1]) for line in p.list()[1]] == sizes
        uids = [int(pairs(v)["UID"]) for _, v in c.all("FETCH")]
        assert [int(line.decode().split()[1][:8], 16) for line in p.uidl()[1]] == uids
        p.dele(1)
        p.quit()
        c.ok("NOOP")
        assert c.all("EXPUNGE") == [(1, [])]


