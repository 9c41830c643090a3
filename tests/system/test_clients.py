"""Mail programs that people use, against the whole suite: each fetches what it sent and compares the bytes."""
import base64
import contextlib
import os
import pathlib
import smtplib
import socket
import subprocess

import pytest
from instance import IS_ROOT, Instance, wait_for
from letters import PATIENCE, body_of, crlf, fetch, files_of, letter, mark, parse, pop3, smtp, wait_file
from wire import scram

TITO, IQBAL = "tito@example.com", "iqbal@example.com"
USERS = {TITO: "rahasia \"satu\" \\1", IQBAL: "rahasia-2"}
MECHS = "plain login cram-md5 scram-sha-256"


@pytest.fixture(scope="module")
def suite():
    settings = {"auth_mechanisms": MECHS, "mynetworks": "127.0.0.3/32", "mydestination": "localhost.example.com"}
    with Instance(users=USERS, settings=settings) as i:
        yield i


def run(args, text=None, check=True, **kw):
    done = subprocess.run([str(a) for a in args], input=text, capture_output=True, timeout=90, **kw)
    assert not check or done.returncode == 0, (args, done.stdout[-3000:], done.stderr[-3000:])
    return done


def body_for(label):
    return "".join(f"{label} line {n}\n" for n in range(20)) + ".a dot\n..two\n"


# ---- sending ----

@pytest.mark.parametrize("service,options", [
    ("smtp", []), ("smtp", ["--tls"]), ("smtp", ["--pipeline"]), ("submission", ["--tls", "--auth", "PLAIN"]),
    ("submission", ["--tls", "--auth", "LOGIN"]), ("submissions", ["--tls-on-connect", "--auth", "PLAIN"]),
    ("submissions", ["--tls-on-connect", "--auth", "LOGIN"]),
])
def test_swaks(suite, service, options):
    text, m = letter(to=IQBAL, body=body_for("swaks"))
    login = ["-au", TITO, "-ap", USERS[TITO]] if "--auth" in options else []
    run(["swaks", "--server", "127.0.0.1", "--port", suite.port(service), "--from", TITO, "--to", IQBAL, "--ehlo", "c.example.com",
         "--data", text, *options, *login])
    assert body_of(fetch(suite, IQBAL, m)).rstrip(b"\n") == body_for("swaks").encode().rstrip(b"\n")


def test_swaks_cram_md5(suite, tmp_path):
    """CRAM-MD5 needs a password in clear, which Surat's own store never keeps: a passwd-file has it."""
    passwd = suite.etc / "passwd-file"
    passwd.write_text("kuno@example.com:{PLAIN}sandi\n")
    if IS_ROOT:
        run(["chown", "_surat-auth", passwd])
    passwd.chmod(0o600)
    old = dict(suite.settings)
    suite.settings["auth_passdb"] = f"users, passwd-file:{passwd}"
    suite.write_config()
    suite.surat("stop")
    suite.surat("start")
    text, m = letter(to=IQBAL, sender="kuno@example.com")
    for password, status in (("sandi", 0), ("salah", 28)):
        done = run(["swaks", "--server", "127.0.0.1", "--port", suite.port("submission"), "--from", "kuno@example.com", "--to", IQBAL,
                    "--data", text, "--tls", "--auth", "CRAM-MD5", "-au", "kuno@example.com", "-ap", password], check=False)
        assert done.returncode == status, (password, done.stdout)
    fetch(suite, IQBAL, m)
    suite.wait_log("sasl_method=CRAM-MD5, sasl_username=kuno@example.com")
    suite.settings = old
    suite.write_config()
    suite.surat("stop")
    suite.surat("start")


def curl(suite, url, user, *args, text=None):
    """The password goes through a descriptor, never through the process list."""
    quoted = USERS[user].replace("\\", "\\\\").replace('"', '\\"')
    r, w = os.pipe()
    os.write(w, f'user = "{user}:{quoted}"\n'.encode())
    os.close(w)
    try:
        return run(["curl", "-sS", "--max-time", "60", "--cacert", suite.cert, "--ssl-reqd", "-K", f"/dev/fd/{r}", "--url", url, *args],
                   text, pass_fds=(r,))
    finally:
        os.close(r)


@pytest.mark.parametrize("send,service,take,door", [("smtp", "submission", "pop3", "pop3"), ("smtps", "submissions", "pop3s", "pop3s")])
def test_curl(suite, send, service, take, door):
    text, m = letter(to=IQBAL, body=body_for("curl"))
    curl(suite, f"{send}://127.0.0.1:{suite.port(service)}/c.example.com", TITO, "--mail-from", TITO, "--mail-rcpt", IQBAL, "-T", "-",
         text=crlf(text))
    url = f"{take}://127.0.0.1:{suite.port(door)}/"

    def look():
        for line in reversed(curl(suite, url, IQBAL).stdout.decode().split("\r\n")):
            if line.strip():
                got = curl(suite, url + line.split()[0], IQBAL).stdout
                if m.encode() in got:
                    return got
        return None
    got = wait_for("curl fetches the letter", look, PATIENCE)
    assert body_of(got.replace(b"\r\n", b"\n")) == body_for("curl").encode()


@pytest.mark.parametrize("service,starttls", [("submission", "on"), ("submissions", "off")])
def test_msmtp(suite, tmp_path, service, starttls):
    (tmp_path / "pass").write_text(USERS[TITO])
    (tmp_path / "rc").write_text(
        f"account default\nhost 127.0.0.1\nport {suite.port(service)}\nfrom {TITO}\nauth plain\nuser {TITO}\n"
        f"passwordeval cat {tmp_path}/pass\ntls on\ntls_starttls {starttls}\ntls_trust_file {suite.cert}\n")
    (tmp_path / "rc").chmod(0o600)
    text, m = letter(to=IQBAL, body=body_for("msmtp"))
    run(["msmtp", "-C", tmp_path / "rc", IQBAL], text.encode())
    assert body_of(fetch(suite, IQBAL, m)) == body_for("msmtp").encode()


# ---- fetching ----

def send(suite, to=IQBAL, count=1, body=None):
    marks = []
    with contextlib.closing(smtp(suite, "submission", TITO, USERS[TITO])) as s:
        for _ in range(count):
            text, m = letter(to=to, body=body or body_for("fetch"))
            s.sendmail(TITO, [to], crlf(text))
            marks.append(m)
    for m in marks:
        wait_file(suite.maildir(to), m)
    return marks


def check_maildir(where, marks, body=None):
    texts = [f.read_bytes().replace(b"\r\n", b"\n") for f in files_of(where)]
    for m in marks:
        hits = [t for t in texts if m.encode() in t]
        assert len(hits) == 1 and body_of(hits[0]) == (body or body_for("fetch")).encode(), (m, len(hits))


def make_maildir(where):
    for part in ("tmp", "new", "cur"):
        (where / part).mkdir(parents=True)
    return where


@pytest.mark.parametrize("service", ["pop3", "pop3s"])
def test_mpop(suite, tmp_path, service):
    marks = send(suite, count=3)
    box = make_maildir(tmp_path / "box")
    (tmp_path / "rc").write_text(
        f"account default\nhost 127.0.0.1\nport {suite.port(service)}\nuser {IQBAL}\npasswordeval echo {USERS[IQBAL]}\ntls on\n"
        f"tls_starttls {'on' if service == 'pop3' else 'off'}\ntls_trust_file {suite.cert}\ndelivery maildir {box}\nkeep on\n"
        f"uidls_file {tmp_path}/uidls\nreceived_header off\n")
    (tmp_path / "rc").chmod(0o600)
    for _ in range(2):                      # left on the server, fetched once
        run(["mpop", "-C", tmp_path / "rc"])
        check_maildir(box, marks)
    more = send(suite)
    run(["mpop", "-C", tmp_path / "rc", "--keep=off"])
    check_maildir(box, marks + more)
    wait_for("the mailbox is empty", lambda: pop3(suite, IQBAL, USERS[IQBAL]).stat()[0] == 0)


@pytest.mark.parametrize("service", ["pop3", "pop3s"])
def test_fetchmail(suite, tmp_path, service):
    marks = send(suite, count=3)
    out = tmp_path / "out"
    out.mkdir()
    tls = "sslproto 'TLS1.2+'" if service == "pop3" else "ssl"
    (tmp_path / "rc").write_text(
        f'poll 127.0.0.1 port {suite.port(service)} protocol pop3 uidl user "{IQBAL}" password "{USERS[IQBAL]}" '
        f'{tls} sslcertck sslcertfile "{suite.cert}" sslcommonname mail.example.com keep '
        f'mda "cat > {out}/$$.tmp; mv {out}/$$.tmp {out}/$$"\n')
    (tmp_path / "rc").chmod(0o600)
    command = ["fetchmail", "--nodetach", "--nosyslog", "-f", tmp_path / "rc", "-i", tmp_path / "ids", "--pidfile", tmp_path / "pid"]
    done = run(command, check=False, env=dict(os.environ, HOME=str(tmp_path)))
    assert done.returncode == 0, done
    texts = [f.read_bytes() for f in out.iterdir()]
    for m in marks:
        hits = [t for t in texts if m.encode() in t]
        assert len(hits) == 1 and body_of(hits[0].replace(b"\r\n", b"\n")) == body_for("fetch").encode(), (m, hits)
    assert run(command, check=False, env=dict(os.environ, HOME=str(tmp_path))).returncode == 1      # nothing new


@pytest.mark.parametrize("service", ["pop3s"])
def test_getmail(suite, tmp_path, service):
    marks = send(suite, count=3)
    box = make_maildir(tmp_path / "box")
    (tmp_path / "getmailrc").write_text(
        f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = 127.0.0.1\nport = {suite.port(service)}\nusername = {IQBAL}\n"
        f"password = {USERS[IQBAL]}\nca_certs = {suite.cert}\n[destination]\ntype = Maildir\npath = {box}/\n[options]\ndelete = false\n"
        "read_all = false\nreceived = false\ndelivered_to = false\n")
    (tmp_path / "getmailrc").chmod(0o600)
    command = ["getmail", "--getmaildir", tmp_path, "--rcfile", tmp_path / "getmailrc"]
    if IS_ROOT:
        run(["chown", "-R", "_surat-vmail", tmp_path])
        parent = tmp_path
        while parent != pathlib.Path("/tmp"):
            parent.chmod(0o755)
            parent = parent.parent
        command = ["runuser", "-u", "_surat-vmail", "--", *command]
    for _ in range(2):
        run(command)
        check_maildir(box, marks)


# ---- Python's libraries, and by hand ----

@pytest.mark.parametrize("service", ["submission", "submissions"])
def test_python_large(suite, service):
    body = "".join(f"{n:07d} {'é' * 30}\n" for n in range(80000))
    text, m = letter(to=IQBAL, body=body, **{"MIME-Version": "1.0", "Content-Type": "text/plain; charset=utf-8",
                                            "Content-Transfer-Encoding": "8bit"})
    with contextlib.closing(smtp(suite, service, TITO, USERS[TITO])) as s:
        s.sendmail(TITO, [IQBAL, TITO], crlf(text), ["BODY=8BITMIME", f"SIZE={len(crlf(text))}"])
    for user in (IQBAL, TITO):
        got = fetch(suite, user, m)
        assert body_of(got) == body.encode()
    assert parse(got).get_content() == body


def test_python_smtputf8(suite):
    m = mark()
    text = f"From: <tito@example.com>\nTo: <iqbal@example.com>\nSubject: {m} sélamat\n\nпривет\n"
    with contextlib.closing(smtp(suite, "submission", TITO, USERS[TITO])) as s:
        s.sendmail(TITO, [IQBAL], crlf(text), ["SMTPUTF8", "BODY=8BITMIME"])
    got = fetch(suite, IQBAL, m)
    assert f"Subject: {m} sélamat\n".encode() in got and body_of(got) == "привет\n".encode() and b"with UTF8SMTPSA" in got


def test_bdat_by_hand(suite):
    text, m = letter(to=IQBAL, body="one\n.\n.two\n" + "x" * 3000 + "\n")
    raw = crlf(text)
    with contextlib.closing(smtp(suite)) as s:
        assert s.docmd("MAIL", f"FROM:<{TITO}> BODY=8BITMIME")[0] == 250 and s.docmd("RCPT", f"TO:<{IQBAL}>")[0] == 250
        for at in range(0, len(raw), 700):
            part = raw[at:at + 700]
            s.send(b"BDAT %d%s\r\n" % (len(part), b" LAST" if at + 700 >= len(raw) else b"") + part)
            assert s.getreply()[0] == 250
    assert body_of(fetch(suite, IQBAL, m)) == body_of(text.encode())


def test_pipelining(suite):
    """Twenty letters in few packets; RFC 2920 allows the next MAIL behind the end of content."""
    letters = [letter(to=IQBAL) for _ in range(20)]
    with socket.create_connection(("127.0.0.1", suite.port("smtp")), timeout=60) as s:
        f = s.makefile("rb")
        f.readline()
        s.sendall(b"EHLO c.example.com\r\n")
        while f.readline()[3:4] == b"-":
            pass
        for text, _ in letters:
            s.sendall(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (TITO.encode(), IQBAL.encode()))
            assert [f.readline()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
            s.sendall(crlf(text) + b".\r\nRSET\r\n")
            assert [f.readline()[:3] for _ in range(2)] == [b"250", b"250"]
        s.sendall(b"QUIT\r\n")
    for _, m in letters:
        fetch(suite, IQBAL, m)


def test_scram_by_hand(suite):
    """SCRAM-SHA-256 (RFC 7677), from the verifier that the user store keeps."""
    s = smtp(suite, "submissions")
    assert "SCRAM-SHA-256" in s.esmtp_features["auth"]

    def ask(line, *mechanism):
        code, answer = s.docmd(*mechanism, line) if mechanism else s.docmd(line)
        return base64.b64decode(answer).decode() if code == 334 else str(code)
    assert scram(ask, IQBAL, USERS[IQBAL], lambda line: ask("SCRAM-SHA-256 " + line, "AUTH")) == "235"
    s.quit()


def test_wrong_password_is_refused(suite):
    with pytest.raises(smtplib.SMTPAuthenticationError) as e:
        smtp(suite, "submission", TITO, "salah")
    assert e.value.smtp_code == 535


def test_trusted_address_may_relay_and_others_not(suite):
    for source, code in (("127.0.0.3", 250), ("127.0.0.4", 554)):
        s = smtplib.SMTP("127.0.0.1", suite.port("smtp"), "c.example.com", 60, (source, 0))
        s.ehlo()
        s.mail("a@example.com")
        got, words = s.rcpt("x@elsewhere.example")
        assert got == code and (code == 250 or words.startswith(b"5.7.1 ")), (source, got, words)
        s.quit()


def test_local_part_alone_is_the_same_account(suite):
    marks = send(suite)
    assert body_of(fetch(suite, "iqbal", marks[0], USERS[IQBAL])) == body_for("fetch").encode()
