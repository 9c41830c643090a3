"""Folders over IMAP with a whole suite: what a first login finds, what several sessions see, what lies on disk afterwards."""
import pytest
from imap_peer import Client
from instance import Instance

TITO = "tito@example.com"
DEFAULTS = {"Drafts", "Sent", "Junk", "Trash", "Archive"}


class Text(Client):
    """do() gives the untagged lines and the tagged answer as text."""

    def do(self, command):
        *lines, answer = [a.decode().rstrip("\r\n") for a in self.command(command)]
        return lines, answer.split(" ", 1)[1]

    def ok(self, command):
        lines, answer = self.do(command)
        assert answer.startswith("OK "), (command, answer)
        return lines


def login(i, user=TITO, password="rahasia-1"):
    c = Text.connect(i.port("imap"))
    c.ok(f"LOGIN {user} {password}")
    return c


@pytest.fixture
def suite():
    with Instance(users={TITO: "rahasia-1", "iqbal@example.com": "rahasia-2"}, settings={"disable_plaintext_auth": "no"}) as i:
        i.wait_ready()
        yield i


def names(lines):
    return {line.rsplit('"." ', 1)[1] for line in lines}


def test_first_login_makes_and_subscribes_the_special_folders(suite):
    c = login(suite)
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
    c = login(suite)
    assert names(c.ok('LIST "" *')) == DEFAULTS - {"Junk"} | {"INBOX"}
    assert "Trash" not in names(c.ok('LSUB "" *'))
    c.close()


def test_folders_are_seen_by_all_sessions_and_on_disk(suite):
    a, b = login(suite), login(suite)
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
    c = login(suite)
    before = sorted(p for p in suite.mail.rglob("*") if p.is_dir())
    for command in (f'CREATE "{name}"', f'DELETE "{name}"', f'RENAME INBOX "{name}"', f'RENAME "{name}" x', f'SELECT "{name}"',
                    f'STATUS "{name}" (MESSAGES)', f'SUBSCRIBE "{name}"'):
        _, answer = c.do(command)
        assert answer.startswith("NO [CANNOT]"), (command, answer)
    c.ok(f'GETQUOTAROOT "{name}"')
    assert sorted(p for p in suite.mail.rglob("*") if p.is_dir()) == before
    c.close()


def test_a_link_out_of_the_maildir_is_no_folder(suite):
    login(suite, "iqbal@example.com", "rahasia-2").close()
    c = login(suite)
    (suite.maildir(TITO) / ".stolen").symlink_to(suite.maildir("iqbal@example.com"))
    assert "stolen" not in names(c.ok('LIST "" *'))
    for command in ("SELECT stolen", "STATUS stolen (MESSAGES)", "DELETE stolen"):
        _, answer = c.do(command)
        assert answer.startswith("NO"), (command, answer)
    assert (suite.maildir("iqbal@example.com") / "cur").is_dir()
    c.close()


def test_special_use_and_utf8(suite):
    c = login(suite)
    _, answer = c.do("CREATE Other (USE (\\Sent))")
    assert answer.startswith("NO [USEATTR]")
    c.ok("ENABLE IMAP4rev2")
    assert c.ok('CREATE "Entwu\u0308rfe."') == ['* LIST () "." "Entw\u00fcrfe" ("OLDNAME" ("Entwu\u0308rfe."))']
    assert (suite.maildir(TITO) / ".Entw&APw-rfe").is_dir()
    c.close()
