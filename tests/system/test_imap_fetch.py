"""FETCH against the running suite: every item of RFC 3501 and RFC 9051, for letters with either line end, whole and in parts."""
import base64
import os

import pytest
from imap_letters import letter, nested
from imap_peer import Client, fetched
from instance import Instance

TITO = "tito@example.com"
BIG = b"".join(b"line %d of a long letter\n" % i for i in range(20000))
LETTERS = [
    letter("lf", "one\ntwo\n"), letter("crlf", "one\ntwo\n", crlf=True), nested(),
    b"Subject: big\n\n" + BIG, b"Subject: big crlf\r\n\r\n" + BIG.replace(b"\n", b"\r\n"), b"Subject: nul\n\na\0b\n", b"",
]


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@pytest.fixture(scope="module")
def client():
    with Instance(users={TITO: "secret-tito"}) as i:
        i.wait_ready()
        c = Client.connect(i.port("imap"))
        c.ok("LOGIN tito secret-tito")
        box = i.maildir(TITO)
        for n, data in enumerate(LETTERS):
            path = box / "cur" / f"{1000000000 + n}.M1P1.host:2,"
            path.write_bytes(data)
            os.chown(path, box.stat().st_uid, box.stat().st_gid)
            os.utime(path, (1000000000, 1000000000))
        c.ok("SELECT INBOX")
        yield c


def fetch(client, number, items):
    return fetched(client.ok(f"FETCH {number} {items}"))[number]


@pytest.mark.parametrize("number", range(1, len(LETTERS) + 1))
def test_size_is_what_comes(client, number):
    want = crlf(LETTERS[number - 1]).replace(b"\0", b"\x80")
    got = fetch(client, number, "(RFC822.SIZE BODY.PEEK[])")
    assert got["BODY[]"] == want and int(got["RFC822.SIZE"]) == len(want)
    both = fetch(client, number, "(BODY.PEEK[HEADER] BODY.PEEK[TEXT])")
    assert both["BODY[HEADER]"] + both["BODY[TEXT]"] == want
    assert fetch(client, number, "RFC822.HEADER")["RFC822.HEADER"] == both["BODY[HEADER]"]


@pytest.mark.parametrize("number", [1, 4, 5])
@pytest.mark.parametrize("offset, length", [(0, 1), (0, 100), (13, 70000), (65535, 2), (65536, 65536), (131071, 300000), (10 ** 6, 5), (3, 10 ** 9)])
def test_partial(client, number, offset, length):
    want = crlf(LETTERS[number - 1])[offset:offset + length]
    assert fetch(client, number, f"BODY.PEEK[]<{offset}.{length}>")[f"BODY[]<{offset}>"] == want


def test_chunks_make_the_whole(client):
    want, got = crlf(LETTERS[3]), b""
    while part := fetch(client, 4, f"BODY.PEEK[]<{len(got)}.50000>")[f"BODY[]<{len(got)}>"]:
        got += part
    assert got == want


def test_parts(client):
    got = fetch(client, 3, "(BODY.PEEK[1] BODY.PEEK[1.2] BODY.PEEK[1.2.MIME] BODY.PEEK[2] BODY.PEEK[2.HEADER] BODY.PEEK[2.TEXT] BODY.PEEK[2.1] "
                           "BODY.PEEK[4.2] BODY.PEEK[2.HEADER.FIELDS (SUBJECT)] BODY.PEEK[9])")
    assert got["BODY[1.2]"] == b"<p>caf=C3=A9 nee=\r\ndle</p>" and b"quoted-printable" in got["BODY[1.2.MIME]"]
    assert got["BODY[2]"] == got["BODY[2.HEADER]"] + got["BODY[2.TEXT]"]
    assert got["BODY[2.HEADER]"] == b"From: inner@example.com\r\nSubject: inside\r\n\r\n"
    assert got["BODY[2.1]"] == got["BODY[2.TEXT]"] == b"needle inside"
    assert got["BODY[4.2]"] == b"two words" and got["BODY[9]"] == b""
    assert got["BODY[2.HEADER.FIELDS (SUBJECT)]"] == b"Subject: inside\r\n\r\n"


def test_binary(client):
    data = bytes(range(256)) * 4
    got = fetch(client, 3, "(BINARY.PEEK[3] BINARY.SIZE[3] BINARY.PEEK[3]<250.10> BINARY.PEEK[1.2] BODY.PEEK[3])")
    assert got["BINARY[3]"] == data == base64.b64decode(got["BODY[3]"]) and int(got["BINARY.SIZE[3]"]) == len(data)
    assert got["BINARY[3]<250>"] == data[250:260] and got["BINARY[1.2]"] == "<p>café needle</p>".encode()


def test_macros(client):
    fast = {"FLAGS", "INTERNALDATE", "RFC822.SIZE"}
    assert set(fetch(client, 1, "FAST")) == fast and set(fetch(client, 1, "ALL")) == fast | {"ENVELOPE"}
    assert set(fetch(client, 1, "FULL")) == fast | {"ENVELOPE", "BODY"}
    assert fetch(client, 1, "INTERNALDATE")["INTERNALDATE"] == b"09-Sep-2001 01:46:40 +0000"


def test_seen(client):
    assert b"\\Seen" not in fetch(client, 1, "(FLAGS BODY.PEEK[])")["FLAGS"]
    assert b"\\Seen" in fetch(client, 1, "BODY[TEXT]")["FLAGS"]
    assert "FLAGS" not in fetch(client, 1, "BODY[TEXT]")
    assert b"\\Seen" in fetch(client, 1, "FLAGS")["FLAGS"]
    client.ok("EXAMINE INBOX")
    assert "FLAGS" not in fetch(client, 2, "BODY[TEXT]") and b"\\Seen" not in fetch(client, 2, "FLAGS")["FLAGS"]
    client.ok("SELECT INBOX")


@pytest.mark.parametrize("bad", ["FETCH 99 FLAGS", "FETCH 1", "FETCH 1 FROB", "FETCH 0 FLAGS", "FETCH 1 BODY[", "FETCH 1 BODY[0]", "FETCH 1 BODY[MIME]",
                                 "FETCH 1 BODY[HEADER.FIELDS]", "FETCH 1 (FLAGS) (FROB)", "FETCH 1 BODY[]<0.0>", "FETCH 1 BINARY[HEADER]"])
def test_bad(client, bad):
    assert client.command(bad)[-1].split()[1] == b"BAD"
