"""Sessions that rest without a process, and processes that serve one session after the other."""
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import time

import pytest
from instance import IS_ROOT, Instance, memory_kib, wait_for
from test_imap_login import IQBAL, TITO, USERS, Imap
from test_imap_push import deliver, heard, idle

REST_S = 1.0            # imap_hibernate_timeout; before that a session waits a second for more
STILL = "* OK Still here"


@pytest.fixture(scope="module")
def suite():
    with Instance(users=USERS, settings={"imap_hibernate_timeout": "1s", "imap_idle_notify_interval": "1h", "max_idle": "100s"}) as i:
        i.wait_ready()
        yield i


@pytest.fixture
def box(suite):
    """A selected INBOX with three letters; nobody else is there."""
    md = suite.maildir(TITO)
    for d in ("cur", "new"):
        for f in (md / d).iterdir() if (md / d).is_dir() else ():
            f.unlink()
    with login(suite) as w:
        for k in range(3):
            deliver(suite, f"16000000{k:02}.M{time.monotonic_ns()}.host")
        w.tagged("SELECT INBOX")
        yield w
    wait_for("all sessions end", lambda: not who(suite))


def login(suite, user=TITO, service="imap"):
    w = Imap(suite, service)
    assert w.tagged(f"LOGIN {user} {USERS[user]}")[0].startswith("OK ")
    return w


def who(suite):
    return json.loads(suite.surat("who", "-j").stdout)


def rest(suite, n=1):
    """Until n sessions have no process."""
    wait_for(f"{n} sessions at rest", lambda: sum(s["pid"] is None for s in who(suite)) == n, 10)


def imapd_children(suite):
    parent = suite.processes("imapd")[0]["pid"]
    with open(f"/proc/{parent}/task/{parent}/children") as f:
        return f.read().split()


def numbers(lines):
    return sorted(re.sub(r"MODSEQ \(\d+\)", "", line) for line in lines)


# ---- what the client sees ----

def test_nothing_is_lost_or_told_twice(suite, box):
    rest(suite)
    with login(suite) as other:
        other.tagged("SELECT INBOX")
        other.tagged(r"STORE 2 +FLAGS (\Flagged $Work)")
        other.tagged(r"STORE 1 +FLAGS.SILENT (\Deleted)")
        other.tagged("EXPUNGE")
        deliver(suite, "1900000001.rest.host")
        assert numbers(box.tagged("NOOP")[1]) == [
            "* 1 EXPUNGE", r"* 1 FETCH (FLAGS (\Flagged \Recent $Work))", "* 3 EXISTS", "* 3 RECENT",
            r"* FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work)",
            r"* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work \*)] Flags permitted."]
        assert box.tagged("NOOP")[1] == []
        other.tagged("LOGOUT")
    rest(suite)
    assert box.tagged("NOOP")[1] == []
    assert [x.split(" ", 2)[1] for x in box.tagged("FETCH 1:* UID")[1]] == ["1", "2", "3"]


def test_a_sequence_number_stays_until_the_expunge_is_told(suite, box):
    box.tagged("FETCH 1:* FLAGS")
    rest(suite)
    with login(suite) as other:
        other.tagged("SELECT INBOX")
        other.tagged(r"STORE 1 +FLAGS.SILENT (\Deleted)")
        other.tagged("EXPUNGE")
        other.tagged("LOGOUT")
    uids = [int(re.search(r"UID (\d+)", x)[1]) for x in box.tagged("FETCH 2:3 (UID)")[1]]
    assert len(uids) == 2 and uids[0] < uids[1]
    assert box.tagged("NOOP")[1][0] == "* 1 EXPUNGE"
    assert [int(re.search(r"UID (\d+)", x)[1]) for x in box.tagged("FETCH 1:2 (UID)")[1]] == uids


def test_what_was_enabled_saved_and_read_only(suite, box):
    box.tagged("ENABLE QRESYNC")
    box.tagged("EXAMINE INBOX")
    box.tagged("SEARCH RETURN (SAVE) 2:3")
    rest(suite)
    assert [x.split()[1] for x in box.tagged("FETCH $ (UID)")[1]] == ["2", "3"]
    assert box.tagged(r"STORE 1 +FLAGS (\Seen)")[0].startswith("NO ")
    rest(suite)
    with login(suite) as other:
        other.tagged("SELECT INBOX")
        other.tagged(r"UID STORE 1:* +FLAGS.SILENT (\Deleted)")
        other.tagged("EXPUNGE")
        other.tagged("LOGOUT")
    told = box.tagged("NOOP")[1]
    assert len([x for x in told if x.startswith("* VANISHED ")]) == 1 and not any("EXPUNGE" in x for x in told)


def test_special_uses(suite):
    with login(suite) as w:
        before = w.tagged('LIST (SPECIAL-USE) "" *')[1]
        assert len(before) == 5
        rest(suite)
        assert w.tagged('LIST (SPECIAL-USE) "" *')[1] == before


def test_half_a_line_keeps_its_process(suite, box):
    box.send(b"x1 NO")
    time.sleep(2 * REST_S + 1)
    assert all(s["pid"] for s in who(suite))
    box.send(b"OP\r\n")
    heard(box, "x1 OK")
    rest(suite)
    box.send(b"x2 NOOP\r\nx3 NOOP\r\n")
    heard(box, "x2 OK")
    heard(box, "x3 OK")
    rest(suite)
    box.send(b"x")
    time.sleep(0.5)
    box.send(b"4 NOOP\r\n")
    heard(box, "x4 OK")


@pytest.mark.parametrize("service", ["imap", "imaps"])
def test_push_to_one_that_rests(suite, service):
    with login(suite, service=service) as w:
        n = int(w.tagged("SELECT INBOX")[1][2].split()[1])
        took = []
        for k in range(5):
            idle(w)
            rest(suite)
            at = deliver(suite, f"18500{k:05}.{service}.host")
            took.append(heard(w, f"* {n + k + 1} EXISTS") - at)
            heard(w, "RECENT")
            rest(suite)
            w.send(b"DONE\r\n")
            assert w.reply() == "i OK Idle completed."
        print(f"{service}: median {statistics.median(took) * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms")
        assert statistics.median(took) < 0.020, took
        w.tagged("LOGOUT")


def test_idle_outside_of_a_folder(suite):
    with login(suite) as w:
        idle(w)
        rest(suite)
        w.send(b"DONE\r\nz NOOP\r\n")
        heard(w, "i OK")
        heard(w, "z OK")
        idle(w)
        rest(suite)
        w.send(b"NONSENSE\r\n")
        assert w.reply() == "i BAD Expected DONE."


def test_a_crafted_tag(suite):
    """What a client chooses is a tag and nothing else, also when it has to be kept (CVE-2020-24386 of Dovecot)."""
    tags = ["user=iqbal@example.com", "x" * 3000, "y" * 5000, "&-#1]}:2,S"]
    with login(suite) as w, login(suite, IQBAL) as other:
        deliver(suite, "1900000020.tag.host", b"Subject: of tito\n\nhello\n")
        w.tagged("SELECT INBOX")
        other.tagged("SELECT INBOX")
        for tag in tags:
            for c in (w, other):
                c.send(f"{tag} IDLE\r\n".encode())
                assert c.reply().startswith("+ ")
            # the longest does not fit into what is kept, and keeps its process
            wait_for("both rest", lambda n=0 if len(tag) > 4000 else 2: sum(s["pid"] is None for s in who(suite)) == n)
            for c in (w, other):
                c.send(b"DONE\r\n")
                heard(c, tag[-20:] + " OK Idle completed.")
        assert "of tito" in " ".join(w.tagged("FETCH * ENVELOPE")[1])
        assert not any("of tito" in x for x in other.tagged("FETCH 1:* ENVELOPE")[1])


def test_one_session_in_the_log(suite):
    since = len(suite.log_text())
    with login(suite) as w:
        session = who(suite)[0]["session"]
        for _ in range(3):
            w.tagged("NOOP")
            rest(suite)
        w.tagged("LOGOUT")
    wait_for("the end is in the log", lambda: f"<{session}>: Disconnected: Logged out" in suite.log_text()[since:])
    lines = [x for x in suite.log_text()[since:].splitlines() if f"<{session}>" in x]
    assert len(lines) == 2, lines
    # a, blank, three NOOPs and a LOGOUT with their ends
    assert " in=34 " in lines[1], lines[1]


def test_what_does_not_rest(suite):
    with login(suite) as w:
        w.tagged("COMPRESS DEFLATE")
        time.sleep(2 * REST_S + 1)
        assert all(s["pid"] for s in who(suite))


# ---- the index ----

@pytest.mark.parametrize("is_one_gone, command", [(False, "NOOP"), (True, "NOOP"), (True, "STORE 1 +FLAGS (\\Seen)")])
def test_another_index(suite, box, is_one_gone, command):
    box.tagged("FETCH 1:* FLAGS")
    rest(suite)
    # those that wait for another session have the old one open
    suite.surat("reload")
    wait_for("the process is gone", lambda: not imapd_children(suite))
    md = suite.maildir(TITO)
    shutil.rmtree(md / "surat-index")
    letters = sorted((md / "cur").iterdir())
    letters[0].rename(str(letters[0]).rstrip("S") + "F")
    if is_one_gone:
        letters[1].unlink()
        box.send(f"x {command}\r\n".encode())
        assert box.reply().startswith("* BYE The selected mailbox is no longer what it was")
        assert box.reply() == ""
        return
    assert r"* 1 FETCH (FLAGS (\Flagged \Recent))" in box.tagged("NOOP")[1]
    assert box.tagged("NOOP")[1] == []


def test_the_folder_is_deleted(suite):
    with login(suite) as w, login(suite) as other:
        w.tagged("CREATE shortlived")
        w.tagged("SELECT shortlived")
        idle(w)
        rest(suite, 2)
        other.tagged("DELETE shortlived")
        assert w.reply().startswith("* BYE The selected mailbox is no longer what it was")


# ---- its end ----

def test_kick(suite, box):
    rest(suite)
    suite.surat("kick", TITO)
    assert box.reply() == "* BYE [UNAVAILABLE] Disconnected by the server."
    assert box.reply() == ""
    wait_for("it is gone", lambda: not who(suite))


def test_the_client_goes(suite):
    since = len(suite.log_text())
    with login(suite) as w:
        w.tagged("NOOP")
        rest(suite)
    wait_for("it is gone", lambda: not who(suite))
    suite.wait_log("Disconnected: Connection closed in=8 out=", since=since)


def test_the_process_dies_after_it_gave_its_session_away(suite, box):
    """No crash of others ends a session that rests."""
    with login(suite) as other:
        other.tagged("SELECT INBOX")
        rest(suite, 2)
        other.tagged("NOOP")
        pid = next(s["pid"] for s in who(suite) if s["pid"])
        os.kill(pid, signal.SIGKILL)
        assert other.reply() == ""
    assert box.tagged("NOOP")[0].startswith("OK ")


def test_stop_says_goodbye():
    with Instance(users=USERS, settings={"imap_hibernate_timeout": "1s"}) as i:
        i.wait_ready()
        with login(i) as w:
            rest(i)
            i.surat("stop")
            assert w.reply() == "* BYE [UNAVAILABLE] Disconnected by the server."
        i.wait_gone()


# ---- settings ----

def test_still_here_and_limits():
    with Instance(users=USERS, settings={"imap_hibernate_timeout": "1s", "imap_idle_notify_interval": "2s", "max_idle": "0",
                                         "mail_max_userip_connections": "2"}) as i:
        i.wait_ready()
        with login(i) as w, login(i) as second:
            w.tagged("SELECT INBOX")
            idle(w)
            rest(i, 2)
            for _ in range(2):
                assert w.reply() == STILL
            assert sum(s["pid"] is None for s in who(i)) == 2 and not imapd_children(i)
            with Imap(i) as third:
                assert "mail_max_userip_connections" in third.tagged(f"LOGIN {TITO} {USERS[TITO]}")[0]
            w.send(b"DONE\r\n")
            heard(w, "i OK")
            second.tagged("LOGOUT")


def test_a_word_at_the_moment_of_rest():
    with Instance(users=USERS, settings={"imap_hibernate_timeout": "2s", "imap_idle_notify_interval": "2s"}) as i:
        i.wait_ready()
        with login(i) as w:
            idle(w)
            rest(i)
            assert w.reply() == STILL


def test_never():
    with Instance(users=USERS, settings={"imap_hibernate_timeout": "0"}) as i:
        i.wait_ready()
        with login(i) as w:
            time.sleep(3)
            assert who(i)[0]["pid"]
            w.tagged("LOGOUT")


# ---- processes ----

def served_by(suite, user=TITO):
    with login(suite, user) as w:
        w.tagged("SELECT INBOX")
        pid = next(s["pid"] for s in who(suite) if s["user"] == user)
        w.tagged("LOGOUT")
    wait_for("it is gone", lambda: not who(suite))
    return pid


def test_a_process_serves_the_same_user_again(suite):
    first = served_by(suite)
    assert served_by(suite) == first
    other = served_by(suite, IQBAL)
    assert other != first
    assert served_by(suite) == first and served_by(suite, IQBAL) == other
    # two at once need two
    with login(suite) as a, login(suite) as b:
        pids = {s["pid"] for s in who(suite)}
        assert len(pids) == 2 and first in pids
        a.tagged("LOGOUT")
        b.tagged("LOGOUT")


def test_a_reload_ends_those_that_wait(suite):
    first = served_by(suite)
    suite.surat("reload")
    wait_for("it ends", lambda: str(first) not in imapd_children(suite))
    assert served_by(suite) != first


def test_another_maildir_is_not_served_by_an_old_process(suite):
    first = served_by(suite)
    shutil.rmtree(suite.maildir(TITO))
    assert served_by(suite) != first
    with login(suite) as w:
        assert w.tagged("SELECT INBOX")[0].startswith("OK ")
        deliver(suite, "1900000009.again.host")
        assert any("EXISTS" in x for x in w.tagged("NOOP")[1])


def test_one_that_rested_is_served_by_a_process_for_the_new_maildir(suite, box):
    box.tagged("ENABLE CONDSTORE")
    rest(suite)
    with login(suite) as other:
        other.tagged("LOGOUT")
    md = suite.maildir(TITO)
    md.rename(md.with_name("Maildir.old"))
    subprocess.run(["cp", "-a", md.with_name("Maildir.old"), md], check=True)
    answer, before = box.tagged("FETCH 1:* FLAGS", "x9")
    assert answer.startswith("OK ") and len([x for x in before if "FETCH (" in x]) >= 3, (answer, before)
    assert "MODSEQ" in " ".join(box.tagged("STORE 1 +FLAGS (\\Seen)")[1])


def test_nothing_of_a_session_is_left_to_the_next(suite):
    with login(suite) as w:
        w.tagged("ENABLE QRESYNC UTF8=ACCEPT")
        w.tagged("SELECT INBOX")
        w.tagged("SEARCH RETURN (SAVE) ALL")
        w.send(b"half a lin")
    wait_for("it is gone", lambda: not who(suite))
    with login(suite) as w:
        assert w.tagged("FETCH 1 FLAGS")[0].startswith("BAD ")
        assert "MODSEQ" not in " ".join(w.tagged("SELECT INBOX")[1]).replace("HIGHESTMODSEQ", "")
        deliver(suite, "1900000010.next.host")
        w.tagged("NOOP")
        assert w.tagged("FETCH $ FLAGS") == ("OK Fetch completed.", [])


def pss(pids):
    return sum(memory_kib(pid, "Pss") for pid in pids)


@pytest.mark.skipif(not IS_ROOT, reason="reads the memory of other users' processes")
def test_memory_of_those_that_rest():
    with Instance(users=USERS, settings={"imap_hibernate_timeout": "1s", "mail_max_userip_connections": "0", "max_idle": "0",
                                         "login_client_connection_count_limit": "0"}) as i, contextlib.ExitStack() as stack:
        i.wait_ready()
        with login(i, service="imaps"):
            pass
        daemons = [p["pid"] for p in i.processes("imapd") + i.processes("login")]
        before = pss(daemons)
        n = 150
        for _ in range(n):
            w = stack.enter_context(login(i, service="imaps"))
            w.tagged("SELECT INBOX")
            idle(w)
        wait_for("all rest", lambda: not imapd_children(i), 30)
        each = (pss(daemons) - before) / n
        print(f"{each:.1f} KB a session")
        assert each < 40
