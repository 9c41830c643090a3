"""SMTP as the RFCs have it, on the whole suite: one table of dialogues, and letters that come out as they went in."""
import base64
import re
import socket

import pytest
from instance import Instance, wait_for
from letters import pop3, trust

USERS = {"tito@example.com": "secret-tito", "iqbal@example.com": "secret-iqbal"}
TITO, IQBAL = USERS
PLAIN = base64.b64encode(f"\0{TITO}\0{USERS[TITO]}".encode()).decode()
BEGIN = [("MAIL FROM:<a@sender.example>", "250 2.1.0"), (f"RCPT TO:<{TITO}>", "250 2.1.5")]


@pytest.fixture(scope="module")
def suite():
    settings = {"smtpd_error_sleep_time": "0s", "smtpd_soft_error_limit": 1000, "smtpd_hard_error_limit": 1000,
                "recipient_delimiter": "+", "message_size_limit": 2000000, "local_header_rewrite_clients": "",
                "virtual_alias_maps": "inline:{ {postmaster@example.com = tito@example.com} }"}
    with Instance(users=USERS, settings=settings) as i:
        i.wait_ready()
        yield i


class Client:
    def __init__(self, suite, service="smtp", hello="EHLO c.example"):
        self.sock = socket.create_connection(("127.0.0.1", suite.port(service)), timeout=20)
        if service == "submissions":
            context = trust(suite)
            context.check_hostname = False
            self.sock = context.wrap_socket(self.sock)
        self.file = self.sock.makefile("rb")
        assert self.reply().startswith("220 ")
        if hello:
            assert self.say(hello).startswith("250")

    def reply(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                return "closed"
            assert line.endswith(b"\r\n") and len(line) <= 512, line
            lines.append(line[:-2].decode())
            assert re.match(r"[2-5]\d\d[ -]", lines[-1]) and lines[-1][:3] == lines[0][:3], line
            if lines[-1][3] == " ":
                return "\n".join(lines)

    def say(self, line):
        self.sock.sendall((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return self.reply()


DIALOGUES = {
    "any order": ("smtp", [
        ("RCPT TO:<tito@example.com>", "503 5.5.1"), ("DATA", "503 5.5.1"), ("RSET", "250"), ("NOOP", "250"), ("NOOP with words", "250"),
        ("VRFY tito@example.com", "252"), ("VRFY", "501"), ("EXPN staff", "502"), ("HELP", "214"), ("HELP MAIL", "214"),
        ("FOO", "500 5.5.2"), ("", "500 5.5.2"), *BEGIN, ("MAIL FROM:<>", "503 5.5.1"), ("EHLO d.example", "250"), ("DATA", "503 5.5.1"),
        *BEGIN, ("DATA extra", "501 5.5.4"), ("DATA", "354"), (".", "250 2.0.0"), *BEGIN, ("RSET", "250"), ("DATA", "503"),
        ("QUIT extra", "501 5.5.4"), ("quit", "221 2.0.0")]),
    "MAIL": ("smtp", [x for line, want in [
        ("MAIL", "501"), ("MAIL FROM:", "501"), ("mail from:<a@b.example>", "250"), ("MAIL FROM: <a@b.example>", "250"), ("MAIL FROM:<>", "250"),
        ("MAIL FROM:<@x.example,@y.example:a@b.example>", "250"), ('MAIL FROM:<"a b"@c.example>', "250"), ("MAIL FROM:<a@[127.0.0.1]>", "250"),
        ("MAIL FROM:<a@b", "501 5.1.7"), ("MAIL FROM:<a@b..c>", "501 5.1.7"), ("MAIL FROM:<a@b> FOO=1", "555 5.5.4"),
        ("MAIL FROM:<a@b> SIZE=", "501"), ("MAIL FROM:<a@b> SIZE=2000000", "250"), ("MAIL FROM:<a@b> SIZE=2000001", "552 5.3.4"),
        ("MAIL FROM:<a@b> BODY=8bitmime RET=hdrs ENVID=a+2Bb", "250"), ("MAIL FROM:<a@b> BODY=9BIT", "5"), ("MAIL FROM:<a@b> RET=ALL", "501"),
        ("MAIL FROM:<a@b> ENVID=a+2", "501"), ("MAIL FROM:<a@b> ENVID=" + "a" * 101, "501"), ("MAIL FROM:<\u00fc@b.example>", "553 5.6.7"),
        ("MAIL FROM:<\u00fc@b.example> SMTPUTF8", "250")] for x in ((line, want), ("RSET", "250"))]),
    "RCPT": ("smtp", [
        ("MAIL FROM:<>", "250"), ("RCPT", "501"), ("RCPT TO:<>", "501"), ("RCPT TO:<postmaster>", "250"), ("rcpt to:<PostMaster@Example.COM>", "250"),
        ("RCPT TO:<TITO@example.com>", "250"), ("RCPT TO:<tito+tag@example.com>", "250"), ("RCPT TO:<nobody+tag@example.com>", "550 5.1.1"),
        ("RCPT TO:<@relay.example:tito@example.com>", "250"), ('RCPT TO:<"tito"@example.com>', "250"), ("RCPT TO:<nobody@example.com>", "550 5.1.1"),
        ("RCPT TO:<a@other.example>", "554 5.7.1"), ("RCPT TO:<a%other.example@example.com>", "5"), ("RCPT TO:<tito@@example.com>", "501"),
        ("RCPT TO:<tito@example.com> NOTIFY=NEVER,FAILURE", "501"), ("RCPT TO:<tito@example.com> NOTIFY=success,delay,failure", "250"),
        ("RCPT TO:<tito@example.com> ORCPT=tito", "501"), ("RCPT TO:<tito@example.com> ORCPT=rfc822;a+2Bb@example.com", "250"),
        ("RCPT TO:<tito@example.com> SIZE=1", "555")]),
    "lines": ("smtp", [
        ("NOOP " + "x" * 505, "250"), ("NOOP " + "x" * 1000, "250"), ("NOOP " + "x" * 9000, "500 5.5.2"), (b"NOOP \0", "500"), ("NOOP", "250")]),
    "BDAT": ("smtp", [
        ("BDAT 6 LAST\r\nRSET", "503"), *BEGIN, ("BDAT 5\r\nabc", "250"), ("NOOP", "250"), ("DATA", "503"), ("RCPT TO:<tito@example.com>", "503")]),
    "AUTH": ("submissions", [
        ("MAIL FROM:<tito@example.com>", "250"), (f"AUTH PLAIN {PLAIN}", "503"), ("RCPT TO:<iqbal@example.com>", "554 5.7.1"), ("RSET", "250"),
        ("AUTH", "501"), ("AUTH FOO", "504 5.5.4"), ("AUTH PLAIN", "334"), ("*", "501"), ("AUTH PLAIN !", "501 5.5.2"), ("AUTH PLAIN a b", "501"),
        ("AUTH PLAIN =", "535 5.7.8"), ("AUTH PLAIN", "334"), ("A" * 12284, "5"), ("AUTH PLAIN", "334"), ("A" * 20000, "500"),
        ("AUTH LOGIN " + base64.b64encode(TITO.encode()).decode(), "334 UGFzc3dvcmQ6"),
        (base64.b64encode(USERS[TITO].encode()).decode(), "235 2.7.0"), (f"AUTH PLAIN {PLAIN}", "503"), ("STARTTLS", "5"),
        ("MAIL FROM:<tito@example.com> AUTH=a+2", "501"), ("MAIL FROM:<tito@example.com> AUTH=<>", "250"), ("RCPT TO:<a@other.example>", "250")]),
    "no AUTH in the clear": ("submission", [(f"AUTH PLAIN {PLAIN}", "538 5.7.11"), ("MAIL FROM:<tito@example.com>", "250"),
                                            ("RCPT TO:<iqbal@example.com>", "554 5.7.1")]),
}


@pytest.mark.parametrize("name", DIALOGUES)
def test_dialogue(suite, name):
    service, dialogue = DIALOGUES[name]
    c = Client(suite, service)
    for line, want in dialogue:
        got = c.say(line)
        assert got.startswith(want), (name, line[:100], got)


def test_hello(suite):
    c = Client(suite, hello=None)
    assert c.say("EHLO").startswith("501")
    assert c.say("HELO c.example") == "250 mail.example.com"
    lines = c.say("EHLO [IPv6:::1]").split("\n")
    assert lines[0] == "250-mail.example.com"
    assert {x[4:] for x in lines[1:]} == {"PIPELINING", "SIZE 2000000", "VRFY", "STARTTLS", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8",
                                          "CHUNKING"}


def test_pipelining(suite):
    """RFC 2920: one flight, one answer for each command, in order; a chunk belongs to its BDAT even if that is refused."""
    c = Client(suite)
    flight = ("MAIL FROM:<>\r\nRCPT TO:<nobody@example.com>\r\nBDAT 4\r\nQUITBDAT 6 LAST\r\nRSET\r\nNOOP\r\nRSET\r\nMAIL FROM:<>\r\n"
              "RCPT TO:<tito@example.com>\r\nBDAT 3\r\na\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<tito@example.com>\r\nBDAT 3\r\nb\r\n"
              "BDAT 0\r\nBDAT 0 LAST\r\nVRFY tito@example.com\r\nQUIT\r\n")
    c.sock.sendall(flight.encode())
    want = "250 550 554 554 250 250 250 250 250 250 250 250 250 250 250 252 221".split()
    assert [c.reply()[:3] for _ in want] == want
    assert c.reply() == "closed"


def test_too_many_recipients(suite):
    c = Client(suite)
    c.sock.sendall(b"MAIL FROM:<>\r\n" + b"RCPT TO:<tito@example.com>\r\n" * 1001)
    got = [c.reply() for _ in range(1002)]
    assert all(x.startswith("250") for x in got[:1001]) and got[1001].startswith("452 4.5.3")
    assert c.say("RSET").startswith("250")


LETTERS = {
    "plain": b"Subject: a\r\n\r\nbody\r\n",
    "empty": b"",
    "header only": b"Subject: a\r\n",
    "empty body": b"Subject: a\r\n\r\n",
    "empty header": b"\r\nbody\r\n",
    "dots": b"Subject: d\r\n\r\n.\r\n..\r\n...x\r\n.x\r\n\r\n.\r\n",
    "eight bits": b"Subject: \xc3\xbc\r\n\r\n\xff\xfe\x80\r\n",
    "controls": b"Subject: n\r\n\r\na\0b\x01\x1a\x1b\x7f\t \r\n",
    "long lines": b"Subject: " + b"s" * 3000 + b"\r\n\r\n" + b"x" * 999 + b"\r\n" + b"w" * 70000 + b"\r\n",
    "blank end": b"Subject: t\r\n\r\nx\r\n\r\n\r\n",
    "large": b"Subject: l\r\n\r\n" + (b"A" * 76 + b"\r\n") * 20000,
}


@pytest.mark.parametrize("how", ["DATA", "BDAT"])
def test_letters_come_out_as_they_went_in(suite, how):
    c = Client(suite)
    for body in LETTERS.values():
        c.say("MAIL FROM:<a@sender.example>")
        c.say(f"RCPT TO:<{IQBAL}>")
        if how == "DATA":
            assert c.say("DATA").startswith("354")
            c.sock.sendall((b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        else:
            half = len(body) // 2
            c.sock.sendall(b"BDAT %d\r\n%sBDAT %d LAST\r\n%s" % (half, body[:half], len(body) - half, body[half:]))
            assert c.reply().startswith("250")
        assert c.reply().startswith("250 2.0.0")
    got = wait_for("all letters", lambda: take(suite, len(LETTERS)), 20)
    assert len(got) == len(LETTERS)
    for name, body in LETTERS.items():
        assert got.count(body) == 1, name


def take(suite, n):
    """Without the trace that delivery put in front; sizes must be those that STAT and LIST told."""
    p = pop3(suite, IQBAL, USERS[IQBAL])
    p.sock.settimeout(30)
    if p.stat()[0] < n:
        p.quit()
        return None
    sizes = [int(x.split()[1]) for x in p.list()[1]]
    texts = [retrieve_raw(p, k + 1) for k in range(n)]
    assert [len(x) for x in texts] == sizes and sum(sizes) == p.stat()[1]
    for k in range(n):
        p.dele(k + 1)
    p.quit()
    trace = re.compile(rb"Return-Path: <a@sender\.example>\r\nX-Original-To: iqbal@example\.com\r\nDelivered-To: iqbal@example\.com\r\n"
                       rb"Received: from c\.example [^\r]*\r\n\tby mail\.example\.com \(Surat\) with ESMTP id \S+\r\n"
                       rb"\tfor <iqbal@example\.com>; [^\r]*\r\n")
    assert all(trace.match(x) for x in texts)
    return [trace.sub(b"", x, count=1) for x in texts]


def retrieve_raw(p, number):
    """poplib limits the length of lines."""
    p.sock.sendall(b"RETR %d\r\n" % number)
    assert p.file.readline().startswith(b"+OK")
    lines = iter(p.file.readline, b".\r\n")
    return b"".join(x[1:] if x.startswith(b".") else x for x in lines)


def test_wrong_restriction_stops_nothing(suite):
    """Named by reload, and the old configuration goes on."""
    with open(suite.etc / "main.cf", "a") as f:
        f.write("smtpd_recipient_restrictions = permit_mynetwork, reject\n")
    got = suite.surat("reload", check=False)
    assert got.returncode != 0 and "did you mean 'permit_mynetworks'" in got.stderr
    assert Client(suite).say("MAIL FROM:<>").startswith("250")
    suite.surat("config", "-X", "smtpd_recipient_restrictions")
    suite.surat("reload")


def test_table_in_a_new_folder(suite):
    """The sandbox of resolve is drawn anew."""
    folder = suite.dir / "tables"
    folder.mkdir(mode=0o755)
    (folder / "virtual").write_text("sales@example.com tito@example.com\n")
    suite.surat("map", str(folder / "virtual"))
    suite.surat("config", "-e", f"virtual_alias_maps = hash:{folder}/virtual")
    suite.surat("reload")

    def is_known():
        c = Client(suite)
        c.say("MAIL FROM:<>")
        return c.say("RCPT TO:<sales@example.com>").startswith("250")
    wait_for("the new table", is_known)
