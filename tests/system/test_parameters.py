"""Parameters that only a running suite shows: two suites with unusual settings, and rows of master.cf with more of them."""
import imaplib
import os
import pathlib
import poplib
import pwd
import re
import smtplib
import socket
import ssl
import subprocess
import time

import pytest
from instance import BUILD, IS_ROOT, ROWS, Instance, make_certificate, wait_for
from wire import Wire, trusting

TITO = "tito@example.com"
POP3S = "-o login_protocol=pop3 -o login_tls_wrappermode=yes"
IMAP = "-o login_protocol=imap"
AES128, AES256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
ROWS_MORE = [
    ("tls13", 31, "login", f"{POP3S} -o ssl_min_protocol=TLSv1.3"),
    ("ciphers", 32, "login", f"{POP3S} -o ssl_cipher_list={AES128}"),
    ("suites", 33, "login", f"{POP3S} -o ssl_cipher_suites=TLS_CHACHA20_POLY1305_SHA256"),
    ("ours", 34, "login", f"{POP3S} -o ssl_cipher_list={AES128}:{AES256} -o ssl_prefer_server_ciphers=yes"),
    ("theirs", 35, "login", f"{POP3S} -o ssl_cipher_list={AES128}:{AES256}"),
    ("clear", 36, "login", f"{IMAP} -o ssl=no"),
    ("slow", 37, "login", f"{IMAP} -o login_timeout=5s"),
    ("once", 38, "login", f"{IMAP} -o login_max_failures=1"),
    ("ccert", 41, "smtpd", "-o smtpd_tls_CAfile=%s -o smtpd_tls_ask_ccert=yes -o smtpd_tls_loglevel=1 "
     "-o smtpd_relay_restrictions=permit_tls_all_clientcerts,reject"),
    ("ccert-only", 42, "smtpd", "-o smtpd_tls_CAfile=%s -o smtpd_tls_req_ccert=yes -o smtpd_tls_security_level=encrypt"),
    ("no-plain", 43, "smtpd", "-o smtpd_sasl_auth_enable=yes -o smtpd_sasl_tls_security_options=noplaintext"),
    ("single", 44, "smtpd", "-o smtpd_sessions_per_worker=1"),
    ("rate", 45, "smtpd", "-o smtpd_client_message_rate_limit=1 -o smtpd_client_event_limit_exceptions="),
]
SETTINGS = {
    "worker_processes": 1, "debug_level": 1, "syslog_name": "other", "anvil_rate_time_unit": "2s", "anvil_status_update_time": "1s",
    "login_greeting": "Hello from $mydomain", "login_log_format_elements": "who=<%u> %m session=<%{session}>",
    "pop3_uidl_format": "%u-%v", "pop3_fast_size_lookups": "yes", "pop3_logout_format": "bye %r %b", "auth_mechanisms": "plain cram-md5",
    "imap_capability": "+XTEST", "imap_logout_format": "bye %i", "imap_id_send": "name Other", "mail_location": "maildir:~/Mail:INDEX=~/Mail/elsewhere",
    "mailbox_defaults": r"Post:\Sent", "quota_messages": "40", "quota_storage": "1M", "disable_plaintext_auth": "no", "max_idle": "0",
}


@pytest.fixture(scope="module")
def suite():
    i = Instance(users={TITO: "one"}, settings=SETTINGS, rows=ROWS)
    i.rows += [(name, port, command, options.replace("%s", str(i.cert))) for name, port, command, options in ROWS_MORE]
    i.write_config()
    i.surat("check")
    with i:
        i.slow = socket.create_connection(("127.0.0.1", i.port("slow")), timeout=20)
        i.slow_since = time.monotonic()
        yield i
        i.slow.close()


def client(version=None, ciphers=None):
    context = trusting()
    if version:
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def handshake(i, service, context):
    """The cipher that both sides take, or None."""
    try:
        with socket.create_connection(("127.0.0.1", i.port(service)), timeout=10) as s, context.wrap_socket(s) as tls:
            assert tls.recv(100).startswith(b"+OK")
            return tls.cipher()[0]
    except ssl.SSLError:
        return None


@pytest.mark.parametrize("service, version, ciphers, want", [
    ("pop3s", ssl.TLSVersion.TLSv1_2, AES256, AES256),
    ("tls13", ssl.TLSVersion.TLSv1_2, None, None),                                  # ssl_min_protocol
    ("tls13", None, None, "TLS_AES_256_GCM_SHA384"),
    ("ciphers", ssl.TLSVersion.TLSv1_2, AES256, None),                              # ssl_cipher_list
    ("ciphers", ssl.TLSVersion.TLSv1_2, None, AES128),
    ("suites", ssl.TLSVersion.TLSv1_3, None, "TLS_CHACHA20_POLY1305_SHA256"),       # ssl_cipher_suites
    ("ours", ssl.TLSVersion.TLSv1_2, f"{AES256}:{AES128}", AES128),                 # ssl_prefer_server_ciphers
    ("theirs", ssl.TLSVersion.TLSv1_2, f"{AES256}:{AES128}", AES256),
])
def test_tls_of_login(suite, service, version, ciphers, want):
    assert handshake(suite, service, client(version, ciphers)) == want


def test_before_login(suite):
    m = imaplib.IMAP4("127.0.0.1", suite.port("clear"))
    assert b"Hello from example.com" in m.welcome and "STARTTLS" not in m.capabilities         # login_greeting, ssl
    assert "AUTH=CRAM-MD5" in m.capabilities and "AUTH=LOGIN" not in m.capabilities              # auth_mechanisms
    assert b'"name" "Other"' in m.xatom("ID", "NIL")[1][0] + m.response("ID")[1][0]              # imap_id_send
    m.shutdown()
    m = imaplib.IMAP4("127.0.0.1", suite.port("once"))
    with pytest.raises(imaplib.IMAP4.error):
        m.login(TITO, "wrong")
    assert m.file.read().startswith(b"* BYE")                                                    # login_max_failures
    m.shutdown()


def test_mailbox(suite):
    m = imaplib.IMAP4("127.0.0.1", suite.port("imap"))
    m.login(TITO, "one")
    suite.wait_log("Login: who=<tito@example.com>, PLAIN, session=<")                           # login_log_format_elements
    assert b" XTEST" in m.capability()[1][0]                                                     # imap_capability
    assert [line for line in m.list()[1] if rb"\Sent" in line and b"Post" in line]               # mailbox_defaults
    home = suite.mail / "example.com/tito"
    assert (home / "Mail/new").is_dir() and list((home / "Mail/elsewhere").iterdir())            # mail_location
    quota = b"".join(m.getquotaroot("INBOX")[1][1])
    assert re.search(rb"STORAGE \d+ 1024", quota) and re.search(rb"MESSAGE \d+ 40", quota)       # quota_storage, quota_messages
    m.append("INBOX", None, None, b"Subject: x\r\n\r\none\r\ntwo\r\n")
    m.logout()
    suite.wait_log(": Disconnected: Logged out bye ")                               # imap_logout_format
    p = poplib.POP3("127.0.0.1", suite.port("pop3"))
    assert b"Hello from example.com" in p.getwelcome()
    p.user(TITO)
    p.pass_("one")
    stored = next(f for d in ("new", "cur") for f in (home / "Mail" / d).iterdir())
    assert p.list()[1] == [b"1 %d" % stored.stat().st_size]                                      # pop3_fast_size_lookups
    assert re.fullmatch(rb"1 \d+-\d+", p.uidl()[1][0])                                           # pop3_uidl_format
    p.retr(1)
    p.quit()
    suite.wait_log("Logged out bye 1 ")                                                         # pop3_logout_format


def starttls(i, service, certificate=None):
    s = smtplib.SMTP("127.0.0.1", i.port(service), timeout=20)
    context = trusting()
    if certificate:
        context.load_cert_chain(*certificate)
    s.starttls(context=context)
    if s.ehlo()[0] != 250:
        raise smtplib.SMTPException("refused")
    return s


def test_client_certificates(suite):
    """smtpd_tls_CAfile, smtpd_tls_ask_ccert, smtpd_tls_req_ccert."""
    other = make_certificate(suite.etc, name="stranger.example", suffix="-other")
    for certificate, code in [((suite.cert, suite.key), 250), (other, 554), (None, 554)]:
        with starttls(suite, "ccert", certificate) as s:
            s.mail("a@b.example")
            assert s.rcpt("x@far.example")[0] == code, certificate
    suite.wait_log("Trusted TLS connection established from")
    suite.wait_log("Untrusted TLS connection established from")
    with starttls(suite, "ccert-only", (suite.cert, suite.key)) as s:
        assert s.noop()[0] == 250
    with pytest.raises(smtplib.SMTPException):
        starttls(suite, "ccert-only", other)


def test_mechanisms_within_tls(suite):
    with starttls(suite, "no-plain") as s:
        assert s.esmtp_features["auth"].split() == ["CRAM-MD5"]                                  # smtpd_sasl_tls_security_options
    with starttls(suite, "submission") as s:
        assert s.esmtp_features["auth"].split() == ["PLAIN", "CRAM-MD5"]


def test_sessions_per_worker(suite):
    with Wire(suite), Wire(suite, "single", greet=False, timeout=0.5) as second:
        with pytest.raises(TimeoutError):
            second.s.recv(1)
        suite.wait_log("sessions in this worker, the limit")
    with Wire(suite, "single") as third:
        assert third.banner.startswith("220")


def test_rates(suite):
    def mail():
        with Wire(suite, "rate") as w:
            w.cmd("HELO x")
            return w.cmd("MAIL FROM:<a@b.example>")[:3]
    assert mail() == "250" and mail() == "450"
    wait_for("the next unit of time", lambda: mail() == "250", 4)                               # anvil_rate_time_unit
    suite.wait_log("statistics: max message rate")                                              # anvil_status_update_time


def test_processes_and_log(suite):
    assert len(suite.processes("smtpd")) == len(suite.processes("login")) == 1                  # worker_processes
    suite.wait_log("other/smtpd[")                                                              # syslog_name
    suite.wait_log("debug: service")                                                            # debug_level


def test_timeout_of_login(suite):
    """login_timeout; the connection is as old as the suite, and was not spoken to."""
    while suite.slow.recv(1000):
        pass
    assert time.monotonic() - suite.slow_since >= 4.5


def test_sandbox_and_queue():
    """sandbox, mail_owner, queue_map_size, queue_minfree, stop_timeout, inet_protocols, listen, max_use."""
    owner = "_surat-vmail" if IS_ROOT else None
    settings = {"sandbox": "no", "queue_map_size": "16M", "queue_minfree": "1000T", "stop_timeout": "1s", "mail_owner": owner,
                "inet_protocols": "ipv4", "inet_interfaces": "all", "listen": "127.0.0.2", "mynetworks": "127.0.0.0/8", "max_use": 1,
                "disable_plaintext_auth": "no"}
    with Instance(settings=settings, users={TITO: "one"}) as i:
        pid = i.processes("smtpd")[0]["pid"]
        assert "Seccomp:\t0" in pathlib.Path(f"/proc/{pid}/status").read_text()
        meta = (i.dir / "queue/queue/data.mdb")
        meta = meta if meta.exists() else next(i.dir.glob("queue/**/data.mdb"))
        assert int.from_bytes(meta.read_bytes()[32:40], "little") == 16 << 20
        if IS_ROOT:
            assert meta.stat().st_uid == pwd.getpwnam(owner).pw_uid
        for host, service, is_open in [("127.0.0.1", "imap", False), ("127.0.0.2", "imap", True), ("::1", "smtp", False)]:
            try:
                socket.create_connection((host, i.port(service)), timeout=5).close()
                assert is_open, (host, service)
            except OSError:
                assert not is_open, (host, service)
        for _ in range(2):
            m = imaplib.IMAP4("127.0.0.2", i.port("imap"))
            m.login(TITO, "one")
            m.logout()
        wait_for("two processes", lambda: len(set(re.findall(r"imap\(tito@example.com\)<(\d+)>", i.log_text()))) == 2)
        with Wire(i) as w:
            for line in ("HELO x", "MAIL FROM:<a@b.example>", "RCPT TO:<x@far.example>"):
                w.cmd(line)
            assert w.cmd("DATA").startswith("354")
            assert w.cmd(".").startswith("452 4.3.1")
            w.cmd("MAIL FROM:<a@b.example>")
            began = time.monotonic()
            subprocess.run([BUILD / "tools/surat", "stop", "-c", i.etc], check=True, timeout=20)
            assert 0.5 < time.monotonic() - began < 2.9     # a transaction was let go on for a second, not for ten
        assert not os.path.exists(i.dir / "run/master.pid")


def test_daemon_directory():
    i = Instance(settings={"daemon_directory": "/nowhere"}, has_tls=False)
    done = i.surat("start", check=False)
    i.__exit__(None, None, None)
    assert done.returncode != 0 and "/nowhere" in done.stderr + done.stdout
