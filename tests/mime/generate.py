#!/usr/bin/env python3
"""Writes the message shapes of this folder: shapes/NAME.eml. Deterministic; run again after adding a row.

generate.py             writes shapes/*.eml
"""
import pathlib

HERE = pathlib.Path(__file__).parent
SHAPES = {}


def add(name, text, crlf=True):
    """A str is Latin-1 with LF line ends that become CRLF when crlf; bytes are taken as they are."""
    if isinstance(text, str):
        text = text.encode("latin-1")
        if crlf:
            text = text.replace(b"\n", b"\r\n")
    assert name not in SHAPES, name
    SHAPES[name] = text


HEAD = """From: Tito <tito@example.com>
To: Iqbal <iqbal@example.com>
Subject: shape
Date: Sun, 22 Nov 2026 08:02:00 +0000
Message-ID: <shape@example.com>
MIME-Version: 1.0
"""


def mp(body, ctype='multipart/mixed; boundary="b"', head=HEAD):
    return f"{head}Content-Type: {ctype}\n\n{body}"


def field(name, *lines, body="x\n"):
    """A message with the given header lines in place of everything else."""
    add(name, "\n".join(lines) + "\n\n" + body)


def sizes():
    add("plain", HEAD + "\nHello\n")
    add("plain-lf", HEAD + "\nHello\nworld\n", crlf=False)
    add("plain-no-last-newline", HEAD + "\nHello")
    add("plain-no-body", HEAD + "\n")
    add("plain-no-blank-line", HEAD)
    add("plain-header-cut-in-name", "From: a@b\nSubj")
    add("plain-header-cut-in-value", "From: a@b\nSubject: abc")
    add("empty", "")
    add("only-newline", "\n")
    add("only-lf", b"\n")
    add("only-cr", b"\r")
    add("only-body", "\njust a body\n")
    add("text-without-header", "just a line\nand another\n\nbody\n")
    add("mixed-line-ends", b"From: a@b\nSubject: x\r\nTo: c@d\n\r\none\ntwo\r\nthree\n\r\n")
    add("bare-cr-in-header", b"From: a@b\r\nSubject: one\rtwo\r\n\r\nx\ry\r\n")
    add("bare-cr-in-body", b"Subject: x\r\n\r\none\rtwo\r\rthree\r\n")
    add("nul-in-header", b"From: a@b\r\nSubject: one\0two\r\n\r\nx\r\n")
    add("nul-in-body", b"From: a@b\r\nSubject: nul\r\n\r\none\0two\r\n")
    add("nul-in-from", b"From: a\0x <b@c>\r\n\r\nx\r\n")
    add("cr-before-crlf", b"From: a@b\r\r\nSubject: x\r\r\n\r\nbody\r\r\n")
    add("long-lines", HEAD + "\n" + "y" * 5000 + "\n" + "z" * 12000 + "\n")
    add("many-blank-lines", HEAD + "\n" + "\n" * 500)
    add("mbox-from-line", "From tito@example.com Sun Nov 22 08:02:00 2026\nFrom: a@b\nSubject: x\n\nbody\n")


def unstructured():
    field("subject-folded", "Subject: one", " two", "\tthree")
    field("subject-folded-blank", "Subject: one", " ", " two")
    field("subject-empty", "Subject:")
    field("subject-blank", "Subject:   ")
    field("subject-only-fold", "Subject:", " folded at once")
    field("subject-trailing-blanks", "Subject: x  \t ")
    field("subject-leading-blanks", "Subject:     x")
    field("subject-quote", 'Subject: say "hello" \\ there')
    field("subject-backslash-end", "Subject: x\\")
    field("subject-8bit", "Subject: caf\xe9")
    add("subject-utf8", "Subject: caf\u00e9 \u20ac\n\nx\n".encode().replace(b"\n", b"\r\n"))
    field("subject-2047", "Subject: =?utf-8?Q?caf=C3=A9?= =?iso-8859-1?B?6Q==?=")
    field("subject-2047-folded", "Subject: =?utf-8?Q?caf=C3=A9?=", " =?utf-8?Q?_au_lait?=")
    field("subject-twice", "Subject: one", "Subject: two")
    field("subject-long", "Subject: " + "a" * 998)
    field("subject-very-long", "Subject: " + "word " * 3000)
    field("subject-many-folds", "Subject: 0", *[f" {i}" for i in range(1, 400)])
    field("subject-name-case", "sUBJECT: x", "FROM: a@b", "message-ID: <q>")
    field("subject-space-before-colon", "Subject : x", "From\t: a@b")
    field("subject-no-space", "Subject:x")
    field("subject-tab", "Subject:\tx\ty")
    field("subject-control", "Subject: a\x01b\x07c\x7f")
    field("line-without-colon", "From: a@b", "no colon here", "Subject: x")
    field("line-of-blanks-in-header", "From: a@b", "   ", "Subject: x")
    field("first-line-continuation", " leading", "Subject: x")
    field("colon-first", ": empty name", "Subject: x")
    field("message-id-folded", "Message-ID:", " <abc@def>", "In-Reply-To: <1@x>", "\t<2@x>")
    field("message-id-spaces", "Message-ID: <a b @ c>  (comment)")
    field("message-id-none", "Message-ID: garbage")
    field("message-id-twice", "Message-ID: <one@x>", "Message-ID: <two@x>")
    field("date-odd", "Date: yesterday at noon")
    field("date-folded", "Date: Sun, 22 Nov 2026", " 08:02:00 +0000 (UTC)")
    field("date-twice", "Date: one", "Date: two")
    field("references", "References: <1@x> <2@x>", "In-Reply-To: \"quoted\" <3@x>")


def addresses():
    rows = {
        "plain": "a@b.c", "angle": "<a@b.c>", "name": "Tito <a@b.c>", "quoted-name": '"Tito, the \\"Great\\"" <a@b.c>',
        "comment-name": "a@b.c (Tito)", "comment-inside": "Tito (x) Second <a(y)@(z)b.c> (w)", "two": "a@b, c@d",
        "group": "Friends: a@b, C <c@d>;", "group-empty": "undisclosed-recipients:;", "group-quoted": '"My, group": a@b;',
        "group-unclosed": "Friends: a@b, c@d", "group-then-more": "G: a@b;, c@d", "group-no-comma": "G: a@b; c@d",
        "group-in-group": "G: H: a@b;, c@d;", "route": "<@x,@y:a@b>", "route-name": "N <@x:a@b>", "route-bad": "<@x a@b>",
        "no-domain": "tito", "no-domain-angle": "Tito <tito>", "no-local": "<@b>", "empty-angle": "<>", "empty-angle-name": "X <>",
        "unclosed-angle": "X <a@b", "unclosed-quote": '"X <a@b>', "unclosed-comment": "a@b (X", "quoted-local": '"a b"@c.d',
        "quoted-local-special": '"a\\"b\\\\c"@d', "literal": "a@[192.0.2.1]", "literal-ipv6": "a@[IPv6:::1]",
        "literal-unclosed": "a@[192.0.2.1", "dots": "a.b.c@d.e.f", "double-dot": "a..b@c.d", "leading-dot": ".a@b", "trailing-dot": "a.@b.",
        "spaces": " a @ b . c ", "spaces-in-local": "a b@c", "two-at": "a@b@c", "commas": ",,a@b,,c@d,,", "semicolon": "a@b; c@d",
        "name-with-dot": "J. R. Hacker <a@b>", "name-with-comma": "Hacker, J <a@b>", "name-with-at": "a@b <c@d>",
        "name-2047": "=?utf-8?Q?J=C3=B6rg?= <a@b>", "name-2047-quoted": '"=?utf-8?Q?J=C3=B6rg?=" <a@b>',
        "name-8bit": "J\xf6rg <a@b>", "name-8bit-quoted": '"J\xf6rg" <a@b>', "local-8bit": "j\xf6rg@b", "domain-8bit": "a@b\xfc.c",
        "name-backslash": "A\\B <a@b>", "name-empty-quotes": '"" <a@b>', "garbage": "!#$%&'*+-/=?^_`{|}~", "specials": "()<>@,;:\\\".[]",
        "angle-twice": "X <a@b> <c@d>", "after-angle": "X <a@b> y", "angle-missing-open": "X a@b>", "nested-comment": "a@b (x (y (z)) w)",
        "comment-escaped": "a@b (x \\) y)", "comment-8bit": "a@b (J\xf6rg)", "blank": "   ", "only-comment": "(hello)", "only-comma": ",",
        "name-adjacent-quotes": '"A""B" "C" <a@b>', "name-dot-end": "Tito. <a@b>", "dots-name-address": "a.b <c@d>", "x400": "/G=A/S=B/@gw.x",
        "percent": "a%b@c", "bang": "x!y!z", "quoted-then-atom": '"a".b@c', "atom-then-quoted": 'a."b"@c', "angle-spaces": "X < a@b >",
        "mailto": "<mailto:a@b>", "brackets-in-name": "X [y] <a@b>", "colon-in-name": "Re: X <a@b>", "colon-quoted": '"Re: X" <a@b>',
        "long-name": "N" * 600 + " <a@b>", "control": "a\x01b <c@d>",
        "trailing-text": "a@b junk", "equals": "=?x <a@b>", "domain-comment": "a@b(c).d", "domain-space-dot": "a@b. c",
    }
    for name, value in rows.items():
        field("from-" + name, "From: " + value)
    field("from-folded", "From: Tito", " <a@b>,", "\tIqbal", "  <c@d>")
    field("from-quoted-folded", 'From: "one', ' two" <a@b>')
    field("from-empty", "From:")
    field("from-twice", "From: a@b", "From: c@d")
    field("to-twice", "To: a@b", "To: c@d", "Cc: e@f", "Cc: g@h", "Bcc: i@j")
    field("sender-given", "From: a@b", "Sender: s@t", "Reply-To: r@u")
    field("sender-empty", "From: a@b", "Sender:", "Reply-To: ")
    field("sender-bad", "From: a@b", "Sender: <", "Reply-To: ,")
    field("sender-without-from", "Sender: s@t", "To: x@y")
    field("to-many", "To: " + ",\n ".join(f"User {i} <u{i}@example.com>" for i in range(300)))
    field("from-group-no-name", "From: : a@b;")
    field("from-only-quoted", 'From: "abc"')
    field("from-quoted-and-word", 'From: "abc" def')
    field("from-comment-folded", "From: a@b (one", " two)")
    field("from-two-comments", "From: a@b (X) (Y)")
    field("from-unclosed-comment-behind", "From: X <a@b> (Y")
    field("from-word-unclosed-comment", "From: X (Y")
    field("from-lone-dot", "From: .")
    field("from-word-dot", "From: a.")
    field("from-empty-quoted-local", 'From: ""@b')
    field("from-dot-space-dot", "From: a . . b @ c")
    field("from-name-many-escapes", r'From: "a\\b\\c\\d\\e\\f" <a@b>')
    field("from-local-many-escapes", r'From: "\\\\\\\\\\\\"@b')
    field("from-name-two-blanks", 'From: "A  B" <a@b>')
    field("from-literal-blank", "From: a@[ 1 2 ]")
    field("from-route-domain-literal", "From: <@[1.2.3.4]:a@b>")
    field("from-route-empty-items", "From: <@x,,@y:a@b>")
    field("from-group-semicolon-only", "From: G:;")
    field("from-group-garbage", "From: G: a b;, c@d")
    field("from-group-comma-end", "From: G: a@b,;, c@d")


def types():
    rows = {
        "html": "text/html; charset=utf-8", "upper": "TEXT/HTML; CHARSET=UTF-8", "no-subtype": "text", "slash-only": "/", "no-type": "/plain",
        "trailing-slash": "text/", "unknown": "foo/bar", "application": "application/octet-stream", "image": "image/png; name=x.png",
        "empty": "", "blank": "  ", "garbage": "!!!", "quoted": '"text/plain"', "comment": "text/plain (hi); (x) charset (y) = (z) utf-8 (w)",
        "spaces": "text / plain ; charset = utf-8", "semicolons": "text/plain;; charset=utf-8;;", "no-semicolon": "text/plain charset=utf-8",
        "param-no-value": "text/plain; charset", "param-empty": "text/plain; charset=", "param-empty-quoted": 'text/plain; charset=""',
        "param-quoted": 'text/plain; name="a b\\"c\\\\d;e"', "param-unclosed": 'text/plain; name="abc', "param-twice": "text/plain; charset=a; charset=b",
        "param-8bit": "text/plain; name=caf\xe9", "param-8bit-quoted": 'text/plain; name="caf\xe9"', "param-2047": 'text/plain; name="=?utf-8?Q?x=C3=A9?="',
        "param-2231": "text/plain; name*=utf-8'en'caf%C3%A9", "param-2231-parts": 'text/plain; name*0=abc; name*1="d e"; name*2=f',
        "param-2231-mixed": "text/plain; name*0*=utf-8''a%20b; name*1=c%20d; name*2*=%C3%A9",
        "param-2231-order": "text/plain; name*2=c; name*0=a; name*1=b", "param-2231-gap": "text/plain; name*0=a; name*2=c",
        "param-2231-no-zero": "text/plain; name*1=b; name*2=c", "param-2231-twice": "text/plain; name*0=a; name*0=b; name*1=c",
        "param-2231-and-plain": "text/plain; name=plain; name*=utf-8''ext", "param-2231-bad-percent": "text/plain; name*=utf-8''a%zzb%4",
        "param-2231-no-charset": "text/plain; name*=abc", "param-2231-leading-zero": "text/plain; name*00=a; name*01=b",
        "param-2231-big": "text/plain; name*0=a; name*99999999999999999999=b", "param-2231-quoted": "text/plain; name*=\"utf-8''a%20b\"",
        "param-2231-star": "text/plain; name**=x; *=y; *0=z", "param-2231-two-names": "text/plain; b*1=2; a*0=1; b*0=1; a*1=2; c=3",
        "param-many": "text/plain; " + "; ".join(f"p{i}=v{i}" for i in range(100)), "param-folded": "text/plain;\n charset=utf-8;\n\tname=x",
        "param-equals": "text/plain; name=a=b", "param-slash": "text/plain; name=a/b", "param-at": "text/plain; name=a@b.c",
        "param-space-value": "text/plain; name=a b; charset=x", "param-quoted-folded": 'text/plain; name="a\n b"',
        "param-comma": "text/plain, charset=utf-8", "param-single-quotes": "text/plain; name='a b'", "param-long": "text/plain; name=" + "n" * 3000,
        "message-delivery": "message/delivery-status", "message-partial": "message/partial; id=x; number=1", "message-global": "message/global",
        "tspecials": "text/pl[ain]; x=1", "version": "text/plain/extra; charset=x", "utf16": "text/plain; charset=utf-16",
    }
    for name, value in rows.items():
        add("type-" + name, HEAD + "Content-Type: " + value + "\n\nbody\n")
    add("type-name-many-escapes", HEAD + r'Content-Type: text/plain; name="\"\"\"\"\"\"\""' + "\n\nx\n")
    add("type-empty-subtype-param", HEAD + "Content-Type: text/; charset=x\n\nx\n")
    add("type-empty-type-param", HEAD + "Content-Type: ; charset=x\n\nx\n")
    add("type-unclosed-comment", HEAD + "Content-Type: text/html (x\n\nx\n")
    add("type-unclosed-comment-param", HEAD + "Content-Type: text/html; a=b (x\n\nx\n")
    add("type-nul", HEAD + "Content-Type: text/pl\0ain; a=b\n\nx\n")
    add("type-param-nul", HEAD + 'Content-Type: text/plain; a="b\0c"\n\nx\n')
    add("type-param-8bit-name", HEAD + "Content-Type: text/plain; n\xe9=b\n\nx\n")
    add("type-message-upper-child", HEAD + "Content-Type: Message/RFC822\n\nSubject: x\n\ny\n")
    add("type-twice", HEAD + "Content-Type: text/html\nContent-Type: image/png\n\nx\n")
    add("type-twice-bad-first", HEAD + "Content-Type: ;\nContent-Type: image/png\n\nx\n")
    add("type-no-mime-version", "Subject: x\nContent-Type: text/html; charset=utf-8\n\nx\n")
    add("type-no-mime-version-multipart", "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n")
    add("type-8bit", HEAD + "Content-Type: t\xe9xt/pl\xe9in\n\nx\n")
    add("type-8bit-subtype", HEAD + "Content-Type: text/pl\xe9in; x=y\n\nx\n")
    fields = {
        "id": "Content-ID: <x@y>", "id-bare": "Content-ID: bare", "description": "Content-Description: A   \"file\"",
        "description-folded": "Content-Description: one\n two", "description-8bit": "Content-Description: caf\xe9",
        "description-2047": "Content-Description: =?utf-8?Q?x?=", "encoding-qp": "Content-Transfer-Encoding: Quoted-Printable",
        "encoding-base64": "Content-Transfer-Encoding: BASE64", "encoding-bad": "Content-Transfer-Encoding: 7 bit",
        "encoding-comment": "Content-Transfer-Encoding: (x) 8bit (y)", "encoding-empty": "Content-Transfer-Encoding:",
        "encoding-semicolon": "Content-Transfer-Encoding: 8bit;", "encoding-quoted": 'Content-Transfer-Encoding: "8bit"',
        "encoding-unknown": "Content-Transfer-Encoding: x-uuencode", "encoding-twice": "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: 8bit",
        "encoding-8bit-char": "Content-Transfer-Encoding: b\xe9",
        "md5": "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==", "disposition": "Content-Disposition: attachment; filename=x.txt; size=10",
        "disposition-inline": "Content-Disposition: inline", "disposition-empty": "Content-Disposition:", "disposition-bad": "Content-Disposition: ; filename=x",
        "disposition-quoted": 'Content-Disposition: "attachment"; filename="a b"', "disposition-2231": "Content-Disposition: attachment; filename*=UTF-8''na%C3%AFve.txt",
        "disposition-2231-parts": "Content-Disposition: attachment;\n filename*0*=utf-8''%E2%82%AC;\n filename*1*=%20rates",
        "disposition-twice": "Content-Disposition: inline\nContent-Disposition: attachment; filename=x",
        "disposition-space": "Content-Disposition: attachment filename=x", "disposition-8bit": 'Content-Disposition: attachment; filename="caf\xe9"',
        "disposition-no-type": "Content-Disposition: filename=x", "disposition-slash": "Content-Disposition: a/b; x=y",
        "language": "Content-Language: en", "language-list": "Content-Language: en, de ,fr", "language-bad": "Content-Language: en_US; x",
        "language-empty": "Content-Language:", "language-comment": "Content-Language: (x) en (y), de", "language-comma": "Content-Language: ,en",
        "language-trailing-comma": "Content-Language: en,", "language-quoted": 'Content-Language: "en"',
        "location": "Content-Location: http://example.com/a b", "location-folded": "Content-Location: http://example.com/\n foo",
        "id-twice": "Content-ID: <1>\nContent-ID: <2>", "id-empty": "Content-ID:", "id-8bit": "Content-ID: <\xe9>", "unknown": "Content-Foo: bar",
        "md5-empty": "Content-MD5: ", "id-folded": "Content-ID:\n <x@y>",
        "id-trailing-blank": "Content-ID: <x@y> \t", "description-blanks": "Content-Description:   a  b\t c ", "disposition-comment":
        "Content-Disposition: (x) attachment (y); filename=x", "disposition-unclosed": 'Content-Disposition: attachment; filename="x',
        "language-8bit": "Content-Language: \xe9", "md5-8bit": "Content-MD5: \xe9", "id-nul": "Content-ID: <a\0b>",
        "all": 'Content-ID: <i>\nContent-Description: d\nContent-Transfer-Encoding: base64\nContent-MD5: m==\nContent-Disposition: inline; a=b\n'
               "Content-Language: en\nContent-Location: l",
    }
    for name, value in fields.items():
        add("content-" + name, HEAD + "Content-Type: text/plain\n" + value + "\n\nbody\n")


def multiparts():
    two = "--b\nContent-Type: text/plain\n\none\n--b\nContent-Type: text/html\n\n<p>\ntwo\n--b--\n"
    add("multi", mp(two))
    add("multi-lf", mp(two), crlf=False)
    add("multi-preamble", mp("preamble\nmore\n" + two + "epilogue\nmore\n"))
    add("multi-no-end", mp(two.replace("--b--\n", "")))
    add("multi-no-end-no-newline", mp(two.replace("\n--b--\n", "")))
    add("multi-end-no-newline", mp(two[:-1]))
    add("multi-no-boundary-param", mp(two, "multipart/mixed"))
    add("multi-empty-boundary-param", mp(two, 'multipart/mixed; boundary=""'))
    add("multi-boundary-never-seen", mp("text\n"))
    add("multi-empty-body", mp(""))
    add("multi-only-end", mp("--b--\n"))
    add("multi-only-start", mp("--b\n"))
    add("multi-only-start-cut", mp("--b"))
    add("multi-start-end", mp("--b\n--b--\n"))
    add("multi-start-blank-end", mp("--b\n\n--b--\n"))
    add("multi-empty-parts", mp("--b\n\n\n--b\n\n--b\n--b--\n"))
    add("multi-header-only-part", mp("--b\nContent-Type: text/html\n--b\nContent-ID: <x>\n\n--b--\n"))
    add("multi-header-cut-by-eof", mp("--b\nContent-Type: text/html\nContent-ID: <x"))
    add("multi-no-header-parts", mp("--b\n\none\n--b\n\ntwo\n--b--\n"))
    add("multi-garbage-header", mp("--b\nthis is not a header\n\none\n--b--\n"))
    add("multi-boundary-spaces", mp("--b  \t\n\none\n--b-- \nx\n"))
    add("multi-boundary-junk", mp("--bjunk\n\none\n--b--junk\nx\n"))
    add("multi-boundary-quoted-space", mp("--b c\n\none\n--b c--\n", 'multipart/mixed; boundary="b c"'))
    add("multi-boundary-trailing-space", mp("--b \n\none\n--b --\n", 'multipart/mixed; boundary="b "'))
    add("multi-boundary-in-line", mp("--b\n\none --b\n --b\n--b--\n"))
    add("multi-boundary-first-line", mp("--b\n\n--c\n--b--\n"))
    add("multi-boundary-long", mp("--" + "L" * 70 + "\n\none\n--" + "L" * 70 + "--\n", "multipart/mixed; boundary=" + "L" * 70))
    add("multi-boundary-too-long", mp("--" + "L" * 120 + "\n\none\n--" + "L" * 120 + "--\n", "multipart/mixed; boundary=" + "L" * 120))
    add("multi-boundary-2231", mp("--bc\n\none\n--bc--\n", "multipart/mixed; boundary*0=b; boundary*1=c"))
    add("multi-boundary-2231-charset", mp("--b\n\none\n--b--\n", "multipart/mixed; boundary*=us-ascii''b"))
    add("multi-boundary-twice", mp("--b\n\none\n--b--\n--c\n\ntwo\n--c--\n", "multipart/mixed; boundary=b; boundary=c"))
    add("multi-boundary-8bit", mp("--\xe9\n\none\n--\xe9--\n", 'multipart/mixed; boundary="\xe9"'))
    add("multi-boundary-special", mp("--=_'()+,-./:=?\n\none\n--=_'()+,-./:=?--\n", 'multipart/mixed; boundary="=_\'()+,-./:=?"'))
    add("multi-boundary-unquoted-special", mp("--a=b\n\none\n--a=b--\n", "multipart/mixed; boundary=a=b"))
    add("multi-boundary-dashes", mp("------\n\none\n--------\n", 'multipart/mixed; boundary="----"'))
    add("multi-boundary-unclosed-quote", mp("--b\n\none\n--b--\n", 'multipart/mixed; boundary="b'))
    add("multi-boundary-case", mp("--B\n\none\n--b\n\ntwo\n--b--\n"))
    add("multi-type-case", mp(two, "MULTIPART/Mixed; BOUNDARY=b"))
    add("multi-no-subtype", mp(two, "multipart; boundary=b"))
    add("multi-slash-only", mp(two, "multipart/; boundary=b"))
    add("multi-prefix", mp("--bb\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b--\n--bb--\n", "multipart/mixed; boundary=bb"))
    add("multi-prefix-outer-short", mp("--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n\none\n--bb--\n--b--\n"))
    add("multi-same-boundary", mp("--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b--\n--b--\n"))
    add("multi-after-end", mp(two + "\n--b\n\nafter\n--b--\n"))
    add("multi-twice-end", mp("--b\n\none\n--b--\n--b--\n"))
    inner = "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--c\nContent-Type: text/html\n\ntwo\n--c--\n--b\n\nthree\n--b--\n"
    add("multi-nested", mp(inner))
    add("multi-nested-lf", mp(inner), crlf=False)
    add("multi-nested-no-inner-end", mp(inner.replace("--c--\n", "")))
    add("multi-nested-blank-between", mp(inner.replace("--c--\n", "--c--\n\n")))
    add("multi-nested-epilogue", mp(inner.replace("--c--\n", "--c--\nepilogue\n")))
    add("multi-nested-inner-boundary-later", mp(inner.replace("three\n", "three\n--c\n\nstray\n")))
    add("multi-nested-no-inner-parts", mp(inner.replace("--c\n", "")))
    add("multi-nested-outer-in-header", mp("--b\nContent-Type: multipart/alternative; boundary=c\n--b\n\nx\n--b--\n"))
    add("multi-cr-boundary", b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nx\r--b\r\n--b\r\n\r\none\r\r\n--b--\r\n")
    add("multi-mixed-line-ends", b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\r\n\r\none\n--b\n\ntwo\r\n--b--\n")
    add("multi-digest", mp("--b\n\nFrom: a@b\nSubject: in\n\nbody\n--b\nContent-Type: text/plain\n\ntext\n--b--\n", "multipart/digest; boundary=b"))
    add("multi-digest-content-id", mp("--b\nContent-ID: <x>\n\nFrom: a@b\n\nbody\n--b--\n", "multipart/digest; boundary=b"))
    add("multi-params", mp(two, 'multipart/related; type="text/html"; start="<x>"; boundary=b'))
    add("multi-fields", mp(two, 'multipart/mixed; boundary=b\nContent-Disposition: inline; x=y\nContent-Language: en, de\n'
                           "Content-Location: loc\nContent-ID: <id>\nContent-MD5: m\nContent-Description: d"))
    add("multi-signed", mp("--b\n\nsigned\n--b\nContent-Type: application/pgp-signature; name=s.asc\nContent-Description: sig\n\nAAAA\n--b--\n",
                           'multipart/signed; micalg=pgp-sha256; protocol="application/pgp-signature"; boundary=b'))
    add("multi-report", mp("--b\n\nNotice\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b\n--b\n"
                           "Content-Type: text/rfc822-headers\n\nFrom: a@b\n--b--\n", "multipart/report; report-type=delivery-status; boundary=b"))
    add("multi-attachment", mp("--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ncaf\xe9\n--b\nContent-Type: application/pdf;\n"
                               "\tname=\"a.pdf\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment;\n filename=\"a.pdf\"\n\nJVBERi0=\n\n--b--\n"))
    deep, body = "", ""
    for i in range(30):
        deep += f"Content-Type: multipart/mixed; boundary=d{i}\n\n--d{i}\n"
    add("multi-deep-30", HEAD + deep + "\nx\n")
    for i in range(95):
        body = f"Content-Type: multipart/mixed; boundary=n{95 - i}\n\n--n{95 - i}\n" + (body or "\ndeepest\n") + f"--n{95 - i}--\n"
    add("multi-deep-95", HEAD + body)
    add("multi-flat-300", mp("".join(f"--b\n\npart {i}\n" for i in range(300)) + "--b--\n"))
    add("multi-big-header", mp("--b\n" + "".join(f"X-{i}: {'v' * 200}\n" for i in range(300)) + "Content-Type: text/html\n\nx\n--b--\n"))


def nested_messages():
    rfc = "Content-Type: message/rfc822\n\n"
    inner = "From: In <in@x>\nTo: o@y, G: p@q;\nSubject: inner\nDate: d\nMessage-ID: <i@x>\nIn-Reply-To: <r@x>\n"
    add("rfc822", HEAD + rfc + inner + "\ninner body\n")
    add("rfc822-lf", HEAD + rfc + inner + "\ninner body\nmore\n", crlf=False)
    add("rfc822-empty", HEAD + rfc)
    add("rfc822-empty-header", HEAD + rfc + "\nbody\n")
    add("rfc822-no-body", HEAD + rfc + inner)
    add("rfc822-twice", HEAD + rfc + inner + rfc + inner + "\nx\n")
    add("rfc822-upper", HEAD + "Content-Type: MESSAGE/RFC822; a=b\nContent-Disposition: attachment\nContent-ID: <x>\n\n" + inner + "\nx\n")
    add("rfc822-base64", HEAD + "Content-Transfer-Encoding: base64\n" + rfc + "RnJvbTogYUBiCgp4Cg==\n")
    add("rfc822-html", HEAD + rfc + inner + "Content-Type: text/html; charset=x\n\n<p>\n")
    add("rfc822-multi", HEAD + rfc + inner + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\ntail\n")
    add("rfc822-no-envelope", HEAD + rfc + "X-Only: y\n\nx\n")
    add("rfc822-sender-default", HEAD + rfc + "From: a@b\nReply-To: r@s\n\nx\n")
    add("multi-rfc822", mp("--b\n\none\n--b\n" + rfc + inner + "\ninner body\n--b\n\nlast\n--b--\n"))
    add("multi-rfc822-lf", mp("--b\n\none\n--b\n" + rfc + inner + "\ninner body\n--b\n\nlast\n--b--\n"), crlf=False)
    add("multi-rfc822-cut-in-header", mp("--b\n" + rfc + inner + "--b\n\nlast\n--b--\n"))
    add("multi-rfc822-blank-then-boundary", mp("--b\n" + rfc + inner + "\n--b\n" + rfc + "\n--b\n" + rfc + "\n\n--b--\n"))
    add("multi-deep-header-only", mp("--b\n" + rfc + rfc + inner + "\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n--b--\n"))
    add("multi-rfc822-empty", mp("--b\n" + rfc + "--b\n\nlast\n--b--\n"))
    add("multi-rfc822-no-blank", mp("--b\nContent-Type: message/rfc822\n--b\n\nlast\n--b--\n"))
    add("multi-rfc822-multi", mp("--b\n" + rfc + inner + "Content-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--c\n\ntwo\n--c--\n\n--b--\n"))
    add("multi-rfc822-multi-no-end", mp("--b\n" + rfc + inner + "Content-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--b\n\nafter\n--b--\n"))
    add("multi-rfc822-same-boundary", mp("--b\n" + rfc + inner + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n\n--b--\n"))
    add("rfc822-fields-twice", HEAD + rfc + "From: a@b\nFrom: c@d\nSubject: 1\nSubject: 2\nDate: 1\nDate: 2\nMessage-ID: 1\nMessage-ID: 2\nTo: x@y\nTo: z@w\n\nx\n")
    add("rfc822-subject-blanks", HEAD + rfc + "Subject: a   b\n  c  \nFrom: \"x  y\" <a@b>\nMessage-ID: <a>\n  <b> \n\nx\n")
    add("rfc822-odd-addresses", HEAD + rfc + "From: a b@c, <>, G: x;\nSender:\nTo: <@x\nCc: ,\nBcc: (c)\n\nx\n")
    add("rfc822-nul", HEAD + rfc + "From: \"x\0y\" <a@b>\nSubject: a\0b\n\nx\n")
    add("rfc822-8bit-envelope", HEAD + rfc + "From: J\xf6rg <a@b>\nSubject: caf\xe9\n\nx\n")
    add("rfc822-deep-20", HEAD + (rfc + "From: a@b\n") * 20 + "\nx\n")


def real():
    add("real-newsletter", """Return-Path: <bounce@list.example>
Received: from mx.example (mx.example [192.0.2.9])
\tby mail.example.com with ESMTPS id 4X2
\tfor <tito@example.com>; Sun, 22 Nov 2026 07:00:00 +0000
DKIM-Signature: v=1; a=rsa-sha256; d=list.example; s=s1;
\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;
\tb=abc
From: =?UTF-8?B?TsOpd3M=?= <news@list.example>
To: tito@example.com
Subject: =?UTF-8?Q?Angebote_f=C3=BCr_dich_=E2=9C=89?=
List-Unsubscribe: <https://list.example/u>
Date: Sun, 22 Nov 2026 08:00:00 +0100
Message-ID: <1.2.3@list.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="----=_Part_1_2.3"

This is a multi-part message in MIME format.
------=_Part_1_2.3
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe
------=_Part_1_2.3
Content-Type: text/html; charset=UTF-8
Content-Transfer-Encoding: quoted-printable

<p>Gr=C3=BC=C3=9Fe</p>
------=_Part_1_2.3--
""")
    add("real-outlook", """From: "Tito (Sales)" <tito@example.com>
To: "'iqbal@example.com'" <iqbal@example.com>
Subject: RE: FW: Invoice
Thread-Topic: Invoice
Date: Sun, 22 Nov 2026 09:00:00 +0700
Message-ID: <AM0PR01@eurprd01.prod.outlook.com>
References: <a@b> <c@d>
In-Reply-To: <c@d>
Content-Language: en-US
X-MS-Has-Attach: yes
Content-Type: multipart/related;
\tboundary="_004_AM0_";
\ttype="multipart/alternative"
MIME-Version: 1.0

--_004_AM0_
Content-Type: multipart/alternative;
\tboundary="_000_AM0_"

--_000_AM0_
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

Hi

--_000_AM0_
Content-Type: text/html; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

<html>Hi <img src=3D"cid:i@x"></html>

--_000_AM0_--

--_004_AM0_
Content-Type: image/png; name="image001.png"
Content-Description: image001.png
Content-Disposition: inline; filename="image001.png"; size=3;
\tcreation-date="Sun, 22 Nov 2026 02:00:00 GMT"
Content-ID: <image001.png@01D>
Content-Transfer-Encoding: base64

AAAA

--_004_AM0_--
""")
    add("real-bounce", """From: MAILER-DAEMON@mail.example.com (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: tito@example.com
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4X1.176/mail.example.com"
Content-Transfer-Encoding: 8bit
Message-Id: <20261122.4X1@mail.example.com>

This is a MIME-encapsulated message.

--4X1.176/mail.example.com
Content-Description: Notification
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Sorry.

--4X1.176/mail.example.com
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.com

Final-Recipient: rfc822; nobody@example.net
Action: failed

--4X1.176/mail.example.com
Content-Description: Undelivered Message
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

Return-Path: <tito@example.com>
From: tito@example.com
To: nobody@example.net
Subject: hello
Message-ID: <orig@example.com>
Date: Sun, 22 Nov 2026 08:00:00 +0000

hello

--4X1.176/mail.example.com--
""")
    add("real-apple", """From: Iqbal <iqbal@example.com>
Content-Type: multipart/alternative;
\tboundary=Apple-Mail-5D9
Content-Transfer-Encoding: 7bit
Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3774.100.2.1.4\\))
Subject: Photos
Message-Id: <5D9@example.com>
Date: Sun, 22 Nov 2026 09:12:00 +0700
To: Tito <tito@example.com>


--Apple-Mail-5D9
Content-Transfer-Encoding: 7bit
Content-Type: text/plain;
\tcharset=us-ascii

See.
--Apple-Mail-5D9
Content-Type: multipart/mixed;
\tboundary=Apple-Mail-5DA


--Apple-Mail-5DA
Content-Disposition: inline;
\tfilename*=utf-8''Foto%20%C3%84.jpeg
Content-Type: image/jpeg;
\tx-unix-mode=0644;
\tname="=?utf-8?Q?Foto_=C3=84=2Ejpeg?="
Content-Transfer-Encoding: base64

/9j/4AAQ
--Apple-Mail-5DA--

--Apple-Mail-5D9--
""")


def main():
    for make in (sizes, unstructured, addresses, types, multiparts, nested_messages, real):
        make()
    shapes = HERE / "shapes"
    shapes.mkdir(exist_ok=True)
    for name, data in SHAPES.items():
        (shapes / (name + ".eml")).write_bytes(data)
    print(len(SHAPES), "shapes")


if __name__ == "__main__":
    main()
