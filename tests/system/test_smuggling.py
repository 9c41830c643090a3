"""What must not slip through the line: messages in messages, commands before TLS, mail for elsewhere."""
import itertools
import subprocess

import pytest
from instance import Instance
from wire import Wire, files, trusting, wait_files

TITO, IQBAL = "tito@example.com", "iqbal@example.com"
USERS = {TITO: "secret one", IQBAL: "secret two"}
numbers = itertools.count(1)

# Everything that some server somewhere took for the end of DATA.
ENDS = {
    "LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CRLF.LF": b"\r\n.\n", "CR.CR": b"\r.\r", "CR.CRLF": b"\r.\r\n", "CRLF.CR": b"\r\n.\r",
    "CRCRLF.CRCRLF": b"\r\r\n.\r\r\n", "CRLF.CRCRLF": b"\r\n.\r\r\n", "CRCRLF.CRLF-": b"\r\r\n .\r\n", "LFCR.LFCR": b"\n\r.\n\r",
    "NUL": b"\r\n\0.\r\n", "NUL-after": b"\r\n.\0\r\n", "LFLF.CRLF": b"\n\n.\r\n", "dot-space": b"\r\n. \r\n", "VT": b"\x0b.\x0b", "NEL": b"\xc2\x85.\xc2\x85",
}


@pytest.fixture(scope="module")
def suite():
    settings = {"smtpd_client_connection_count_limit": 0, "smtpd_error_sleep_time": "0s", "auth_failure_delay": "0s"}
    with Instance(users=USERS, settings=settings) as i:
        yield i


def envelope(s):
    assert s.cmd("EHLO client.example").startswith("250")
    assert s.cmd("MAIL FROM:<stranger@elsewhere.example>").startswith("250")
    assert s.cmd(f"RCPT TO:<{IQBAL}>").startswith("250")


def check(suite, mark):
    """One letter with the mark, its inner commands still text, no bare CR or LF left of what came."""
    got = wait_files(suite, IQBAL, mark)
    assert len(got) == 1 and b"\r" not in got[0]
    head, body = got[0].split(b"\n\n", 1)
    assert b"smuggled" not in head and b"MAIL FROM:<evil@elsewhere.example>" in body and b"Subject: smuggled" in body
    assert not [t for t in files(suite, IQBAL) if b"Return-Path: <evil" in t]


@pytest.mark.parametrize("split", ["whole", "bytes", "at the end"])
@pytest.mark.parametrize("end", ENDS)
def test_data(suite, end, split):
    mark = b"mark%dx" % next(numbers)
    inner = (b"MAIL FROM:<evil@elsewhere.example>\r\nRCPT TO:<" + IQBAL.encode() + b">\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled")
    text = b"Subject: " + mark + b"\r\n\r\nfirst" + ENDS[end]
    cuts = [len(text) - n for n in range(len(ENDS[end]), 0, -1)] + [len(text)]
    text += inner + b"\r\n.\r\n"
    with Wire(suite) as s:
        envelope(s)
        assert s.cmd("DATA").startswith("354")
        s.send(text, {"whole": None, "bytes": 1, "at the end": cuts}[split])
        assert s.reply().startswith("250")
        assert s.cmd("QUIT").startswith("221")     # no reply to an inner command came before
        assert s.rest() == b""
    check(suite, mark)


@pytest.mark.parametrize("end", ["LF.LF", "LF.CRLF", "CRLF.LF", "CRCRLF.CRCRLF", "CRLF.CRLF"])
def test_bdat(suite, end):
    """The count alone ends a chunk; a lone dot is a line of text like others."""
    ends = dict(ENDS, **{"CRLF.CRLF": b"\r\n.\r\n"})
    mark = b"mark%dx" % next(numbers)
    text = (b"Subject: " + mark + b"\r\n\r\nfirst" + ends[end] + b"MAIL FROM:<evil@elsewhere.example>\r\nRCPT TO:<x>\r\nDATA\r\n"
            b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n")
    at = text.index(ends[end]) + 2                  # the chunk ends in the middle of it
    with Wire(suite) as s:
        envelope(s)
        s.send(b"BDAT %d\r\n" % at + text[:at] + b"BDAT %d LAST\r\n" % (len(text) - at) + text[at:] + b"QUIT\r\n")
        assert [s.reply()[:3] for _ in range(3)] == ["250", "250", "221"]
        assert s.rest() == b""
    check(suite, mark)


def test_bdat_of_a_refused_transaction_is_no_command(suite):
    with Wire(suite) as s:
        s.cmd("EHLO client.example")
        s.send(b"BDAT 14 LAST\r\nRSET\r\nRSET\r\n\r\nBDAT 6\r\nNOOP\r\nQUIT\r\n")
        assert [s.reply()[:3] for _ in range(3)] == ["503", "503", "221"]


def test_bdat_of_many_short_chunks(suite):
    """Each comes in one packet; together they are far longer than what is kept in memory."""
    mark = b"mark%dx" % next(numbers)
    chunk = b"y" * 98 + b"\r\n"
    with Wire(suite) as s:
        envelope(s)
        s.send(b"BDAT %d\r\n" % (len(mark) + 13) + b"Subject: " + mark + b"\r\n\r\n")
        assert s.reply().startswith("250")
        for n in range(60):
            s.send(b"BDAT 8000\r\n" + chunk * 80)
            assert s.reply().startswith("250"), n
        assert s.cmd("BDAT 0 LAST").startswith("250")
    got = wait_files(suite, IQBAL, mark)
    assert got[0].split(b"\n\n", 1)[1] == (b"y" * 98 + b"\n") * 4800


@pytest.mark.parametrize("text", [b"BDAT", b"BDAT x", b"BDAT -1 LAST", b"BDAT 99999999999999999999 LAST", b"BDAT 18446744073709551615",
                                  b"BDAT 5 LAST x", b"BDAT 0x5"])
def test_bdat_without_a_count_ends_the_session(suite, text):
    with Wire(suite) as s:
        envelope(s)
        s.send(text + b"\r\n" + b"RSET\r\nMAIL FROM:<evil@elsewhere.example>\r\nQUIT\r\n")
        replies = s.rest()
        assert replies[:1] in (b"5", b"") and b"250" not in replies and b"221" not in replies, replies


# ---- TLS ----

@pytest.mark.parametrize("service", ["smtp", "submission"])
def test_starttls_injection(suite, service):
    for cut in (None, 1):
        with Wire(suite, service) as s:
            s.cmd("EHLO first.example")
            s.send(b"STARTTLS\r\nEHLO injected.example\r\nMAIL FROM:<evil@elsewhere.example>\r\nRSET\r\n", None if cut is None else [11])
            assert s.reply().startswith("220")
            try:
                s.starttls(trusting())
            except OSError:
                assert cut                          # the second packet came as a broken handshake: nothing was obeyed either
                continue
            # nothing of it was obeyed, and what came before TLS is forgotten
            assert s.cmd(f"RCPT TO:<{IQBAL}>").startswith("5")
            assert s.cmd("NOOP").startswith(("250", "530"))
            assert s.cmd("AUTH PLAIN").startswith("503")
            assert "STARTTLS" not in s.cmd("EHLO second.example")
            assert s.cmd("STARTTLS").startswith(("554", "503"))
            if service == "smtp":
                assert s.cmd("MAIL FROM:<a@elsewhere.example>").startswith("250")
    assert "injected.example" not in suite.log_text()


def test_starttls_forgets_the_transaction(suite):
    with Wire(suite) as s:
        envelope(s)
        assert s.cmd("STARTTLS").startswith("503")  # not in the middle of one
        s.cmd("RSET")
        assert s.cmd("STARTTLS").startswith("220")
        s.starttls(trusting())
        assert s.cmd("DATA").startswith("503")
        assert s.cmd(f"RCPT TO:<{IQBAL}>").startswith("503")


def test_stls_injection(suite):
    with Wire(suite, "pop3") as s:
        assert s.cmd("CAPA").startswith("+OK")
        while s.reply() != ".":
            pass
        s.send(b"STLS\r\nUSER iqbal\r\nPASS secret two\r\nLIST\r\n")
        assert s.reply().startswith("+OK")
        s.starttls(trusting())
        assert s.cmd("PASS secret two").startswith("-ERR")
        assert s.cmd("LIST").startswith("-ERR")
        assert s.cmd("STLS").startswith("-ERR")


def openssl(suite, service, *options, stdin="Q\n"):
    starttls = {"smtp": ["-starttls", "smtp"], "submission": ["-starttls", "smtp"], "pop3": ["-starttls", "pop3"]}.get(service, [])
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{suite.port(service)}", *starttls, *options], input=stdin,
                          capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


SERVICES = ("smtp", "submission", "submissions", "pop3", "pop3s")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_tls_is_refused(suite, service, version):
    text = openssl(suite, service, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in text and "Cipher is (NONE)" in text, text


@pytest.mark.parametrize("service", SERVICES)
def test_foreign_alpn_is_refused(suite, service):
    assert "no application protocol" in openssl(suite, service, "-alpn", "http/1.1")
    own = "pop3" if "pop3" in service else "smtp"
    assert f"ALPN protocol: {own}" in openssl(suite, service, "-alpn", f"h2,{own}")


@pytest.mark.parametrize("service", ["smtp", "submissions", "pop3s"])
def test_renegotiation_is_refused(suite, service):
    text = openssl(suite, service, "-tls1_2", stdin="R\n")
    assert "Cipher is ECDHE" in text and "no renegotiation" in text, text[-2000:]


# ---- relaying ----

@pytest.mark.parametrize("to", [
    "user@elsewhere.example", "user%elsewhere.example@example.com", "elsewhere.example!user@example.com", "elsewhere.example!user",
    "@example.com:user@elsewhere.example", "@example.com,@mail.example.com:user@elsewhere.example", '"user@elsewhere.example"@example.com',
    '"user@elsewhere.example"', '"user%elsewhere.example"@example.com', "user%elsewhere.example", "user@elsewhere.example@example.com",
    "user@elsewhere.example.", "user@[192.0.2.1]", "user@[IPv6:2001:db8::1]", "user@example.com.elsewhere.example", "user@EXAMPLE.COM@elsewhere.example",
    "user%40elsewhere.example@example.com", "iqbal@example.com,user@elsewhere.example", "iqbal@example.com> <user@elsewhere.example",
    "user@elsewhere.example\\@example.com", "postmaster@elsewhere.example", "user@localhost", "user@127.0.0.1",
])
@pytest.mark.parametrize("sender", ["stranger@elsewhere.example", "", TITO])
def test_stranger_may_not_relay(suite, to, sender):
    with Wire(suite) as s:
        s.cmd("EHLO client.example")
        assert s.cmd(f"MAIL FROM:<{sender}>").startswith("250")
        reply = s.cmd(f"RCPT TO:<{to}>")
        assert reply[:3] in ("550", "554", "501", "553", "555"), reply
        assert s.cmd("DATA")[:3] in ("554", "503")


def test_login_needs_its_own_sender(suite):
    """Nobody sends as another user, also when logged in."""
    with Wire(suite, "submission") as s:
        s.cmd("EHLO client.example")
        assert s.cmd("MAIL FROM:<tito@example.com>").startswith(("530", "250"))
        assert s.cmd("RCPT TO:<user@elsewhere.example>").startswith("5")
