"""POP3 on the whole suite: login, relay, hand-over, real uids."""
import os
import poplib
import re
import shutil
import signal
import socket
import ssl
import subprocess

import instance
import pytest
from instance import IS_ROOT, Instance, wait_for

USERS = {"tito@example.com": "secret-tito", "iqbal@example.com": "secret-iqbal"}


@pytest.fixture(scope="module")
def suite():
    with Instance(users=USERS, settings={"disable_plaintext_auth": "yes"}) as i:
        i.wait_ready()
        yield i


def put(suite, user, name, text):
    """A letter in new/, as local would leave it."""
    md = suite.maildir(user)
    for part in ("", "cur", "new", "tmp"):
        (md / part).mkdir(parents=True, exist_ok=True)
    (md / "new" / name).write_bytes(text)
    if IS_ROOT:
        owner = suite.mail.stat()
        for path in (md.parent.parent, md.parent, md, *md.iterdir(), md / "new" / name):
            os.chown(path, owner.st_uid, owner.st_gid)


def tls_context(suite):
    ctx = ssl.create_default_context(cafile=str(suite.cert))
    ctx.check_hostname = False
    return ctx


def plain(suite):
    return poplib.POP3("127.0.0.1", suite.port("pop3"), timeout=10)


def stls(suite):
    p = plain(suite)
    p.stls(tls_context(suite))
    return p


def implicit(suite):
    return poplib.POP3_SSL("127.0.0.1", suite.port("pop3s"), timeout=10, context=tls_context(suite))


@pytest.mark.parametrize("connect", [plain, stls, implicit])
def test_fetch(suite, connect):
    user = "tito@example.com"
    name = f"1700000000.{connect.__name__}.host"
    put(suite, user, name, b"Subject: hello\n\n.dot\n" + b"x" * 70 + b"\n")
    p = connect(suite)
    assert "STLS" not in p.capa() if connect is not plain else "STLS" in p.capa()
    p.user("tito")
    assert p.pass_(USERS[user]) == b"+OK Logged in."
    n, size = p.stat()
    resp, listing, _ = p.list()
    assert len(listing) == n and sum(int(line.split()[1]) for line in listing) == size
    last = n
    resp, lines, octets = p.retr(last)
    assert lines == [b"Subject: hello", b"", b".dot", b"x" * 70]
    assert int(resp.split()[1]) == sum(len(line) + 2 for line in lines)
    assert p.top(last, 0)[1] == [b"Subject: hello", b""]
    uidl = p.uidl()[1]
    assert all(re.fullmatch(rb"\d+ [0-9a-f]{16}", line) for line in uidl)
    p.quit()
    assert (suite.maildir(user) / "cur" / (name + ":2,S")).exists()
    p = connect(suite)
    p.user("TITO@Example.com")
    p.pass_(USERS[user])
    assert p.uidl()[1] == uidl
    for i in range(1, n + 1):
        p.dele(i)
    p.quit()
    assert not os.listdir(suite.maildir(user) / "cur")
    suite.wait_log("Disconnected: Logged out top=0/0, retr=0/0, del=%d/%d, size=" % (n, n))


def test_runs_as_the_user(suite):
    p = implicit(suite)
    p.user("iqbal")
    p.pass_(USERS["iqbal@example.com"])
    p.stat()
    line = suite.wait_log("Login: user=<iqbal@example.com>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, mpid=")
    assert ", TLS, session=<" in line
    pid = int(re.search(r"mpid=(\d+)", line)[1])
    if IS_ROOT:
        uid = suite.mail.stat().st_uid
        status = open(f"/proc/{pid}/status").read()
        assert re.search(rf"^Uid:\s+{uid}\s+{uid}\s+{uid}\s+{uid}$", status, re.M), status
        assert re.search(r"^Seccomp:\s+2$", status, re.M) and re.search(r"^NoNewPrivs:\s+1$", status, re.M)
        assert re.search(r"^Groups:\s*$", status, re.M)
    # the child has the client, the log, and what it opened of the mailbox
    fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert len({f for f in fds if "socket:" in f}) <= 2, fds
    p.quit()
    wait_for("child gone", lambda: not os.path.exists(f"/proc/{pid}"))


def test_injection(suite):
    s = socket.create_connection(("127.0.0.1", suite.port("pop3")), timeout=10)
    f = s.makefile("rb")
    assert f.readline() == b"+OK Surat ready.\r\n"
    s.sendall(b"STLS\r\nUSER tito\r\nCAPA\r\n")
    assert f.readline() == b"+OK Begin TLS negotiation now.\r\n"
    t = tls_context(suite).wrap_socket(s)
    t.sendall(b"PASS secret-tito\r\n")
    assert t.recv(1000) == b"-ERR No username given.\r\n"
    t.close()


def test_http_and_noise(suite):
    for text in (b"GET / HTTP/1.1\r\n\r\n", b"x" * 5000, b"\x00\xff\r\n" * 20):
        s = socket.create_connection(("127.0.0.1", suite.port("pop3")), timeout=10)
        s.sendall(text)
        got = b""
        with pytest.raises((ConnectionResetError, EOFError)):
            while True:
                part = s.recv(10000)
                if not part:
                    raise EOFError
                got += part
        assert got.startswith(b"+OK") and got.count(b"-ERR") >= 1
        s.close()


def test_wrong_password_and_fail2ban(suite):
    since = len(suite.log_text())
    p = implicit(suite)
    p.user("tito")
    with pytest.raises(poplib.error_proto, match="AUTH"):
        p.pass_("guess")
    p.quit()
    line = suite.wait_log("Aborted login (auth failed, 1 attempts in", since=since)
    assert "user=<tito>" in line and "rip=127.0.0.1" in line and "guess" not in suite.log_text()


@pytest.mark.skipif(not shutil.which("fail2ban-regex"), reason="fail2ban is not installed")
def test_fail2ban():
    """fail2ban's stock filter reads the log of services that carry Dovecot's name."""
    rows = [(n, p, c, o + (" -o syslog_name=dovecot" if c == "login" else "")) for n, p, c, o in instance.ROWS]
    with Instance(users=USERS, rows=rows) as i:
        i.wait_ready()
        for connect in (implicit, stls):
            p = connect(i)
            p.user("tito")
            with pytest.raises(poplib.error_proto):
                p.pass_("guess")
            p.quit()
        p = plain(i)
        p.quit()
        i.wait_log("Aborted login (no auth attempts")
        out = subprocess.run(["fail2ban-regex", i.log, "/etc/fail2ban/filter.d/dovecot.conf"], capture_output=True, text=True).stdout
        assert ", 2 matched," in out, out + i.log_text()


def can_log_in(suite):
    q = implicit(suite)
    q.user("tito")
    try:
        return q.pass_(USERS["tito@example.com"]) and q.quit()
    except poplib.error_proto as e:
        assert b"[SYS/TEMP]" in e.args[0]
        return None


def test_auth_dies(suite):
    pid = suite.processes("auth")[0]["pid"]
    p = implicit(suite)
    p.user("tito")
    os.kill(pid, signal.SIGKILL)
    try:
        p.pass_(USERS["tito@example.com"])
    except poplib.error_proto as e:
        assert b"[SYS/TEMP]" in e.args[0]
    p.close()
    suite.wait_ready()
    wait_for("login after auth came back", lambda: can_log_in(suite))


def test_parent_dies(suite):
    p = implicit(suite)
    p.user("tito")
    p.pass_(USERS["tito@example.com"])
    os.kill(suite.processes("pop3d")[0]["pid"], signal.SIGKILL)
    suite.wait_ready()
    wait_for("login after pop3d came back", lambda: can_log_in(suite))
    p.close()


def test_reload_keeps_sessions(suite):
    sessions = []
    for connect in (plain, stls, implicit):
        p = connect(suite)
        p.user("tito")
        p.pass_(USERS["tito@example.com"])
        sessions.append(p)
    waiting = implicit(suite)
    old = {p["pid"] for p in suite.processes("login")}
    suite.surat("reload")
    wait_for("new workers", lambda: sum(p["state"] == "ready" and p["pid"] not in old for p in suite.processes("login")) == 2)
    for p in sessions:
        p.noop()
        p.quit()
    waiting.user("tito")
    waiting.pass_(USERS["tito@example.com"])
    waiting.quit()
    fresh = implicit(suite)
    fresh.user("tito")
    fresh.pass_(USERS["tito@example.com"])
    fresh.quit()
    wait_for("old workers gone", lambda: not old & {p["pid"] for p in suite.processes("login")})


def test_limit_per_user_and_address(suite):
    open_ones = []
    for _ in range(10):
        p = implicit(suite)
        p.user("iqbal")
        p.pass_(USERS["iqbal@example.com"])
        open_ones.append(p)
    p = implicit(suite)
    p.user("iqbal")
    with pytest.raises(poplib.error_proto, match=r"\[IN-USE\].*mail_max_userip_connections"):
        p.pass_(USERS["iqbal@example.com"])
    for q in open_ones:
        q.quit()
