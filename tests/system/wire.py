"""Raw sessions: bytes as they are, split as one likes; and what is seen of the processes behind them."""
import os
import re
import socket
import ssl

from instance import wait_for


class Wire:
    """A connection that sends what it is told and reads replies of SMTP or POP3."""

    def __init__(self, i, service="smtp", greet=True, timeout=20):
        self.s = socket.create_connection(("127.0.0.1", i.port(service)), timeout=timeout)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.f = self.s.makefile("rb")
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
            for pid in pids:
                text = open(f"/proc/{pid}/status").read()
                found[(name, pid)] = int(re.search(r"RssAnon:\s+(\d+)", text)[1])
    return found


def descriptors(i, names):
    return {(n, p["pid"]): len(os.listdir(f"/proc/{p['pid']}/fd")) for n in names for p in i.processes(n)}
