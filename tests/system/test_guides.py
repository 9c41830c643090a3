"""Files as Debian's postfix package and guides for Postfix and Dovecot have them."""
import os
import pathlib
import signal
import smtplib

from instance import Instance, wait_for

TITO = "tito@example.com"
SERVICES = """\
pickup    unix  n       -       y       60      1       pickup
cleanup   unix  n       -       y       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       y       1000?   1       tlsmgr
rewrite   unix  -       -       y       -       -       trivial-rewrite
bounce    unix  -       -       y       -       0       bounce
defer     unix  -       -       y       -       0       bounce
verify    unix  -       -       y       -       1       verify
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
showq     unix  n       -       y       -       -       showq
error     unix  -       -       y       -       -       error
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       y       -       -       lmtp
anvil     unix  -       -       y       -       1       anvil
scache    unix  -       -       y       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
"""
SUBMISSION = """inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=private/auth
  -o smtpd_tls_auth_only=yes
  -o smtpd_reject_unlisted_recipient=no
#     Instead of specifying complex smtpd_<xxx>_restrictions here,
#     specify "smtpd_<xxx>_restrictions=$mua_<xxx>_restrictions"
  -o smtpd_client_restrictions=
  -o smtpd_helo_restrictions=
  -o smtpd_sender_restrictions=
  -o smtpd_relay_restrictions=
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
  -o milter_macro_daemon_name=ORIGINATING
"""


def debian():
    i = Instance(users={TITO: "one"}, settings={
        "biff": "no", "append_dot_mydomain": "no", "readme_directory": "no", "compatibility_level": "3.6",
        "smtpd_banner": "$myhostname ESMTP $mail_name (Debian/GNU)", "relayhost": "", "inet_protocols": "all",
        "smtp_tls_CApath": "/etc/ssl/certs", "smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache",
        "smtpd_relay_restrictions": "permit_mynetworks permit_sasl_authenticated defer_unauth_destination",
        "mynetworks": "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128", "mailbox_size_limit": "0"})
    with (pathlib.Path(i.etc) / "master.cf").open("w") as f:
        f.write(f"{i.port('smtp')} inet n - y - - smtpd\n{i.port('submission')} {SUBMISSION}{SERVICES}")
    return i


def test_debians_files_run():
    with debian() as i:
        with smtplib.SMTP("127.0.0.1", i.port("smtp"), timeout=20) as s:
            s.sendmail("somebody@example.org", [TITO], "Subject: x\r\n\r\nx\r\n")
        wait_for("the letter", lambda: list((i.maildir(TITO) / "new").glob("*")))
        assert "error:" not in i.log_text()


def test_a_daemon_comes_back_beside_a_broken_master_cf():
    """What runs has been judged; a file that is being edited does not take the suite down."""
    with debian() as i:
        with (i.etc / "master.cf").open("a") as f:
            f.write("half a row\n")
        for p in i.processes():
            if p["name"] in ("resolve", "smtpd", "qmgr"):
                os.kill(p["pid"], signal.SIGKILL)
        wait_for("all back", lambda: all(p["state"] == "ready" for p in i.processes()))
        with smtplib.SMTP("127.0.0.1", i.port("smtp"), timeout=20) as s:
            s.sendmail("somebody@example.org", [TITO], "Subject: x\r\n\r\nx\r\n")
        wait_for("the letter", lambda: list((i.maildir(TITO) / "new").glob("*")))
        assert "master.cf:" not in i.log_text()         # nobody has read it
