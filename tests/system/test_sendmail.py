"""sendmail(1), mailq(1) and newaliases(1) as root, as an ordinary user and from cron."""
import os
import pwd
import re
import subprocess
import time

import pytest
from instance import BUILD, IS_ROOT, Instance
from letters import fetch, letter, mark, sendmail, wait_file, wait_queue_empty

OTHER = "nobody" if IS_ROOT else None
USERS = {"tito@example.com": "rahasia-1", "iqbal@example.com": "rahasia-2"}


@pytest.fixture(scope="module")
def suite():
    with Instance(users=USERS, settings={"smtpd_client_restrictions": "reject", "smtpd_sasl_auth_enable": "yes"}) as i:
        (i.dir / "bin").mkdir()
        for name in ("mailq", "newaliases"):
            (i.dir / "bin" / name).symlink_to(BUILD / "tools/sendmail")
        yield i


@pytest.mark.parametrize("user", [None, OTHER])
def test_recipients_of_the_header(suite, user):
    text, m = letter(Bcc="tito@example.com,\n\ttito@example.com", Cc="Iqbal <iqbal@example.com>")
    done = sendmail(suite, "-t", text=text, user=user)
    assert (done.returncode, done.stderr) == (0, b"")
    for name in USERS:
        got = fetch(suite, name, m)
        assert b"Bcc" not in got and got.endswith(b"\n\nHalo.\n")
        uid = 65534 if user else os.geteuid()
        assert re.search(rb"^Received: by mail.example.com \(Surat, from userid %d\)\n\tid " % uid, got, re.M), got
        assert len(re.findall(rb"^(Date|Message-Id):", got, re.M)) == 2
    line = suite.wait_log(f" uid={uid} from=<")
    assert re.search(r"surat/smtpd\[\d+\]: \w+: uid=\d+ from=<\w+@example.com>", line), line


def test_resent_fields_win(suite):
    text, m = letter(**{"Resent-To": "tito@example.com", "Resent-From": "root@example.com"})
    assert sendmail(suite, "-t", text=text).returncode == 0
    fetch(suite, "tito@example.com", m)
    wait_queue_empty(suite)
    assert not any(m.encode() in f.read_bytes() for f in (suite.maildir("iqbal@example.com") / "new").iterdir())


def test_letter_out_of_an_mbox(suite):
    """A leading "From " line is no header and must not end it: it is left out, as Postfix does it."""
    for front in ("From tito@example.com  Mon Jan  1 00:00:00 2024\n", ">From x\n>>From y z\n"):
        text, m = letter()
        assert sendmail(suite, "-t", text=front + text).returncode == 0
        got = fetch(suite, "iqbal@example.com", m)
        head = got.split(b"\n\n")[0] + b"\n"
        assert b"X-Mailbox-Line" not in head and b"From tito" not in head and b"From x" not in head, got
        assert b"\nFrom: <tito@example.com>\n" in head and got.endswith(b"\n\nHalo.\n")


def test_dots(suite):
    for args, rest in ((["-i"], b"one\n.\n..two\n"), (["-oi"], b"one\n.\n..two\n"), ([], b"one\n")):
        text, m = letter(body="one\n.\n..two\n")
        assert sendmail(suite, *args, "iqbal@example.com", text=text).returncode == 0
        assert fetch(suite, "iqbal@example.com", m).endswith(b"\n\n" + rest)


def test_name_of_the_caller(suite):
    """Without -F it is $NAME, else that of the passwd file."""
    for name, want in (("The Boss", '"The Boss" <'), (None, f'"{pwd.getpwuid(os.getuid()).pw_gecos.split(",")[0]}" <')):
        m = mark()
        env = {k: v for k, v in os.environ.items() if k != "NAME"} | ({"NAME": name} if name else {})
        subprocess.run([BUILD / "tools/sendmail", "-C", suite.etc, "iqbal@example.com"], input=f"Subject: {m}\n\nx\n", text=True,
                       env=env, check=True, timeout=30)
        assert f"\nFrom: {want}" in fetch(suite, "iqbal@example.com", m).decode()


def test_wrong_dsn_options(suite):
    """As in Postfix they are left out with a warning: the letter goes its way."""
    for args in (["-N", "sucess"], ["-N", "never,failure"], ["-N", "failure delay"], ["-N", ""], ["-R", "body"]):
        text, m = letter()
        done = sendmail(suite, *args, "iqbal@example.com", text=text)
        assert done.returncode == 0 and b"is left out" in done.stderr, done
        fetch(suite, "iqbal@example.com", m)


def test_sender_and_name(suite):
    m = mark()
    assert sendmail(suite, "-f", "boss", "-F", 'The "Big" Bøss', "iqbal@example.com", text=f"Subject: {m}\n\nx\n").returncode == 0
    got = fetch(suite, "iqbal@example.com", m).decode()
    assert got.startswith("Return-Path: <boss@example.com>\n")
    assert '\nFrom: "The \\"Big\\" Bøss" <boss@example.com>\n' in got
    m = mark()
    assert sendmail(suite, "iqbal@example.com", "-f", "The Boss <boss@example.org>", "-i", text=f"Subject: {m}\n\nx\n.\ny\n").returncode == 0
    got = fetch(suite, "iqbal@example.com", m)
    assert got.startswith(b"Return-Path: <boss@example.org>\n") and got.endswith(b"\nx\n.\ny\n")
    m = mark()
    assert sendmail(suite, "-f", "<>", "iqbal@example.com", text=f"Subject: {m}\n\nx\n").returncode == 0
    assert b"Return-Path: <>\n" in fetch(suite, "iqbal@example.com", m)


def test_crlf_8bit_and_no_header(suite):
    m = mark()
    assert sendmail(suite, "iqbal@example.com", text=f"Subject: {m}\r\n\r\nsatu\r\ndua: \u00e9\r\n").returncode == 0
    assert fetch(suite, "iqbal@example.com", m).endswith("\n\nsatu\ndua: \u00e9\n".encode())
    m = mark()
    assert sendmail(suite, "iqbal@example.com", text=f"no header, {m}").returncode == 0
    assert fetch(suite, "iqbal@example.com", m).endswith(f"\n\nno header, {m}\n".encode())


def test_large(suite):
    text, m = letter(body="".join(f"{n:08d} {'x' * 60}\n" for n in range(40000)))
    assert sendmail(suite, "-t", text=text, user=OTHER).returncode == 0
    assert fetch(suite, "iqbal@example.com", m).endswith(text.split("\n\n", 1)[1].encode())


def test_exit_statuses(suite):
    for label, args, text, status in (
            ("unknown recipient", ["nobodyhere@example.com"], "x\n", 69), ("bad option", ["-Z"], "", 64),
            ("no recipient", [], "x\n", 64), ("-t without any", ["-t"], "Subject: x\n\nx\n", 65), ("-bd", ["-bd"], "", 64),
            ("no configuration", ["-C", "/nonexistent", "a@example.com"], "x\n", 78), ("bad address", ["a b c@@"], "x\n", 65),
            ("bad sender", ["-f", "a b c@@", "iqbal@example.com"], "x\n", 65),
            ("two senders", ["-f", "a@b.example, c@d.example", "iqbal@example.com"], "x\n", 65)):
        done = sendmail(suite, *args, text=text)
        assert done.returncode == status and b"sendmail: " in done.stderr, (label, done)


def test_one_bad_recipient_does_not_stop_the_others(suite):
    text, m = letter()
    done = sendmail(suite, "-i", "nobodyhere@example.com", "iqbal@example.com", text=text)
    assert done.returncode == 69 and b"nobodyhere@example.com: 550 5.1.1" in done.stderr
    assert done.stderr.count(b"550") == 1 and done.stderr.endswith(b"sendmail: not sent to 1 of 2 recipients\n"), done
    fetch(suite, "iqbal@example.com", m)


def test_main_cf_is_being_edited(suite):
    """What the suite runs with is sound; cron's letter does not fall for a line that is not finished."""
    text, m = letter()
    right = (suite.etc / "main.cf").read_text()
    (suite.etc / "main.cf").write_text(f"biff = no\n{right}smtpd_timeout = soon\nhalf a line\n")
    try:
        done = sendmail(suite, "-C", suite.etc / "main.cf", "iqbal@example.com", text=text)
    finally:
        (suite.etc / "main.cf").write_text(right)
    assert done.returncode == 0 and done.stderr == b"", done
    fetch(suite, "iqbal@example.com", m)


def test_other_options_are_taken(suite):
    text, m = letter()
    args = ["-bm", "-oem", "-odi", "-oi", "-B8BITMIME", "-v", "-N", "failure,delay", "-R", "hdrs", "-V", "env+1", "-h", "3", "--"]
    assert sendmail(suite, *args, "iqbal@example.com", text=text).returncode == 0
    fetch(suite, "iqbal@example.com", m)


@pytest.mark.parametrize("user", [None, OTHER])
def test_smtp_on_standard_input(suite, user):
    """Pipelined, as scripts do it: nothing of the network's caution applies, nothing of its offers is made."""
    text, m = letter(body=".dot\n")
    talk = "EHLO localhost\nMAIL FROM:<root>\nRCPT TO:<iqbal@example.com>\nDATA\n" + text.replace("\n.", "\n..") + ".\nQUIT\n"
    done = sendmail(suite, "-bs", text=talk.replace("\n", "\r\n"), user=user)
    words = done.stdout.decode()
    assert done.returncode == 0 and "\r\n250 2.0.0 Ok: queued as " in words and words.endswith("221 2.0.0 Bye\r\n"), words
    assert "AUTH" not in words and "STARTTLS" not in words
    assert fetch(suite, "iqbal@example.com", m).endswith(b"\n\n.dot\n")


def test_elsewhere_is_accepted_and_waits(suite):
    text, m = letter(to="x@elsewhere.example")
    done = sendmail(suite, "-t", text=text, user=OTHER)
    assert done.returncode == 0, done
    suite.wait_log("to=<x@elsewhere.example>, ", 20)
    for args, name in ((["-bp"], "sendmail"), ([], "mailq")):
        for user in (None, OTHER):
            done = sendmail(suite, *args, name=name, user=user)
            assert done.returncode == 0 and b"x@elsewhere.example" in done.stdout and b"Request" in done.stdout, (name, user, done)
    done = sendmail(suite, "-q", user=OTHER)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")        # cron would mail it
    queue_id = re.search(rb"^(\w+)", sendmail(suite, "-bp").stdout.splitlines()[1])[1].decode()
    assert sendmail(suite, f"-qI{queue_id}").returncode == 0
    assert sendmail(suite, "-qI1M813BNBD0000").returncode != 0
    if OTHER:
        surat = ["setpriv", "--reuid", "nobody", "--clear-groups", BUILD / "tools/surat", "queue"]
        for command in (["delete", "ALL"], ["hold", "ALL"], ["show", "1M813BNBD0000"]):
            done = subprocess.run([*surat, command[0], "-c", suite.etc, command[1]], capture_output=True, text=True)
            assert done.returncode != 0 and "only root" in done.stderr, done
        assert b"x@elsewhere.example" in sendmail(suite, "-bp").stdout
    suite.surat("queue", "delete", "ALL")
    wait_queue_empty(suite)         # one that -q has made active goes when its pass is over
    assert b"queue is empty" in sendmail(suite, name="mailq").stdout


def test_newaliases_by_name(suite):
    (suite.etc / "aliases").write_text("postmaster: tito@example.com\n")
    suite.settings["alias_database"] = f"lmdb:{suite.etc}/aliases"
    suite.write_config()
    for run in (lambda: sendmail(suite, name="newaliases"), lambda: sendmail(suite, "-bi"), lambda: sendmail(suite, "-I")):
        for f in suite.etc.glob("aliases.*"):
            f.unlink()
        done = run()
        assert done.returncode == 0 and list(suite.etc.glob("aliases.*")), done
    done = suite.surat("map", "-q", "postmaster", f"lmdb:{suite.etc}/aliases")
    assert done.stdout == "tito@example.com\n"


def test_what_cron_runs(suite):
    m = mark()
    text = f"From: root (Cron Daemon)\nTo: iqbal@example.com\nSubject: Cron <root@host> {m}\nMIME-Version: 1.0\n\nout\n"
    # MAILTO is in the header and on cron's command line
    done = sendmail(suite, "-i", "-FCronDaemon", "-B8BITMIME", "-oem", "iqbal@example.com", text=text)
    assert done.returncode == 0, done
    fetch(suite, "iqbal@example.com", m)


CRON = r"""set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/cron.d
mount --bind /dev/null /etc/crontab
mkdir -p "$1/up" "$1/work" "$1/tabs"
mount -t tmpfs tmpfs "$1/work"
mkdir "$1/work/up" "$1/work/work"
mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$1/work/up,workdir=$1/work/work" /usr/sbin
mount --bind "$1/tabs" /var/spool/cron/crontabs
printf '#!/bin/sh\nexec "%s" -C "%s" "$@"\n' "$2" "$3" >/usr/sbin/sendmail
chmod 755 /usr/sbin/sendmail
printf 'MAILTO=iqbal@example.com\n@reboot echo "%s"\n' "$4" >"$1/tabs/root"
printf 'MAILTO=tito@example.com\n@reboot echo "%s"; id -un\n' "$4" >"$1/tabs/nobody"
chown nobody "$1/tabs/nobody"
chmod 600 "$1/tabs/root" "$1/tabs/nobody"
exec cron -f
"""


def test_real_cron(suite):
    """cron in a mount namespace of its own, where sendmail is ours and the crontabs are these."""
    if not IS_ROOT:
        pytest.skip("needs root for a mount namespace")
    m = mark()
    where = suite.dir / "cron"
    where.mkdir()
    where.chmod(0o755)
    p = subprocess.Popen(["unshare", "-m", "sh", "-c", CRON, "sh", where, BUILD / "tools/sendmail", suite.etc, m],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        got = fetch(suite, "iqbal@example.com", m).decode()
        assert "from userid 0)" in got and "Subject: Cron <root@" in got and got.endswith(f"\n{m}\n"), got
        got = fetch(suite, "tito@example.com", m).decode()
        assert "from userid 65534)" in got and got.endswith(f"\n{m}\nnobody\n"), got
    finally:
        p.terminate()
        out = p.communicate(timeout=10)[0]
        print(out)


def test_suite_is_down(suite):
    wait_queue_empty(suite)
    suite.surat("stop")
    done = sendmail(suite, "iqbal@example.com", text="x\n")
    assert done.returncode == 75 and b"mail system is down" in done.stderr, done
    assert sendmail(suite, "-bs").returncode == 75
    since = time.monotonic()
    suite.surat("start")
    assert time.monotonic() - since < 10
    text, m = letter()
    assert sendmail(suite, "-t", text=text).returncode == 0
    wait_file(suite.maildir("iqbal@example.com"), m)
