"""The IMAP part of tests/bench/run: Surat beside Dovecot on copies of one file system full of letters."""
import json
import os
import random
import socket
import statistics
import subprocess
import tempfile
import time

import maildirs
from servers import IMAP_PASSWORD, TOP, Volume, sh

EVENTS = {"raw_syscalls:sys_enter": "syscalls", "ext4:ext4_sync_file_enter": "flushes", "syscalls:sys_enter_syncfs": "flushes"}
PATIENCE = 600          # seconds a command may take


class Refused(RuntimeError):
    """NO or BAD."""


class Client:
    """One plain connection; of large answers only the end is kept."""

    def __init__(self, server, user, keep=4096):
        self.s = socket.create_connection(("127.0.0.1", server.imap), timeout=PATIENCE)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.keep, self.n, self.rest, self.bytes = keep, 0, b"", 0
        self.line()
        self.cmd(f'LOGIN "{user}@example.com" "{IMAP_PASSWORD}"')

    def fill(self):
        data = self.s.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed the connection: " + self.rest[-200:].decode(errors="replace"))
        self.bytes += len(data)
        return data

    def line(self):
        while b"\n" not in self.rest:
            self.rest += self.fill()
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def cmd(self, text, literals=(), keep=None):
        """Waits for the tagged answer; returns what came before it, or the end of that. Literals go without waiting."""
        self.n += 1
        tag = b"T%d" % self.n
        out = [tag + b" " + text.encode()]
        for letter in literals:
            out.append(b" {%d+}\r\n" % len(letter) + letter)
        self.s.sendall(b"".join(out) + b"\r\n")
        keep, got = keep or self.keep, self.rest
        while True:
            if got.endswith(b"\r\n"):
                last = got[got.rfind(b"\r\n", 0, -2) + 2 if got.count(b"\r\n") > 1 else 0:]
                if last.startswith(tag + b" "):
                    break
            got += self.fill()
            if len(got) > 2 * keep:
                got = got[-keep:]
        self.rest = b""
        if not last.startswith(tag + b" OK"):
            raise Refused(f"{text[:80]}: {last.decode(errors='replace').strip()}")
        return got

    def close(self):
        try:
            self.cmd("LOGOUT")
        except (RuntimeError, OSError):
            pass
        self.s.close()


def settle(server):
    """Until the server is quiet: what it does after its answer belongs to the command too."""
    last = server.group.cpu()
    for _ in range(100):
        time.sleep(0.015)
        now = server.group.cpu()
        if now - last < 0.00005:
            return
        last = now


class Meter:
    """CPU and system calls of one server while it is on; the time in which it is off costs nothing."""

    def __init__(self, server):
        self.server, self.cpu, self.wall = server, 0, 0
        self.out = tempfile.NamedTemporaryFile()
        ctl, self.ctl = os.pipe()
        self.ack, ack = os.pipe()
        self.perf = subprocess.Popen(["perf", "stat", "-x", ",", "-a", "-D", "-1", f"--control=fd:{ctl},{ack}", "-o", self.out.name,
                                      "--for-each-cgroup", server.group.name, "-e", ",".join(EVENTS), "--", "cat"],
                                     stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(ctl, ack))
        os.close(ctl)
        os.close(ack)

    def tell(self, word):
        os.write(self.ctl, word + b"\n")
        if not os.read(self.ack, 64):
            raise RuntimeError("perf ended")

    def __enter__(self):
        settle(self.server)
        self.tell(b"enable")
        self.cpu -= self.server.group.cpu()
        self.wall -= time.monotonic()

    def __exit__(self, *_):
        self.wall += time.monotonic()
        settle(self.server)
        self.cpu += self.server.group.cpu()
        self.tell(b"disable")

    def row(self, n=1):
        """Means of n."""
        row = {"cpu_ms": self.cpu * 1000 / n, "wall_ms": self.wall * 1000 / n, "syscalls": 0, "flushes": 0}
        self.perf.stdin.close()
        self.perf.wait()
        os.close(self.ctl)
        os.close(self.ack)
        for line in self.out.read().decode().splitlines():
            f = line.split(",")
            if len(f) > 2 and f[2] in EVENTS and f[0].isdigit():
                row[EVENTS[f[2]]] += int(f[0]) / n
        return row


class Source:
    """imap_source, many connections at once."""

    def __init__(self, server, *args, tls=False):
        self.p = subprocess.Popen([TOP + "/build/tests/bench/imap_source", *map(str, args), "-p", IMAP_PASSWORD, *(["-T"] if tls else []),
                                   "127.0.0.1", str(server.imaps if tls else server.imap)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def result(self):
        line = self.p.stdout.readline()
        if not line:
            raise RuntimeError("imap_source failed")
        return json.loads(line)

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def run_source(server, *args, tls=False):
    source = Source(server, *args, tls=tls)
    try:
        return source.result()
    finally:
        source.close()


def sessions(server, n, connections, tls):
    args = ["-c", connections, "-u", "small@example.com", "-x", "SELECT INBOX"]
    run_source(server, *args, "-n", 10 + connections, tls=tls)
    meter = Meter(server)
    with meter:
        result = run_source(server, *args, "-n", n, tls=tls)
    row = meter.row(n)
    row.update(per_s=result["per_second"])
    del row["wall_ms"]
    return row


def download(server, letters, tls):
    args = ["-n", 1, "-u", "big@example.com", "-x", "SELECT Large"]
    run_source(server, *args, "-x", f"FETCH 1:{letters} BODY.PEEK[]", tls=tls)
    meter = Meter(server)
    with meter:
        result = run_source(server, *args, "-x", f"FETCH 1:{letters} BODY.PEEK[]", tls=tls)
    mb = result["bytes"] / 1e6
    row = meter.row(mb)
    return {"cpu_ms_per_mb": row["cpu_ms"], "mb_per_s": mb / result["seconds"], "syscalls_per_mb": row["syscalls"]}


def timed(server, client, *commands, n=1, before=None, literals=()):
    """The commands, n times; what before does first is not measured."""
    meter, got = Meter(server), 0
    for i in range(n):
        if before:
            before(i)
        got -= client.bytes
        with meter:
            for c in commands:
                client.cmd(c(i) if callable(c) else c, literals)
        got += client.bytes
    return dict(meter.row(n), answer_kb=got / 1000 / n)


def twice(server, client, command):
    """The first time, when nothing of it may be cached, and then again."""
    first = timed(server, client, command)
    row = timed(server, client, command, n=2)
    row["first_cpu_ms"] = first["cpu_ms"]
    return row


def number(answer, key):
    at = answer.find(key)
    return int(bytes(c for c in answer[at + len(key):at + len(key) + 25].split(b"]")[0] if 48 <= c < 58))


def qresync(server, c):
    """A client that was away while each hundredth letter changed."""
    c.cmd("ENABLE QRESYNC")
    answer = c.cmd("SELECT INBOX", keep=1 << 20)
    validity, modseq = number(answer, b"UIDVALIDITY"), number(answer, b"HIGHESTMODSEQ")
    uids = c.cmd("UID SEARCH 1:*", keep=1 << 22)
    uids = uids[uids.find(b"SEARCH") + 6:].split(b"\r\n")[0].split()[::100]
    other = Client(server, "big")
    other.cmd("SELECT INBOX")
    for i in range(0, len(uids), 500):
        other.cmd("UID STORE " + b",".join(uids[i:i + 500]).decode() + " +FLAGS.SILENT (\\Answered)")
    other.close()
    c.cmd("UNSELECT")
    return timed(server, c, f"SELECT INBOX (QRESYNC ({validity} {modseq}))")


def letter(i):
    return b"From: a@example.com\r\nTo: b@example.com\r\nSubject: appended %d\r\nMessage-ID: <%d@x>\r\n\r\n" % (i, i) + b"Some text of a line.\r\n" * 130


def append(server, n, at_once):
    c = Client(server, "big")
    box = "Multi" if at_once else "Append"
    c.cmd("CREATE " + box)
    letters = [letter(i) for i in range(n)]
    if at_once:
        row = timed(server, c, "APPEND " + box, literals=letters)
    else:
        meter = Meter(server)
        with meter:
            for one in letters:
                c.cmd("APPEND " + box, [one])
        row = meter.row()
    c.close()
    return {k: v / n for k, v in row.items()}


class Push:
    """A client in IDLE on the small mailbox, and letters that appear there as some other program leaves them."""

    def __init__(self, server):
        self.server, self.c = server, Client(server, "small")
        self.c.cmd("SELECT INBOX")
        self.c.s.sendall(b"P IDLE\r\n")
        while not self.c.line().startswith(b"+"):
            pass

    def one(self, i):
        """Milliseconds from rename into new/ to EXISTS."""
        box = f"{self.server.mail}/example.com/small/Maildir"
        name = f"{int(time.time())}.P{os.getpid()}Q{time.monotonic_ns()}.push"
        with open(f"{box}/tmp/{name}", "wb") as f:
            f.write(letter(i).replace(b"\r\n", b"\n"))
        os.chown(f"{box}/tmp/{name}", self.server.uid, self.server.gid)
        begin = time.monotonic()
        os.rename(f"{box}/tmp/{name}", f"{box}/new/{name}")
        while b"EXISTS" not in self.c.line():
            pass
        return (time.monotonic() - begin) * 1000

    def figures(self, n):
        """A server that polls is not asked n times."""
        rand, times = random.Random(4), []
        while len(times) < n and (not times or times[-1] < 3000):
            time.sleep(0.2 + rand.random() / 5)
            times.append(self.one(len(times)))
        return {"median_ms": statistics.median(times), "worst_ms": max(times)}

    def close(self):
        self.c.s.close()


def push(server, n):
    p = Push(server)
    try:
        time.sleep(1)
        return p.figures(n)
    finally:
        p.close()


def idle(server, n, tls, wait, pushes):
    """Memory of n clients in IDLE, each of a user of its own, then a push beside them. The client that is pushed to comes
    first, since one uid has 128 inotify instances."""
    run_source(server, "-n", 4, "-c", 2, "-u", "small@example.com", "-x", "SELECT INBOX", tls=tls)
    server.refresh()
    time.sleep(3)
    p = Push(server)
    time.sleep(1)
    before, cpu = server.group.memory(), server.group.cpu()
    source = Source(server, "-i", "-c", n, "-b", 100, "-u", "idle%d@example.com", "-x", "SELECT INBOX", tls=tls)
    try:
        row = {"sessions": n, "opened_s": source.result()["seconds"]}
        settle(server)
        row["open_cpu_ms_each"] = (server.group.cpu() - cpu) * 1000 / n
        row["kb_each"] = (server.group.memory() - before) / 1024 / n
        row["processes"] = len(server.group.pids())
        time.sleep(wait)
        row["kb_each_later"] = (server.group.memory() - before) / 1024 / n
        cpu = server.group.cpu()
        time.sleep(5)
        row["idle_cpu_percent"] = (server.group.cpu() - cpu) * 100 / 5
        row.update({"push_" + k: v for k, v in p.figures(pushes).items()})
    finally:
        p.close()
        source.close()
    return row


def reading(server):
    """(name, figures) of the commands that leave the mailbox as it is, but for a flag."""
    server.set_cold("big")
    c = Client(server, "big")
    yield "first SELECT, no index", timed(server, c, "SELECT INBOX")
    yield "FETCH ENVELOPE BODYSTRUCTURE, cold", timed(server, c, "FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
    yield "FETCH ENVELOPE BODYSTRUCTURE, cached", timed(server, c, "FETCH 1:* (ENVELOPE BODYSTRUCTURE)", n=2)
    time.sleep(2.5)                     # a directory time younger than 2 s is not trusted
    c.cmd("SELECT INBOX")
    yield "SELECT, settled", timed(server, c, "SELECT INBOX", n=10)
    uid = [0]

    def flag(i):
        uid[0] += 1
        return f"UID STORE {uid[0] * 37} +FLAGS (\\Flagged)"
    yield "flag change of one", timed(server, c, flag, n=10)
    yield "50 flag changes in a row", timed(server, c, *[flag] * 50)
    yield "SELECT after an own change", timed(server, c, "SELECT INBOX", n=5, before=lambda i: c.cmd(flag(i)))
    c.cmd("SELECT INBOX")
    yield "FETCH FLAGS UID", timed(server, c, "FETCH 1:* (FLAGS UID)", n=3)
    for name in ("SORT (SUBJECT)", "SORT (DATE)", "SORT (REVERSE FROM)"):
        yield name, twice(server, c, name + " UTF-8 ALL")
    yield "THREAD REFERENCES", twice(server, c, "THREAD REFERENCES UTF-8 ALL")
    yield "SEARCH SUBJECT", twice(server, c, "SEARCH SUBJECT " + maildirs.RARE_SUBJECT)
    yield "SEARCH BODY", timed(server, c, "SEARCH BODY " + maildirs.RARE_BODY)
    yield "QRESYNC, 1 % changed", qresync(server, c)
    c.close()


def writing(server, appends):
    """(name, figures) of the commands that change the mailbox, 10,000 letters each."""
    c = Client(server, "big")
    for box in ("Copy", "Move"):
        c.cmd("CREATE " + box)
    c.cmd("SELECT INBOX")
    yield "COPY 10,000", timed(server, c, "COPY 1:10000 Copy")
    yield "MOVE 10,000", timed(server, c, "MOVE 20001:30000 Move")
    c.cmd("STORE 30001:40000 +FLAGS.SILENT (\\Deleted)")
    yield "EXPUNGE 10,000", timed(server, c, "EXPUNGE")
    c.close()
    yield "APPEND, one by one, each", append(server, appends, False)
    yield "MULTIAPPEND, each", append(server, appends, True)


def in_turn(rows):
    for name, fn in rows.items():
        yield name, fn()


def measure(server, quick, only):
    """(row name, figures) in order; each part makes its own state, so parts may be left out but not single rows."""
    kind = server.name.partition("-")[2]        # of Dovecot's configurations
    many, wait = (1000, 8) if quick else (3000, 60)
    if kind:
        many //= 5                              # a process each, of some MB
    if kind == "default":
        many = 90                               # its login processes end at 100
    parts = {
        "sessions": lambda: in_turn({
            "login, SELECT, logout; plain": lambda: sessions(server, 300 if quick else 2000, 8, False),
            "login, SELECT, logout; TLS": lambda: sessions(server, 200 if quick else 1000, 8, True)}),
        "read": lambda: reading(server),
        "download": lambda: in_turn({
            "download, plain": lambda: download(server, 500 if quick else 2000, False),
            "download, TLS": lambda: download(server, 500 if quick else 2000, True)}),
        "write": lambda: writing(server, 200 if quick else 1000),
        "push": lambda: in_turn({"new/ to EXISTS": lambda: push(server, 15 if quick else 50)}),
        "idle": lambda: in_turn({
            "idle sessions, TLS": lambda: idle(server, many, True, wait, 10),
            "idle sessions, plain": lambda: idle(server, many // 2, False, wait, 10)}),
    }
    chosen = ["idle"] if kind == "hibernating" else ["sessions", "read", "idle"] if kind == "default" and quick else list(parts)
    for part in chosen:
        if only and only != part:
            continue
        try:
            yield from parts[part]()
        except (RuntimeError, OSError) as e:
            yield f"{part}: failed", {"why": str(e)}


def growth(server):
    """The same commands with 1,000,000 letters and 10,000 folders."""
    c = Client(server, "huge")
    yield "first SELECT, no index", timed(server, c, "SELECT INBOX")
    time.sleep(2.5)
    c.cmd("SELECT INBOX")
    rows = {"SELECT, settled": "SELECT INBOX", "FETCH FLAGS UID": "FETCH 1:* (FLAGS UID)",
            "flag change of one": "UID STORE 5000 +FLAGS (\\Flagged)", "SELECT after an own change": "SELECT INBOX",
            "FETCH ENVELOPE of 100": "FETCH 500001:500100 (ENVELOPE BODYSTRUCTURE)", "SORT (SUBJECT), first": "SORT (SUBJECT) UTF-8 ALL",
            "SORT (SUBJECT)": "SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES": "THREAD REFERENCES UTF-8 ALL",
            "SEARCH SUBJECT": "SEARCH SUBJECT " + maildirs.RARE_SUBJECT, "COPY 10": "COPY 1:10 Folder.000.00",
            "LIST, first": 'LIST "" "*"', "LIST": 'LIST "" "*"', "STATUS of one": "STATUS Folder.050.50 (MESSAGES)",
            "LIST-STATUS of 100": 'LIST "" "Folder.050.*" RETURN (STATUS (MESSAGES UNSEEN))', "SELECT of a folder": "SELECT Folder.050.50",
            "CREATE": "CREATE Another"}
    for name, command in rows.items():
        try:
            yield name, timed(server, c, command)
        except Refused as e:
            yield name, {"why": str(e)}
    c.close()


def image(path, owner, huge):
    """The file system that all servers get a copy of, made if it is not there."""
    if os.path.exists(path):
        return
    at = path + ".mnt"
    v = Volume(at, (24 if huge else 6) << 30)
    try:
        if huge:
            maildirs.make_huge(at + "/mail", owner, 1000000, 10000)
        else:
            maildirs.make(at + "/mail", owner, 100000, 3000)
        os.chown(at + "/mail", *owner)
    finally:
        v.unmount()
        os.rmdir(at)
    os.rename(v.image, path)


def certificate(where):
    """The same kind of key as Surat's quickstart makes."""
    at = where + "/tls"
    os.mkdir(at)
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
       "/CN=mail.example.com", "-keyout", at + "/key.pem", "-out", at + "/cert.pem")
    return at


def warm(server):
    """The letters into memory, so that no command is measured on the disk's speed."""
    sh("find", server.mail, "-type", "f", "-exec", "cat", "{}", "+", stdout=subprocess.DEVNULL)


# DESIGN's budgets: row, figure, limit
BUDGETS = {
    ("login, SELECT, logout; plain", "cpu_ms"): 0.8, ("SELECT, settled", "cpu_ms"): 1, ("SELECT after an own change", "cpu_ms"): 1,
    ("flag change of one", "cpu_ms"): 1, ("FETCH FLAGS UID", "cpu_ms"): 20, ("FETCH ENVELOPE BODYSTRUCTURE, cached", "cpu_ms"): 100,
    ("FETCH ENVELOPE BODYSTRUCTURE, cold", "cpu_ms"): 1200, ("SORT (SUBJECT)", "cpu_ms"): 20, ("SORT (DATE)", "cpu_ms"): 20,
    ("SORT (REVERSE FROM)", "cpu_ms"): 20, ("THREAD REFERENCES", "cpu_ms"): 60, ("SEARCH SUBJECT", "cpu_ms"): 15,
    ("SEARCH BODY", "cpu_ms"): 1200, ("QRESYNC, 1 % changed", "cpu_ms"): 5, ("COPY 10,000", "cpu_ms"): 100,
    ("new/ to EXISTS", "median_ms"): 20, ("idle sessions, TLS", "kb_each"): 150, ("idle sessions, TLS", "kb_each_later"): 20,
}


def show(results, cell):
    """A line for each figure; a column for the budget and for each server."""
    print(f"{'':<40}{'':<20}{'budget':>9}" + "".join(f"{server.replace('dovecot-', 'd-'):>15}" for server in results))
    for name in dict.fromkeys(n for rows in results.values() for n in rows):
        there = [rows.get(name, {}) for rows in results.values()]
        for key in dict.fromkeys(k for row in there for k in row):
            budget = BUDGETS.get((name, key))
            print(f"{name:<40}{key:<20}{cell(budget) if budget else '':>9}" + "".join(f"{cell(row.get(key)):>15}" for row in there))
