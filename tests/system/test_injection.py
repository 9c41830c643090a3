"""Text from the wire stays text: in the log, in headers, in commands; names and files that somebody planted lead nowhere."""
import os
import pathlib
import pwd
import re
import stat
import threading

import pytest
from instance import IS_ROOT, Instance, wait_for
from wire import Wire, files, wait_files

TITO, IQBAL = "tito@example.com", "iqbal@example.com"
USERS = {TITO: "secret one", IQBAL: "secret two"}


@pytest.fixture(scope="module")
def suite():
    settings = {"smtpd_client_connection_count_limit": 0, "smtpd_error_sleep_time": "0s", "auth_failure_delay": "0s",
                "mydestination": "local.example", "local_recipient_maps": "", "default_privs": "nobody",
                "smtpd_helo_restrictions": "reject_invalid_helo_hostname", "smtpd_tls_auth_only": "no"}
    i = Instance(users=USERS, settings=settings)
    out = i.dir / "out"
    out.mkdir()
    out.chmod(0o777)
    dump = i.dir / "dump"
    dump.write_text("#!/usr/bin/python3\nimport os, sys\n"
                    f"open('{out}/' + os.environ['QUEUE_ID'], 'w').write(repr((sys.argv, dict(os.environ))))\n")
    dump.chmod(0o755)
    (i.etc / "aliases").write_text(
        f'cmd: "|{dump} fixed"\nshell: "|{dump} \\"$SENDER\\" \\"$LOCAL\\" \\"$EXTENSION\\" >/dev/null"\nfile: {out}/file\nsink: {out}/sink\n')
    i.settings.update(alias_maps=f"lmdb:{i.etc}/aliases", alias_database=f"lmdb:{i.etc}/aliases", allow_mail_to_commands="alias,forward", allow_mail_to_files="alias,forward")
    i.write_config()
    i.surat("newaliases")
    with i:
        i.wait_ready()
        yield i


def send(i, sender, to, text="x"):
    """The reply to RCPT, or to the message when that was taken."""
    with Wire(i) as s:
        s.cmd("EHLO client.example")
        reply = s.cmd(f"MAIL FROM:<{sender}>")
        if not reply.startswith("250"):
            return reply
        reply = s.cmd(f"RCPT TO:<{to}>")
        if not reply.startswith("250"):
            return reply
        assert s.cmd("DATA").startswith("354")
        s.send(f"Subject: s\r\n\r\n{text}\r\n.\r\n".encode())
        return s.reply()


# ---- the log ----

EVIL = {"ESC": b"\x1b[2J\x1b]0;x\x07", "CR": b"a\rb", "NUL": b"a\0b", "DEL": b"a\x7fb", "CSI": b"a\xc2\x9bb", "8-bit": b"a\xff\xfeb",
        "format": b"%s%n%x%1000000d", "quotes": b"a\"b'c`d$(id)", "fake": b"x> status=sent (fake)"}


@pytest.mark.parametrize("what", EVIL)
def test_log_holds_only_clean_text(suite, what):
    since = len(suite.log.read_bytes())
    evil = EVIL[what]
    lines = (b"EHLO " + evil, b"HELO x" + evil, b"MAIL FROM:<" + evil + b"@elsewhere.example>", b"EHLO client.example",
             b"MAIL FROM:<a@elsewhere.example> ENVID=" + evil.replace(b" ", b""), b"RSET", b"MAIL FROM:<a" + evil.replace(b" ", b"") + b"@x.example>",
             b"RCPT TO:<\"" + evil + b"\"@example.com>", b"RCPT TO:<" + evil + b">", b"VRFY " + evil, b"X" + evil, b"RSET",
             b"AUTH PLAIN " + evil, b"MAIL FROM:<a@elsewhere.example>", b"RCPT TO:<iqbal@example.com>")
    with Wire(suite) as s:
        for line in lines:
            s.send(line + b"\r\n")
            assert s.reply()[:1] in "245", line
        s.cmd("DATA")
        s.send(b"Message-ID: <" + evil + b"@x>\r\nFrom: " + evil + b"\r\n\r\nx\r\n.\r\n")
        assert s.reply().startswith("250")
    with Wire(suite, "pop3") as s:
        for line in (b"USER " + evil, b"PASS " + evil, b"AUTH PLAIN", evil, b"APOP " + evil + b" x", b"QUIT"):
            s.send(line + b"\r\n")
        s.rest()
    wait_for("the letter is delivered", lambda: b"status=sent" in suite.log.read_bytes()[since:])
    text = suite.log.read_bytes()[since:]
    text.decode("utf-8")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", text), text
    # every line is one of ours
    assert all(re.match(rb"^\w{3} [ \d]\d [\d:]{8} |^\d{4}-\d\d-\d\d", line) for line in text.splitlines()), text


def test_a_reject_is_logged_however_long_the_names(suite):
    since = len(suite.log_text())
    with Wire(suite) as s:
        assert s.cmd("EHLO " + "h_" * 1000).startswith("250")
        assert s.cmd("MAIL FROM:<" + "s" * 200 + "@elsewhere.example>").startswith("250")
        assert s.cmd("RCPT TO:<" + "r" * 200 + "@elsewhere.example>")[:1] == "5"
    assert "NOQUEUE: reject: RCPT from" in suite.wait_log("NOQUEUE: reject", since=since)


def test_headers_are_not_injected(suite):
    """HELO, addresses and ENVID stand in Received and Return-Path as one line each."""
    with Wire(suite) as s:
        s.cmd(b"EHLO client.example\tX-Evil: 1")
        assert s.cmd('MAIL FROM:<"a) X-Evil: 2 (b"@elsewhere.example> ENVID=x+0D+0AX-Evil:+203')[:1] == "5"
        assert s.cmd('MAIL FROM:<"a) X-Evil: 2 (b"@elsewhere.example>').startswith("250")
        assert s.cmd(f"RCPT TO:<{IQBAL}> ORCPT=rfc822;a+0D+0Ab@x.example")[:1] == "5"
        s.cmd(f"RCPT TO:<{IQBAL}>")
        s.cmd("DATA")
        s.send(b"Subject: injected-headers\r\nReturn-Path: <forged@example.com>\r\n\r\nx\r\n.\r\n")
        assert s.reply().startswith("250")
    text = wait_files(suite, IQBAL, b"injected-headers")[0]
    assert not re.search(rb"^X-Evil", text, re.M) and b"forged" not in text and text.count(b"Return-Path:") == 1


# ---- commands and files ----

@pytest.mark.parametrize("domain", ["local.example", "example.com"])
@pytest.mark.parametrize("local", ['"|/usr/bin/touch {out}/evil"', '"|id>{out}/evil"', '"{out}/evil"', "/etc/passwd", '"/../../evil"', '":include:/etc/passwd"',
                                   '"../../evil"', '"..%2f..%2fevil"', "..", '"a/../../../../{out}/evil"', '"|{out}/x"', '".forward"'])
def test_no_command_or_file_from_the_wire(suite, local, domain):
    if len(local) > 60 and domain == "local.example":
        pytest.skip("too long for a local part")
    reply = send(suite, "stranger@elsewhere.example", local.format(out=suite.dir / "out") + "@" + domain)
    assert reply[:3] in ("550", "554", "501", "553", "250"), reply
    wait_for("the queue is empty", lambda: not suite.surat("queue", "list", "-j").stdout.strip("[] \n")
             or suite.surat("queue", "delete", "ALL", check=False))
    assert not (suite.dir / "out/evil").exists() and not (suite.dir / "evil").exists() and not (suite.mail / "evil").exists()
    assert not (suite.dir / "mail.example.com").exists()


@pytest.mark.parametrize("sender", ['"$(id)"@elsewhere.example', '"`id`"@elsewhere.example', '";id;"@elsewhere.example', "a$b@elsewhere.example",
                                    '"a b|c&d"@elsewhere.example', "'x'@elsewhere.example"])
@pytest.mark.parametrize("to", ["cmd", "shell", "cmd+$(id)"])
def test_sender_reaches_a_command_as_one_word(suite, sender, to):
    out = suite.dir / "out"
    before = set(os.listdir(out))
    reply = send(suite, sender, f"{to}@local.example")
    if reply[:1] == "5":
        return
    new = wait_for("the command has run", lambda: {f for f in set(os.listdir(out)) - before if (out / f).stat().st_size})
    argv, env = eval((out / new.pop()).read_text())
    assert env["SENDER"].endswith("elsewhere.example") and not set("$`;|&'\" ") & set(env["SENDER"]), env
    assert argv[1:] == (["fixed"] if "cmd" in to else [env["SENDER"], env["LOCAL"], env.get("EXTENSION", "")])
    assert "SURAT_RUN" not in env and not [k for k in env if k.startswith("LD_")]


def test_command_gets_no_descriptor_and_no_rights(suite):
    if not IS_ROOT:
        pytest.skip("runs as nobody only when started as root")
    probe = suite.dir / "probe"
    out = suite.dir / "out/probe"
    probe.write_text("#!/bin/sh\nexec >" + str(out) + "\nls -l /proc/self/fd | grep -c socket\ncat /proc/self/status\n")
    probe.chmod(0o755)
    with open(suite.etc / "aliases", "a") as f:
        f.write(f'probe: "|{probe}"\n')
    suite.surat("newaliases")
    wait_for("taken", lambda: send(suite, "a@elsewhere.example", "probe@local.example").startswith("250"))
    text = wait_for("run", lambda: out.exists() and "Seccomp" in out.read_text() and out.read_text())
    nobody = pwd.getpwnam("nobody")
    assert text.startswith("0\n")
    assert re.search(rf"^Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}$", text, re.M)
    assert re.search(r"^CapEff:\t0+$", text, re.M) and not re.search(r"^Groups:.*\b0\b", text, re.M)


# ---- planted files ----

def plant(kind, path, victim):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)
    if kind == "symlink":
        path.symlink_to(victim)
    elif kind == "hardlink":
        os.link(victim, path)
    elif kind == "fifo":
        os.mkfifo(path, 0o666)
    elif kind == "directory":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to(str(victim) + ".new")


@pytest.mark.skipif(not IS_ROOT, reason="plants files of others")
@pytest.mark.parametrize("kind", ["symlink", "hardlink", "fifo", "directory", "dangling"])
def test_planted_file(suite, kind):
    """An alias to a file: what is not a plain file with one name is not written to."""
    victim = suite.dir / "victim"
    victim.write_text("mine\n")
    victim.chmod(0o666)
    since = len(suite.log_text())
    plant(kind, suite.dir / "out/sink", victim)
    assert send(suite, "a@elsewhere.example", "sink@local.example").startswith("250")
    line = suite.wait_log("to=<sink@local.example>", since=since)
    assert "status=sent" not in line, line
    assert victim.read_text() == "mine\n" and not pathlib.Path(str(victim) + ".new").exists()
    plant("none", suite.dir / "out/sink", victim)
    suite.surat("queue", "delete", "ALL", check=False)


@pytest.mark.skipif(not IS_ROOT, reason="plants files of others")
@pytest.mark.parametrize("rounds", [60, pytest.param(1000, marks=pytest.mark.full)])
def test_maildir_swapped_while_delivering(suite, rounds):
    """The user swaps new/ against a symlink to a folder that is not his; nothing is ever written there."""
    box = suite.maildir(TITO)
    foreign = suite.dir / "foreign"
    foreign.mkdir(exist_ok=True)
    for sub in ("tmp", "new", "cur"):
        (foreign / sub).mkdir(exist_ok=True)
        (foreign / sub).chmod(0o777)
    assert send(suite, "a@elsewhere.example", TITO).startswith("250")
    wait_for("first letter", lambda: files(suite, TITO))
    stop = threading.Event()

    def swap():
        os.seteuid(0)
        n = 0
        while not stop.is_set():
            n += 1
            name = ("new", "tmp", "cur")[n % 3]
            try:
                os.rename(box / name, box / "aside")
                os.symlink(foreign / name, box / name)
                os.unlink(box / name)
                os.rename(box / "aside", box / name)
            except OSError:
                pass
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(rounds):
            assert send(suite, "a@elsewhere.example", TITO).startswith("250")
    finally:
        stop.set()
        thread.join()
    assert not [f for sub in ("tmp", "new", "cur") for f in (foreign / sub).iterdir()]


@pytest.mark.skipif(not IS_ROOT, reason="plants files of others")
def test_links_in_run_and_spool():
    """What lies where a socket or a pid file belongs, or under the name of a body, is never written through."""
    i = Instance(users=USERS)
    victim = i.dir / "victim"
    victim.write_text("mine\n")
    victim.chmod(0o600)
    run = i.dir / "run"
    run.mkdir(mode=0o755)
    for name in ("master", "queue", "sendmail", "master.pid"):
        (run / name).symlink_to(victim)
    assert i.surat("start", check=False).returncode != 0 and not i.pids()
    assert victim.read_text() == "mine\n"
    (run / "master.pid").unlink()
    with i:
        i.wait_ready()
        assert victim.read_text() == "mine\n" and stat.S_IMODE(victim.stat().st_mode) == 0o600 and victim.stat().st_uid == 0
        for name in ("master", "queue"):
            assert stat.S_ISSOCK(os.lstat(run / name).st_mode), name
        large = i.dir / "queue/large"
        if large.exists():
            owner = large.stat()
            for n in range(200):
                (large / f"{n:013d}").symlink_to(victim)
            with Wire(i) as s:
                s.cmd("EHLO x.example")
                s.cmd("MAIL FROM:<>")
                s.cmd(f"RCPT TO:<{IQBAL}>")
                s.cmd("DATA")
                s.send(b"Subject: large\r\n\r\n" + b"x" * 70 * 2000 + b"\r\n.\r\n", 50000)
                assert s.reply()[:1] in "245"
            assert owner.st_uid != 0
        assert victim.read_text() == "mine\n"


@pytest.mark.skipif(not IS_ROOT, reason="looks at owners")
def test_folders_belong_to_whom_they_should(suite):
    """No daemon's folder may be written to by another's user."""
    for path, user in (("queue", "_surat-queue"), ("run", "root"), ("run/empty", "root")):
        st = (suite.dir / path).stat()
        assert not st.st_mode & 0o022, path
        assert st.st_uid in (0, pwd.getpwnam(user).pw_uid), path
    secrets = suite.dir / "data/secrets.mdb"
    assert not secrets.stat().st_mode & 0o007
