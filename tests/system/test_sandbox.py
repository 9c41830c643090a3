"""What the processes of a running suite may do: read from /proc, and tried by a program with their sandbox."""
import os
import pwd
import re
import socket
import subprocess

import pytest
from instance import BUILD, IS_ROOT, Instance

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="the sandbox of separate users needs root")
CAGED = ("smtpd", "login", "qmgr", "resolve", "anvil")
NOTHING = ("smtpd", "login", "anvil")


@pytest.fixture(scope="module")
def suite():
    with Instance(users={"tito@example.com": "secret one"}) as i:
        i.wait_ready()
        yield i


def status(pid):
    return dict(re.findall(r"^(\w+):\s*(.*)$", open(f"/proc/{pid}/status").read(), re.M))


@pytest.mark.parametrize("name", CAGED)
def test_live_process(suite, name):
    found = suite.processes(name)
    assert found
    for p in found:
        s = status(p["pid"])
        uid = str(pwd.getpwnam(p["user"]).pw_uid)
        assert uid != "0" and s["Uid"].split() == [uid] * 4 and "0" not in s["Gid"].split() + s["Groups"].split(), (name, s)
        assert s["NoNewPrivs"] == "1" and s["Seccomp"] == "2", (name, s)
        for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(s[caps], 16) == 0, (name, caps)
        assert status(p["pid"])["CoreDumping"] == "0"
        limits = open(f"/proc/{p['pid']}/limits").read()
        assert re.search(r"Max core file size\s+0\s+0", limits), limits


@pytest.mark.parametrize("name", NOTHING)
def test_root_is_an_empty_folder(suite, name):
    for p in suite.processes(name):
        root = f"/proc/{p['pid']}/root"
        assert os.readlink(root) == str(suite.dir / "run/empty")
        assert os.listdir(root) == [] and os.stat(root).st_uid == 0 and not os.stat(root).st_mode & 0o022
        for fd in os.listdir(f"/proc/{p['pid']}/fd"):
            to = os.readlink(f"/proc/{p['pid']}/fd/{fd}")
            assert to.startswith(("socket:", "anon_inode:", "pipe:")) or to == "/dev/null", (name, fd, to)


def test_auth_has_no_rights_of_root(suite):
    for p in suite.processes("auth"):
        s = status(p["pid"])
        assert int(s["CapEff"], 16) == 0 and "0" not in s["Uid"].split()
        children = open(f"/proc/{p['pid']}/task/{p['pid']}/children").read().split()
        for child in children:
            s = status(child)
            assert int(s["CapEff"], 16) == 0 and "0" not in s["Uid"].split(), s


def test_no_process_shows_its_memory(suite):
    """Not dumpable: /proc/PID/mem belongs to root, so no other process of the same user may trace it."""
    for name in CAGED + ("auth",):
        for p in suite.processes(name):
            assert os.stat(f"/proc/{p['pid']}/environ").st_uid == 0, name


@pytest.mark.parametrize("user", ["_surat-smtpd", "_surat-login"])
def test_probe(suite, user):
    done = subprocess.run([BUILD / "tests/system/sandbox_probe", user, suite.dir / "run/empty"], capture_output=True, text=True,
                          timeout=30, env={"ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 0, done
    lines = dict(line.split() for line in done.stdout.splitlines())
    assert len(lines) > 45
    worked = {k: v for k, v in lines.items() if v not in ("EPERM", "EACCES") and (k, v) != ("clone3", "ENOSYS")}
    assert not worked, worked


@pytest.mark.unsanitized
def test_passwords_do_not_stay_in_memory(suite):
    """After logins by SMTP and POP3 neither the wire-facing processes nor auth hold the password."""
    import poplib
    import smtplib
    import ssl
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    secret = "pLx7-unusual-Zq93"
    suite.add_user("memo@example.com", secret)
    for _ in range(3):
        with smtplib.SMTP("127.0.0.1", suite.port("submission"), timeout=20) as s:
            s.starttls(context=context)
            s.login("memo@example.com", secret)
        box = poplib.POP3_SSL("127.0.0.1", suite.port("pop3s"), context=context, timeout=20)
        box.user("memo@example.com")
        box.pass_(secret)
        box.quit()
    import base64
    forms = [secret.encode(), base64.b64encode(b"\0memo@example.com\0" + secret.encode())]
    for name in ("smtpd", "login", "auth"):
        for p in suite.processes(name):
            for form in forms:
                assert form not in memory(p["pid"]), (name, form)


def memory(pid):
    parts = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not m or "[v" in line:
                continue
            start, end = int(m[1], 16), int(m[2], 16)
            try:
                mem.seek(start)
                parts.append(mem.read(end - start))
            except OSError:
                continue
    return b"".join(parts)


def test_listeners_are_all_it_accepts(suite):
    """The workers share the listening sockets that master opened: no listener is their own."""
    inodes = {}
    for name in ("smtpd", "login"):
        for p in suite.processes(name):
            fds = f"/proc/{p['pid']}/fd"
            inodes[p["pid"]] = {os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds)}
    master = f"/proc/{suite.master_pid()}/fd"
    owned = {os.readlink(f"{master}/{fd}") for fd in os.listdir(master)}
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in open(table).read().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                listening.add(f"socket:[{words[9]}]")
    for pid, mine in inodes.items():
        assert mine & listening and (mine & listening) <= owned, pid
    with socket.create_connection(("127.0.0.1", suite.port("smtp")), timeout=10) as s:
        assert s.recv(100).startswith(b"220")
