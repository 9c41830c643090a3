"""Makes the Maildirs of the IMAP benchmark: the same bytes at every run.

maildirs.make(mail, owner, letters, idle): below mail/example.com
    big     INBOX of `letters`, 2 to 5 KB each: threads, multiparts, encoded subjects; folder Large: 2,000 of 50 KB
    small   INBOX of 100
    idleN   INBOX of 10 each, hard links
maildirs.make_huge(mail, owner, letters, folders): user huge; bodies are 2,000 files with hard links to them."""
import base64
import os
import random

WORDS = """mail letter harbour river garden window morning paper report meeting budget holiday invoice winter summer train ticket
bread coffee market journey doctor school teacher music concert picture weather mountain island village bridge station
contract delivery project release version server kernel patch review question answer problem solution machine engine""".split()
NAMES = "Ani Budi Citra Dewi Eko Fitri Gita Hadi Indah Joko Kartika Lestari Made Nina Oki Putri Rahmat Sari Tono Wati Zahra".split()
DAYS, MONTHS = "Mon Tue Wed Thu Fri Sat Sun".split(), "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
BEGIN = 1600000000
STEP = 700              # seconds from a letter to the next
RARE_SUBJECT, RARE_BODY = "zarzuela", "quetzal"


class Letters:
    """Letters in order; about half answer one of the last hundred."""

    def __init__(self, seed=1):
        self.r = random.Random(seed)
        self.recent = []        # (message id, references, subject)
        self.lines = [" ".join(self.r.choice(WORDS) for _ in range(10)).capitalize() + "." for _ in range(2000)]
        self.blob = base64.encodebytes(self.r.randbytes(6000)).decode().splitlines()

    def text(self, size):
        """Lines of size bytes in all, or a few more."""
        at, out, n = self.r.randrange(len(self.lines)), [], 0
        while n < size:
            line = self.lines[at % len(self.lines)]
            out.append(line)
            n += len(line) + 1
            at += 1
        return out

    def body(self, i, size):
        kind = self.r.random() if size < 10000 else 0
        text = self.text(size if kind < 0.5 else size // 2)
        if i % 1000 == 7:
            text.insert(3, f"A {RARE_BODY} sat on the roof.")
        if kind < 0.5:
            return ["Content-Type: text/plain; charset=utf-8", ""] + text
        mark = f"b{i:x}x"
        if kind < 0.85:
            html = ["<html><body>"] + [f"<p>{t}</p>" for t in text[:len(text) * 2 // 3]] + ["</body></html>"]
            return [f'Content-Type: multipart/alternative; boundary="{mark}"', "", "--" + mark, "Content-Type: text/plain; charset=utf-8",
                    "", *text, "--" + mark, "Content-Type: text/html; charset=utf-8", "", *html, f"--{mark}--"]
        return [f'Content-Type: multipart/mixed; boundary="{mark}"', "", "--" + mark, "Content-Type: text/plain", "", *text, "--" + mark,
                f'Content-Type: application/pdf; name="{self.r.choice(WORDS)}.pdf"', "Content-Transfer-Encoding: base64",
                "Content-Disposition: attachment", "", *self.blob[:size // 160], f"--{mark}--"]

    def subject(self, i):
        s = " ".join(self.r.choice(WORDS) for _ in range(self.r.randint(2, 6)))
        if i % 100 == 3:
            s += " " + RARE_SUBJECT
        if i % 10 == 4:
            s = "=?utf-8?b?" + base64.b64encode(("Café " + s).encode()).decode() + "?="
        return s

    def make(self, i, size):
        """The bytes of letter i and its time."""
        when = BEGIN + i * STEP
        mid, refs, subject = f"<{i}.{self.r.getrandbits(40):x}@bench.example.com>", "", self.subject(i)
        head = []
        if self.recent and self.r.random() < 0.5:
            parent, refs, was = self.r.choice(self.recent)
            subject = was if was.startswith("Re: ") else "Re: " + was
            refs = (refs + " " + parent).strip() if len(refs) < 300 else parent
            head = ["In-Reply-To: " + parent, "References: " + refs.replace(" ", "\n ")]
        self.recent = self.recent[-99:] + [(mid, refs, subject)]
        who = self.r.choice(NAMES)
        other = self.r.choice(NAMES)
        head = [f"Return-Path: <{who.lower()}@{other.lower()}.example.net>",
                f"Received: from {other.lower()}.example.net by mail.example.com with ESMTPS id {i:08X}\n\tfor <big@example.com>; {date(when)}",
                f"From: {who} {self.r.choice(NAMES)} <{who.lower()}{self.r.randrange(25)}@{other.lower()}.example.net>",
                f"To: Big Box <big@example.com>, {other} <{other.lower()}@example.com>", f"Subject: {subject}", f"Date: {date(when - 5)}",
                f"Message-ID: {mid}", "MIME-Version: 1.0", "User-Agent: Bench/1.0", *head]
        return ("\n".join(head + self.body(i, size - 700)) + "\n").encode(), when


def date(t):
    """RFC 5322, in UTC, without the cost of email.utils."""
    days, sec = divmod(t, 86400)
    y = 400 * ((days + 719468) // 146097)
    doe = (days + 719468) % 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    m = mp + 3 if mp < 10 else mp - 9
    return (f"{DAYS[(days + 3) % 7]}, {doy - (153 * mp + 2) // 5 + 1:02} {MONTHS[m - 1]} {y + yoe + (m <= 2)} "
            f"{sec // 3600:02}:{sec // 60 % 60:02}:{sec % 60:02} +0000")


class Box:
    """One Maildir folder that is being filled."""

    def __init__(self, path, owner):
        self.owner, self.path = owner, path
        for d in ("tmp", "new", "cur"):
            os.makedirs(os.path.join(path, d), 0o700)

    def name(self, i, when, size):
        flags = "S" if i % 4 else ""
        return f"{self.path}/cur/{when}.M{i % 1000000:06}P1.bench,S={size}:2,{flags}"

    def put(self, i, letter, when):
        path = self.name(i, when, len(letter))
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, letter)
        os.fchown(fd, *self.owner)
        os.utime(fd, (when, when))
        os.close(fd)
        return path


def finish(top, owner):
    for d, _, _ in os.walk(top):
        os.chown(d, *owner)


def make(mail, owner, letters, idle):
    source = Letters()
    small = Box(mail + "/example.com/small/Maildir", owner)
    paths = [small.put(i, *source.make(i, source.r.randint(2000, 5000))) for i in range(100)]
    source = Letters(2)
    big = Box(mail + "/example.com/big/Maildir", owner)
    for i in range(letters):
        big.put(i, *source.make(i, source.r.randint(2000, 5000)))
    large = Box(mail + "/example.com/big/Maildir/.Large", owner)
    open(large.path + "/maildirfolder", "w").close()
    os.chown(large.path + "/maildirfolder", *owner)
    for i in range(2000):
        large.put(i, *source.make(i, 50000))
    for n in range(idle):
        box = Box(f"{mail}/example.com/idle{n}/Maildir", owner)
        for p in paths[:10]:
            os.link(p, f"{box.path}/cur/{os.path.basename(p)}")
    finish(mail, owner)


def make_huge(mail, owner, letters, folders):
    source = Letters(3)
    box = Box(mail + "/example.com/huge/Maildir", owner)
    paths = [box.put(i, *source.make(i, 1200)) for i in range(2000)]
    sizes = [os.path.getsize(p) for p in paths]
    for i in range(2000, letters):
        os.link(paths[i % 2000], box.name(i, BEGIN + i, sizes[i % 2000]))
    for i in range(folders):
        folder = Box(f"{box.path}/.Folder.{i // 100:03}.{i % 100:02}", owner)
        open(folder.path + "/maildirfolder", "w").close()
        os.chown(folder.path + "/maildirfolder", *owner)
    finish(mail, owner)
