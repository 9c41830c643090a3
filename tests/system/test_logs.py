"""Other people's programs read our log: pflogsumm, and fail2ban with the filters it comes with."""
import contextlib
import json
import re
import smtplib
import socket
import subprocess

import pytest
from instance import ROWS, Instance, wait_for
from letters import crlf, letter, pop3, smtp, trust, wait_file

TITO, IQBAL = "tito@example.com", "iqbal@example.com"
USERS = {TITO: "rahasia-1", IQBAL: "rahasia-2"}


def wrong_pop3(i, source, user):
    """From an address of its own: those with failures wait longer and longer."""
    with socket.create_connection(("127.0.0.1", i.port("pop3s")), 60, (source, 0)) as plain:
        with trust(i).wrap_socket(plain, server_hostname="localhost") as s:
            f = s.makefile("rwb")
            f.readline()
            for command, answer in ((f"USER {user}", b"+OK"), ("PASS salah", b"-ERR [AUTH]"), ("QUIT", b"+OK")):
                f.write(command.encode() + b"\r\n")
                f.flush()
                assert f.readline().startswith(answer)


@pytest.fixture(scope="module")
def suite():
    """A morning at a mail server: what is sent, refused, tried with a wrong password."""
    rows = [(name, port, command, options.replace("syslog_name=surat/", "syslog_name=postfix/") +
             (" -o syslog_name=dovecot" if command == "login" else "")) for name, port, command, options in ROWS]
    settings = {"syslog_name": "postfix", "auth_mechanisms": "plain login", "smtpd_helo_restrictions": "reject_non_fqdn_helo_hostname",
                "smtpd_error_sleep_time": "0"}
    with Instance(users=USERS, settings=settings, rows=rows) as i:
        marks = []
        for to in ([IQBAL], [IQBAL], [IQBAL, TITO]):
            text, m = letter(to=to[0], body="x" * 500 + "\n")
            with contextlib.closing(smtp(i)) as s:
                s.sendmail(TITO, to, crlf(text))
            marks.append((to, m))
        pop3(i, IQBAL, USERS[IQBAL]).quit()
        text, m = letter(to="x@elsewhere.example")
        with contextlib.closing(smtp(i, "submission", TITO, USERS[TITO])) as s:
            s.sendmail(TITO, ["x@elsewhere.example"], crlf(text))
        i.wait_log("status=deferred")
        for helo, sender, to in (("c.example.com", "a@b.example", "nobodyhere@example.com"), ("c.example.com", "a@b.example", "x@far.example"),
                                 ("nodots", "a@b.example", IQBAL)):
            s = smtplib.SMTP("127.0.0.1", i.port("smtp"), helo, timeout=60)
            s.ehlo()
            s.mail(sender)
            assert s.rcpt(to)[0] >= 500
            s.quit()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp(i, "submission", TITO, "salah")
        s = smtplib.SMTP("127.0.0.1", i.port("smtp"), "c.example.com", timeout=60)
        for _ in range(30):
            with contextlib.suppress(smtplib.SMTPServerDisconnected):
                s.docmd("NONSENSE")
        wrong_pop3(i, "127.0.0.8", IQBAL)
        wrong_pop3(i, "127.0.0.9", "nobodyhere@example.com")
        for to, m in marks:
            for user in to:
                wait_file(i.maildir(user), m)
        i.wait_log("too many errors")
        wait_for("failed logins in the log", lambda: i.log_text().count("(auth failed") == 2)
        wait_for("the letters are done", lambda: i.log_text().count(": removed") == 3)
        yield i


def test_pflogsumm(suite):
    done = subprocess.run(["pflogsumm", suite.log], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done
    count = {m[2]: int(m[1]) for m in re.finditer(r"^ +(\d+)k? +([a-z ]+?)(?: +\(.*\))?$", done.stdout.split("Per-")[0], re.M)}
    assert {k: count[k] for k in ("received", "delivered", "deferred", "rejected", "bounced")} == {
        "received": 4, "delivered": 4, "deferred": 1, "rejected": 3, "bounced": 0}, done.stdout[:2000]
    assert count["senders"] == 1 and count["recipients"] == 2
    assert re.search(r"^ +3 +\S+ +iqbal@example.com$", done.stdout, re.M) or "iqbal@example.com" in done.stdout
    assert "User unknown in virtual mailbox table" in done.stdout and "Relay access denied" in done.stdout


def fail2ban(suite, name):
    """The lines that a stock filter takes for failures of 127.0.0.1."""
    done = subprocess.run(["fail2ban-regex", "--print-all-matched", "-v", suite.log, name], capture_output=True, text=True, timeout=60)
    found = re.search(r"\d+ lines, \d+ ignored, (\d+) matched", done.stdout)
    assert found, done.stdout + done.stderr
    return done.stdout.split("Matched line(s):", 1)[-1] if int(found[1]) else ""


@pytest.mark.parametrize("name,words", [
    ("postfix", ["Recipient address rejected: User unknown", "Relay access denied", "Helo command rejected"]),
    ("postfix[mode=auth]", ["SASL PLAIN authentication failed"]),
    ("postfix[mode=errors]", ["too many errors after"]),
    ("postfix[mode=aggressive]", ["SASL PLAIN authentication failed", "Relay access denied", "too many errors after"]),
    ("dovecot", ["user=<iqbal@example.com>", "user=<nobodyhere@example.com>"]),
])
def test_fail2ban(suite, name, words):
    lines = fail2ban(suite, name)
    for w in words:
        assert w in lines, (name, w, lines, suite.log_text()[-4000:])


def test_names_of_services(suite):
    text = suite.log_text()
    assert re.search(r" postfix/submission/smtpd\[\d+\]: \w+: client=.*sasl_username=tito@example.com$", text, re.M)
    assert re.search(r" postfix/smtpd\[\d+\]: NOQUEUE: reject: ", text) and " postfix/qmgr[" in text
    assert " dovecot[" in text


def test_fail2ban_leaves_the_honest_alone(suite):
    for name in ("postfix[mode=aggressive]", "dovecot"):
        for line in fail2ban(suite, name).splitlines():
            assert "status=sent" not in line and "Login: user" not in line and "sasl_username" not in line, line


def test_what_an_operator_did_to_a_letter(suite):
    """Held, released, deleted: a letter's line of life has no gap, also while nobody tries it."""
    id = next(r["queue_id"] for r in map(json.loads, suite.surat("queue", "list", "-j").stdout.splitlines())
              if r["recipients"][0]["address"] == "x@elsewhere.example")
    for action, words in (("hold", "placed on hold"), ("release", "released from hold"), ("delete", "removed")):
        suite.surat("queue", action, id)
        suite.wait_log(f"{id}: {words}")
