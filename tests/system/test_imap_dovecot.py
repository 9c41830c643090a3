"""The same commands to Surat and to Debian's Dovecot on copies of one Maildir: what differs must be known and explained
(docs/IMAP-DIFFERENCES.md)."""
import os
import pathlib
import re
import shutil
import tempfile

import imap_letters
import pytest
from imap_compare import differences
from imap_peer import Client, Dovecot
from instance import Instance

TITO = "tito@example.com"

# regular expression for "command | part | shape", reason
ALLOWED = [
    (r"\| \d+ (ENVELOPE|BODY|BODYSTRUCTURE) \| (from-dot-space-dot|multi-boundary-too-long|type-param-2231-big|type-semicolons)$",
     "see tests/mime/README.md"),
    (r"BODY.PEEK\[(1\.1|2\.1|1\.1\.1|2\.1\.1)(\.MIME)?\].*\| \d+ BODY\[(1\.1|2\.1|1\.1\.1|2\.1\.1)(\.MIME)?\] \|", "there is no part 1.1"),
    (r"BODYSTRUCTURE|FULL.* \| \d+ (BODY|BODYSTRUCTURE) \| extra$", "last line end of a multipart inside a multipart"),
    (r"BODY.PEEK\[1\].*\| \d+ BODY\[1\](<\d+>)? \| (multi-|extra)", "last line end of a multipart inside a multipart"),
    (r"\| \d+ BODY\[4\.TEXT\] \| extra$", "last line end of a multipart inside a multipart"),
    (r"\| \d+ BODY\[\d\.(MIME|HEADER)\] \| multi-(header-only-part|nested-outer-in-header|empty-parts|start-blank-end|rfc822-(blank-then-boundary|cut-in-header|empty|no-blank))$",
     "line end of a header that a boundary cuts off"),
    (r"HEADER.FIELDS.*\| (only-cr|plain-header-cut-in-name|plain-header-cut-in-value|plain-no-blank-line|empty|rfc822-base64|rfc822-empty|rfc822-no-body)$",
     "empty line behind HEADER.FIELDS"),
    (r"HEADER.FIELDS.*<4> \| cr-before-crlf$", "CR CR LF"),
    (r"BINARY.*\| \d+ BINARY.* \| (multi-(deep-95|nested.*|prefix.*|same-boundary)|real-outlook|real-apple|rfc822-base64|extra)$", "BINARY of a multipart"),
    (r"BINARY.*\| \d+ (BINARY.*|UID) \| content-encoding-(bad|empty|quoted)$", "BINARY where the encoding cannot be read"),
    (r"FETCH (25|28|30) BINARY.*\| (code|tagged) \|", "BINARY where the encoding cannot be read"),
    (r"SEARCH SENT(BEFORE|SINCE|ON) .*\| SEARCH \|", "no Date"),
    (r"SEARCH FROM \"Tito <\" \| SEARCH \|", "addresses written anew"),
    (r"SEARCH SUBJECT \"folded  subject\" \| SEARCH \|", "two blanks in a row"),
    (r"SEARCH NOT BODY x \| SEARCH \|", "unknown encoding; tests/mime/README.md"),
]


@pytest.fixture(scope="module")
def ours():
    with Instance(users={TITO: "secret-tito"}) as i:
        i.wait_ready()
        client = Client.connect(i.port("imap"))
        client.ok("LOGIN tito secret-tito")         # makes the Maildir
        client.ok("LOGOUT")
        box = i.maildir(TITO)
        imap_letters.fill(box)
        owner = box.stat()
        for path in [box / "dovecot-keywords", *(box / "cur").iterdir()]:
            os.chown(path, owner.st_uid, owner.st_gid)
        client = Client.connect(i.port("imap"))
        client.ok("LOGIN tito secret-tito")
        yield client


@pytest.fixture(scope="module")
def theirs():
    if why := Dovecot.missing():
        pytest.skip(why)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="imap-dovecot-"))
    folder.chmod(0o755)
    (folder / "Maildir").mkdir()
    imap_letters.fill(folder / "Maildir")
    dovecot = Dovecot(folder)
    first = dovecot.session()
    first.ok("SELECT INBOX")                        # what follows is not recent any more
    dovecot.close()
    yield dovecot.session()
    dovecot.close()
    shutil.rmtree(folder)


def shape(part):
    names, number = imap_letters.names(), re.match(r"(\d+) ", part)
    return "" if not number else names[int(number[1]) - 1] if int(number[1]) <= len(names) else "extra"


def test_answers(ours, theirs):
    n = len(imap_letters.names()) + len(list(imap_letters.extra()))
    for c in (ours, theirs):
        assert b"* %d EXISTS\r\n" % n in c.ok("SELECT INBOX")
    new, used = [], set()
    for command, part, a, b in differences(ours, theirs, n, imap_letters.sane(n)):
        command = command if isinstance(command, str) else command.decode()
        line = f"{command} | {part} | {shape(part)}"
        reasons = [r for r, _ in ALLOWED if re.search(r, line)]
        used.update(reasons[:1])
        if not reasons:
            new.append(f"{line}\n   ours   {a!r:.300}\n   theirs {b!r:.300}")
    assert not new, f"{len(new)} differences:\n" + "\n".join(new[:20])
    assert used == {r for r, _ in ALLOWED}, ("these are no differences any more", {r for r, _ in ALLOWED} - used)
