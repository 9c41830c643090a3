"""The real daemons together: letters, kills, reloads, certificates, and what each process is left with."""
import ctypes
import os
import poplib
import re
import signal
import smtplib
import socket
import threading
import time

import pytest
from instance import IS_ROOT, Failure, Instance, make_certificate, wait_for
from wire import Wire, trusting

TITO, IQBAL = "tito@example.com", "iqbal@example.com"
USERS = {TITO: "secret one", IQBAL: "secret two"}
ALL = ("resolve", "anvil", "auth-pam", "auth", "qmgr", "local", "pop3d", "logger", "smtpd", "login")


@pytest.fixture(scope="module")
def suite():
    with Instance(users=USERS) as i:
        yield i


def submit(i, subject, sender=TITO, to=IQBAL, text="Hello.\r\n"):
    with smtplib.SMTP("127.0.0.1", i.port("submission"), timeout=20) as s:
        s.starttls(context=trusting())
        s.login(sender, USERS[sender])
        s.sendmail(sender, [to], f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{text}")


def letters(i, user=IQBAL):
    """Subject of every letter in the Maildir, as files."""
    found = []
    for sub in ("new", "cur"):
        folder = i.maildir(user) / sub
        if folder.exists():
            for f in folder.iterdir():
                m = re.search(rb"^Subject: (.*?)\r?$", f.read_bytes(), re.M)
                found.append(m[1].decode() if m else "")
    return found


def pop3(i, user=IQBAL):
    box = poplib.POP3("127.0.0.1", i.port("pop3"), timeout=20)
    box.stls(trusting())
    box.user(user)
    box.pass_(USERS[user])
    return box


def test_first_letter(suite):
    submit(suite, "first")
    wait_for("the letter is in the Maildir", lambda: "first" in letters(suite))
    box = pop3(suite)
    count = box.stat()[0]
    assert count >= 1
    text = b"\n".join(box.retr(count)[1])
    assert b"Subject: first" in text and b"Delivered-To: " + IQBAL.encode() in text and text.endswith(b"Hello.")
    box.quit()
    box = poplib.POP3_SSL("127.0.0.1", suite.port("pop3s"), context=trusting(), timeout=20)
    box.user(IQBAL)
    with pytest.raises(poplib.error_proto):
        box.pass_("wrong")
    box.close()


def test_stranger_may_not_relay(suite):
    with smtplib.SMTP("127.0.0.1", suite.port("smtp"), timeout=20) as s:
        s.ehlo()
        assert s.mail("stranger@elsewhere.example")[0] == 250
        assert s.rcpt("someone@elsewhere.example")[0] == 554
        assert s.rcpt("nobody@example.com")[0] == 550
        assert s.rcpt(IQBAL)[0] == 250


def test_rights(suite):
    """Who each process is, and that no_new_privs and seccomp are on where the design says so."""
    if not IS_ROOT:
        pytest.skip("needs root to read /proc of other users")
    loose = {"auth-pam", "local", "pop3d", "auth"}      # parents of processes that become users, or that call PAM
    for p in suite.processes():
        status = open(f"/proc/{p['pid']}/status").read()
        uids = set(re.search(r"^Uid:\s+(.*)$", status, re.M)[1].split())
        assert (uids == {"0"}) == (p["user"] == "root"), p
        assert "CapEff:\t0000000000000000" in status or p["user"] == "root", p
        if p["name"] not in loose:
            assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status, (p["name"], status)
        if p["name"] in ("smtpd", "login", "anvil"):
            assert os.readlink(f"/proc/{p['pid']}/root") == str(suite.dir / "run/empty"), p
            files = [os.readlink(f"/proc/{p['pid']}/fd/{n}") for n in os.listdir(f"/proc/{p['pid']}/fd")]
            assert all(f.startswith(("socket:", "anon_inode:", "pipe:", "/dev/null")) for f in files), (p["name"], files)


@pytest.mark.parametrize("name", ALL)
def test_kill_one_and_send(suite, name):
    p = suite.processes(name)[0]
    os.kill(p["pid"], signal.SIGKILL)
    wait_for(f"{name} is back", lambda: all(q["state"] == "ready" for q in suite.processes())
             and p["pid"] not in [q["pid"] for q in suite.processes(name)])

    def sent():
        try:
            submit(suite, f"after {name}")
            return True
        except (smtplib.SMTPException, OSError):
            return False
    wait_for("a letter is accepted", sent, 20)
    wait_for("and delivered", lambda: f"after {name}" in letters(suite), 20)
    box = pop3(suite)
    assert box.stat()[0] >= 1
    box.quit()


def shut_channels(pid):
    """Ends every channel of a daemon but the one to master; both ends see it at once. The number of them."""
    libc, count = ctypes.CDLL(None, use_errno=True), 0
    pidfd = os.pidfd_open(pid)
    for number in (int(n) for n in os.listdir(f"/proc/{pid}/fd")):
        if number <= 4 or not os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:"):
            continue
        fd = libc.syscall(438, pidfd, number, 0)        # pidfd_getfd
        assert fd >= 0, os.strerror(ctypes.get_errno())
        with socket.socket(fileno=fd) as s:
            if s.family == socket.AF_UNIX and s.type == socket.SOCK_STREAM and not s.getsockname() and \
                    not s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                s.shutdown(socket.SHUT_RDWR)
                count += 1
    os.close(pidfd)
    return count


@pytest.mark.parametrize("name", ("smtpd", "login", "auth", "qmgr", "local", "resolve"))
def test_lost_channel_is_made_anew(suite, name):
    """Nobody dies of it, and what waited on it goes on."""
    if not IS_ROOT:
        pytest.skip("needs root to take a descriptor of another process")
    wait_for("all are there", lambda: all(p["state"] == "ready" for p in suite.processes()), 20)
    before = sorted(p["pid"] for p in suite.processes())
    since = len(suite.log_text())
    assert sum(shut_channels(p["pid"]) for p in suite.processes(name)) >= 1
    suite.wait_log("was lost: made anew", since=since)

    def all_goes(subject=f"lost by {name}"):
        try:
            if subject not in letters(suite):
                submit(suite, subject)
            pop3(suite).quit()
            return True
        except (smtplib.SMTPException, poplib.error_proto, OSError):
            return False
    wait_for("letters are accepted and read", all_goes, 15)
    wait_for("and delivered", lambda: f"lost by {name}" in letters(suite), 15)
    assert sorted(p["pid"] for p in suite.processes()) == before
    assert "takes no more" not in suite.log_text()[since:]


def test_kill_all_under_load():
    """Nothing that got 250 is missing after kill -9 of everything; nothing arrives torn."""
    with Instance(users=USERS) as i:
        accepted, stop = [], threading.Event()

        def load(worker):
            n = 0
            while not stop.is_set():
                try:
                    with smtplib.SMTP("127.0.0.1", i.port("smtp"), timeout=5) as s:
                        while not stop.is_set():
                            n += 1
                            name = f"w{worker}n{n}"
                            body = "x" * 70 + "\r\n"
                            s.sendmail(f"{name}@elsewhere.example", [IQBAL], f"Subject: {name}\r\n\r\n{body * 20}end {name}\r\n")
                            accepted.append(name)
                except (smtplib.SMTPException, OSError):
                    time.sleep(0.02)
        threads = [threading.Thread(target=load, args=(w,)) for w in range(4)]
        for t in threads:
            t.start()
        for _ in range(3):
            time.sleep(1.0)
            for pid in i.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            i.wait_gone()
            i.surat("start")
        time.sleep(1.0)
        stop.set()
        for t in threads:
            t.join()
        assert len(accepted) > 50
        try:
            wait_for("all accepted letters are there", lambda: set(accepted) <= set(letters(i)), 30)
        except Failure:
            missing = set(accepted) - set(letters(i))
            lines = [x for x in i.log_text().splitlines() if any(f"<{m}@" in x for m in missing)]
            pytest.fail(f"{len(missing)} of {len(accepted)} missing: {sorted(missing)[:20]}\n" + "\n".join(lines[:20]))
        for sub in ("new", "cur"):
            for f in (i.maildir(IQBAL) / sub).iterdir():
                text = f.read_bytes()
                name = re.search(rb"^Subject: (.*?)\r?$", text, re.M)[1]
                assert re.search(rb"end " + name + rb"\r?\n\Z", text), f


def test_reload_with_live_sessions():
    """500 sessions, half of them TLS, go on over a reload; new clients get the new configuration."""
    with Instance(users=USERS, settings={"smtpd_client_connection_count_limit": 0, "default_process_limit": 2000}) as i:
        live = []
        for n in range(500):
            s = smtplib.SMTP("127.0.0.1", i.port("smtp"), timeout=20)
            s.ehlo()
            if n % 2:
                s.starttls(context=trusting())
                s.ehlo()
            live.append(s)
        i.settings["smtpd_banner"] = "$myhostname ESMTP renewed"
        i.write_config()
        i.surat("reload")
        with socket.create_connection(("127.0.0.1", i.port("smtp")), timeout=10) as s:
            assert b"renewed" in s.recv(200)
        for n, s in enumerate(live):
            assert s.noop()[0] == 250, n
        for n in range(0, 500, 50):
            live[n + n // 50 % 2].sendmail("a@elsewhere.example", [IQBAL], f"Subject: live {n}\r\n\r\nx\r\n")
        wait_for("letters of old sessions arrive", lambda: len(letters(i)) == 10)
        for s in live:
            s.quit()
        wait_for("old workers leave", lambda: not any(p["state"] == "draining" for p in i.processes()))


def served_name(port, starttls):
    if starttls:
        s = smtplib.SMTP("127.0.0.1", port, timeout=10)
        s.starttls(context=trusting())
        der = s.sock.getpeercert(True)
        s.close()
    else:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw, trusting().wrap_socket(raw) as s:
            der = s.getpeercert(True)
    return re.search(rb"(mail|new)\.example\.com", der)[0].decode()


def test_certificate_exchanged():
    with Instance(users=USERS) as i:
        ports = [(i.port("smtp"), True), (i.port("pop3s"), False), (i.port("submissions"), False)]
        assert [served_name(*p) for p in ports] == ["mail.example.com"] * 3
        cert, key = make_certificate(i.etc, "new.example.com", "-new")
        cert.replace(i.cert)
        key.replace(i.key)
        wait_for("new sessions get the new certificate", lambda: [served_name(*p) for p in ports] == ["new.example.com"] * 3, 15)


def test_broken_certificate_is_not_kept():
    """Put over a good one it is refused; workers that start later have the good one too, until a new one comes."""
    with Instance(users=USERS) as i:
        ports = [(i.port("smtp"), True), (i.port("pop3s"), False)]
        i.cert.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
        for name in ("smtpd", "login"):
            i.wait_log(f"{name} cannot use the new certificate", 15)
            old = {p["pid"] for p in i.processes(name)}
            for pid in old:
                os.kill(pid, signal.SIGKILL)
            wait_for(f"{name} is back", lambda: all(p["state"] == "ready" and p["pid"] not in old for p in i.processes(name)), 15)
        assert [served_name(*p) for p in ports] == ["mail.example.com"] * 2
        assert "bad command startup" not in i.log_text()
        cert, key = make_certificate(i.etc, "new.example.com", "-new")
        cert.replace(i.cert)
        key.replace(i.key)
        wait_for("a sound one is taken", lambda: [served_name(*p) for p in ports] == ["new.example.com"] * 2, 15)


def test_resolve_knows_what_the_suite_runs_with():
    """Its restart in the middle of an edit of master.cf opens the tables of the rows that run, not those of the file."""
    with Instance(users=USERS) as i:
        path = i.etc / "master.cf"
        (i.etc / "strangers").write_text("blocked@elsewhere.example REJECT by a row's table\n")
        table = f"check_sender_access texthash:{i.etc}/strangers, permit"
        rows = path.read_text().split("\n")
        at = next(n for n, row in enumerate(rows) if str(i.port("smtp")) in row)
        rows.insert(at + 1, f"    -o {{ smtpd_sender_restrictions = {table} }}")
        path.write_text("\n".join(rows))
        i.surat("reload")

        def answer():
            with smtplib.SMTP("127.0.0.1", i.port("smtp"), timeout=10) as s:
                s.ehlo()
                s.mail("blocked@elsewhere.example")
                return s.rcpt(IQBAL)
        assert b"by a row's table" in answer()[1]
        path.write_text("half an edit of\n")
        since = len(i.log_text())
        pid = i.processes("resolve")[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for("resolve is back", lambda: [p["state"] for p in i.processes("resolve") if p["pid"] != pid] == ["ready"], 15)
        wait_for("and answers as before", lambda: b"by a row's table" in answer()[1], 10)
        assert "not opened" not in i.log_text()[since:]


@pytest.mark.parametrize("late, front, service, dialogue", [
    ("qmgr", "smtpd", "smtp", [("EHLO c.example", "250"), (f"MAIL FROM:<{TITO}>", "250"), (f"RCPT TO:<{IQBAL}>", "250")]),
    ("auth", "login", "pop3", [(f"USER {IQBAL}", "+OK"), (f"PASS {USERS[IQBAL]}", "+OK")])])
def test_clients_wait_for_a_late_daemon(late, front, service, dialogue):
    """Who comes while workers start hears no 4xx for want of a daemon that is a moment later than they."""
    with Instance(users=USERS, has_tls=False, settings={"auth_allow_cleartext": "yes"}) as i:
        pid = i.processes(late)[0]["pid"]
        old = [p["pid"] for p in i.processes(front)]
        os.kill(pid, signal.SIGSTOP)
        for worker in old:
            os.kill(worker, signal.SIGKILL)
        with Wire(i, service, greet=False) as c:
            c.s.settimeout(2)
            with pytest.raises(TimeoutError):
                c.s.recv(1)
            os.kill(pid, signal.SIGCONT)
            c.s.settimeout(20)
            assert c.reply()[:3] in ("220", "+OK")
            for line, want in dialogue:
                assert c.cmd(line).startswith(want), line


def test_stop_leaves_nothing_and_queue_survives():
    i = Instance(users=USERS)
    i.start()
    submit(i, "kept")
    i.stop()
    i.surat("start")
    wait_for("delivered", lambda: "kept" in letters(i))
    i.__exit__()
