"""master on its own: every other daemon is the stub, which greets, echoes and drains."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from instance import BUILD, IS_ROOT, Instance, make_certificate, wait_for

SINGLE = ("resolve", "anvil", "auth-pam", "auth", "qmgr", "local", "pop3d", "logger")
WORKERS = ("smtpd", "login")


@pytest.fixture
def suite():
    with Instance(stubs=True) as i:
        yield i


class Client:
    def __init__(self, port, family=socket.AF_INET):
        self.s = socket.create_connection(port if isinstance(port, tuple) else ("127.0.0.1", port), timeout=10)
        self.f = self.s.makefile("rb")
        self.hello = self.f.readline().decode()
        words = self.hello.split()
        self.program, self.worker, self.pid = words[0], int(words[1]), int(words[2])
        self.facts = dict(w.split("=", 1) for w in words[3:] if "=" in w)

    def echo(self, text="x"):
        self.s.sendall(text.encode() + b"\n")
        return self.f.readline().decode().strip()

    def close(self):
        self.s.close()
        self.f.close()


def test_start_and_status(suite):
    s = suite.status()
    assert s["running"] and re.fullmatch(r"[0-9a-f]{16}", s["instance"]) and int(s["instance"], 16) != 0
    names = [p["name"] for p in s["processes"]]
    for name in SINGLE:
        assert names.count(name) == 1, name
    for name in WORKERS:
        assert names.count(name) == 2, name
    for p in s["processes"]:
        assert p["state"] == "ready" and p["pid"] > 0 and p["restarts"] == 0 and p["sessions"] == 0, p
        want = {"logger": "_surat-log", "local": "root", "pop3d": "root", "imapd": "root", "auth-pam": "root", "qmgr": "_surat-queue"}.get(
            p["name"], "_surat-" + p["name"])
        if IS_ROOT:
            assert p["user"] == want, p
            assert os.stat(f"/proc/{p['pid']}/environ").st_uid == 0    # not dumpable: its own user cannot trace it
            real = re.search(r"^Uid:\s+(\d+)\s+(\d+)", open(f"/proc/{p['pid']}/status").read(), re.M)
            assert (real[1] == "0") == (want == "root"), p
    assert "submission" in " ".join(p["service"] for p in s["processes"]) or str(suite.port("submission")) in str(s)
    table = suite.surat("status").stdout
    assert all(name in table for name in SINGLE + WORKERS)
    c = Client(suite.port("smtp"))
    wait_for("the session is counted", lambda: sum(p["sessions"] for p in suite.processes("smtpd")) == 1)
    c.close()


def test_channels_and_overrides(suite):
    c = Client(suite.port("submission"))
    assert c.program == "smtpd"
    assert sorted(c.facts["channels"].split(",")) == ["anvil", "auth", "queue", "resolve"]
    assert "smtpd_sasl_auth_enable" in c.hello and "smtpd_relay_restrictions" in c.hello
    assert c.facts["certs"].startswith("smtpd_tls_cert_file::")
    c.close()
    c = Client(suite.port("pop3"))
    assert c.program == "login" and sorted(c.facts["channels"].split(",")) == ["anvil", "auth", "session", "session"]
    assert c.facts["certs"].startswith("ssl_cert::")
    c.close()


def test_named_sockets(suite):
    modes = {name: (suite.dir / "run" / name).stat().st_mode & 0o777 for name in ("queue", "sendmail", "master")}
    assert modes == {"queue": 0o666, "sendmail": 0o666, "master": 0o600}
    for name, program in (("queue", "qmgr"), ("sendmail", "smtpd")):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(suite.dir / "run" / name))
            assert s.makefile().readline().startswith(program + " ")


def test_only_needed_descriptors(suite):
    """A daemon holds its log, its channel and what it was lent; nothing of master's."""
    if not IS_ROOT:
        pytest.skip("needs root to read /proc of other users")
    p = suite.processes("anvil")[0]
    fds = {int(n): os.readlink(f"/proc/{p['pid']}/fd/{n}") for n in os.listdir(f"/proc/{p['pid']}/fd")}
    assert fds[0] == fds[1] == "/dev/null" and fds[2] == fds[4]
    others = [v for k, v in fds.items() if k > 4 and not v.startswith(("anon_inode:", "pipe:", "socket:"))]
    assert others == [], others
    status = open(f"/proc/{p['pid']}/status").read()
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    env = open(f"/proc/{p['pid']}/environ").read().split("\0")
    assert {e.split("=")[0] for e in env if e} - {"ASAN_OPTIONS", "UBSAN_OPTIONS"} == {"LANG", "PATH", "SURAT_RUN", "TZ"}


@pytest.mark.parametrize("name", SINGLE + WORKERS)
def test_killed_daemon_comes_back(suite, name):
    p = suite.processes(name)[0]
    os.kill(p["pid"], signal.SIGKILL)

    def back():
        q = [x for x in suite.processes(name) if x["worker"] == p["worker"]][0]
        return q["state"] == "ready" and q["pid"] != p["pid"] and q
    q = wait_for(f"{name} is back", back, 3)
    assert q["restarts"] == 1
    line = suite.wait_log(f"pid {p['pid']} killed by signal 9")
    binary = "auth" if name == "auth-pam" else name
    assert re.search(r"surat/master\[\d+\]: warning: process \S+/" + binary + r" pid \d+ killed by signal 9", line), line
    for service in ("smtp", "pop3"):
        c = Client(suite.port(service))
        assert c.echo("still here") == "still here"
        c.close()


def test_peers_get_fresh_channels(suite):
    before = Client(suite.port("smtp"))
    n = before.facts["channels"].split(",").count("resolve")
    os.kill(suite.processes("resolve")[0]["pid"], signal.SIGKILL)

    def more():
        c = Client(suite.port("smtp"))
        got = c.facts["channels"].split(",").count("resolve")
        c.close()
        return got == n + 1
    wait_for("smtpd has a second channel to resolve", more)
    assert before.echo() == "x"
    before.close()


def test_backoff_grows():
    with Instance(stubs=True, settings={"service_throttle_time": "2s"}) as i:
        (i.dir / "data/fail-anvil").touch()
        since = time.monotonic()
        os.kill(i.processes("anvil")[0]["pid"], signal.SIGKILL)
        i.wait_log("bad command startup: anvil was told to fail")
        i.wait_log("anvil keeps ending: started again in 1 seconds", 5)
        i.wait_log("anvil keeps ending: started again in 2 seconds", 8)
        n = i.log_text().count("bad command startup")
        assert n <= 8, n
        assert time.monotonic() - since > 1.0
        (i.dir / "data/fail-anvil").unlink()
        i.wait_ready(5)


def test_master_killed_all_leave_and_next_start(suite):
    pids = suite.pids()
    assert len(pids) > 10
    os.kill(suite.master_pid(), signal.SIGKILL)
    begin = time.monotonic()
    suite.surat("start")
    assert time.monotonic() - begin < 2.0
    assert not set(pids) & set(suite.pids())
    c = Client(suite.port("smtp"))
    assert c.echo() == "x"
    c.close()


def test_all_killed_and_next_start(suite):
    for pid in suite.pids():
        os.kill(pid, signal.SIGKILL)
    begin = time.monotonic()
    suite.surat("start")
    assert time.monotonic() - begin < 2.0


def test_second_start_is_refused(suite):
    done = suite.surat("start", check=False)
    assert done.returncode != 0 and "already running" in done.stderr and str(suite.master_pid()) in done.stderr
    c = Client(suite.port("smtp"))
    assert c.echo() == "x"
    c.close()


def test_busy_port_names_service_and_port():
    i = Instance(stubs=True)
    with socket.socket() as s, socket.socket() as t:
        for sock, name in ((s, "smtp"), (t, "pop3")):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", i.port(name)))
            sock.listen()
        done = i.surat("start", check=False)
        assert done.returncode == 1
        for name in ("smtp", "pop3"):
            port = i.port(name)
            assert re.search(rf"master\.cf:\d+: service {port}: 127\.0\.0\.1:{port} is in use", done.stderr), done.stderr
            assert f"sport = :{port}" in done.stderr
    assert i.pids() == [] and not (i.dir / "run/master.pid").exists()
    i.start()
    i.stop()
    i.__exit__()


def test_wrong_config_all_errors_at_start():
    i = Instance(stubs=True)
    i.settings.update({"smtpd_timeout": "soon", "message_size_limit": "big", "ssl_cert": "/nowhere/cert.pem"})
    i.write_config()
    with open(i.etc / "master.cf", "a") as f:
        f.write("1234 inet n - n - - smptd\n")
    done = i.surat("start", check=False)
    assert done.returncode == 1
    for word in ("smtpd_timeout", "message_size_limit", "smptd"):
        assert word in done.stderr, done.stderr
    assert i.pids() == []
    i.__exit__()


def test_failing_daemon_is_named_at_start():
    i = Instance(stubs=True)
    (i.dir / "data/fail-qmgr").touch()
    done = i.surat("start", check=False)
    assert done.returncode == 1 and "qmgr was told to fail" in done.stderr, done.stderr
    i.wait_gone()
    i.__exit__()


def test_reload_keeps_sessions(suite):
    old = [Client(suite.port("smtp")) for _ in range(50)] + [Client(suite.port("pop3")) for _ in range(50)]
    pids = {c.pid for c in old}
    singles = {p["name"]: p["pid"] for p in suite.processes() if p["name"] in SINGLE}
    suite.settings["myhostname"] = "new.example.com"
    suite.write_config()
    suite.surat("reload")
    new = Client(suite.port("smtp"))
    assert new.pid not in pids and new.facts["name"] == "new.example.com"
    assert all(c.echo("alive") == "alive" for c in old)
    for name in ("qmgr", "resolve"):
        assert {p["name"]: p["pid"] for p in suite.processes() if p["name"] in SINGLE}[name] == singles[name]
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(suite.dir / "run/queue"))
        assert "name=new.example.com" in s.makefile().readline()
    draining = [p for p in suite.processes() if p["state"] == "draining"]
    assert {p["pid"] for p in draining} == pids and sum(p["sessions"] for p in draining) == 100
    for c in old + [new]:
        c.close()
    wait_for("the old workers have left", lambda: not any(p["state"] == "draining" for p in suite.processes()))
    assert suite.status()["generation"] == 2


def test_reload_loses_no_connection(suite):
    """Clients connect all the time while the configuration is exchanged five times."""
    port = suite.port("smtp")
    refused, served = [], 0
    for _ in range(5):
        reload = subprocess.Popen([BUILD / "tools/surat", "reload", "-c", suite.etc])
        while reload.poll() is None:
            try:
                c = Client(port)
                served += c.echo() == "x"
                c.close()
            except (OSError, IndexError) as e:
                refused.append(e)
        assert reload.returncode == 0
    assert refused == [] and served > 5


def test_reload_moves_sockets(suite):
    client = Client(suite.port("smtp"))
    suite.settings["inet_interfaces"] = "all"
    suite.rows.append(("extra", 26, "smtpd", ""))
    suite.rows = [r for r in suite.rows if r[0] != "pop3s"]
    suite.write_config()
    suite.surat("reload")
    assert client.echo() == "x"
    Client(suite.port("extra")).close()
    Client(("::1", suite.port("smtp"))).close()

    def closed():
        try:
            Client(suite.base + 995).close()
            return False
        except (OSError, IndexError):
            return True
    wait_for("pop3s is closed", closed)
    suite.settings["inet_interfaces"] = "127.0.0.1"
    suite.write_config()
    suite.surat("reload")
    Client(suite.port("smtp")).close()
    client.close()


def test_wrong_reload_changes_nothing(suite):
    client = Client(suite.port("smtp"))
    pids = sorted(suite.pids())
    suite.settings.update({"smtpd_timeout": "soon", "message_size_limit": "big", "myhostname": "bad.example.com"})
    suite.write_config()
    done = suite.surat("reload", check=False)
    assert done.returncode == 1 and "smtpd_timeout" in done.stderr and "message_size_limit" in done.stderr
    suite.wait_log("smtpd_timeout")
    suite.wait_log("the old configuration stays in force")
    assert sorted(suite.pids()) == pids and client.echo() == "x"
    c = Client(suite.port("smtp"))
    assert c.facts["name"] == "mail.example.com"
    c.close()
    client.close()
    assert suite.status()["generation"] == 1


def test_start_without_log_or_daemons(suite):
    """Lines that nobody writes would be lost without a word."""
    suite.settings["maillog_file"] = suite.dir / "nowhere" / "log"
    suite.write_config()
    for command in (["reload"], ["stop"], ["start"]):
        done = suite.surat(*command, check=False)
        assert (done.returncode == 0) == (command == ["stop"]), done
        assert command == ["stop"] or done.stderr.count("nowhere/log: No such file") == 1, done
    (suite.dir / "nowhere").mkdir()
    suite.settings["daemon_directory"], right = suite.dir / "empty", suite.settings["daemon_directory"]
    suite.write_config()
    done = suite.surat("start", check=False)
    assert done.returncode == 1 and "; daemon_directory says" in done.stderr, done
    suite.settings["daemon_directory"] = right
    suite.write_config()
    suite.surat("start")


def test_reload_with_failing_worker_changes_nothing(suite):
    (suite.dir / "data/fail-login").touch()
    old = {p["pid"] for p in suite.processes("smtpd")}
    suite.settings["myhostname"] = "bad.example.com"
    suite.write_config()
    done = suite.surat("reload", check=False)
    assert done.returncode == 1 and "login was told to fail" in done.stderr, done.stderr
    wait_for("new workers are gone", lambda: len(suite.processes("smtpd")) == 2)
    assert {p["pid"] for p in suite.processes("smtpd")} == old
    assert Client(suite.port("smtp")).facts["name"] == "mail.example.com"
    (suite.dir / "data/fail-login").unlink()
    suite.surat("reload")
    assert Client(suite.port("smtp")).facts["name"] == "bad.example.com"


def test_who_starts_during_a_failing_reload(suite):
    """It gets the new configuration, and the old one back when that comes to nothing."""
    login = suite.dir / "lib/login"
    right = os.readlink(login)
    suite.settings["myhostname"] = "bad.example.com"
    suite.write_config()
    login.unlink()
    login.write_text("#!/bin/sh\nsleep 2\nexit 1\n")
    login.chmod(0o755)
    reload = threading.Thread(target=lambda: suite.surat("reload", check=False))
    reload.start()
    wait_for("successors start", lambda: len(suite.processes("smtpd")) == 4)
    old = Client(suite.port("smtp"))
    os.kill(old.pid, signal.SIGKILL)
    reload.join()
    login.unlink()
    login.symlink_to(right)

    def names():
        clients = [Client(suite.port("smtp")) for _ in range(20)]
        for c in clients:
            c.close()
        assert old.pid not in [c.pid for c in clients]
        return {c.facts["name"] for c in clients} if len({c.pid for c in clients}) == 2 else None
    wait_for("both workers have the old one", lambda: names() == {"mail.example.com"})


def test_sighup_reloads_and_reopens_the_log(suite):
    suite.log.rename(suite.dir / "log.1")
    os.kill(suite.master_pid(), signal.SIGHUP)
    wait_for("a new log file", suite.log.exists)
    suite.wait_ready()
    os.kill(suite.processes("anvil")[0]["pid"], signal.SIGKILL)
    suite.wait_log("killed by signal 9")


def test_certificate_is_exchanged(suite):
    size = int(Client(suite.port("smtp")).facts["certs"].rsplit(":", 1)[1])
    cert, key = make_certificate(suite.etc, "a-much-longer-name.of-a-host.example.com", "-new")
    cert.replace(suite.cert)
    key.replace(suite.key)
    suite.wait_log("new certificate read", 10)
    wait_for("smtpd has it", lambda: int(Client(suite.port("smtp")).facts["certs"].rsplit(":", 1)[1]) != size)


def test_stop_drains(suite):
    client = Client(suite.port("smtp"))
    stop = subprocess.Popen([BUILD / "tools/surat", "stop", "-c", suite.etc])
    time.sleep(0.5)
    assert client.echo("bye") == "bye" and stop.poll() is None
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", suite.port("smtp")), timeout=2)
    client.close()
    assert stop.wait(10) == 0
    suite.wait_gone()
    assert sorted(os.listdir(suite.dir / "run")) == ["empty"]


def test_stop_has_a_limit(suite):
    client = Client(suite.port("smtp"))
    begin = time.monotonic()
    suite.surat("stop")
    assert 2.5 < time.monotonic() - begin < 6
    suite.wait_gone()
    client.close()


def test_crash_is_logged_and_others_live(suite):
    a = Client(suite.port("pop3"))
    b = Client(suite.port("smtp"))
    b.s.sendall(b"crash\n")
    suite.wait_log(f"pid {b.pid} killed by signal 6")
    assert a.echo() == "x"
    a.close()


def test_log_lines(suite):
    line = r"^[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d \S+ surat/smtpd\[(\d+)\]: stub is up$"
    wait_for("a line of each worker", lambda: {p["pid"] for p in suite.processes("smtpd")} <=
             {int(p) for p in re.findall(line, suite.surat("log").stdout, re.M)})


def test_garbage_on_the_tool_socket(suite):
    for junk in (b"\0" * 64, os.urandom(500), b"\xff" * 70000):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(suite.dir / "run/master"))
            try:
                s.sendall(junk)
                assert s.recv(1) == b""
            except OSError:
                pass
    assert suite.status()["running"]


def test_foreground():
    i = Instance(stubs=True, settings={"maillog_file": "/dev/stdout"})
    p = subprocess.Popen([BUILD / "tools/surat", "start", "-f", "-c", i.etc], stdout=subprocess.PIPE, text=True)
    wait_for("ready", lambda: i.status()["running"])
    p.send_signal(signal.SIGTERM)
    out = p.communicate(timeout=20)[0]
    assert p.returncode == 0 and "daemon started" in out
    i.wait_gone()
    i.__exit__()


def test_two_instances(suite):
    with Instance(stubs=True) as other:
        assert Client(other.port("smtp")).program == "smtpd"
        os.kill(other.master_pid(), signal.SIGKILL)
        other.wait_gone()
    assert suite.status()["running"]
