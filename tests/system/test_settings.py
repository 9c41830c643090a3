"""Settings that several daemons have to agree on, seen from outside."""
import smtplib
import socket
import time

import pytest
from instance import Instance, wait_for
from wire import trusting

TITO = "tito@example.com"


@pytest.fixture(scope="module")
def suite():
    with Instance(users={TITO: "one"}) as i:
        i.surat("user", "add", "kecil@example.com", "--password-stdin", "--quota", "2k", stdin="two\n")
        yield i


def submit(i, to, text):
    with smtplib.SMTP("127.0.0.1", i.port("submission"), timeout=20) as s:
        s.starttls(context=trusting())
        s.login(TITO, "one")
        s.sendmail(TITO, [to], f"Subject: x\r\n\r\n{text}\r\n")


def starttls(i, context, session=None):
    """The TLS socket behind STARTTLS and how many seconds the first EHLO in it took; Nagle's rule is left on."""
    s = socket.create_connection(("127.0.0.1", i.port("smtp")), timeout=20)
    f = s.makefile("rb")
    f.readline()
    s.sendall(b"EHLO client.example\r\n")
    while f.readline()[3:4] == b"-":
        pass
    s.sendall(b"STARTTLS\r\n")
    f.readline()
    tls = context.wrap_socket(s, session=session)
    began = time.monotonic()
    tls.sendall(b"EHLO client.example\r\n")
    assert tls.recv(4096).startswith(b"250")
    return tls, time.monotonic() - began


def test_sessions_resume_with_any_worker(suite):
    context, session, resumed = trusting(), None, []
    for _ in range(10):
        tls, _ = starttls(suite, context, session)
        resumed.append(tls.session_reused)
        session = tls.session
        tls.close()
    assert resumed == [False] + [True] * 9


def test_no_delayed_acknowledgement(suite):
    times = []
    for _ in range(9):
        tls, seconds = starttls(suite, trusting())
        times.append(seconds)
        tls.close()
    assert sorted(times)[4] < 0.03, times


def test_quota_of_the_user_store(suite):
    submit(suite, "kecil@example.com", "small")
    wait_for("the small letter", lambda: list((suite.maildir("kecil@example.com") / "new").glob("*")))
    submit(suite, "kecil@example.com", ("x" * 70 + "\r\n") * 60)
    suite.wait_log("to=<kecil@example.com>, relay=virtual")
    suite.wait_log("dsn=5.2.2, status=bounced")
    wait_for("the notice", lambda: list((suite.maildir(TITO) / "new").glob("*")))


def test_log_name_of_a_service(suite):
    submit(suite, TITO, "hello")
    suite.wait_log("surat/submission/smtpd[")
    with smtplib.SMTP("127.0.0.1", suite.port("smtp"), timeout=20) as s:
        s.ehlo("plain.example")
    suite.wait_log("surat/smtpd[")
