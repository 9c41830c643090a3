#!/usr/bin/env python3
"""Asks Debian's Dovecot (package dovecot-imapd, no daemon running) for ENVELOPE, BODY and BODYSTRUCTURE of every shape and
writes shapes/NAME.want. Run by hand after generate.py; the tests only read the results.

expect.py [NAME...]
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
IMAP = "/usr/lib/dovecot/imap"


def answers(folder):
    """The output of one IMAP session without login, with a FETCH of everything."""
    conf = folder / "dovecot.conf"
    conf.write_text(f"mail_location = maildir:{folder}/Maildir\nlog_path = {folder}/log\nssl = no\nbase_dir = {folder}/run\n"
                    "mail_uid = nobody\nmail_gid = nogroup\nfirst_valid_uid = 1\nfirst_valid_gid = 1\nimap_max_line_length = 1M\n")
    commands = b"1 EXAMINE INBOX\r\n2 FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE)\r\n3 LOGOUT\r\n"
    subprocess.run(["chown", "-R", "nobody:nogroup", str(folder)], check=True)
    os.chmod(folder, 0o755)
    env = {"USER": "nobody", "HOME": str(folder), "PATH": os.environ["PATH"]}
    # stdin stays open: imap drops what is not yet written when it closes
    imap = subprocess.Popen([IMAP, "-c", str(conf)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                            user="nobody", group="nogroup")
    imap.stdin.write(commands)
    imap.stdin.flush()
    out = imap.stdout.read()
    if b"3 OK" not in out:
        sys.exit(f"no answer from {IMAP}: {imap.stderr.read().decode()} {out[-500:]!r}")
    return out


def take(data, at):
    """The end of the parenthesized list at data[at], literals and quoted strings respected."""
    depth = 0
    while True:
        c = data[at:at + 1]
        if c == b'"':
            at += 1
            while data[at:at + 1] != b'"':
                at += 2 if data[at:at + 1] == b"\\" else 1
        elif c == b"{":
            m = re.compile(rb"\{(\d+)\}\r\n").match(data, at)
            at = m.end() + int(m[1]) - 1
        elif c == b"(":
            depth += 1
        elif c == b")":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1


def main():
    names = sys.argv[1:] or sorted(p.stem for p in (HERE / "shapes").glob("*.eml"))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mime-expect-"))
    for sub in ("cur", "new", "tmp"):
        (folder / "Maildir" / sub).mkdir(parents=True)
    for i, name in enumerate(names):
        shutil.copy(HERE / "shapes" / (name + ".eml"), folder / "Maildir" / "cur" / f"{1000000000 + i}.M1.x:2,S")
    data = answers(folder)
    for i, name in enumerate(names):
        m = re.compile(rb"(?:^|\r\n)\* %d FETCH \(" % (i + 1)).search(data)
        at, out = m.end(), b""
        for item in (b"ENVELOPE", b"BODY", b"BODYSTRUCTURE"):
            while not data.startswith(item + b" (", at):
                at += 1
            end = take(data, at + len(item) + 1)
            out += data[at:end] + b"\n"
            at = end
        (HERE / "shapes" / (name + ".want")).write_bytes(out)
        data = data[at:]
    shutil.rmtree(folder)
    print(len(names), "expectations")


if __name__ == "__main__":
    main()
