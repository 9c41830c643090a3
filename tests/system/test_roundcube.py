"""Webmail: Debian's Roundcube in a headless Chromium; after each step another IMAP session says what is on the server."""
import email.message
import os

import pytest
from imap_wire import Imap, pairs
from instance import Instance, wait_for
from letters import crlf, letter
from roundcube import Browser, Roundcube, missing

pytestmark = [pytest.mark.full, pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")]

TITO, IQBAL = "tito@example.com", "iqbal@example.com"
USERS = {TITO: "rahasia-1", IQBAL: "rahasia-2"}
FOLDERS = ["Drafts", "Sent", "Junk", "Trash", "Archive"]


@pytest.fixture(scope="module")
def suite():
    with Instance(users=USERS, settings={"mail_max_userip_connections": 40}) as i:
        yield i


@pytest.fixture(scope="module")
def webmail(suite, tmp_path_factory):
    with Roundcube(suite, tmp_path_factory.mktemp("roundcube")) as r:
        yield r


@pytest.fixture(scope="module")
def browser(webmail):
    b = Browser(webmail.url, webmail.where)
    try:
        b.go("_task=login")
        b.shot("01-login")
        b.type("#rcmloginuser", IQBAL)
        b.type("#rcmloginpwd", USERS[IQBAL])
        b.click("#rcmloginsubmit")
        b.find("#mailboxlist")
        yield b
    finally:
        b.close()


@pytest.fixture(autouse=True)
def look(request, browser):
    """A picture of what stood there when a test ends, good or bad."""
    yield
    browser.shot(request.node.name.removeprefix("test_") + "-end")


def put(suite, folder, raw, flags=""):
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        c.ok(f"APPEND {folder} ({flags}) {{}}", raw)


def seen(suite, folder, user=IQBAL):
    """{subject: flags} as another session sees the folder."""
    with Imap(suite, user, USERS[user]) as c:
        c.ok(f"EXAMINE {folder}")
        if c.all("EXISTS")[0][0]:
            c.ok("FETCH 1:* (FLAGS ENVELOPE)")
        return {pairs(v)["ENVELOPE"][1].decode(): {f.decode() for f in pairs(v)["FLAGS"]} - {"\\Recent"} for _, v in c.all("FETCH")}


def text_of(suite, folder, subject, user=IQBAL):
    with Imap(suite, user, USERS[user]) as c:
        c.ok(f"EXAMINE {folder}")
        c.ok(f'SEARCH SUBJECT "{subject}"')
        c.ok(f"FETCH {c.all('SEARCH')[0][1][-1].decode()} (BODY.PEEK[])")
        return pairs(c.all("FETCH")[0][1])["BODY[]"]


def in_box(suite, folder, subject, user=IQBAL):
    return wait_for(f"{subject} in {folder} of {user}; log:\n{suite.log_text()[-2000:]}", lambda: subject in seen(suite, folder, user), 30)


def row(browser, subject):
    return browser.find("#messagelist tbody tr", subject)


def open_letter(browser, subject):
    """A click on its row; returns when the letter stands in the frame and the buttons over it take clicks."""
    browser.click("#messagelist tbody tr span.subject a", subject)
    with browser.frame("#messagecontframe"):
        browser.find("#message-header", subject)
    browser.idle()


def test_folder_list(browser):
    browser.go("_task=mail")
    assert [t.split("\n")[0] for t in browser.texts("#mailboxlist > li > a")] == ["Inbox", *FOLDERS]
    classes = [e.get_attribute("class") for e in browser.d.find_elements("css selector", "#mailboxlist > li")]
    assert [c for c in ("inbox", "drafts", "sent", "junk", "trash", "archive") if not any(c in k.split() for k in classes)] in ([], ["archive"])


def test_list_and_sort(suite, browser):
    marks = []
    for n, day in enumerate((3, 1, 2)):
        text, m = letter(to=IQBAL, Date=f"{day} Oct 2026 10:00:00 +0700")
        put(suite, "INBOX", crlf(text), "\\Seen" if n == 1 else "")
        marks.append(m)
    browser.go("_task=mail&_mbox=INBOX")
    row(browser, marks[0])
    browser.shot("list")
    shown = [t for t in browser.texts("#messagelist tbody tr span.subject a") if t in marks]
    assert shown == [marks[0], marks[2], marks[1]], "newest first, by SORT on the server"
    assert ["unread" in row(browser, m).get_attribute("class").split() for m in marks] == [True, False, True]


def multipart():
    """A letter as people send them: text and HTML with a picture in it, and a file with an odd name."""
    m = email.message.EmailMessage()
    m["From"], m["To"], m["Subject"] = "Tito Ångström <tito@example.com>", IQBAL, "Laporan keuangan – été ☂"
    m["Date"], m["Message-ID"] = "Thu, 01 Oct 2026 09:30:00 +0700", "<laporan@example.com>"
    m.set_content("Selamat pagi, laporan terlampir.\n")
    m.add_alternative('<p>Selamat <b>pagi</b>, laporan terlampir: café.</p><p><img src="cid:g@x" width="64" height="64"></p>', subtype="html", cte="base64")
    png = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082")
    m.get_payload()[1].add_related(png, "image", "png", cid="<g@x>")
    data = os.urandom(70000)
    m.add_attachment(data, "application", "octet-stream", filename="ringkasan-é.bin")
    return m.as_bytes(policy=m.policy.clone(linesep="\r\n")), m["Subject"], data


def test_read_and_download(suite, browser):
    raw, subject, data = multipart()
    put(suite, "INBOX", raw)
    browser.go("_task=mail&_mbox=INBOX")
    open_letter(browser, subject)
    with browser.frame("#messagecontframe"):
        assert "café" in browser.find("#messagebody", "laporan terlampir").text
        assert "Tito Ångström" in browser.find("#message-header").text
        wait_for("the picture inside", lambda: browser.d.execute_script("return [...document.querySelectorAll('#messagebody img')].some(i => i.naturalWidth == 1)"), 30)
        assert "ringkasan-é.bin" in browser.find("#attachment-list").text
    browser.shot("read")
    with browser.frame("#messagecontframe"):
        browser.click("#attachment-list a.filename")
    there = browser.downloads / "ringkasan-é.bin"
    wait_for(f"the download; there is {os.listdir(browser.downloads)}", lambda: there.exists() and there.stat().st_size == len(data), 30)
    assert there.read_bytes() == data
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        c.ok("SELECT INBOX")
        c.ok("SEARCH SEEN HEADER Message-ID laporan@example.com")
        assert len(c.all("SEARCH")[0][1]) == 1, "reading sets \\Seen"


@pytest.mark.parametrize("where", ["subject", "body"])
def test_search(suite, browser, where):
    put(suite, "INBOX", crlf("From: <tito@example.com>\nTo: <iqbal@example.com>\nSubject: dua nasi goreng\nContent-Type: text/plain; charset=utf-8\n\nkopi pahit é\n"))
    put(suite, "INBOX", crlf("From: <tito@example.com>\nTo: <iqbal@example.com>\nSubject: lain\n\nteh manis\n"))
    browser.go("_task=mail&_mbox=INBOX")
    row(browser, "lain")
    if where == "body":
        browser.click("#layout-list .searchbar a.options")
        browser.click("#searchmenu label", "Body")
    browser.type("#mailsearchform", "nasi goreng\n" if where == "subject" else "pahit é\n")
    wait_for("one search result", lambda: {*browser.texts("#messagelist tbody tr span.subject a")} == {"dua nasi goreng"}, 30)
    browser.shot(f"search-{where}")
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        c.ok("SELECT INBOX")
        c.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        c.ok("EXPUNGE")


def test_compose_draft_and_send(suite, browser, tmp_path):
    _, m = letter()
    file = tmp_path / "catatan.bin"
    file.write_bytes(os.urandom(5000))
    browser.go("_task=mail&_mbox=INBOX")
    browser.click("#taskmenu a.compose")
    browser.type("ul.recipient-input input", TITO + ",")
    browser.type("#compose-subject", m)
    browser.type("#composebody", "Apa kabar?\n.\nsebuah titik di atas\n")
    browser.d.find_element("css selector", "#uploadform input[type=file]").send_keys(str(file))
    browser.find("#attachment-list", "catatan.bin")
    browser.click(".toolbar a.draft")
    in_box(suite, "Drafts", m)
    browser.idle()
    browser.shot("compose")
    browser.click("button.send")
    in_box(suite, "INBOX", m, TITO)
    in_box(suite, "Sent", m)
    got = email.message_from_bytes(text_of(suite, "INBOX", m, TITO))
    parts = {p.get_content_type(): p.get_payload(decode=True) for p in got.walk() if not p.is_multipart()}
    assert parts["text/plain"].replace(b"\r", b"").startswith(b"Apa kabar?\n.\nsebuah titik")
    assert parts["application/octet-stream"] == file.read_bytes()
    assert "\\Seen" in seen(suite, "Sent")[m]
    wait_for("the draft is gone from Drafts", lambda: m not in seen(suite, "Drafts") or "\\Deleted" in seen(suite, "Drafts")[m], 30)
    browser.find("#mailboxlist")
    browser.go("_task=mail&_mbox=Sent")
    row(browser, m)


def test_reply_sets_answered(suite, browser):
    text, m = letter(to=IQBAL)
    put(suite, "INBOX", crlf(text))
    browser.go("_task=mail&_mbox=INBOX")
    open_letter(browser, m)
    browser.click("#layout-content > .header a.reply:not(.disabled)")
    browser.idle()
    assert browser.find("#compose-subject").get_attribute("value") == f"Re: {m}"
    assert "> Halo." in browser.find("#composebody").get_attribute("value")
    browser.click("button.send")
    in_box(suite, "INBOX", f"Re: {m}", TITO)
    wait_for("\\Answered", lambda: "\\Answered" in seen(suite, "INBOX")[m], 30)


def test_move_to_archive(suite, browser):
    text, m = letter(to=IQBAL)
    put(suite, "INBOX", crlf(text), "\\Flagged")
    browser.go("_task=mail&_mbox=INBOX")
    assert "flagged" in row(browser, m).get_attribute("class").split()
    browser.drag(row(browser, m).find_element("css selector", "td.subject"), browser.find("#mailboxlist a[rel=Archive]"))
    in_box(suite, "Archive", m)
    assert "\\Flagged" in seen(suite, "Archive")[m] and m not in seen(suite, "INBOX")
    wait_for("gone from the list", lambda: m not in browser.texts("#messagelist tbody tr span.subject a"), 30)
    browser.click("#mailboxlist a[rel=Archive]")
    row(browser, m)


def test_delete_to_trash_and_for_good(suite, browser):
    text, m = letter(to=IQBAL)
    put(suite, "INBOX", crlf(text))
    browser.go("_task=mail&_mbox=INBOX")
    open_letter(browser, m)
    browser.click("#layout-content > .header a.delete:not(.disabled)")
    in_box(suite, "Trash", m)
    assert m not in seen(suite, "INBOX")
    browser.click("#mailboxlist a[rel=Trash]")
    row(browser, m)
    browser.shot("trash")
    open_letter(browser, m)
    browser.click("#layout-content > .header a.delete:not(.disabled)")
    wait_for("gone for good", lambda: m not in seen(suite, "Trash"), 30)


def test_new_folder(suite, browser):
    browser.go("_task=settings&_action=folders")
    browser.click("a.create")
    with browser.frame("#preferences-frame"):
        browser.type("input[name=_name]", "Proyek & Rapat é")
        browser.click("button.submit")
    browser.find("#subscription-table li", "Proyek & Rapat é")
    with Imap(suite, IQBAL, USERS[IQBAL]) as c:
        c.ok('LSUB "" *')
        assert b"Proyek &- Rapat &AOk-" in [v[-1] for _, v in c.all("LSUB")]


def test_a_new_letter_appears(suite, browser):
    browser.go("_task=mail&_mbox=INBOX")
    text, m = letter(to=IQBAL)
    put(suite, "INBOX", crlf(text))
    browser.click("#messagelist-header a.refresh")
    row(browser, m)


def test_threads(suite, browser):
    marks = []
    for n in range(3):
        text, m = letter(to=IQBAL, **{"Message-ID": f"<utas-{n}@example.com>", "References": " ".join(f"<utas-{k}@example.com>" for k in range(n))})
        put(suite, "INBOX", crlf(text))
        marks.append(m)
    browser.go("_task=mail&_mbox=INBOX")
    row(browser, marks[2])
    browser.d.execute_script("rcmail.set_list_options(null, 'date', 'DESC', 1, 'widescreen')")
    wait_for("a thread", lambda: "thread" in row(browser, marks[0]).get_attribute("class").split(), 30)
    browser.shot("threads")
    browser.d.execute_script("rcmail.set_list_options(null, 'date', 'DESC', 0, 'widescreen')")
    browser.idle()


def test_logout_and_no_complaint(browser, webmail):
    browser.go("_task=mail")
    browser.click("#taskmenu a.logout")
    browser.find("#rcmloginuser")
    assert not webmail.complaints(), "the server refused something, or Roundcube had an error"
