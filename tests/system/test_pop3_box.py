"""A POP3 mailbox from the client's side: what is numbered, shown, marked, kept and deleted, also over restarts."""
import contextlib
import imaplib
import os
import poplib
import shutil

import pytest
from instance import Instance, wait_for
from letters import crlf, files_of, letter, pop3, smtp, trust, wait_file

TITO, IQBAL = "tito@example.com", "iqbal@example.com"
USERS = {TITO: "rahasia-1", IQBAL: "rahasia-2"}


@pytest.fixture
def box():
    with Instance(users=USERS) as i:
        i.marks = [send(i, n) for n in range(1, 4)]
        yield i


def send(i, n, to=IQBAL):
    text, m = letter(to=to, body="".join(f"line {k}\n" for k in range(n * 10)) + ".dot\n")
    with contextlib.closing(smtp(i)) as s:
        s.sendmail(TITO, [to], crlf(text))
    wait_file(i.maildir(to), m)
    return m


def opened(i):
    return pop3(i, IQBAL, USERS[IQBAL])


def uids(p):
    return [line.decode().split()[1] for line in p.uidl()[1]]


def numbers(p):
    return [int(line.split()[0]) for line in p.list()[1]]


def test_uidl_is_stable(box):
    p = opened(box)
    first = uids(p)
    assert len(set(first)) == 3 and all(0 < len(u) <= 70 for u in first)
    assert p.uidl(2).split()[2].decode() == first[1]
    p.retr(1)
    p.quit()
    box.surat("stop")
    box.surat("start")
    send(box, 4)
    p = opened(box)
    assert uids(p)[:3] == first and uids(p)[3] not in first
    p.dele(2)
    p.quit()
    p = opened(box)
    assert uids(p) == [first[0], first[2], uids(p)[2]]
    p.quit()


def test_sizes_are_those_of_the_wire(box):
    p = opened(box)
    sizes = {int(n): int(size) for n, size in (line.split() for line in p.list()[1])}
    for n, size in sizes.items():
        assert sum(len(line) + 2 for line in p.retr(n)[1]) == size
    assert p.stat() == (3, sum(sizes.values()))
    p.quit()


def test_top(box):
    p = opened(box)
    for count in (0, 1, 5, 1000):
        head, _, body = b"\n".join(p.top(3, count)[1]).partition(b"\n\n")
        assert box.marks[2].encode() in head
        lines = body.split(b"\n") if body else []
        assert lines == [f"line {k}".encode() for k in range(30)][:count] + ([b".dot"] if count > 30 else [])
    for words in ("TOP 9 1", "TOP 1 -1", "TOP 1"):
        with pytest.raises(poplib.error_proto):
            p._longcmd(words)
    p.quit()


def test_dele_only_at_quit(box):
    p = opened(box)
    p.dele(1)
    p.dele(3)
    assert numbers(p) == [2] and p.stat()[0] == 1
    for words in ("RETR 1", "DELE 1", "LIST 1", "UIDL 1", "TOP 1 0"):
        with pytest.raises(poplib.error_proto):
            p._shortcmd(words)
    p.close()                                    # no QUIT: nothing was deleted
    p = wait_for("all are there again", lambda: (q := opened(box)) and (numbers(q) == [1, 2, 3] and q))
    p.dele(1)
    p.rset()
    assert numbers(p) == [1, 2, 3]
    p.dele(2)
    p.quit()
    p = opened(box)
    text = b"\n".join(b"\n".join(p.retr(n)[1]) for n in numbers(p)).decode()
    assert [m in text for m in box.marks] == [True, False, True]
    p.quit()
    assert len(files_of(box.maildir(IQBAL))) == 2


def test_mail_that_comes_during_a_session_waits_for_the_next(box):
    p = opened(box)
    assert numbers(p) == [1, 2, 3]
    m = send(box, 1)
    assert numbers(p) == [1, 2, 3] and p.noop().startswith(b"+OK")
    p.quit()
    p = opened(box)
    assert m.encode() in b"\n".join(p.retr(4)[1])
    p.quit()


def test_capa_and_cleartext(box):
    p = poplib.POP3("127.0.0.1", box.port("pop3"), timeout=60)
    capa = p.capa()
    for name in ("TOP", "UIDL", "RESP-CODES", "PIPELINING", "STLS"):
        assert name in capa, (name, capa)
    p.quit()
    p = opened(box)
    assert "STLS" not in p.capa()
    with pytest.raises(poplib.error_proto):
        p._shortcmd("STLS")
    p.quit()


def test_mailbox_of_a_virtual_user_is_a_link(box):
    """Beside it the same delivery process serves one that is none."""
    mine, place = box.maildir(TITO), box.dir / "elsewhere"
    shutil.copytree(box.maildir(IQBAL).parent, mine.parent)
    shutil.move(mine, place)
    mine.symlink_to(place)
    owner = box.mail.stat()
    for path in (mine.parent, mine, place, *place.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    m = send(box, 5, TITO)
    send(box, 6)
    assert m.encode() in wait_file(place, m)
    p = pop3(box, TITO, USERS[TITO])
    assert m.encode() in b"\n".join(p.retr(4)[1])
    p.quit()
    with imaplib.IMAP4("127.0.0.1", box.port("imap")) as c:
        c.starttls(trust(box))
        c.login(TITO, USERS[TITO])
        assert c.select() == ("OK", [b"4"])
