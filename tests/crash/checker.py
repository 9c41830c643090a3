"""Letters that can be recognized whole, a load of them, and what must be true of the Maildirs afterwards.

Each letter has a number, from which its bytes follow: a file is either exactly such a letter or it is damaged. A number
is sent once and never again, so every second file of it in one Maildir is a duplicate that the server made."""
import collections
import contextlib
import hashlib
import itertools
import json
import random
import re
import smtplib
import threading
import time

from instance import Failure, Instance, wait_for

SENDER = "sender@example.com"
READERS = tuple(f"reader{n}@example.com" for n in range(5))
SMALL, LARGE = 5_000, 200_000
MARK = re.compile(rb"^X-Letter: (\d+) (\d+)\n", re.M)
PATIENCE = 60.0
# what makes a retry come soon, and daemons that are killed all the time come back soon
QUICK = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "transport_retry_time": "1s",
         "service_throttle_time": "1s", "smtpd_client_connection_rate_limit": 0, "smtpd_client_connection_count_limit": 0}


def text(number, size):
    """The letter, in LF lines; its own fields are those that no daemon adds or changes."""
    head = (f"X-Letter: {number} {size}\nFrom: <{SENDER}>\nTo: <{READERS[0]}>\nSubject: letter {number}\n"
            f"Date: Mon, 01 Jan 2024 00:00:00 +0000\nMessage-ID: <{number}@crash.example.com>\n\n")
    lines, left, state = [head], size - len(head), hashlib.sha256(b"%d" % number).hexdigest()
    for n in itertools.count():
        if left <= 0:
            return "".join(lines)
        line = f"{'.' if n % 50 == 7 else ''}{n} {state}\n"
        lines.append(line)
        left -= len(line)


def number_of(data):
    """The number of a whole letter; fails for anything else that a Maildir may hold."""
    mark = MARK.search(data)
    if not mark:
        raise Failure(f"not one of our letters: {data[:600]!r}")
    number, size = int(mark[1]), int(mark[2])
    if data[mark.start():] != text(number, size).encode():
        raise Failure(f"letter {number} is damaged: {len(data)} bytes for {size}; ends in {data[-80:]!r}")
    if not data.startswith(b"Return-Path: <" + SENDER.encode()) or b"\nDelivered-To: " not in data[:mark.start()]:
        raise Failure(f"letter {number} begins with {data[:300]!r}")
    return number


def maildir_files(i, user):
    for sub in ("new", "cur"):
        with contextlib.suppress(FileNotFoundError):
            yield from (i.maildir(user) / sub).iterdir()


class Watcher(threading.Thread):
    """Reads every file of new/ and cur/ as soon as it can be seen, as a mail reader would."""

    def __init__(self, i):
        super().__init__(daemon=True)
        self.i, self.seen, self.error, self.ending = i, set(), None, threading.Event()

    def run(self):
        try:
            while not self.ending.wait(0.005):
                self.look()
        except Exception as e:
            self.error = e

    def look(self):
        for user in (*READERS, SENDER):
            for f in maildir_files(self.i, user):
                if f.name not in self.seen:
                    self.seen.add(f.name)
                    number_of(f.read_bytes())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.ending.set()
        self.join()
        if self.error and exc[0] is None:
            raise self.error


class Letters:
    """What was sent to whom, and what was acknowledged."""

    def __init__(self, i, seed=1):
        self.i = i
        self.dice = random.Random(seed)
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.acked = collections.defaultdict(set)       # number -> recipients
        self.refused = []
        self.n_failed = 0

    def next_letter(self):
        with self.lock:
            number = next(self.numbers)
            size = LARGE if number % 8 == 0 else SMALL
            return number, size, self.dice.sample(READERS, self.dice.choice((1, 1, 2, 5)))

    def connect(self, timeout=20):
        # another address than the listeners', so that no client sits on a port that a restart wants
        s = smtplib.SMTP(timeout=timeout, local_hostname="client.example.com", source_address=("127.0.0.2", 0))
        s.connect("127.0.0.1", self.i.port("smtp"))
        s.ehlo()
        return s

    def replied(self, number, code, words):
        if 500 <= code < 600:
            self.refused.append((number, code, words))
        return code < 400

    def send_one(self, s, letter=None):
        """True when the letter was acknowledged. Raises what smtplib does when the connection ends."""
        number, size, readers = letter or self.next_letter()
        if not self.replied(number, *s.mail(SENDER)):
            s.rset()
            return False
        accepted = [r for r in readers if self.replied(number, *s.rcpt(r))]
        if not accepted:
            s.rset()
            return False
        try:
            code, words = s.data(text(number, size).replace("\n", "\r\n"))
        except smtplib.SMTPDataError as e:
            code, words = e.smtp_code, e.smtp_error
        if not self.replied(number, code, words):
            return False
        with self.lock:
            self.acked[number].update(accepted)
        return True

    def try_one(self, letter=None):
        """A letter over a connection of its own; False when anything went wrong."""
        s = None
        try:
            s = self.connect()
            return self.send_one(s, letter)
        except (smtplib.SMTPException, OSError):
            self.n_failed += 1
            return False
        finally:
            if s:
                s.close()

    # ---- what must be true ----

    def found(self):
        """(number, user) -> how many whole files; fails for a damaged one."""
        found = collections.Counter()
        for user in READERS:
            for f in maildir_files(self.i, user):
                found[number_of(f.read_bytes()), user] += 1
        notices = list(maildir_files(self.i, SENDER))
        if notices:
            raise Failure(f"{len(notices)} notices to the sender: {notices[0].read_text()[:2000]}")
        return found

    def named(self):
        """Numbers and users that have a file, without looking into files seen before."""
        self.known = getattr(self, "known", {})
        there = set()
        for user in READERS:
            for f in maildir_files(self.i, user):
                key = (user, f.name.split(":")[0])
                if key not in self.known:
                    self.known[key] = number_of(f.read_bytes())
                there.add((self.known[key], user))
        return there

    def wanted(self):
        with self.lock:
            return {(n, user) for n, users in self.acked.items() for user in users}

    def drain(self, seconds=PATIENCE):
        """Waits until everything acknowledged lies in its Maildir and the queue is empty."""
        end = time.monotonic() + seconds
        while (missing := self.wanted() - self.named()) and time.monotonic() < end:
            time.sleep(0.1)
        if missing:
            raise Failure(f"{len(missing)} of {len(self.wanted())} acknowledged deliveries are missing: {sorted(missing)[:10]}\n"
                          f"queue: {queue(self.i)[:5]}\nlog:\n{self.i.log_text()[-6000:]}")
        wait_for("the queue is empty", lambda: queue(self.i) == [], max(5.0, end - time.monotonic()))

    def check(self, duplicates_allowed=0):
        """After drain(): returns the number of duplicates."""
        found = self.found()
        missing = self.wanted() - set(found)
        assert not missing, f"acknowledged and missing: {sorted(missing)[:10]}"
        assert not self.refused, f"refused for good: {self.refused[:5]}"
        assert "status=bounced" not in self.i.log_text()
        again = {k: n for k, n in found.items() if n > 1}
        assert len(again) <= duplicates_allowed, f"delivered more than once: {again}"
        return len(again)


def queue(i):
    """Rows of the queue; None while nobody answers."""
    done = i.surat("queue", "list", "-j", check=False)
    if done.returncode != 0:
        return None
    return [json.loads(line) for line in done.stdout.splitlines()]


class Load:
    """with Load(letters): several connections that send without a pause, and come back when they are cut."""

    def __init__(self, letters, connections=4, pause=0.0):
        self.letters, self.pause, self.ending = letters, pause, threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(connections)]

    def run(self):
        s = None
        while not self.ending.is_set():
            try:
                s = s or self.letters.connect()
                self.letters.send_one(s)
                self.ending.wait(self.pause)
            except (smtplib.SMTPException, OSError):
                self.letters.n_failed += 1
                if s:
                    s.close()
                s = None
                self.ending.wait(0.05)
        if s:
            s.close()

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.ending.set()
        for t in self.threads:
            t.join()


def crash_instance(settings=None, **kw):
    """A suite without TLS, with everybody's mailbox."""
    users = {user: "secret" for user in (*READERS, SENDER)}
    return Instance(settings={**QUICK, **(settings or {})}, users=users, has_tls=False, **kw)


def wait_service(i, letters, seconds=PATIENCE):
    """The service is back when a fresh letter is taken."""
    wait_for("a letter is taken", letters.try_one, seconds)
