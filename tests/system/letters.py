"""Letters with a mark of their own, and how they are found again; system users that live as long as a test."""
import contextlib
import email
import email.policy
import itertools
import os
import poplib
import pwd
import random
import shutil
import smtplib
import ssl
import subprocess
import time

from instance import BUILD, wait_for

PATIENCE = 30.0
poplib._MAXLINE = 1 << 20         # letters have longer lines than RFC 1939 knows
numbers = itertools.count(1)


def mark():
    return f"m{os.getpid()}x{next(numbers)}x{random.randrange(1 << 40):x}"


def letter(to="iqbal@example.com", sender="tito@example.com", body="Halo.\n", **fields):
    """The text of a letter (LF line ends) and its mark, which stands in Subject."""
    m = mark()
    head = {"From": f"<{sender}>", "To": f"<{to}>", "Subject": m, **fields}
    return "".join(f"{k}: {v}\n" for k, v in head.items()) + "\n" + body, m


def crlf(text):
    return text.replace("\n", "\r\n").encode()


def trust(i):
    return ssl.create_default_context(cafile=str(i.cert))


def smtp(i, service="smtp", user=None, password=None, timeout=60):
    """A session behind EHLO; with a user behind STARTTLS and AUTH."""
    if service == "submissions":
        s = smtplib.SMTP_SSL("127.0.0.1", i.port(service), "client.example.com", context=trust(i), timeout=timeout)
    else:
        s = smtplib.SMTP("127.0.0.1", i.port(service), "client.example.com", timeout=timeout)
    s.ehlo()
    if user:
        if service != "submissions":
            s.starttls(context=trust(i))
        s.login(user, password)
    return s


def pop3(i, user, password, service="pop3", stls=True):
    if service == "pop3s":
        p = poplib.POP3_SSL("127.0.0.1", i.port(service), context=trust(i), timeout=60)
    else:
        p = poplib.POP3("127.0.0.1", i.port(service), timeout=60)
        if stls:
            p.stls(trust(i))
    p.user(user)
    p.pass_(password)
    return p


def retrieve(p, number):
    return b"\n".join(p.retr(number)[1]) + b"\n"


def find_in(p, m):
    for n in range(len(p.list()[1]), 0, -1):
        text = retrieve(p, n)
        if m.encode() in text:
            return n, text
    return None


def fetch(i, user, m, password=None, seconds=PATIENCE):
    """The bytes (LF) of the letter with mark m as POP3 gives it; waits for it."""
    def look():
        p = pop3(i, user, password or i.users[user])
        try:
            found = find_in(p, m)
            return found and found[1]
        finally:
            p.quit()
    return wait_for(f"letter {m} at {user}; log:\n{i.log_text()[-3000:]}", look, seconds)


def body_of(raw):
    return raw.split(b"\n\n", 1)[1]


def parse(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def files_of(maildir):
    found = []
    for part in ("new", "cur"):
        with contextlib.suppress(FileNotFoundError):
            found += sorted((maildir / part).iterdir())
    return found


def wait_file(maildir, m, seconds=PATIENCE):
    """The bytes of the file in maildir (a pathlib.Path) that holds m."""
    def look():
        for f in files_of(maildir):
            with contextlib.suppress(FileNotFoundError):
                text = f.read_bytes()
                if m.encode() in text:
                    return text
        return None
    return wait_for(f"letter {m} in {maildir}", look, seconds)


def queue_ids(i):
    import json
    return [json.loads(line)["queue_id"] for line in i.surat("queue", "list", "-j").stdout.splitlines()]


def wait_queue_empty(i, seconds=PATIENCE):
    wait_for("the queue is empty", lambda: not queue_ids(i), seconds)


def sendmail(i, *args, text="", user=None, name="sendmail", timeout=60):
    """sendmail(1) of the build, as a system user if one is named; the CompletedProcess."""
    command = [BUILD / "tools/sendmail"] if name == "sendmail" else [i.dir / "bin" / name]
    if user:
        command = ["setpriv", "--reuid", str(pwd.getpwnam(user).pw_uid), "--regid", str(pwd.getpwnam(user).pw_gid), "--clear-groups", *command]
    if isinstance(text, str):
        text = text.encode()
    return subprocess.run([*command, *args], input=text, capture_output=True, timeout=timeout,
                          env={"PATH": os.environ["PATH"], "MAIL_CONFIG": str(i.etc)})


@contextlib.contextmanager
def system_users(*names, where, password="kata-sandi-7"):
    """Real accounts with homes below where; yields {name: pwd entry} and removes them."""
    tag = f"t{random.randrange(1 << 24):06x}"
    made = {}
    try:
        for name in names:
            full = name + tag
            home = where / full
            subprocess.run(["useradd", "--create-home", "--home-dir", home, "--shell", "/bin/sh", "--no-log-init", full], check=True)
            subprocess.run(["chpasswd"], input=f"{full}:{password}\n", text=True, check=True)
            made[name] = pwd.getpwnam(full)
        yield made
    finally:
        for entry in made.values():
            for _ in range(20):
                if subprocess.run(["userdel", "--force", entry.pw_name], capture_output=True).returncode in (0, 6):
                    break
                time.sleep(0.2)
            shutil.rmtree(entry.pw_dir, ignore_errors=True)
