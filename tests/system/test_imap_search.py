"""SEARCH, SORT and THREAD against the running suite: every key of RFC 3501, each with what it must and must not find."""
import os

import pytest
from imap_letters import letter
from imap_peer import Client
from instance import Instance

TITO = "tito@example.com"
# flags of the file name, letter, internal date
LETTERS = [
    ("", letter("Alpha one", "apples\n"), 1000000000),
    ("S", letter("Re: Alpha one", "pears " * 3000 + "and plums\n", date="Tue, 8 Feb 1994 01:00:00 +0900"), 1000100000),
    ("FS", letter("Beta", "caf=C3=A9\n", Cc="c@example.org", Content_Type="text/plain; charset=utf-8", Content_Transfer_Encoding="quoted-printable"),
     1000200000),
    ("RT", letter("Gamma", "YXBwbGVz\n", From="Zoe <zoe@example.net>", Bcc="b@example.org", Content_Type="text/plain",
                  Content_Transfer_Encoding="base64"), 1000300000),
    ("DSa", letter("=?iso-8859-1?Q?K=F6ln?=", "x\n", To="Kuno <kuno@example.net>", X_Note="here"), 1000400000),
]
ROWS = [
    ("ALL", "1 2 3 4 5"), ("ANSWERED", "4"), ("UNANSWERED", "1 2 3 5"), ("DELETED", "4"), ("UNDELETED", "1 2 3 5"), ("DRAFT", "5"), ("UNDRAFT", "1 2 3 4"),
    ("FLAGGED", "3"), ("UNFLAGGED", "1 2 4 5"), ("SEEN", "2 3 5"), ("UNSEEN", "1 4"), ("KEYWORD work", "5"), ("UNKEYWORD Work", "1 2 3 4"),
    ("KEYWORD none", ""), ("NEW", ""), ("RECENT", ""), ("OLD", "1 2 3 4 5"), ("SUBJECT alpha", "1 2"), ("FROM zoe", "4"), ("FROM example.net", "4"),
    ("TO kuno", "5"), ("CC example.org", "3"), ("BCC b@", "4"), ("HEADER X-Note here", "5"), ('HEADER X-Note ""', "5"), ('HEADER Cc ""', "3"),
    ("BODY apples", "1 4"), ("BODY YXBw", ""), ('BODY "pears and plums"', "2"), ("TEXT zoe", "4"), ("TEXT apples", "1 4"), ("BODY alpha", ""),
    ("BEFORE 10-Sep-2001", "1"), ("ON 10-Sep-2001", "2"), ("SINCE 12-Sep-2001", "4 5"), ("SENTON 8-Feb-1994", "2"), ("SENTBEFORE 8-Feb-1994", "1 3 4 5"),
    ("SENTSINCE 8-Feb-1994", "2"), ("LARGER 10000", "2"), ("SMALLER 10000", "1 3 4 5"), ("1:2", "1 2"), ("UID 4:*", "4 5"), ("*", "5"), ("NOT 1:4", "5"),
    ("OR SEEN ANSWERED", "2 3 4 5"), ("SEEN NOT FLAGGED", "2 5"), ("(SEEN (OR FLAGGED DRAFT))", "3 5"), ("NOT BODY apples", "2 3 5"),
    ("OR BODY plums SUBJECT gamma", "2 4"), ("OLDER 100", "1 2 3 4 5"), ("YOUNGER 100", ""), ("CHARSET US-ASCII SUBJECT beta", "3"), ("1:999", "1 2 3 4 5"),
]


@pytest.fixture(scope="module")
def client():
    with Instance(users={TITO: "secret-tito"}) as i:
        i.wait_ready()
        c = Client.connect(i.port("imap"))
        c.ok("LOGIN tito secret-tito")
        box = i.maildir(TITO)
        paths = [box / "dovecot-keywords"]
        paths[0].write_text("0 Work\n")
        for n, (flags, data, when) in enumerate(LETTERS):
            paths.append(box / "cur" / f"{1000000000 + n}.M1P1.host:2,{flags}")
            paths[-1].write_bytes(data)
            os.utime(paths[-1], (when, when))
        for path in paths:
            os.chown(path, box.stat().st_uid, box.stat().st_gid)
        c.ok("SELECT INBOX")
        yield c


@pytest.mark.parametrize("key, want", ROWS)
def test_key(client, key, want):
    for verb in ("SEARCH", "UID SEARCH"):
        assert client.ok(f"{verb} {key}") == [f"* SEARCH {want}".strip().encode() + b"\r\n"]


@pytest.mark.parametrize("key, text, want", [("SUBJECT", "köln", "5"), ("SUBJECT", "KÖLN", "5"), ("BODY", "CAFÉ", "3"), ("TEXT", "Köln", "5"), ("BODY", "plüms", "")])
def test_literal(client, key, text, want):
    for charset in ("utf-8", "iso-8859-1"):
        data = text.encode(charset)
        got = client.ok(f"SEARCH CHARSET {charset} {key} ".encode() + b"{%d+}\r\n" % len(data) + data)
        assert got == [f"* SEARCH {want}".strip().encode() + b"\r\n"], charset


def test_charset_nobody_knows(client):
    assert b" NO [BADCHARSET (" in client.command("SEARCH CHARSET X-NONE SUBJECT x")[-1]


@pytest.mark.parametrize("bad", ["SEARCH", "SEARCH FROB", "SEARCH SUBJECT", "SEARCH OR SEEN", "SEARCH (SEEN", "SEARCH BEFORE 1-Foo-2001", "SEARCH LARGER x",
                                 "SORT (DATE) UTF-8", "SORT () UTF-8 ALL", "THREAD FROB UTF-8 ALL", "SEARCH " + "(" * 500 + "ALL" + ")" * 500])
def test_bad(client, bad):
    assert client.command(bad)[-1].split()[1] == b"BAD"


def test_sort_and_thread(client):
    for by, want in (("ARRIVAL", "1 2 3 4 5"), ("SUBJECT", "1 2 3 4 5"), ("REVERSE SUBJECT", "5 4 3 1 2"), ("SIZE", None), ("FROM ARRIVAL", "1 2 3 5 4"),
                     ("DATE", "2 1 3 4 5"), ("TO REVERSE ARRIVAL", "4 3 2 1 5")):
        got = client.ok(f"SORT ({by}) UTF-8 ALL")[0].split()[2:]
        assert sorted(got) == [b"1", b"2", b"3", b"4", b"5"] and (want is None or b" ".join(got).decode() == want), by
    assert client.ok("THREAD REFERENCES UTF-8 ALL") == [b"* THREAD (1 2)(3)(4)(5)\r\n"]
    assert client.ok("THREAD ORDEREDSUBJECT UTF-8 ALL") == [b"* THREAD (2 1)(3)(4)(5)\r\n"]
