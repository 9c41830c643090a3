"""An IMAP client for tests: raw lines out, answers in as Python values, and nothing assumed that the server did not say."""
import re

from wire import Wire, trusting

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


def read_answer(f):
    """One answer: the line, and in odd places its literals. EOFError when the connection ends before it does."""
    parts = []
    while True:
        line = f.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(repr(line))
        parts.append(line[:-2])
        m = re.search(rb"\{(\d+)\}$", parts[-1])
        if not m:
            return parts
        parts.append(f.read(int(m[1])))
        if len(parts[-1]) != int(m[1]):
            raise EOFError("in a literal")


class Imap(Wire):
    """with Imap(i, user, password) as c: c.cmd("SELECT INBOX"); c.untagged holds what came before the tagged answer."""

    def __init__(self, i, user=None, password=None, service="imap", timeout=30):
        super().__init__(i, service, False, timeout, is_tls=service == "imaps")
        self.n = 0
        self.untagged = []
        self.raw = []
        self.greeting = self.line()[0]
        if user:
            if service == "imap" and b"LOGINDISABLED" in self.greeting:
                self.ok("STARTTLS")
                self.starttls(trusting())
            self.ok(f'LOGIN "{user}" "{password}"')

    def line(self):
        try:
            return read_answer(self.f)
        except (OSError, EOFError) as e:
            raise Gone(str(e)) from e

    def send(self, data, chunk=None):
        try:
            super().send(data, chunk)
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
