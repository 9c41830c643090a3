"""IMAP up to the login, and what holds a session: TLS, mechanisms, refusals, limits, rights, who and kick; POP3 beside it."""
import base64
import contextlib
import hmac
import imaplib
import json
import os
import poplib
import pwd
import re
import signal
import ssl

import pytest
from instance import IS_ROOT, Instance, wait_for
from wire import Wire, anonymous, b64, descriptors, scram, trusting

TITO, IQBAL, KUNO = "tito@example.com", "iqbal@example.com", "kuno@example.com"
USERS = {TITO: "secret-tito", IQBAL: "secret-iqbal"}
FIRST = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE"
STRANGER = "127.0.0.2"          # not the server's address, so not a secured client


@pytest.fixture(scope="module")
def suite():
    """Also with a user whose password is there in clear, which CRAM-MD5 needs."""
    i = Instance(users=USERS, settings={"disable_plaintext_auth": "yes", "login_max_failures": "3", "imap_id_log": "*", "max_idle": "0",
                                        "auth_verbose": "yes",
                                        "auth_mechanisms": "plain login cram-md5 scram-sha-256"})
    passwd = i.etc / "passwd-file"
    passwd.write_text(f"{KUNO}:{{PLAIN}}sandi\nbound@example.com:{{PLAIN}}sandi::::::allow_nets=127.0.0.2,10.0.0.0/8\n"
                      "locked@example.com:!{PLAIN}sandi::::::\nfaulty@example.com:{PLAIN}sandi:5000:::::\n")
    if IS_ROOT:
        os.chown(passwd, pwd.getpwnam("_surat-auth").pw_uid, -1)
    passwd.chmod(0o600)
    i.settings["auth_passdb"] = f"users, passwd-file:{passwd}"
    i.write_config()
    with i:
        i.wait_ready()
        yield i


class Imap(Wire):
    """Lines of IMAP, from any address of the loopback."""

    def __init__(self, i, service="imap", source="127.0.0.1", greet=True):
        super().__init__(i, service, greet, source=source, is_tls=service == "imaps")

    def tagged(self, line, tag="a"):
        """Sends tag and line; returns the tagged answer without its tag, and what came before it."""
        self.send(f"{tag} {line}\r\n".encode())
        before = []
        while not (got := self.reply()).startswith(tag + " "):
            assert got, before
            before.append(got)
        return got[len(tag) + 1:], before

    def capabilities(self):
        return self.tagged("CAPABILITY")[1][0].removeprefix("* CAPABILITY ").split()

    def pid(self, i):
        """Of the child behind a session that has logged in."""
        lines = json.loads(i.surat("who", "-j").stdout)
        return max(lines, key=lambda s: (s["since"], s["pid"] or 0))["pid"]


# ---- TLS and capabilities ----

def test_capabilities_say_what_is_true(suite):
    with Imap(suite, source=STRANGER) as w:
        want = (FIRST + " STARTTLS LOGINDISABLED").split()
        assert w.banner.startswith("* OK [CAPABILITY " + " ".join(want)) and w.banner.endswith("] Surat ready.")
        caps = w.capabilities()
        assert caps[:len(want)] == want and "AUTH=PLAIN" not in caps and "AUTH=SCRAM-SHA-256" in caps
        assert w.tagged("STARTTLS")[0] == "OK Begin TLS negotiation now."
        w.starttls(trusting())
        caps = w.capabilities()
        assert "STARTTLS" not in caps and "LOGINDISABLED" not in caps and {"AUTH=PLAIN", "AUTH=LOGIN"} <= set(caps)
        assert w.tagged("STARTTLS")[0].startswith("BAD ")
        got, _ = w.tagged(f"LOGIN tito {USERS[TITO]}")
        assert re.match(r"OK \[CAPABILITY IMAP4rev1\b.*\] Logged in", got)
    with Imap(suite, "imaps", STRANGER) as w:
        assert "STARTTLS" not in w.banner and "LOGINDISABLED" not in w.banner and "AUTH=PLAIN" in w.banner


def test_imaplib(suite):
    ctx = ssl.create_default_context(cafile=str(suite.cert))
    for connect in ("plain", "starttls", "implicit"):
        m = (imaplib.IMAP4_SSL("127.0.0.1", suite.port("imaps"), ssl_context=ctx) if connect == "implicit"
             else imaplib.IMAP4("127.0.0.1", suite.port("imap")))
        if connect == "starttls":
            m.starttls(ctx)
        assert m.login("tito", USERS[TITO])[0] == "OK"
        assert m.noop()[0] == "OK"
        m.logout()
        suite.wait_log("Login: user=<tito@example.com>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, mpid=")
    m = imaplib.IMAP4_SSL("127.0.0.1", suite.port("imaps"), ssl_context=ctx)
    assert m.authenticate("PLAIN", lambda c: f"\0{TITO}\0{USERS[TITO]}".encode())[0] == "OK"
    m.logout()


@pytest.mark.parametrize("behind", [f"b LOGIN tito {USERS[TITO]}\r\n", "b LOGIN tito {11+}\r\nsecret", "b LOG", "b LOGIN {4}\r\n"])
def test_starttls_injection(suite, behind):
    """CVE-2011-0411: what came behind STARTTLS in the clear is never run."""
    with Imap(suite, source=STRANGER) as w:
        w.send(b"a STARTTLS\r\n" + behind.encode())
        assert w.reply().startswith("a OK ")
        w.starttls(trusting())
        assert w.tagged("NOOP", "c") == ("OK NOOP completed.", [])


# ---- logins ----

@pytest.mark.parametrize("login", [
    "LOGIN tito {pw}", 'LOGIN "tito" "{pw}"', "LOGIN {{4+}}\r\ntito {{{n}+}}\r\n{pw}", "login TITO@Example.COM {pw}",
    'LOGIN "tito@example.com" {{{n}+}}\r\n{pw}',
])
def test_login(suite, login):
    pw = USERS[TITO]
    with Imap(suite) as w:
        got, before = w.tagged(login.format(pw=pw, n=len(pw)))
        assert got.startswith("OK ") and not before
        assert w.tagged("NOOP")[0].startswith("OK ")


def test_literals_that_wait(suite):
    with Imap(suite) as w:
        assert w.cmd("a LOGIN {4}").startswith("+ ")
        w.send(b"tito {%d}\r\n" % len(USERS[TITO]))
        assert w.reply().startswith("+ ")
        w.send(USERS[TITO].encode() + b"\r\n")
        assert w.reply().startswith("a OK ")


def test_pipelined_behind_login(suite):
    """The bytes behind the login reach the child, plain and through the relay of TLS."""
    for service in ("imap", "imaps"):
        with Imap(suite, service) as w:
            w.send(f"a LOGIN tito {USERS[TITO]}\r\nb NOOP\r\nc LOGOUT\r\n".encode())
            assert w.reply().startswith("a OK ")
            got = [line for line in w.rest().decode().splitlines()]
            assert [line for line in got if line.startswith("b OK")] and got[-1].startswith("c OK") and got[-2].startswith("* BYE")


def test_authenticate_plain(suite):
    plain = b64(f"\0{IQBAL}\0{USERS[IQBAL]}")
    with Imap(suite, "imaps") as w:
        assert w.tagged("AUTHENTICATE PLAIN " + plain)[0].startswith("OK ")
    with Imap(suite, "imaps") as w:
        assert w.cmd("a AUTHENTICATE PLAIN") == "+ "
        assert w.cmd(plain).startswith("a OK ")
    with Imap(suite, "imaps") as w:
        assert w.cmd("a AUTHENTICATE LOGIN").startswith("+ ")
        assert w.cmd(b64(IQBAL)).startswith("+ ")
        assert w.cmd(b64(USERS[IQBAL])).startswith("a OK ")
    with Imap(suite, "imaps") as w:
        assert w.cmd("a AUTHENTICATE PLAIN") == "+ "
        assert w.cmd("*") == "a BAD Authentication aborted by client."
        assert w.tagged("AUTHENTICATE PLAIN =")[0].startswith("NO ")
        assert w.tagged("AUTHENTICATE PLAIN " + plain)[0].startswith("OK ")


@pytest.mark.parametrize("has_initial", [True, False])
@pytest.mark.parametrize("right", [True, False])
def test_scram(suite, has_initial, right):
    password = USERS[TITO] if right else "salah"
    with Imap(suite, source=STRANGER) as w:
        def ask(line):
            got = w.cmd(line)
            return base64.b64decode(got[2:]).decode() if got.startswith("+ ") else got
        def begin(text):
            return ask("a AUTHENTICATE SCRAM-SHA-256 " + text)
        if not has_initial:
            assert w.cmd("a AUTHENTICATE SCRAM-SHA-256") == "+ "
        got = scram(ask, TITO, password, begin if has_initial else None)
        assert got.startswith("a OK " if right else "a NO [AUTHENTICATIONFAILED]"), got
    with Wire(suite, "pop3") as p:
        def ask_pop3(line):
            got = p.cmd(line)
            return base64.b64decode(got[2:]).decode() if got.startswith("+ ") else got
        def begin_pop3(text):
            return ask_pop3("AUTH SCRAM-SHA-256 " + text)
        if not has_initial:
            assert p.cmd("AUTH SCRAM-SHA-256") == "+ "
        got = scram(ask_pop3, TITO, password, begin_pop3 if has_initial else None)
        assert got.startswith("+OK" if right else "-ERR [AUTH]"), got


@pytest.mark.parametrize("right", [True, False])
def test_cram_md5(suite, right):
    def answer(challenge):
        secret = b"sandi" if right else b"salah"
        return b64(f"{KUNO} {hmac.new(secret, base64.b64decode(challenge[2:]), 'md5').hexdigest()}")

    with Imap(suite, source=STRANGER) as w:
        got = w.cmd(answer(w.cmd("a AUTHENTICATE CRAM-MD5")))
        assert got.startswith("a OK " if right else "a NO [AUTHENTICATIONFAILED]"), got
    with Wire(suite, "pop3") as p:
        got = p.cmd(answer(p.cmd("AUTH CRAM-MD5")))
        assert got.startswith("+OK" if right else "-ERR [AUTH]"), got
    if right:
        suite.wait_log(f"Login: user=<{KUNO}>, method=CRAM-MD5, rip=127.0.0.2")


# ---- refusals ----

def test_wrong_passwords(suite):
    """The same words for a user that is not there; after the third failure the line ends."""
    since = len(suite.log_text())
    with Imap(suite, source="127.0.0.3") as w:
        w.tagged("STARTTLS")
        w.starttls(trusting())
        want = "NO [AUTHENTICATIONFAILED] Authentication failed."
        assert w.tagged("LOGIN tito salah")[0] == want
        assert w.tagged("LOGIN nobody salah")[0] == want
        assert w.tagged("AUTHENTICATE PLAIN " + b64(f"\0{TITO}\0salah"))[0] == want
        assert w.rest() == b"* BYE Disconnected.\r\n"
    line = suite.wait_log("imap-login[", since=since)
    assert "Disconnected: Too many authentication failures (auth failed, 3 attempts in" in line and "rip=127.0.0.3" in line
    assert "salah" not in suite.log_text()


@pytest.mark.parametrize("name,source,want,line", [
    ("bound", "127.0.0.2", "OK ", "Login: user=<bound@example.com>"),
    ("bound", "127.0.0.5", "NO [AUTHENTICATIONFAILED]", "sasl(bound@example.com,127.0.0.5): allow_nets check failed"),
    ("locked", "127.0.0.5", "NO [AUTHENTICATIONFAILED]", "passwd-file(locked@example.com,127.0.0.5): Password mismatch"),
    ("faulty", "127.0.0.5", "NO [UNAVAILABLE]", ":4: user faulty@example.com: a uid and a gid go together"),
])
def test_lines_of_a_passwd_file(suite, name, source, want, line):
    since = len(suite.log_text())
    with Imap(suite, source=source) as w:
        w.tagged("STARTTLS")
        w.starttls(trusting())
        assert w.tagged(f"LOGIN {name}@example.com sandi")[0].startswith(want)
    suite.wait_log(line, since=since)


def test_another_identity(suite):
    """Nobody may act for somebody else (RFC 4616), for himself everybody may."""
    since = len(suite.log_text())
    with Imap(suite) as w:
        assert w.tagged("AUTHENTICATE PLAIN " + b64(f"{IQBAL}\0{TITO}\0{USERS[TITO]}"))[0].startswith("NO [AUTHENTICATIONFAILED]")
        suite.wait_log(f"sasl({TITO},127.0.0.1): invalid credentials", since=since)
        assert w.tagged("AUTHENTICATE PLAIN " + b64(f"tito\0{TITO}\0{USERS[TITO]}"))[0].startswith("OK ")


def test_privacy(suite):
    with Imap(suite, source=STRANGER) as w:
        for line in (f"LOGIN tito {USERS[TITO]}", "AUTHENTICATE PLAIN " + b64(f"\0{TITO}\0{USERS[TITO]}")):
            got, before = w.tagged(line)
            assert got.startswith("NO [PRIVACYREQUIRED]") and before[0].startswith("* BAD [ALERT]")
    suite.wait_log("(tried to use disallowed plaintext auth): user=<tito@example.com>, method=PLAIN, rip=127.0.0.2")


@pytest.mark.parametrize("line", ["SELECT INBOX", "ENABLE CONDSTORE", "UID FETCH 1 ALL", "x", 'ID ("a")', "LOGIN tito", "NOOP x"])
def test_bad_before_login(suite, line):
    with Imap(suite) as w:
        assert w.tagged(line)[0].startswith("BAD ")
        assert w.tagged("NOOP", "b")[0].startswith("OK ")


def test_id(suite):
    with Imap(suite) as w:
        got, before = w.tagged('ID ("name" "mutt" "version" NIL)')
        assert got == "OK ID completed." and before == ['* ID ("name" "Surat")']
    suite.wait_log("ID sent: name=mutt, version=NIL")


@pytest.mark.parametrize("text", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"a" * 40000, b"a ID " + b"(" * 40000, b"\x00\xff\r\n" * 30,
    b"a LOGIN {99999999+}\r\nb NOOP\r\nc NOOP\r\n", b'a LOGIN "' + b"x" * 40000,
])
def test_noise_ends_the_line(suite, text):
    w = Imap(suite)
    with contextlib.suppress(OSError):
        w.send(text)
    got = w.rest()
    assert b"BAD" in got or b"* BYE" in got or got == b"", got
    assert b"NOOP completed" not in got
    w.close()
    with Imap(suite) as other:
        assert other.tagged("NOOP")[0].startswith("OK ")


def test_memory_stays_flat(suite):
    """Aborted exchanges, half literals, parentheses: a thousand times, and login is as small as before."""
    turns = (b"a AUTHENTICATE PLAIN\r\n*\r\n", b"a AUTHENTICATE PLAIN !!!\r\n", b"a LOGIN {3000}\r\n", b"a ID " + b"(" * 8000 + b"\r\n",
             b"a LOGIN x {2000+}\r\n" + b"y" * 2000 + b"\r\n", b"a AUTHENTICATE SCRAM-SHA-256 " + b"A" * 12000 + b"\r\n")

    def rounds(n):
        for k in range(n):
            for turn in turns[:3] + turns[3 + k % 3:4 + k % 3]:
                with Imap(suite, source=f"127.0.1.{k % 250 + 1}") as w:
                    w.send(turn)
                    assert w.reply()
    rounds(10)
    before, fds = anonymous(suite, ["login"]), descriptors(suite, ["login"])
    rounds(60)
    after = anonymous(suite, ["login"])
    assert all(after[p] < before[p] + 1500 for p in before), (before, after)
    wait_for("descriptors closed", lambda: descriptors(suite, ["login"]) == fds)


# ---- the process of a session ----

def test_runs_as_the_user(suite):
    with Imap(suite, "imaps") as w:
        assert w.tagged(f"LOGIN iqbal {USERS[IQBAL]}")[0].startswith("OK ")
        pid = w.pid(suite)
        status = open(f"/proc/{pid}/status").read()
        assert re.search(r"^Seccomp:\s+2$", status, re.M) and re.search(r"^NoNewPrivs:\s+1$", status, re.M)
        if IS_ROOT:
            uid = suite.mail.stat().st_uid
            assert re.search(rf"^Uid:\s+{uid}\s+{uid}\s+{uid}\s+{uid}$", status, re.M), status
            assert re.search(r"^Groups:\s*$", status, re.M) and re.search(r"^CapEff:\s+0+$", status, re.M)
        # the client or login's relay, the log, the parent's watcher; nothing of other sessions
        fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert len({f for f in fds if "socket:" in f}) <= 3 and not [f for f in fds if "inotify" in f or "eventpoll" in f], fds
        assert not [f for f in fds if "/tito/" in f]
    wait_for("child gone", lambda: not os.path.exists(f"/proc/{pid}"))
    assert suite.maildir(IQBAL).stat().st_mode & 0o777 == 0o700


def test_parent_has_no_openssl(suite):
    pid = suite.processes("imapd")[0]["pid"]
    maps = open(f"/proc/{pid}/maps").read()
    assert "libssl" not in maps and "libcrypto" not in maps and "/imapd" in maps


def who(suite, *args):
    return json.loads(suite.surat("who", "-j", *args).stdout)


def test_who_and_kick(suite):
    wait_for("nobody there", lambda: not who(suite))
    assert suite.surat("who").stdout == "nobody is logged in\n"
    with Imap(suite) as a, Imap(suite, "imaps") as b, Imap(suite) as c:
        for w, user in ((a, TITO), (b, TITO), (c, IQBAL)):
            assert w.tagged(f"LOGIN {user} {USERS[user]}")[0].startswith("OK ")
        p = poplib.POP3("127.0.0.1", suite.port("pop3"))
        p.user(TITO)
        p.pass_(USERS[TITO])
        got = who(suite)
        assert sorted((s["user"], s["service"], s["remote"]) for s in got) == [
            (IQBAL, "imap", "127.0.0.1"), (TITO, "imap", "127.0.0.1"), (TITO, "imap", "127.0.0.1"), (TITO, "pop3", "127.0.0.1")]
        assert all(os.path.exists(f"/proc/{s['pid']}") and f"session=<{s['session']}>" in suite.log_text() for s in got)
        assert len(who(suite, TITO)) == 3 and len(who(suite, got[0]["session"])) == 1 and who(suite, "x") == []
        assert len(who(suite, "tito")) == 3
        assert suite.surat("who", "x").stdout == "no session of x@example.com or x\n"
        table = suite.surat("who").stdout.splitlines()
        assert len(table) == 5 and table[0].split() == ["USER", "SERVICE", "PID", "REMOTE", "SINCE", "SESSION"]
        # one session by its id, then all of a user: others go on
        mine = next(s for s in got if s["user"] == IQBAL)
        suite.surat("kick", mine["session"])
        assert c.rest().startswith(b"* BYE ")
        assert a.tagged("NOOP")[0].startswith("OK ")
        suite.surat("kick", "Tito")
        assert a.rest().startswith(b"* BYE ") and b.rest().startswith(b"* BYE ")
        assert p.file.read() == b""
        wait_for("all gone", lambda: not who(suite))
        again = suite.surat("kick", TITO, check=False)
        assert again.returncode == 1 and again.stderr == f"surat kick: no session of {TITO}\n"
    suite.wait_log("kicked by the administrator")
    assert "killed by signal" not in suite.log_text()


def test_limit_per_user_and_address(suite):
    with contextlib.ExitStack() as stack:
        for k in range(10):
            w = stack.enter_context(Imap(suite, "imaps"))
            assert w.tagged(f"LOGIN iqbal {USERS[IQBAL]}")[0].startswith("OK "), k
        w = stack.enter_context(Imap(suite, "imaps"))
        got, _ = w.tagged(f"LOGIN iqbal {USERS[IQBAL]}")
        assert got.startswith("NO [LIMIT]") and "mail_max_userip_connections" in got
        assert w.rest() == b"* BYE Disconnected.\r\n"
        suite.wait_log("Disconnected: Maximum number of connections from user+IP exceeded (mail_max_userip_connections) (internal failure, ")
        other = stack.enter_context(Imap(suite, "imaps", STRANGER))
        assert other.tagged(f"LOGIN iqbal {USERS[IQBAL]}")[0].startswith("OK ")
        # a limit of each protocol: POP3 counts for itself
        p = poplib.POP3("127.0.0.1", suite.port("pop3"))
        p.user("iqbal")
        assert p.pass_(USERS[IQBAL]).startswith(b"+OK")
        p.quit()
    wait_for("all gone", lambda: not who(suite))


def test_parent_dies(suite):
    with Imap(suite) as w:
        assert w.tagged(f"LOGIN tito {USERS[TITO]}")[0].startswith("OK ")
        os.kill(suite.processes("imapd")[0]["pid"], signal.SIGKILL)
        w.rest()

    def again():
        with Imap(suite) as q:
            got = q.tagged(f"LOGIN tito {USERS[TITO]}")[0]
            assert got.startswith(("OK ", "NO [UNAVAILABLE]")), got
            return got.startswith("OK ")
    wait_for("login after imapd came back", again)
    suite.wait_ready()


def test_reload_keeps_sessions(suite):
    with Imap(suite) as a, Imap(suite, "imaps") as b, Imap(suite, "imaps") as waiting:
        for w in (a, b):
            assert w.tagged(f"LOGIN tito {USERS[TITO]}")[0].startswith("OK ")
        suite.surat("reload")
        for w in (a, b):
            assert w.tagged("NOOP")[0].startswith("OK ")
        assert waiting.tagged(f"LOGIN tito {USERS[TITO]}")[0].startswith("OK ")


def test_sessions_per_worker():
    """A full worker leaves clients in the kernel's queue; they are served when there is room."""
    with Instance(users=USERS, settings={"login_sessions_per_worker": "2", "worker_processes": "1"}) as i:
        i.wait_ready()
        with Imap(i) as a, Imap(i):
            late = Imap(i, greet=False)
            late.s.settimeout(0.7)
            with pytest.raises(TimeoutError):
                late.s.recv(1)
            assert "login_sessions_per_worker" in i.wait_log("no more are taken")
            # a plain session that has logged in leaves login
            assert a.tagged(f"LOGIN tito {USERS[TITO]}")[0].startswith("OK ")
            late.s.settimeout(10)
            assert late.s.recv(4) == b"* OK"
            late.s.close()
