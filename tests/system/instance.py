"""A whole Surat in a temporary folder: writes a configuration, starts, asks, stops, and looks that nothing is left."""
import contextlib
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SURAT_BUILD", ROOT / "build")).resolve()
DAEMONS = ("resolve", "anvil", "auth", "qmgr", "local", "pop3d", "imapd", "smtpd", "login")
IS_ROOT = os.geteuid() == 0
IS_SANITIZED = (BUILD / "master/master").exists() and b"__asan_init" in (BUILD / "master/master").read_bytes()

SUBMISSION = ("-o syslog_name=surat/submission -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject "
              "-o smtpd_recipient_restrictions= -o local_header_rewrite_clients=permit_inet_interfaces,permit_sasl_authenticated")
ROWS = [
    ("smtp", 25, "smtpd", ""),
    ("submission", 587, "smtpd", SUBMISSION),
    ("submissions", 465, "smtpd", SUBMISSION + " -o smtpd_tls_wrappermode=yes"),
    ("pop3", 110, "login", "-o login_protocol=pop3"),
    ("pop3s", 995, "login", "-o login_protocol=pop3 -o login_tls_wrappermode=yes"),
    ("imap", 143, "login", "-o login_protocol=imap"),
    ("imaps", 993, "login", "-o login_protocol=imap -o login_tls_wrappermode=yes"),
]


class Failure(AssertionError):
    pass


def need_build():
    """The build folder (SURAT_BUILD, else build/), with the users of the suite present when we are root."""
    surat = BUILD / "tools/surat"
    if not surat.exists():
        pytest.exit(f"{surat} is not there: build first, or set SURAT_BUILD", 2)
    if IS_ROOT:
        subprocess.run([surat, "setup"], check=True)
    return BUILD


def wait_for(what, fn, seconds=10.0):
    """Calls fn until it returns something true; fails with the words of what."""
    end = time.monotonic() + seconds
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() > end:
            raise Failure(f"not in {seconds} s: {what}")
        time.sleep(0.02)


def memory_kib(pid, field="Anonymous"):
    """A figure of smaps_rollup; nothing in a sanitized build, whose memory is mostly the sanitizer's."""
    if IS_SANITIZED:
        return 0
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(field + ":"))


def free_base():
    """A base whose service ports, and one more (26), are free now, and below those that clients get."""
    while True:
        base = random.randrange(12000, 31000, 100)
        with contextlib.ExitStack() as stack:
            try:
                for port in [26] + [row[1] for row in ROWS]:
                    s = stack.enter_context(socket.socket())
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", base + port))
                return base
            except OSError:
                continue


def make_stub_directory(where):
    """A daemon_directory with the real master and logger, and stubs for all others."""
    where.mkdir()
    for name in DAEMONS:
        (where / name).symlink_to(BUILD / "tests/system/stub")
    for name in ("master", "logger"):
        (where / name).symlink_to(BUILD / "master" / name)
    return where


def make_certificate(where, name="mail.example.com", suffix=""):
    """A self-signed P-256 certificate; returns the paths of certificate and key."""
    cert, key = where / f"cert{suffix}.pem", where / f"key{suffix}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


class Instance:
    """with Instance(settings={...}, users={"tito@example.com": "secret"}) as i: ..."""

    def __init__(self, settings=None, users=None, base_port=None, rows=None, stubs=False, has_tls=True):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="surat-test-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.base = base_port or free_base()
        self.etc = self.dir / "etc"
        self.log = self.dir / "log"
        self.mail = self.dir / "mail"
        self.users = dict(users or {})
        self.rows = list(rows if rows is not None else ROWS if has_tls else [r for r in ROWS if "tls_wrappermode" not in r[3]])
        for name in ("etc", "data", "mail"):
            (self.dir / name).mkdir()
        owner = pwd.getpwnam("_surat-vmail") if IS_ROOT else pwd.getpwuid(os.geteuid())
        if IS_ROOT:
            os.chown(self.mail, owner.pw_uid, owner.pw_gid)
        self.settings = {
            "myhostname": "mail.example.com", "mydomain": "example.com", "myorigin": "example.com", "mydestination": "",
            "mynetworks": "", "inet_interfaces": "127.0.0.1", "daemon_directory": make_stub_directory(self.dir / "lib") if stubs else BUILD,
            "run_directory": self.dir / "run", "queue_directory": self.dir / "queue", "data_directory": self.dir / "data",
            "maillog_file": self.log, "worker_processes": 2, "stop_timeout": "3s", "alias_maps": "", "alias_database": "",
            "virtual_mailbox_domains": "example.com", "virtual_mailbox_maps": f"users:{self.dir}/data",
            "virtual_mailbox_base": self.mail, "mail_location": "maildir:~/Maildir", "auth_passdb": "users",
            "virtual_uid_maps": f"static:{owner.pw_uid}", "virtual_gid_maps": f"static:{owner.pw_gid}",
            "mail_home": f"{self.mail}/%d/%n", "mail_uid": owner.pw_uid, "mail_gid": owner.pw_gid,
            "first_valid_uid": min(owner.pw_uid, 500) or 1,
        }
        if has_tls:
            self.cert, self.key = make_certificate(self.etc)
            self.settings.update(ssl_cert=self.cert, ssl_key=self.key, smtpd_tls_security_level="may", smtpd_tls_auth_only="yes")
        self.settings.update(settings or {})
        self.write_config()

    # ---- configuration ----

    def write_config(self):
        text = "".join(f"{k} = {v}\n" for k, v in self.settings.items() if v is not None)
        (self.etc / "main.cf").write_text(text)
        rows = [f"{self.base + port} inet n - n - - {command} {options}\n" for _, port, command, options in self.rows]
        (self.etc / "master.cf").write_text("".join(rows))

    def port(self, service):
        for name, port, _, _ in self.rows:
            if name == service:
                return self.base + port
        raise KeyError(service)

    def maildir(self, user):
        name, domain = user.split("@")
        return self.mail / domain / name / "Maildir"

    # ---- commands ----

    def surat(self, *args, check=True, stdin=None):
        """Runs surat with -c; returns the CompletedProcess with text output."""
        done = subprocess.run([BUILD / "tools/surat", args[0], "-c", self.etc, *args[1:]], input=stdin, text=True,
                              capture_output=True, timeout=120)
        if check and done.returncode != 0:
            raise Failure(f"surat {' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}\n{self.log_text()[-4000:]}")
        return done

    def add_user(self, name, password):
        self.surat("user", "add", name, "--password-stdin", stdin=password + "\n")

    def start(self):
        for name, password in self.users.items():
            self.add_user(name, password)
        self.surat("start")
        return self

    def status(self):
        return json.loads(self.surat("status", "-j", check=False).stdout)

    def processes(self, name=None):
        return [p for p in self.status()["processes"] if name in (None, p["name"])]

    def master_pid(self):
        return int((self.dir / "run/master.pid").read_text())

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def check_sanitizers(self):
        """With a sanitized build the report of a daemon stands in the log, through its stderr; the daemon is started again."""
        text = self.log_text()
        # BUS: a mapped file on a disk that was cut off
        found = re.search(r"ERROR: AddressSanitizer: (?!BUS)|runtime error: ", text)
        if found:
            raise Failure(f"a daemon did what the sanitizer forbids:\n{text[max(0, found.start() - 300):found.start() + 4000]}")

    def wait_log(self, text, seconds=10.0, since=0):
        """Waits until text stands in the log behind offset since; returns the line."""
        def look():
            for line in self.log_text()[since:].splitlines():
                if text in line:
                    return line
            return None
        return wait_for(f"log line with {text!r}; log:\n{self.log_text()[-3000:]}", look, seconds)

    def wait_ready(self, seconds=10.0):
        wait_for("all processes ready", lambda: (s := self.status())["running"] and all(p["state"] == "ready" for p in s["processes"]),
                 seconds)

    # ---- the processes ----

    def pids(self):
        """All processes of this instance, by what they run or where their channel comes from."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                env = (entry / "environ").read_bytes() if IS_ROOT else b""
                if str(self.etc).encode() in words or f"SURAT_RUN={self.dir}/run".encode() in env.split(b"\0"):
                    found.append(int(entry.name))
        return found

    def wait_gone(self, seconds=5.0):
        wait_for("no process left", lambda: not self.pids(), seconds)

    def stop(self):
        """surat stop; fails when a process stays behind."""
        self.surat("stop")
        self.wait_gone()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(self, *exc):
        try:
            if self.pids():
                self.stop()
            self.check_sanitizers()
        finally:
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not os.environ.get("SURAT_KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)
