"""Delivery to real accounts: PAM, aliases, .forward, extensions, virtual aliases, catch-all, luser_relay, owners."""
import contextlib
import imaplib
import os
import pathlib
import re
import shutil
import signal

import pytest
from instance import IS_ROOT, Instance, wait_for
from letters import (PATIENCE, body_of, crlf, fetch, files_of, letter, mark, pop3, queue_ids, sendmail, smtp, system_users, trust,
                     wait_file, wait_queue_empty)

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="needs root for accounts")
PASSWORD = "kata-sandi-7"
VIRTUAL = {"tito@virtual.example": "rahasia-1"}


class World:
    """An instance whose example.com is this machine, with accounts ani and budi."""

    def __init__(self, i, users):
        self.i, self.users = i, users
        self.ani, self.budi = users["ani"], users["budi"]

    def box(self, user):
        return pathlib.Path(user.pw_dir) / "Maildir"

    def send(self, to, text=None, sender="tito@example.com", m=None):
        if text is None:
            text, m = letter(to=to, sender=sender)
        with contextlib.closing(smtp(self.i)) as s:
            refused = s.sendmail(sender, [to], crlf(text))
            assert not refused
        return m

    def write_as(self, user, name, text, mode=0o644):
        path = pathlib.Path(user.pw_dir) / name
        path.write_text(text)
        os.chown(path, user.pw_uid, user.pw_gid)
        path.chmod(mode)
        return path


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    i = Instance(users=VIRTUAL)
    homes = i.dir / "homes"
    homes.mkdir()
    with system_users("ani", "budi", where=homes, password=PASSWORD) as users:
        ani, budi = users["ani"].pw_name, users["budi"].pw_name
        out = i.dir / "out"
        out.mkdir()
        out.chmod(0o777)
        (i.etc / "list").write_text(f"{ani}, {budi}@example.com\n# a comment\n")
        (i.etc / "aliases").write_text(
            f"postmaster: {ani}\nboth: {ani}, {budi}\ngroup: :include:{i.etc}/list\nowner-group: {budi}\n"
            f"pipe: \"|cat >{out}/pipe; id -un >>{out}/pipe; echo $SENDER $RECIPIENT >>{out}/pipe\"\n"
            f"fails: \"|exit 75\"\nbroken: \"|echo it is broken; exit 69\"\nfile: {out}/mbox\nround: {ani}, around\naround: round\n")
        (i.etc / "virtual").write_text(f"info@alias.example {ani}@example.com, tito@virtual.example\n@alias.example {budi}@example.com\n")
        i.settings.update({
            "mydestination": "$mydomain", "home_mailbox": "Maildir/", "alias_maps": f"lmdb:{i.etc}/aliases",
            "alias_database": f"lmdb:{i.etc}/aliases", "virtual_mailbox_domains": "virtual.example", "virtual_alias_domains": "alias.example",
            "virtual_alias_maps": f"lmdb:{i.etc}/virtual", "recipient_delimiter": "+", "minimal_backoff_time": "2s",
            "queue_run_delay": "1s", "auth_passdb": "users pam", "local_recipient_maps": "unix:passwd.byname $alias_maps",
            "mail_home": None, "mail_uid": None, "mail_gid": None, "allow_mail_to_files": "alias,forward,include",
            "allow_mail_to_commands": "alias,forward",
        })
        i.write_config()
        try:
            i.surat("newaliases")
            i.surat("map", f"lmdb:{i.etc}/virtual")
            with i:
                yield World(i, users)
        finally:
            i.__exit__(None, None, None)


def test_account(world):
    m = world.send(f"{world.ani.pw_name}@example.com")
    text = wait_file(world.box(world.ani), m).decode()
    assert f"Delivered-To: {world.ani.pw_name}@example.com\n" in text and text.startswith("Return-Path: <tito@example.com>\n")
    box = world.box(world.ani)
    assert box.stat().st_uid == world.ani.pw_uid and all(f.stat().st_uid == world.ani.pw_uid for f in files_of(box))
    assert box.stat().st_mode & 0o077 == 0


def test_pam_login_fetches(world):
    m = world.send(f"{world.ani.pw_name}@example.com")
    got = fetch(world.i, world.ani.pw_name, m, PASSWORD)
    assert body_of(got) == b"Halo.\n"
    with pytest.raises(Exception, match="AUTH"):
        pop3(world.i, world.ani.pw_name, "salah")


def test_maildir_is_a_link(world):
    """~/Maildir -> elsewhere, for all who work in it; nothing inside of it may be one."""
    user, place = world.budi, world.i.dir / "srv"
    for path in (place, place / "box"):
        path.mkdir()
        os.chown(path, user.pw_uid, user.pw_gid)
    box = world.box(user)
    shutil.rmtree(box, ignore_errors=True)
    world.send(f"{user.pw_name}@example.com")
    wait_for("a mailbox", lambda: files_of(box))
    shutil.rmtree(box)
    box.symlink_to(place / "box")
    os.lchown(box, user.pw_uid, user.pw_gid)
    m = world.send(f"{user.pw_name}@example.com")
    wait_file(place / "box", m)
    assert body_of(fetch(world.i, user.pw_name, m, PASSWORD)) == b"Halo.\n"
    with imaplib.IMAP4("127.0.0.1", world.i.port("imap")) as c:
        c.starttls(trust(world.i))
        c.login(user.pw_name, PASSWORD)
        assert c.select() == ("OK", [b"1"])
        assert c.create("Tetangga")[0] == "OK" and c.copy("1", "Tetangga")[0] == "OK"
        assert c.select("Tetangga") == ("OK", [b"1"])
    assert (place / "box/.Tetangga").stat().st_uid == user.pw_uid
    assert "INBOX: 1 message, index agrees" in world.i.surat("index", user.pw_name, "--check").stdout
    shutil.rmtree(place / "box/new")
    (place / "box/new").symlink_to("cur")
    world.send(f"{user.pw_name}@example.com")
    world.i.wait_log("cannot open directory new of maildir Maildir/: Not a directory", PATIENCE)
    (place / "box/new").unlink()
    wait_queue_empty(world.i)
    box.unlink()


def test_pam_login_sends(world):
    text, m = letter(to="x@elsewhere.example", sender=f"{world.budi.pw_name}@example.com")
    with contextlib.closing(smtp(world.i, "submission", world.budi.pw_name, PASSWORD)) as s:
        assert not s.sendmail(f"{world.budi.pw_name}@example.com", ["x@elsewhere.example"], crlf(text))
    world.i.wait_log(f"sasl_username={world.budi.pw_name}")
    world.i.wait_log("to=<x@elsewhere.example>, ", PATIENCE)
    world.i.surat("queue", "delete", "ALL")
    wait_queue_empty(world.i)


def test_unknown(world):
    with contextlib.closing(smtp(world.i)) as s:
        s.mail("a@b.example")
        for to in ("nobodyhere@example.com", "nobody@virtual.example"):
            code, words = s.rcpt(to)
            assert code == 550 and words.startswith(b"5.1.1 "), words


def test_extension(world):
    m = world.send(f"{world.ani.pw_name}+shop@example.com")
    assert f"Delivered-To: {world.ani.pw_name}+shop@example.com\n".encode() in wait_file(world.box(world.ani), m)


def test_alias_to_two(world):
    m = world.send("both@example.com")
    for user in (world.ani, world.budi):
        assert b"X-Original-To: both@example.com\n" in wait_file(world.box(user), m)


def test_include_with_owner(world):
    m = world.send("group@example.com")
    for user in (world.ani, world.budi):
        assert wait_file(world.box(user), m).startswith(b"Return-Path: <owner-group@example.com>\n")


def test_include_with_a_member_that_may_not_be(world):
    """It is returned alone, to the owner of the list; the others have the letter."""
    group = world.i.etc / "list"
    text = group.read_text()
    group.write_text(text + "\"|touch /nowhere/evil\"\n")
    try:
        m, since = world.send("group@example.com"), len(world.i.log_text())
        for user in (world.ani, world.budi):
            wait_file(world.box(user), m)
        line = world.i.wait_log("to=<group@example.com>, relay=none", since=since)
        assert "dsn=5.7.1, status=bounced (mail to command is restricted)" in line, line
        wait_for("the notice", lambda: any(b"mail to command is restricted" in f.read_bytes() for f in files_of(world.box(world.budi))))
    finally:
        group.write_text(text)
    wait_queue_empty(world.i)


def test_alias_loop_ends(world):
    m = world.send("round@example.com")
    wait_file(world.box(world.ani), m)
    wait_queue_empty(world.i)
    assert sum(m.encode() in f.read_bytes() for f in files_of(world.box(world.ani))) == 1


def test_command(world):
    m = world.send("pipe@example.com")
    out = world.i.dir / "out/pipe"
    text = wait_for("the command's output", lambda: out.exists() and re.search(r"@\S+\n\Z", t := out.read_text()) and m in t and t)
    assert text.startswith("From tito@example.com ") or text.startswith("Return-Path:"), text
    assert text.endswith("nobody\ntito@example.com pipe@example.com\n"), text[-200:]
    world.i.wait_log("to=<pipe@example.com>, relay=local")
    assert "status=sent (delivered to command: " in world.i.log_text()


def test_command_that_fails(world):
    m = world.send("fails@example.com")
    line = world.i.wait_log("to=<fails@example.com>, ")
    assert "status=deferred" in line and "dsn=4.3.0" in line, line
    assert len(queue_ids(world.i)) == 1
    assert re.search(r"^ +fails@example.com$", world.i.surat("queue", "list").stdout, re.M)
    assert '"address": "fails@example.com"' in world.i.surat("queue", "list", "-j").stdout
    world.i.surat("queue", "delete", "ALL")
    m = world.send("broken@example.com", sender=f"{world.ani.pw_name}@example.com")
    text = wait_file(world.box(world.ani), "it is broken").decode()
    assert m in text and "Return-Path: <>\n" in text and "multipart/report" in text and "Status: 5." in text
    assert "Final-Recipient: rfc822; broken@example.com\n" in text and "\n<broken@example.com>:\n" in text, text


def test_file(world):
    marks = [world.send("file@example.com") for _ in range(2)]
    path = world.i.dir / "out/mbox"
    text = wait_for("both letters", lambda: path.exists() and all(m in path.read_text() for m in marks) and path.read_text())
    assert len(re.findall(r"^From tito@example.com ", text, re.M)) == 2 and text.endswith("\n\n")


@contextlib.contextmanager
def forward(world, user, text, mode=0o644):
    path = world.write_as(user, ".forward", text, mode)
    try:
        yield
        wait_queue_empty(world.i)
    finally:
        path.unlink()


def test_forward(world):
    home = world.budi.pw_dir
    with forward(world, world.budi, f"\\{world.budi.pw_name}, {world.ani.pw_name}@example.com\n\"|id -un >{home}/who\"\n{home}/box\n"):
        m = world.send(f"{world.budi.pw_name}@example.com")
        for user in (world.ani, world.budi):
            wait_file(world.box(user), m)
        who, box = pathlib.Path(home) / "who", pathlib.Path(home) / "box"
        wait_for("command and file", lambda: who.exists() and box.exists() and m in box.read_text() and who.read_text())
        assert who.read_text() == world.budi.pw_name + "\n" and box.stat().st_uid == world.budi.pw_uid


def test_forward_in_a_circle(world):
    """Two accounts that send to each other: the letter ends at the first of them, once."""
    with forward(world, world.ani, f"{world.budi.pw_name}@example.com\n"), \
         forward(world, world.budi, f"{world.ani.pw_name}@example.com\n"):
        m = world.send(f"{world.ani.pw_name}@example.com")
        wait_file(world.box(world.ani), m)
        wait_queue_empty(world.i)
    assert sum(m.encode() in f.read_bytes() for u in (world.ani, world.budi) for f in files_of(world.box(u))) == 1


def test_loop_through_another_host(world):
    """A letter that has been here already (Delivered-To) comes back: the sender hears of it."""
    to = f"{world.budi.pw_name}@example.com"
    text, m = letter(to=to, sender="tito@virtual.example")
    world.send(to, f"Delivered-To: {to}\n{text}", sender="tito@virtual.example", m=m)
    text = wait_file(world.i.maildir("tito@virtual.example"), m).decode()
    assert "mail forwarding loop" in text and "Return-Path: <>" in text


def test_forward_of_somebody_else_is_not_taken(world):
    path = world.write_as(world.ani, ".forward", f"{world.budi.pw_name}@example.com\n")
    os.chown(path, world.budi.pw_uid, world.budi.pw_gid)
    try:
        m = world.send(f"{world.ani.pw_name}@example.com")
        wait_file(world.box(world.ani), m)
    finally:
        path.unlink()


def test_log_says_where(world):
    """A mailbox that cannot be opened is named in full, by whoever meets it, under the program's one name."""
    user, box = world.budi, world.box(world.budi)
    away, since = box.with_name("Maildir.away"), len(world.i.log_text())
    box.mkdir(exist_ok=True)
    box.rename(away)
    box.mkdir(mode=0o700)
    with forward(world, user, f"{user.pw_name}\n", mode=0o666):
        try:
            world.send(f"{user.pw_name}@example.com")
            line = world.i.wait_log("cannot open mailbox", since=since)
            assert f"to=<{user.pw_name}@example.com>" in line and f"in {user.pw_dir}: " in line and "status=deferred" in line
            assert " surat/local[" in world.i.wait_log(".forward is writable by others", since=since)
            for service in ("imap", "pop3"):
                with pytest.raises(Exception, match="Internal error"):
                    if service == "pop3":
                        pop3(world.i, user.pw_name, PASSWORD)
                    with imaplib.IMAP4("127.0.0.1", world.i.port("imap"), timeout=20) as c:
                        c.starttls(trust(world.i))
                        c.login(user.pw_name, PASSWORD)
                assert f">: {box}: " in world.i.wait_log(f"error: {service}({user.pw_name})", since=since)
        finally:
            box.rmdir()
            away.rename(box)


def test_table_that_only_root_may_read(world):
    """A table that was made under umask 077: the log names the user who needs it."""
    table, since = world.i.etc / "virtual.lmdb", len(world.i.log_text())
    copy = table.with_name("virtual.new")
    copy.write_bytes(table.read_bytes())
    copy.chmod(0o600)
    copy.rename(table)
    try:
        wait_for("no answer", lambda: not answers(world, "info@alias.example"))
        assert "_surat-resolve" in world.i.wait_log("Permission denied", since=since)
    finally:
        table.chmod(0o644)
    wait_for("an answer", lambda: answers(world, "info@alias.example"))


def answers(world, to):
    with contextlib.closing(smtp(world.i)) as s:
        s.mail("a@b.example")
        return s.rcpt(to)[0] == 250


def test_virtual_aliases(world):
    m = world.send("info@alias.example")
    wait_file(world.box(world.ani), m)
    wait_file(world.i.maildir("tito@virtual.example"), m)
    m = world.send("whatever@alias.example")
    wait_file(world.box(world.budi), m)


def test_sendmail_of_an_account(world):
    m = mark()
    done = sendmail(world.i, world.ani.pw_name, text=f"Subject: {m}\n\nx\n", user=world.budi.pw_name)
    assert done.returncode == 0, done
    text = wait_file(world.box(world.ani), m).decode()
    assert f"From: {world.budi.pw_name}@example.com" in text and f"from userid {world.budi.pw_uid})" in text


def test_full_home_defers(world):
    """A directory that nobody may write into is our failure: the letter waits."""
    box = world.box(world.budi)
    world.send(f"{world.budi.pw_name}@example.com")
    wait_queue_empty(world.i)
    away = box.with_name("Maildir.away")
    box.rename(away)
    box.write_text("not a directory")
    try:
        m = world.send(f"{world.budi.pw_name}@example.com")
        wait_for("deferred", lambda: [x for x in world.i.log_text().splitlines() if world.budi.pw_name in x and "status=deferred" in x])
    finally:
        box.unlink()
        away.rename(box)
    wait_file(box, m)


def test_luser_relay(world):
    i = world.i
    i.settings.update({"local_recipient_maps": "", "luser_relay": f"{world.ani.pw_name}+$local@example.com"})
    i.write_config()
    i.surat("reload")
    try:
        m = world.send("nobodyhere@example.com")
        assert b"Delivered-To: " in wait_file(world.box(world.ani), m)
    finally:
        i.settings.update({"local_recipient_maps": "unix:passwd.byname $alias_maps", "luser_relay": ""})
        i.write_config()
        i.surat("reload")


@contextlib.contextmanager
def settings(world, **values):
    before = dict(world.i.settings)
    world.i.settings.update(values)
    world.i.write_config()
    world.i.surat("reload")
    try:
        yield
    finally:
        world.i.settings = before
        world.i.write_config()
        world.i.surat("reload")


def test_mailbox_transport_that_nobody_serves(world):
    """The letter waits under the transport's name, and is delivered once the setting is gone and a retry asked for."""
    to = f"{world.ani.pw_name}@example.com"
    with settings(world, mailbox_transport="lmtp:unix:private/dovecot-lmtp"):
        since = len(world.i.log_text())
        world.send(to)
        world.i.wait_log(f"to=<{to}>, relay=local", since=since)
        line = world.i.wait_log("status=deferred (mail transport unavailable: lmtp)", since=since)
        assert f"to=<{to}>" in line
    assert len(queue_ids(world.i)) == 1
    world.i.surat("queue", "delete", "ALL")


@pytest.mark.parametrize("name, to, value, words", [
    ("mailbox_transport", "ani", "local", "status=sent (delivered to maildir)"),
    ("mailbox_transport", "ani", "discard:", "status=sent"),
    ("fallback_transport", "nobodyhere", "virtual", "relay=virtual"),
    ("fallback_transport", "nobodyhere", "error:5.7.1 gone for good", "dsn=5.7.1, status=bounced (gone for good)"),
    ("fallback_transport", "nobodyhere", "retry:4.3.2 not today", "dsn=4.3.2, status=deferred (not today)"),
    ("fallback_transport", "nobodyhere", "local", "dsn=5.1.1, status=bounced"),
])
def test_transports_behind_local(world, name, to, value, words):
    address = f"{world.users[to].pw_name if to in world.users else to}@example.com"
    boxes = f"users:{world.i.dir}/data inline:{{nobodyhere@example.com=nobodyhere/Maildir/}}"
    with settings(world, **{name: value, "local_recipient_maps": "", "virtual_mailbox_maps": boxes}):
        since = len(world.i.log_text())
        m = world.send(address)
        world.i.wait_log(f"status=sent (passed to {value})", since=since)
        line = world.i.wait_log(words, since=since)
        assert f"to=<{address}>" in line, line
        if value == "local" and to == "ani":
            wait_file(world.box(world.ani), m)
        if value == "virtual":
            wait_file(world.i.mail / "nobodyhere/Maildir", m)
    world.i.surat("queue", "delete", "ALL", check=False)
    wait_queue_empty(world.i)


def test_transport_maps_without_agent(world):
    """error:, retry: and discard: in a transport table need no agent."""
    table = "inline:{ {gone.example=error:5.1.2 no such place}, late.example=retry:later, void.example=discard: }"
    with settings(world, transport_maps=table, mynetworks="127.0.0.0/8"), contextlib.closing(smtp(world.i)) as s:
        s.mail(f"{world.ani.pw_name}@example.com")
        code, words = s.rcpt("x@gone.example")
        assert code == 550 and words.startswith(b"5.1.2 ") and b"no such place" in words, words
        since = len(world.i.log_text())
        world.send("x@late.example", sender=f"{world.ani.pw_name}@example.com")
        world.i.wait_log("to=<x@late.example>, relay=none", since=since)
        assert "dsn=4.0.0, status=deferred (later)" in world.i.log_text()[since:]
        world.i.surat("queue", "delete", "ALL")
        world.send("x@void.example", sender=f"{world.ani.pw_name}@example.com")
        world.i.wait_log("to=<x@void.example>, relay=none", since=since)
        wait_queue_empty(world.i)


def test_full_mailbox_beside_others(world):
    """A .forward names its owner, whose mailbox is full, and somebody else: one is returned, the other delivered."""
    sender = f"{world.ani.pw_name}@example.com"
    with settings(world, mailbox_size_limit="1"), \
         forward(world, world.budi, f"\\{world.budi.pw_name}, tito@virtual.example\n"):
        since = len(world.i.log_text())
        m = world.send(f"{world.budi.pw_name}@example.com", sender=sender)
        wait_file(world.i.maildir("tito@virtual.example"), m)
        world.i.wait_log("dsn=5.2.2, status=bounced", since=since)
    wait_queue_empty(world.i)


def test_full_mailbox_is_refused_at_rcpt(world):
    """The first letter is returned, the next one refused before it is sent; after a while the mailbox is asked again."""
    to, sender = f"{world.budi.pw_name}@example.com", "tito@virtual.example"
    with settings(world, mailbox_size_limit="1", full_mailbox_time="4s"), contextlib.closing(smtp(world.i)) as s:
        since = len(world.i.log_text())
        world.send(to, sender=sender)
        world.i.wait_log("dsn=5.2.2, status=bounced", since=since)
        s.mail(sender, ["SIZE=5000"])
        code, words = s.rcpt(to)
        assert code == 552 and words.startswith(b"5.2.2 ") and words.endswith(b"Mailbox is full"), words
        assert s.rcpt(f"{world.ani.pw_name}@example.com")[0] == 250
        s.rset()
        assert s.mail(to, ["SIZE=5000"])[0] == 250       # a sender may be full
        assert s.rcpt(f"{world.ani.pw_name}@example.com")[0] == 250
        s.rset()

        def accepted():
            s.mail(sender, ["SIZE=5000"])
            code = s.rcpt(to)[0]
            s.rset()
            return code == 250
        wait_for("another letter is let in", accepted)
    wait_queue_empty(world.i)


def test_mailbox_command_and_size_limit(world):
    i = world.i
    i.settings.update({"mailbox_command": f"cat >{i.dir}/out/command-$USER", "mailbox_size_limit": "0"})
    i.write_config()
    i.surat("reload")
    try:
        m = world.send(f"{world.ani.pw_name}@example.com")
        path = i.dir / f"out/command-{world.ani.pw_name}"
        wait_for("the command has it", lambda: path.exists() and m in path.read_text())
        assert path.stat().st_uid == world.ani.pw_uid
    finally:
        i.settings["mailbox_command"] = ""
        i.write_config()
        i.surat("reload")


def test_stopped_process_of_one_user(world):
    """A user may stop what delivers for him; the letters of others do not wait for that."""
    world.send(f"{world.ani.pw_name}@example.com")
    wait_queue_empty(world.i)
    parent = world.i.processes("local")[0]["pid"]
    children = [int(n) for n in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    own = [n for n in children if os.stat(f"/proc/{n}").st_uid in (0, world.ani.pw_uid)
           and re.search(rf"^Uid:\s+{world.ani.pw_uid}\b", pathlib.Path(f"/proc/{n}/status").read_text(), re.M)]
    assert len(own) == 1
    os.kill(own[0], signal.SIGSTOP)
    try:
        with contextlib.closing(smtp(world.i)) as s:
            for n in range(200):
                s.sendmail("tito@example.com", [f"{world.ani.pw_name}@example.com"], f"Subject: stopped {n}\r\n\r\nx\r\n")
        m = world.send(f"{world.budi.pw_name}@example.com")
        wait_file(world.box(world.budi), m)
        assert len(queue_ids(world.i)) >= 200
    finally:
        os.kill(own[0], signal.SIGCONT)
    wait_queue_empty(world.i)
