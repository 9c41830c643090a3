"""Raw sessions: bytes as they are, split as one likes; and what is seen of the processes behind them."""
import base64
import hashlib
import hmac
import os
import re
import socket
import ssl

from instance import memory_kib, wait_for


class Wire:
    """A connection that sends what it is told and reads replies of SMTP or POP3. source: any address of the loopback."""

    def __init__(self, i, service="smtp", greet=True, timeout=20, source="127.0.0.1", is_tls=False):
        self.s = socket.create_connection(("127.0.0.1", i.port(service)), timeout=timeout, source_address=(source, 0))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.f = self.s.makefile("rb")
        if is_tls:
            self.starttls(trusting())
        self.banner = self.reply() if greet else None

    def send(self, data, chunk=None):
        """chunk: bytes a packet; a list of cuts is also taken."""
        if isinstance(chunk, list):
            parts = [data[a:b] for a, b in zip([0] + chunk, chunk + [len(data)])]
        else:
            parts = [data[n:n + chunk] for n in range(0, len(data), chunk)] if chunk else [data]
        for part in parts:
            self.s.sendall(part)

    def reply(self):
        """One reply of SMTP, as text, or one line of POP3; "" at the end of the line."""
        text = b""
        while True:
            line = self.f.readline()
            text += line
            if not re.match(rb"\d\d\d-", line):
                return text.decode("utf-8", "replace").rstrip("\r\n")

    def cmd(self, line):
        self.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return self.reply()

    def starttls(self, context):
        self.s = context.wrap_socket(self.s)
        self.f = self.s.makefile("rb")

    def rest(self):
        """Everything up to the end; a reset is an end too."""
        try:
            return self.f.read()
        except OSError:
            return b""

    def close(self):
        self.f.close()
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def trusting():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def scram(ask, user, password, first_is_initial):
    """SCRAM-SHA-256 (RFC 7677); ask sends a line and returns the challenge, decoded, or the final answer."""
    first = f"n={user},r=abcdefgh"
    server = ask(b64("n,," + first)) if first_is_initial is None else first_is_initial(b64("n,," + first))
    part = dict(p.split("=", 1) for p in server.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(part["s"]), int(part["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    final = f"c=biws,r={part['r']}"
    whole = f"{first},{server},{final}".encode()
    proof = bytes(a ^ b for a, b in zip(key, hmac.digest(hashlib.sha256(key).digest(), whole, "sha256")))
    answer = ask(b64(f"{final},p={b64(proof)}"))
    if answer.startswith("v="):
        assert answer == "v=" + b64(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), whole, "sha256"))
        answer = ask("")
    return answer


def files(i, user):
    """The bytes of all letters of a user."""
    found = []
    for sub in ("new", "cur"):
        folder = i.maildir(user) / sub
        if folder.exists():
            found += [f.read_bytes() for f in folder.iterdir()]
    return found


def wait_files(i, user, mark, n=1, seconds=20):
    """Waits until n letters hold mark; returns them."""
    def look():
        got = [t for t in files(i, user) if mark in t]
        return got if len(got) >= n else None
    return wait_for(f"{n} letters with {mark!r}", look, seconds)


def anonymous(i, names):
    """KiB of memory of its own, per process."""
    found = {}
    for name in names:
        for p in i.processes(name):
            pids = [p["pid"]] + [int(c) for c in open(f"/proc/{p['pid']}/task/{p['pid']}/children").read().split()]
            found.update({(name, pid): memory_kib(pid) for pid in pids})
    return found


def descriptors(i, names):
    return {(n, p["pid"]): len(os.listdir(f"/proc/{p['pid']}/fd")) for n in names for p in i.processes(n)}
