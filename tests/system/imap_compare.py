"""The same FETCH, SEARCH, SORT and THREAD commands to two IMAP servers on copies of one Maildir, answers compared."""
import re

from imap_peer import fetched, thread

FETCH = [
    "FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE)", "UID FETCH 1:* FLAGS", "FETCH 1:* ALL", "FETCH 1:* FAST", "FETCH 1:* FULL",
    "FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE)", "FETCH 1:* BODY.PEEK[]", "FETCH 1:* BODY.PEEK[HEADER]", "FETCH 1:* BODY.PEEK[TEXT]",
    "FETCH 1:* RFC822.HEADER", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject FROM x-none \"to\" content-type)]",
    "FETCH 1:* BODY.PEEK[HEADER.FIELDS.NOT (Subject FROM x-none \"to\" content-type)]", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (X-None)]",
    "FETCH 1:* (BODY.PEEK[1] BODY.PEEK[1.MIME])", "FETCH 1:* (BODY.PEEK[2] BODY.PEEK[2.MIME])", "FETCH 1:* BODY.PEEK[3]",
    "FETCH 1:* (BODY.PEEK[1.1] BODY.PEEK[1.2] BODY.PEEK[2.1] BODY.PEEK[2.2])", "FETCH 1:* (BODY.PEEK[1.1.MIME] BODY.PEEK[2.1.MIME])",
    "FETCH 1:* BODY.PEEK[1.1.1]", "FETCH 1:* BODY.PEEK[2.1.1]", "FETCH 1:* BODY.PEEK[99]", "FETCH 1:* BODY.PEEK[1.99]",
    "FETCH 1:* (BODY.PEEK[2.HEADER] BODY.PEEK[2.TEXT] BODY.PEEK[4.HEADER] BODY.PEEK[4.TEXT])",
    "FETCH 1:* (BODY.PEEK[1.HEADER] BODY.PEEK[1.TEXT] BODY.PEEK[3.HEADER])",
    "FETCH 1:* BODY.PEEK[2.HEADER.FIELDS (subject)]", "FETCH 1:* BODY.PEEK[1.HEADER.FIELDS (subject)]",
    "FETCH 1:* BODY.PEEK[]<0.10>", "FETCH 1:* BODY.PEEK[]<7.100>", "FETCH 1:* BODY.PEEK[TEXT]<1.1>", "FETCH 1:* BODY.PEEK[]<1000000.10>",
    "FETCH 1:* BODY.PEEK[HEADER]<20.30>", "FETCH 1:* BODY.PEEK[1]<3.5>", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject)]<4.9>",
    "FETCH 1:* BODY.PEEK[TEXT]<100000.70000>", "FETCH 1:* BODY.PEEK[TEXT]<65530.20>",
]
BINARY = ["FETCH {} BINARY.PEEK[1]", "FETCH {} BINARY.SIZE[1]", "FETCH {} BINARY.PEEK[2]", "FETCH {} BINARY.PEEK[1]<1.4>", "FETCH {} BINARY.PEEK[3]"]
KEYS = [
    "ALL", "ANSWERED", "BCC hidden", "BEFORE 10-Sep-2001", "BODY needle", "CC group", "CC g@example", "DELETED", "DRAFT", "FLAGGED", "FROM tito",
    "FROM \"Tito <\"", "HEADER Message-ID shape", "HEADER X-Note \"\"", "HEADER X-Note caf", "HEADER X-None \"\"", "HEADER Subject \"\"",
    "HEADER Content-Type multipart", "HEADER Received by", "HEADER To \"\"", "HEADER Bcc \"\"", "HEADER From tito", "KEYWORD $junk", "KEYWORD work",
    "KEYWORD none", "LARGER 1000", "LARGER 239", "SMALLER 240", "SMALLER 10", "NEW", "NOT SEEN", "OLD", "ON 9-Sep-2001", "ON 10-Sep-2001",
    "OR SEEN FLAGGED", "OR NOT SEEN (FLAGGED DELETED)", "RECENT", "SEEN", "SENTBEFORE 15-Mar-2001", "SENTON 15-Mar-2001", "SENTON 14-Mar-2001",
    "SENTON 16-Mar-2001", "SENTSINCE 15-Mar-2001", "SENTSINCE 16-Mar-2001", "SENTON 7-Feb-1994", "SENTON 22-Nov-2026", "SENTBEFORE 1-Jan-1990",
    "SINCE 10-Sep-2001", "SUBJECT shape", "SUBJECT SHAPE", "SUBJECT zone", "SUBJECT plan", "SUBJECT \"folded subject\"", "SUBJECT \"folded  subject\"",
    "TEXT needle", "TEXT shape", "TEXT \"Subject: shape\"", "TEXT inside", "TEXT boundary=", "TEXT \"epilogue needle\"", "TO iqbal", "TO b@example",
    "TO \"bee bee\"", "UID 1:10", "UID 5,7,300:*", "UID 99999:*", "UID 99999", "UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNKEYWORD $junk", "UNKEYWORD none",
    "UNSEEN", "1:5", "3,7:9", "*", "5:*", "NOT 1:5", "1:5 SEEN", "SUBJECT shape FROM tito SEEN NOT FLAGGED", "OR SUBJECT zone BODY needle",
    "NOT (SUBJECT shape)", "NOT BODY x", "BODY two", "BODY \"two words\"", "BODY plain", "BODY hello", "BODY end", "BODY break", "BODY \"soft break\"",
    "BODY quoted", "BODY Reporting-MTA", "BODY \"--o\"", "BODY Content-Type", "BODY preamble", "BODY 8999", "TEXT 8999", "BODY \"line 9 of a long letter\"",
    "OLDER 100", "YOUNGER 100", "MODSEQ 1", "RETURN () ALL", "RETURN (MIN) ALL", "RETURN (MAX) SUBJECT shape", "RETURN (MIN MAX COUNT) SUBJECT shape",
    "RETURN (ALL COUNT) KEYWORD none", "RETURN (ALL) KEYWORD none", "RETURN (COUNT) UNSEEN", "RETURN (SAVE) FLAGGED", "$", "RETURN (SAVE MIN) SEEN", "$",
    "RETURN (SAVE MIN MAX COUNT) UNSEEN", "$ SUBJECT shape", "CHARSET UTF-8 SUBJECT {}", "CHARSET ISO-8859-1 SUBJECT plan", "CHARSET X-NONE SUBJECT plan",
    "CHARSET US-ASCII TEXT plan", "FOO", "OR SEEN", "SUBJECT", "BEFORE 99-Foo-2001", "UID 0", "1:100000", "()", "(SEEN)", "((SEEN) FLAGGED)", "TEXT \"\"", "BODY \"\"", "SUBJECT \"\"",
    "FROM \"\"", "HEADER \"\" x",
]
LITERALS = [("CHARSET UTF-8 SUBJECT", "Grüße"), ("CHARSET UTF-8 SUBJECT", "köln"), ("CHARSET UTF-8 SUBJECT", "KÖLN"), ("CHARSET UTF-8 FROM", "jürgen"),
            ("CHARSET UTF-8 BODY", "grüße"), ("CHARSET UTF-8 BODY", "café"), ("CHARSET UTF-8 BODY", "Привет"), ("CHARSET UTF-8 BODY", "テスト"),
            ("CHARSET UTF-8 TEXT", "CAFÉ"), ("CHARSET UTF-8 HEADER X-Note", "CAFÉ"), ("CHARSET UTF-8 BODY", "“quoted”"), ("CHARSET UTF-8 BODY", "naïve")]
SORTS = ["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "REVERSE DATE", "REVERSE SUBJECT DATE", "SUBJECT REVERSE DATE", "FROM SUBJECT", "REVERSE SIZE FROM",
         "REVERSE ARRIVAL", "CC TO FROM SIZE", "DISPLAYFROM", "DISPLAYTO", "REVERSE DISPLAYFROM SUBJECT"]


def commands(n, sane):
    """sane: the sequence set of the letters whose From and Subject are what they should be."""
    yield from FETCH
    for c in BINARY:
        for i in range(1, n + 1):
            yield c.format(i)
    for k in KEYS:
        yield "SEARCH " + k.format('"plan"')
        yield "UID SEARCH " + k.format('"plan"')
    for k, text in LITERALS:
        yield f"SEARCH {k} ".encode() + b"{%d+}\r\n" % len(text.encode()) + text.encode()
    for s in SORTS:
        yield f"SORT ({s}) UTF-8 {sane}"
        yield f"UID SORT ({s}) US-ASCII NOT SUBJECT shape {sane}"
    for algorithm in ("REFERENCES", "ORDEREDSUBJECT"):
        yield f"THREAD {algorithm} UTF-8 {sane}"
        yield f"UID THREAD {algorithm} US-ASCII NOT SUBJECT shape {sane}"
        yield f"THREAD {algorithm} UTF-8 KEYWORD none"
    yield "SORT RETURN (MIN MAX COUNT ALL) (SUBJECT) UTF-8 SUBJECT zone"
    # these change flags
    yield "FETCH 1 BODY[]"
    yield "FETCH 3 RFC822"
    yield "FETCH 9 RFC822.TEXT"
    yield "FETCH 17 (FLAGS BODY[HEADER])"
    yield "UID FETCH 25 BINARY[1]"
    yield "FETCH 1:* FLAGS"


def normal(answers):
    """What counts of the answers to one command: {part: value}."""
    out = {"tagged": answers[-1].split(b" ")[1].decode()}
    code = re.match(rb"\S+ \S+ \[([A-Z-]+)", answers[-1])
    if code and code[1] not in (b"EXPUNGEISSUED",):
        out["code"] = code[1].decode()
    for a in answers[:-1]:
        word = a.split(b" ")[1].strip()
        if word in (b"SEARCH", b"SORT"):
            numbers = re.sub(rb"\(MODSEQ \d+\)", b"", a).split()[2:]
            out[word.decode()] = sorted(map(int, numbers)) if word == b"SEARCH" else list(map(int, numbers))
        elif word == b"THREAD":
            out["THREAD"] = thread(a[len(b"* THREAD"):])
        elif word == b"ESEARCH":
            rest = re.sub(rb'\(TAG "[^"]*"\)', b"", a).split()[2:]
            out["ESEARCH"] = sorted(b" ".join(rest[i:i + 2]) for i in range(rest[:1] == [b"UID"], len(rest), 2)) + rest[:rest[:1] == [b"UID"]]
    for n, got in fetched(answers[:-1]).items():
        for name, value in got.items():
            # \Recent is ours to say only once, and of letters that were in new/
            out[f"{n} {name}".replace('"', "")] = sorted(set(value) - {b"\\Recent"}) if name == "FLAGS" else value
    return {k: v for k, v in out.items() if not re.match(r"\d+ MODSEQ", k)}


def differences(ours, theirs, n, sane):
    """(command, part, our value, their value) of all that differ."""
    for c in commands(n, sane):
        a, b = normal(ours.command(c)), normal(theirs.command(c))
        for part in sorted(set(a) | set(b)):
            if a.get(part) != b.get(part):
                yield c, part, a.get(part), b.get(part)
