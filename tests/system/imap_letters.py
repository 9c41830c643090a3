"""Letters for the IMAP tests: tests/mime's shapes, and more that ask something of SEARCH, SORT and THREAD."""
import base64
import os
import pathlib

SHAPES = pathlib.Path(__file__).parent.parent / "mime" / "shapes"


def letter(subject, body="x\n", date="Mon, 7 Feb 1994 21:52:25 -0800", crlf=False, **fields):
    head = {"From": "Tito <tito@example.com>", "To": "Iqbal <iqbal@example.com>", "Subject": subject, "Date": date}
    head.update({k.replace("_", "-"): v for k, v in fields.items()})
    text = "".join(f"{k}: {v}\n" for k, v in head.items() if v is not None) + "\n" + body
    data = text.encode("latin-1")
    return data.replace(b"\n", b"\r\n") if crlf else data


def nested():
    inner = "From: inner@example.com\nSubject: inside\n\nneedle inside\n"
    return letter("nested", "preamble\n--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\nContent-Type: text/plain\n\nplain needle\n"
                  "--i\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<p>caf=C3=A9 nee=\ndle</p>\n--i--\n--o\n"
                  f"Content-Type: message/rfc822\n\n{inner}--o\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
                  f"\n{base64.b64encode(bytes(range(256)) * 4).decode()}\n--o\nContent-Type: message/rfc822\nContent-Description: two\n\n"
                  "Subject: deep\nContent-Type: multipart/mixed; boundary=d\n\n--d\n\none\n--d\nContent-Type: text/x-note\n\ntwo words\n--d--\n"
                  "--o\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n--o--\nepilogue needle\n",
                  MIME_Version="1.0", Content_Type="multipart/mixed; boundary=o")


def threads():
    def m(subject, mid, refs=None, date=None, reply=None):
        return letter(subject, date=date or "Mon, 7 Feb 1994 21:52:25 -0800", Message_ID=f"<{mid}>" if mid else None,
                      References=refs, In_Reply_To=reply)
    yield m("Plan", "a@x", date="Mon, 7 Feb 1994 10:00:00 +0000")
    yield m("Re: Plan", "b@x", "<a@x>", "Mon, 7 Feb 1994 11:00:00 +0000")
    yield m("Re: Plan", "c@x", "<a@x> <b@x>", "Mon, 7 Feb 1994 09:00:00 +0000")
    yield m("Other", "d@x", "<a@x> <b@x>", "Mon, 7 Feb 1994 12:00:00 +0000")
    yield m("Re: Lost", "e@x", "<gone@x>", "Tue, 8 Feb 1994 12:00:00 +0000")
    yield m("Re: Lost", "f@x", "<gone@x>", "Tue, 8 Feb 1994 11:00:00 +0000")
    yield m("Lunch", None, date="Wed, 9 Feb 1994 12:00:00 +0000")
    yield m("Re: Lunch", None, date="Wed, 9 Feb 1994 13:00:00 +0000")
    yield m("RE: [list] Lunch (fwd)", None, date="Wed, 9 Feb 1994 12:30:00 +0000")
    yield m("Loop", "l1@x", "<l2@x>", "Thu, 10 Feb 1994 12:00:00 +0000")
    yield m("Loop two", "l2@x", "<l1@x>", "Thu, 10 Feb 1994 13:00:00 +0000")
    yield m("By reply", "r@x", None, "Thu, 10 Feb 1994 14:00:00 +0000", "<d@x>")
    yield m("Twice", "a@x", None, "Thu, 10 Feb 1994 15:00:00 +0000")
    yield m("Same", "s1@x", None, "Fri, 11 Feb 1994 15:00:00 +0000")
    yield m("Same", "s2@x", None, "Fri, 11 Feb 1994 16:00:00 +0000")
    yield m("", "n1@x", None, "Sat, 12 Feb 1994 16:00:00 +0000")
    yield m("", "n2@x", None, "Sat, 12 Feb 1994 17:00:00 +0000")


def extra():
    yield nested()
    yield from threads()
    for zone in ("-1200", "-0800", "+0000", "+0530", "+1400", "EST", "(odd)"):
        for hour in ("00:30:00", "23:30:00"):
            yield letter(f"zone {zone} {hour}", date=f"15 Mar 2001 {hour} {zone}")
    yield letter("no date", date=None)
    yield letter("bad date", date="yesterday")
    for name, text in (("iso-8859-1", "na\xefve caf\xe9"), ("koi8-r", "\xf0\xd2\xc9\xd7\xc5\xd4"), ("utf-8", "gr\xc3\xbc\xc3\x9fe"),
                       ("windows-1252", "\x93quoted\x94"), ("x-nobody-knows", "caf\xe9 plain"), ("iso-2022-jp", "\x1b$B%F%9%H\x1b(B end")):
        yield letter(f"charset {name}", text + "\n", MIME_Version="1.0", Content_Type=f"text/plain; charset={name}",
                     Content_Transfer_Encoding="8bit")
        yield letter(f"base64 {name}", base64.encodebytes(text.encode("latin-1")).decode(), MIME_Version="1.0",
                     Content_Type=f"text/plain; charset={name}", Content_Transfer_Encoding="base64")
    yield letter("=?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?Q?_aus_K=F6ln?=", From="=?utf-8?B?SsO8cmdlbg==?= <j@example.org>",
                 X_Note="folded\n\tover =?utf-8?Q?caf=C3=A9?=")
    yield letter("folded\n  subject\n\tthree", To="a@example.com,\n\tBee Bee <b@example.com>", Cc="Group: g@example.com, h@example.com;",
                 Bcc="hidden@example.com", Sender="s@example.com", Reply_To="r@example.com")
    yield letter("crlf", "one\ntwo\n\nthree\n" * 20, crlf=True)
    yield letter("nul", "a\0b\nc\n")
    yield letter("eight", "\xe9\xe8 bytes\n", X_Eight="\xe9\xe8")
    yield letter("long", "".join(f"line {i} of a long letter\n" for i in range(9000)))
    yield letter("long crlf", "".join(f"line {i} of a long letter\n" for i in range(9000)), crlf=True)
    yield letter("unknown encoding", "x\n", MIME_Version="1.0", Content_Type="text/plain", Content_Transfer_Encoding="x-funny")
    yield letter("qp", "soft =\nbreak =3D =\n", MIME_Version="1.0", Content_Type="text/plain", Content_Transfer_Encoding="quoted-printable")


FLAGS = ["", "S", "FS", "RS", "D", "ST", "a", "Sb"]


def names():
    """Of the letters in the order of fill, without those of extra."""
    return [p.stem for p in sorted(SHAPES.glob("*.eml"))]


def sane(n):
    """The sequence set of the letters whose addresses and subjects are not broken on purpose."""
    good = [i for i, name in enumerate(names(), 1) if name.split("-")[0] in ("multi", "type", "content", "real", "rfc822", "plain")]
    return ",".join(map(str, good)) + f",{len(names()) + 1}:{n}"


def fill(maildir, shapes=True):
    """Writes all into maildir/cur, with flags and times that differ; returns how many. Keywords a and b are $Junk and Work."""
    for sub in ("cur", "new", "tmp"):
        (maildir / sub).mkdir(parents=True, exist_ok=True)
    (maildir / "dovecot-keywords").write_text("0 $Junk\n1 Work\n")
    data = [p.read_bytes() for p in sorted(SHAPES.glob("*.eml"))] if shapes else []
    data += list(extra())
    for i, one in enumerate(data):
        path = maildir / "cur" / f"{1000000000 + i}.M{i}P1.host:2,{FLAGS[i % len(FLAGS)]}"
        path.write_bytes(one)
        when = 1000000000 + i * 7001
        os.utime(path, (when, when))
    return len(data)
