"""An IMAP client for tests: raw lines out, answers in as Python values, and nothing assumed that the server did not say."""
import re
import socket

from wire import trusting

TOKEN = re.compile(rb'\s*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|~?\{(\d+)\}$|((?:[^\s()"\[{]|\[[^\]]*\])+))', re.S)


class Gone(Exception):
    """The connection ended: BYE, a reset, or nothing more."""


class Bad(AssertionError):
    """The server answered NO or BAD where OK was due, or broke the grammar."""


def parse(parts):
    """A line with its literals as [bytes, literal, bytes, ...] to nested lists; NIL is None, atoms are bytes."""
    stack = [[]]
    for n, part in enumerate(parts):
        if n % 2:
            stack[-1].append(part)
            continue
        at = 0
        while part[at:].strip():
            m = TOKEN.match(part, at)
            if not m:
                raise Bad(f"no grammar at {part[at:at + 60]!r}")
            at = m.end()
            if m[1]:
                stack.append([])
            elif m[2]:
                done = stack.pop()
                stack[-1].append(done)
            elif m[3] is not None:
                stack[-1].append(re.sub(rb"\\(.)", rb"\1", m[3]))
            elif m[5] is not None:
                stack[-1].append(None if m[5].upper() == b"NIL" else m[5])
    if len(stack) != 1:
        raise Bad(f"parentheses: {parts[0][:80]!r}")
    return stack[0]


class Imap:
    """with Imap(i, user, password) as c: c.cmd("SELECT INBOX"); c.untagged holds what came before the tagged answer."""

    def __init__(self, i, user=None, password=None, service="imap", port=None, timeout=30, is_tls=None):
        self.s = socket.create_connection(("127.0.0.1", port or i.port(service)), timeout=timeout)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if service == "imaps" if is_tls is None else is_tls:
            self.s = trusting().wrap_socket(self.s)
        self.f = self.s.makefile("rb")
        self.n = 0
        self.untagged = []
        self.raw = []
        self.greeting = self.line()[0]
        if user:
            if service == "imap" and b"LOGINDISABLED" in self.greeting:
                self.starttls()
            self.ok(f'LOGIN "{user}" "{password}"')

    def starttls(self):
        self.ok("STARTTLS")
        self.s = trusting().wrap_socket(self.s)
        self.f = self.s.makefile("rb")

    def line(self):
        """One answer: the line, and in odd places its literals."""
        parts = []
        try:
            while True:
                line = self.f.readline()
                if not line.endswith(b"\r\n"):
                    raise Gone(repr(line))
                line = line[:-2]
                parts.append(line)
                m = re.search(rb"\{(\d+)\}$", line)
                if not m:
                    return parts
                literal = self.f.read(int(m[1]))
                if len(literal) != int(m[1]):
                    raise Gone("in a literal")
                parts.append(literal)
        except OSError as e:
            raise Gone(str(e)) from e

    def send(self, data):
        try:
            self.s.sendall(data)
        except OSError as e:
            raise Gone(str(e)) from e

    def note(self, parts):
        """An untagged answer as (name, number or None, values or text)."""
        m = re.match(rb"\* (?:(\d+) )?([A-Za-z0-9-]+) ?(.*)$", parts[0], re.S)
        if not m:
            raise Bad(f"no untagged answer: {parts[0]!r}")
        number, name = m[1] and int(m[1]), m[2].upper().decode()
        if name in ("OK", "NO", "BAD", "BYE", "PREAUTH", "CAPABILITY", "ID"):
            got = (name, number, m[3].decode("utf-8", "replace"))
        else:
            got = (name, number, parse([m[3], *parts[1:]]))
        self.untagged.append(got)
        self.raw.append(parts)
        self.on_untagged(*got)
        if name == "BYE":
            self.is_bye = True

    def on_untagged(self, name, number, values):
        """For models."""

    def start(self, text, literals=()):
        """Sends a command; {} in text stands for each literal, sent after the server asked for it."""
        self.n += 1
        tag = b"t%d" % self.n
        self.untagged, self.raw = [], []
        pieces = (text if isinstance(text, bytes) else text.encode()).split(b"{}")
        out = tag + b" " + pieces[0]
        for literal, piece in zip(literals, pieces[1:]):
            self.send(out + b"{%d}\r\n" % len(literal))
            while True:
                parts = self.line()
                if parts[0].startswith(b"+"):
                    break
                if parts[0].startswith(tag + b" "):
                    self.early = parts[0][len(tag) + 1:].decode("utf-8", "replace")
                    return None
                self.note(parts)
            out = literal + piece
        self.send(out + b"\r\n")
        return tag

    def finish(self, tag):
        if tag is None:
            return self.early
        while True:
            parts = self.line()
            if parts[0].startswith(tag + b" "):
                return parts[0][len(tag) + 1:].decode("utf-8", "replace")
            if parts[0].startswith(b"+"):
                raise Bad(f"a continuation nobody asked for: {parts[0]!r}")
            self.note(parts)

    def cmd(self, text, *literals):
        """The tagged answer without its tag: "OK [...] words"."""
        return self.finish(self.start(text, literals))

    def ok(self, text, *literals):
        got = self.cmd(text, *literals)
        if not got.startswith("OK"):
            raise Bad(f"{text!r}: {got}")
        return got

    def all(self, name):
        """The untagged answers of that name: a list of (number, values)."""
        return [(number, values) for n, number, values in self.untagged if n == name]

    def fetched(self):
        """FETCH answers as {sequence number: {item: value}}."""
        found = {}
        for number, values in self.all("FETCH"):
            found.setdefault(number, {}).update(pairs(values))
        return found

    def close(self):
        self.f.close()
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def pairs(values):
    """The list of a FETCH answer as a dictionary by upper-case item."""
    items = values[0]
    return {items[n].decode().upper(): items[n + 1] for n in range(0, len(items), 2)}


def numbers(text):
    """1,3:5 as a list; text may be bytes."""
    found = []
    for word in (text.decode() if isinstance(text, bytes) else text).split(","):
        first, _, last = word.partition(":")
        a, b = int(first), int(last or first)
        found += range(min(a, b), max(a, b) + 1)
    return found
