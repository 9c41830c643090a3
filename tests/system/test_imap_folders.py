"""Folders over IMAP with a whole suite: what a first login finds, what several sessions see, what lies on disk afterwards."""
import socket

import pytest
from instance import Instance

TITO = "tito@example.com"
DEFAULTS = {"Drafts", "Sent", "Junk", "Trash", "Archive"}


class Imap:
    """One connection; do() gives the untagged lines and the tagged answer."""

    def __init__(self, i, user=TITO, password="rahasia-1"):
        self.sock = socket.create_connection(("127.0.0.1", i.port("imap")), timeout=20)
        self.file = self.sock.makefile("rb")
        self.n = 0
        assert self.file.readline().startswith(b"* OK ")
        lines, answer = self.do(f"LOGIN {user} {password}")
        assert answer.startswith("OK "), (lines, answer)

    def do(self, command):
        self.n += 1
        tag = f"t{self.n}"
        self.sock.sendall(f"{tag} {command}\r\n".encode())
        lines = []
        while True:
            line = self.file.readline().decode().rstrip("\r\n")
            assert line, lines
            if line.startswith(tag + " "):
                return lines, line[len(tag) + 1:]
            lines.append(line)

    def ok(self, command):
        lines, answer = self.do(command)
        assert answer.startswith("OK "), (command, answer)
        return lines

    def close(self):
        self.sock.close()


@pytest.fixture
def suite():
    with Instance(users={TITO: "rahasia-1", "iqbal@example.com": "rahasia-2"}, settings={"disable_plaintext_auth": "no"}) as i:
        i.wait_ready()
        yield i


def names(lines):
    return {line.rsplit('"." ', 1)[1] for line in lines}


def test_first_login_makes_and_subscribes_the_special_folders(suite):
    c = Imap(suite)
    assert names(c.ok('LIST "" *')) == DEFAULTS | {"INBOX"}
    assert names(c.ok('LSUB "" *')) == DEFAULTS
    special = c.ok('LIST (SPECIAL-USE) "" *')
    assert {line.split("(")[1].split(")")[0] for line in special} == {"\\" + d for d in DEFAULTS}
    for d in DEFAULTS:
        box = suite.maildir(TITO) / f".{d}"
        assert (box / "cur").is_dir() and (box / "new").is_dir() and (box / "tmp").is_dir() and (box / "maildirfolder").exists()
    assert (suite.maildir(TITO) / "subscriptions").read_text().startswith("V\t2\n\n")
    c.ok("DELETE Junk")
    c.ok("UNSUBSCRIBE Trash")
    c.close()
    c = Imap(suite)
    assert names(c.ok('LIST "" *')) == DEFAULTS - {"Junk"} | {"INBOX"}
    assert "Trash" not in names(c.ok('LSUB "" *'))
    c.close()


def test_folders_are_seen_by_all_sessions_and_on_disk(suite):
    a, b = Imap(suite), Imap(suite)
    a.ok("CREATE Projects.2026")
    assert names(b.ok('LIST "" Projects*')) == {"Projects", "Projects.2026"}
    b.ok("RENAME Projects Work")
    assert names(a.ok('LIST "" (Projects* Work*)')) == {"Work", "Work.2026"}
    box = suite.maildir(TITO) / ".Work.2026"
    (box / "new" / "1.M1.host").write_text("Subject: hello\n\nhello\n")
    assert a.ok("STATUS Work.2026 (MESSAGES UNSEEN)") == ["* STATUS Work.2026 (MESSAGES 1 UNSEEN 1)"]
    b.ok("DELETE Work.2026")
    assert not box.exists()
    assert not [p for p in suite.maildir(TITO).iterdir() if p.name.startswith(("surat-gone", "surat-new"))]
    _, answer = a.do("STATUS Work.2026 (MESSAGES)")
    assert answer.startswith("NO [NONEXISTENT]")
    a.close()
    b.close()


@pytest.mark.parametrize("name", ["../../iqbal/Maildir", "/etc", "a/../../b", "..", ".", "&AC8-etc", "a..b", "x" * 300])
def test_names_never_leave_the_maildir(suite, name):
    c = Imap(suite)
    before = sorted(p for p in suite.mail.rglob("*") if p.is_dir())
    for command in (f'CREATE "{name}"', f'DELETE "{name}"', f'RENAME INBOX "{name}"', f'RENAME "{name}" x', f'SELECT "{name}"',
                    f'STATUS "{name}" (MESSAGES)', f'SUBSCRIBE "{name}"', f'GETQUOTAROOT "{name}"'):
        _, answer = c.do(command)
        assert answer.startswith("NO [CANNOT]"), (command, answer)
    assert sorted(p for p in suite.mail.rglob("*") if p.is_dir()) == before
    c.close()


def test_a_link_out_of_the_maildir_is_no_folder(suite):
    Imap(suite, "iqbal@example.com", "rahasia-2").close()
    c = Imap(suite)
    (suite.maildir(TITO) / ".stolen").symlink_to(suite.maildir("iqbal@example.com"))
    assert "stolen" not in names(c.ok('LIST "" *'))
    for command in ("SELECT stolen", "STATUS stolen (MESSAGES)", "DELETE stolen"):
        _, answer = c.do(command)
        assert answer.startswith("NO"), (command, answer)
    assert (suite.maildir("iqbal@example.com") / "cur").is_dir()
    c.close()


def test_special_use_and_utf8(suite):
    c = Imap(suite)
    _, answer = c.do("CREATE Other (USE (\\Sent))")
    assert answer.startswith("NO [USEATTR]")
    c.ok("ENABLE IMAP4rev2")
    assert c.ok('CREATE "Entwu\u0308rfe."') == ['* LIST () "." "Entw\u00fcrfe" ("OLDNAME" ("Entwu\u0308rfe."))']
    assert (suite.maildir(TITO) / ".Entw&APw-rfe").is_dir()
    c.close()
