"""What the IMAP tests share: a client that reads whole answers, answers taken apart, and Debian's Dovecot beside us."""
import os
import re
import shutil
import socket
import subprocess

from imap_wire import read_answer


class Client:
    """Over a connected socket or a pair of pipes. command() gives the answers, the tagged one last, literals in place."""

    def __init__(self, reader, writer, prefix="t"):
        self.reader, self.writer, self.count, self.prefix = reader, writer, 0, prefix

    @classmethod
    def connect(cls, port, host="127.0.0.1"):
        sock = socket.create_connection((host, port), timeout=60)
        client = cls(sock.makefile("rb"), sock.makefile("wb"))
        client.sock = sock
        client.greeting = client.answer()
        return client

    def answer(self):
        return b"".join(p if n % 2 else p + b"\r\n" for n, p in enumerate(read_answer(self.reader)))

    def send(self, data):
        self.writer.write(data)
        self.writer.flush()

    def command(self, text):
        self.count += 1
        tag = f"{self.prefix}{self.count}".encode()
        self.send(tag + b" " + (text.encode() if isinstance(text, str) else text) + b"\r\n")
        out = []
        while True:
            one = self.answer()
            out.append(one)
            if one.startswith(tag + b" "):
                return out

    def ok(self, text):
        out = self.command(text)
        assert out[-1].split(b" ")[1] == b"OK", (text, out[-1])
        return out[:-1]

    def close(self):
        self.sock.close()


class Reader:
    """Words of an answer: bytes for strings, Atom for atoms, None for NIL, lists for what is in parentheses."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def value(self):
        d = self.data
        c = d[self.at:self.at + 1]
        if c == b"(":
            return self.list()
        if c == b'"':
            m = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.S).match(d, self.at)
            self.at = m.end()
            return re.sub(rb"\\(.)", rb"\1", m[1], flags=re.S)
        m = re.compile(rb"~?\{(\d+)\}\r\n").match(d, self.at)
        if m:
            self.at = m.end() + int(m[1])
            return d[m.end():self.at]
        m = re.compile(rb"[^\s()]+").match(d, self.at)
        self.at = m.end()
        return None if m[0] == b"NIL" else Atom(m[0])

    def list(self):
        out = []
        self.at += 1
        while True:
            while self.data[self.at:self.at + 1] == b" ":
                self.at += 1
            if self.data[self.at:self.at + 1] == b")":
                self.at += 1
                return out
            out.append(self.value())

    def name(self):
        """FETCH item: BODY[HEADER.FIELDS (A B)]<0>"""
        m = re.compile(rb"[A-Z0-9.]+(\[[^\]]*\])?(<\d+>)?").match(self.data, self.at)
        self.at = m.end() + 1
        return m[0].upper().decode()


class Atom(bytes):
    pass


def items(answer):
    """The items of one "* n FETCH (...)" answer."""
    r, out = Reader(answer), {}
    r.at = answer.index(b"(") + 1
    while answer[r.at:r.at + 1] != b")":
        name = r.name()
        out[name] = r.value()
        if answer[r.at:r.at + 1] == b" ":
            r.at += 1
    return out


def fetched(answers):
    """{sequence number: items} of all FETCH answers."""
    out = {}
    for a in answers:
        m = re.match(rb"\* (\d+) FETCH ", a)
        if m:
            out.setdefault(int(m[1]), {}).update(items(a))
    return out


def thread(text):
    """THREAD's trees as nested lists."""
    return Reader(b"(" + re.sub(rb"\)\(", b") (", text.strip()) + b")").value()


class Dovecot:
    """Debian's imap of Dovecot alone, without login, on a Maildir of its own."""
    BINARY = "/usr/lib/dovecot/imap"

    def __init__(self, folder, settings=""):
        self.folder = folder
        conf = folder / "dovecot.conf"
        conf.write_text(f"mail_location = maildir:{folder}/Maildir\nlog_path = {folder}/log\nssl = no\nbase_dir = {folder}/run\n"
                        "mail_uid = nobody\nmail_gid = nogroup\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n"
                        f"imap_max_line_length = 1M\n{settings}")
        subprocess.run(["chown", "-R", "nobody:nogroup", str(folder)], check=True)
        for path in [folder, *folder.parents]:
            if path.stat().st_uid == os.getuid() and path not in (path.parent, path.__class__("/tmp")):
                path.chmod(path.stat().st_mode | 0o755)

    def session(self):
        env = {"USER": "nobody", "HOME": str(self.folder), "PATH": os.environ["PATH"], "TZ": os.environ.get("TZ", "UTC")}
        self.process = subprocess.Popen([self.BINARY, "-c", str(self.folder / "dovecot.conf")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, user="nobody", group="nogroup")
        client = Client(self.process.stdout, self.process.stdin)
        client.greeting = client.answer()
        return client

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)

    @classmethod
    def missing(cls):
        """Why there is none, or None."""
        if os.getuid() != 0:
            return "Dovecot beside us needs root"
        return None if shutil.which(cls.BINARY) else "Dovecot is not installed (apt-get install dovecot-imapd)"
