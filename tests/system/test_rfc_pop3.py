"""POP3 as the RFCs have it, on the whole suite: every command in every state."""
import base64
import re
import socket

import pytest
from instance import Instance, wait_for
from letters import letter, smtp, trust

USERS = {"tito@example.com": "secret tito\"\\"}
TITO, PASSWORD = next(iter(USERS.items()))
PLAIN = base64.b64encode(f"\0{TITO}\0{PASSWORD}".encode()).decode()
LOGIN = [(f"USER {TITO}", "+OK"), (f"PASS {PASSWORD}", "+OK")]


@pytest.fixture(scope="module")
def suite():
    with Instance(users=USERS, settings={"auth_failure_delay": "0s"}) as i:
        i.wait_ready()
        s = smtp(i)
        for body in ("one\n", "two\n\n.\n..dots\nlast\n", "three\n"):
            s.sendmail("a@sender.example", [TITO], letter(to=TITO, body=body)[0])
        s.quit()

        def arrived():
            c = Client(i)
            return c.talk(LOGIN + [("STAT", "+OK")])[-1].startswith("+OK 3 ")
        wait_for("three letters", arrived)
        yield i


class Client:
    def __init__(self, suite, service="pop3s"):
        self.suite = suite
        self.sock = socket.create_connection(("127.0.0.1", suite.port(service)), timeout=20)
        if service == "pop3s":
            self.encrypt()
        self.file = self.sock.makefile("rb")
        assert self.line().startswith("+OK")

    def encrypt(self):
        context = trust(self.suite)
        context.check_hostname = False
        self.sock = context.wrap_socket(self.sock)
        self.file = self.sock.makefile("rb")

    def line(self):
        line = self.file.readline()
        assert not line or line.endswith(b"\r\n") and (len(line) <= 514), line
        return line[:-2].decode()

    def lines(self):
        return list(iter(self.line, "."))

    def say(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
        return self.line()

    def talk(self, dialogue):
        answers = []
        for line, want in dialogue:
            answers.append(self.say(line))
            assert answers[-1].startswith(want), (line[:100], answers[-1])
            verb = line.upper().split(" ")
            if answers[-1].startswith("+OK") and (verb[0] in ("CAPA", "RETR", "TOP") or verb[0] in ("LIST", "UIDL") and len(verb) == 1):
                self.lines()
        return answers


DIALOGUES = {
    "before login": ("pop3s", [("CAPA", "+OK"), ("capa", "+OK"), ("USER", "-ERR"), ("PASS x", "-ERR"), ("STAT", "-ERR"), ("QUIT", "+OK"), ("NOOP", "")]),
    "out of place": ("pop3s", [("RETR 1", "-ERR"), ("DELE 1", "-ERR"), ("UIDL", "-ERR"), ("TOP 1 0", "-ERR"), ("LIST", "-ERR"), *LOGIN]),
    "USER again": ("pop3s", [("USER nobody@example.com", "+OK"), *LOGIN, ("USER x", "-ERR"), ("CAPA", "+OK"), ("STLS", "-ERR")]),
    "wrong password": ("pop3s", [(f"USER {TITO}", "+OK"), ("PASS no", "-ERR [AUTH]"), *LOGIN]),
    "AUTH": ("pop3s", [("AUTH FOO", "-ERR"), ("AUTH PLAIN", "+ "), ("*", "-ERR"), ("AUTH PLAIN", "+ "), ("!", "-ERR"), ("AUTH LOGIN", "+ VXNlcm5hbWU6"),
                       ("*", "-ERR"), (f"AUTH PLAIN {PLAIN}", "+OK"), ("AUTH PLAIN", "-ERR")]),
    "AUTH in parts": ("pop3s", [("AUTH PLAIN", "+ "), (PLAIN, "+OK"), ("STAT", "+OK 3 ")]),
    "numbers": ("pop3s", [*LOGIN, *[(f"{verb} {n}", want) for verb in ("LIST", "UIDL", "RETR", "DELE")
                                     for n, want in (("0", "-ERR"), ("4", "-ERR"), ("-1", "-ERR"), ("x", "-ERR"), ("9" * 30, "-ERR"))][:18],
                          ("LIST 1", "+OK"), ("RETR", "-ERR"), ("DELE", "-ERR"), ("TOP", "-ERR"), ("TOP 1", "-ERR"), ("TOP 1 -1", "-ERR"), ("TOP 1 x", "-ERR"), ("TOP 4 0", "-ERR"),
                          ("LIST 1", "+OK 1 "), ("UIDL 1", "+OK 1 "), ("TOP 1 0", "+OK"), ("TOP 1 99999", "+OK")]),
    "marks": ("pop3s", [*LOGIN, ("DELE 2", "+OK"), ("DELE 2", "-ERR"), ("STAT", "+OK 2 "), ("LIST 2", "-ERR"), ("UIDL 2", "-ERR"), ("RETR 2", "-ERR"),
                        ("TOP 2 0", "-ERR"), ("LIST 3", "+OK 3 "), ("NOOP", "+OK"), ("RSET", "+OK"), ("STAT", "+OK 3 "), ("LIST 2", "+OK 2 "),
                        ("FOO", "-ERR"), ("", "-ERR"), ("QUIT", "+OK"), ("NOOP", "")]),
}


@pytest.mark.parametrize("name", DIALOGUES)
def test_dialogue(suite, name):
    service, dialogue = DIALOGUES[name]
    Client(suite, service).talk(dialogue)


def test_capa_and_stls(suite):
    """RFC 2449, 2595: what is offered depends on TLS, and nothing learnt before TLS stays."""
    c = Client(suite, "pop3")
    assert c.say("CAPA").startswith("+OK")
    assert {"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "STLS"} <= set(c.lines())
    c.say(f"USER {TITO}")
    assert c.say("STLS").startswith("+OK")
    c.encrypt()
    assert c.say(f"PASS {PASSWORD}").startswith("-ERR")
    assert c.say("STLS").startswith("-ERR")
    assert c.say("CAPA").startswith("+OK")
    caps = c.lines()
    assert "STLS" not in caps and "SASL PLAIN LOGIN" in caps and "USER" in caps
    c.talk(LOGIN)
    assert c.say("CAPA").startswith("+OK")
    assert c.lines() == caps, "RFC 2449 section 5: what is announced before the login is so behind it"


def test_texts(suite):
    """Dots are stuffed, sizes are those on the wire, TOP gives just the lines asked for."""
    c = Client(suite)
    c.talk(LOGIN)
    c.say("LIST")
    sizes = [int(x.split()[1]) for x in c.lines()]
    c.say("UIDL")
    ids = [x.split()[1] for x in c.lines()]
    assert len(set(ids)) == 3 and all(re.fullmatch(r"[0-9a-f]{16}", x) for x in ids)
    texts = []
    for k in (1, 2, 3):
        assert c.say(f"RETR {k}") == f"+OK {sizes[k - 1]} octets"
        lines = c.lines()
        assert sum(len(x[1:] if x.startswith(".") else x) + 2 for x in lines) == sizes[k - 1]
        texts.append(lines)
    at = next(i for i, x in enumerate(texts) if "two" in x)
    assert texts[at][texts[at].index("two"):] == ["two", "", "..", "...dots", "last"]
    c.say(f"TOP {at + 1} 0")
    head = c.lines()
    assert head[-1] == "" and head == texts[at][:len(head)]
    c.say(f"TOP {at + 1} 3")
    assert c.lines() == head + ["two", "", ".."]


def test_pipelining(suite):
    c = Client(suite)
    c.sock.sendall(f"USER {TITO}\r\nPASS {PASSWORD}\r\nSTAT\r\nUIDL 1\r\nDELE 1\r\nRSET\r\nNOOP\r\nQUIT\r\n".encode())
    assert [c.line()[:3] for _ in range(8)] == ["+OK"] * 8
    assert c.line() == ""


def test_only_quit_deletes(suite):
    """A session that breaks off keeps everything (RFC 1939 section 6)."""
    c = Client(suite)
    c.talk(LOGIN + [("DELE 1", "+OK"), ("DELE 2", "+OK")])
    c.sock.close()
    Client(suite).talk(LOGIN + [("STAT", "+OK 3 "), ("DELE 3", "+OK"), ("QUIT", "+OK")])
    Client(suite).talk(LOGIN + [("STAT", "+OK 2 ")])
