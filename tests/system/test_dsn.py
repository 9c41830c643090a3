"""Delivery status notifications: who gets one, and what stands in it (RFC 3461, 3464, 6522)."""
import email
import email.policy
import time

import pytest
from instance import Instance, wait_for
from letters import mark, pop3, smtp, wait_queue_empty

USERS = {"tito@example.com": "secret-tito", "iqbal@example.com": "secret-iqbal"}
TITO, IQBAL = USERS
BROKEN, NOBODY = "broken@example.com", "nobody@example.com"     # a list of one who is and one who is not


@pytest.fixture(scope="module")
def suite():
    settings = {"virtual_alias_maps": f"inline:{{ {{{BROKEN} = {IQBAL}, {NOBODY}}} }}", "mydestination": "localhost",
                "alias_maps": 'inline:{ outer=robot@localhost, {robot = "|exit 67"} }'}
    with Instance(users=USERS, settings=settings) as i:
        i.wait_ready()
        yield i


def send(suite, mail_options, rcpt, rcpt_options):
    m = mark()
    s = smtp(suite, "submissions", TITO, USERS[TITO])
    assert s.docmd(f"MAIL FROM:<{TITO}> {mail_options}")[0] == 250
    assert s.docmd(f"RCPT TO:<{rcpt}> {rcpt_options}")[0] == 250
    s.data(f"Subject: {m}\r\n\r\nsecret {m}\r\n")
    s.quit()
    wait_queue_empty(suite)
    return m


def notices(suite, m):
    """All letters of tito that speak of m; they are deleted."""
    p = pop3(suite, TITO, USERS[TITO])
    found = []
    for k in range(p.stat()[0]):
        raw = b"\r\n".join(p.retr(k + 1)[1]) + b"\r\n"
        if m.encode() in raw:
            found.append(email.message_from_bytes(raw, policy=email.policy.default))
            p.dele(k + 1)
    p.quit()
    return found


TABLE = [
    # name, MAIL, RCPT, to, action or None, whole letter back
    ("success asked for", "RET=HDRS ENVID=a+2Bb", "NOTIFY=SUCCESS ORCPT=rfc822;Other+2Bx@example.com", IQBAL, "delivered", False),
    ("success is never whole", "RET=FULL", "NOTIFY=SUCCESS,FAILURE", IQBAL, "delivered", False),
    ("success not asked for", "RET=FULL", "NOTIFY=FAILURE", IQBAL, None, False),
    ("nothing asked for", "", "", IQBAL, None, False),
    ("never", "", "NOTIFY=NEVER", IQBAL, None, False),
    ("failure by default", "ENVID=a+2Bb", "ORCPT=rfc822;Other+2Bx@example.com", BROKEN, "failed", True),
    ("failure with headers", "RET=HDRS", "NOTIFY=FAILURE", BROKEN, "failed", False),
    ("failure whole", "RET=FULL", "NOTIFY=FAILURE,DELAY", BROKEN, "failed", True),
    ("failure never", "", "NOTIFY=NEVER", BROKEN, None, False),
    ("failure not asked for", "", "NOTIFY=DELAY", BROKEN, None, False),
]


@pytest.mark.parametrize("name,mail,rcpt,to,action,whole", TABLE, ids=[row[0] for row in TABLE])
def test_notice(suite, name, mail, rcpt, to, action, whole):
    final = NOBODY if to == BROKEN else to
    m = send(suite, mail, to, rcpt)
    if action is None:
        time.sleep(0.3)
        assert notices(suite, m) == []
        return
    got = wait_for("a notice", lambda: notices(suite, m))
    assert len(got) == 1
    top = got[0]
    assert top["Return-Path"] == "<>" and TITO in top["To"] and top["Auto-Submitted"] == "auto-replied"
    assert top.get_content_type() == "multipart/report" and top.get_param("report-type") == "delivery-status"
    text, status, back = top.iter_parts()
    assert text.get_content_type() == "text/plain" and final in text.get_content()
    assert status.get_content_type() == "message/delivery-status"
    whole_type = "message/rfc822" if whole else "text/rfc822-headers"
    assert back.get_content_type() == whole_type and (f"secret {m}" in back.as_string()) == whole
    per_message, per_rcpt = status.get_payload()
    assert per_message["Reporting-MTA"] == "dns; mail.example.com" and per_message["Arrival-Date"]
    assert per_message["Original-Envelope-Id"] == ("a+b" if "ENVID" in mail else None)
    assert per_rcpt["Final-Recipient"] == f"rfc822; {final}" and per_rcpt["Action"] == action
    assert per_rcpt["Status"].startswith("2." if action == "delivered" else "5.")
    if "ORCPT" in rcpt:
        assert per_rcpt["Original-Recipient"].replace(" ", "") == "rfc822;Other+x@example.com"


def test_command_of_a_nested_alias(suite):
    """The notice names the alias whose command it was, and what that came of."""
    m = send(suite, "", "outer@localhost", "")
    text, status, _ = wait_for("a notice", lambda: notices(suite, m))[0].iter_parts()
    assert "<robot@localhost> (expanded from <outer@localhost>):" in text.get_content().replace("\n    (", " (")
    assert status.get_payload()[1]["Final-Recipient"] == "rfc822; robot@localhost"


def test_no_notice_for_the_null_sender(suite):
    s = smtp(suite)
    s.sendmail("", [BROKEN], "Subject: x\r\n\r\nx\r\n")
    s.quit()
    wait_queue_empty(suite)
    assert suite.log_text().rstrip().endswith("removed") and f"to=<{TITO}>" not in suite.log_text().rsplit("from=<>, size", 1)[-1]
