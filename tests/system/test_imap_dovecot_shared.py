"""Surat and Debian's Dovecot on one Maildir. At the same time, under load: no UID ever means another letter in either server, no letter
is lost, flags and keywords are seen by both. And one after the other: what one made the other takes over, and back.

SURAT_RANDOM_SECONDS sets how long the load lasts (20 seconds unless told), SURAT_RANDOM_SEED the seed.
"""
import os
import random
import re
import socket
import subprocess
import time

import pytest
from imap_model import FOLDERS, Session, World, on_disk
from imap_peer import Dovecot
from instance import Instance, wait_for
from test_imap_random import Foreign, Round, balance, look, thin_out, turns

USER, PASSWORD = "tito@example.com", "rahasia-1"
SECONDS = float(os.environ.get("SURAT_RANDOM_SECONDS", "20"))
SEED = int(os.environ.get("SURAT_RANDOM_SEED", "7"))
MANY = 80

pytestmark = pytest.mark.skipif(Dovecot.missing() is not None, reason=str(Dovecot.missing()))

CONF = """mail_location = maildir:{box}
log_path = {dir}/dovecot.log
base_dir = {dir}/dovecot
ssl = no
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 1
"""


class DovecotSession(Session):
    """The same model of Dovecot's answers: a process of its own, without login."""
    is_strict = False
    # a message that Surat has just renamed or removed
    codes = ("EXPUNGEISSUED", "SERVERBUG")
    actions = [(name, weight) for name, weight in Session.actions if name not in ("fetch_changed", "status")]

    def connect(self):
        i, st = self.world.i, self.world.i.mail.stat()
        ours, theirs = socket.socketpair()
        env = {"USER": self.world.user, "HOME": str(i.maildir(self.world.user).parent), "PATH": os.environ["PATH"]}
        with open(i.dir / "dovecot.err", "ab") as err:
            self.process = subprocess.Popen([Dovecot.BINARY, "-c", i.dir / "dovecot.conf"], stdin=theirs, stdout=theirs, stderr=err,
                                            env=env, user=st.st_uid, group=st.st_gid, extra_groups=[])
        theirs.close()
        ours.settimeout(30)
        self.s, self.f, self.n = ours, ours.makefile("rb"), 0
        self.untagged, self.raw = [], []
        self.greeting = self.line()[0]
        self.is_open = True

    def disconnect(self):
        if self.is_open:
            self.close()
            self.process.wait(30)
        self.is_open = False

    def do_reconnect(self):
        self.login()
        self.select(self.rng.choice(FOLDERS))


def configure(i):
    st = i.mail.stat()
    (i.dir / "dovecot.conf").write_text(CONF.format(box=i.maildir(USER), dir=i.dir, uid=st.st_uid, gid=st.st_gid))
    log = i.dir / "dovecot.log"
    log.touch()
    log.chmod(0o666)


@pytest.fixture
def instance():
    with Instance(users={USER: PASSWORD}, settings={"mail_max_userip_connections": 50, "imap_hibernate_timeout": "1s"}) as i:
        i.wait_ready()
        configure(i)
        yield i


# ---- at the same time ----

def seen_by(world, kind, folder, had_threads):
    """{uid: flags} by a new session; what one of them missed in a race is seen when the directory's time changes again."""
    def agree():
        c = kind(world, world.rng.random(), kind.__name__)
        c.login()
        try:
            truth, _ = look(c, world, folder)
            disk = on_disk(world, folder)
            if truth == disk:
                return [truth]
            world.differs = f"{kind.__name__} in {folder.name}: {set(truth.items()) ^ set(disk.items())}"
        except AssertionError as e:
            world.differs = str(e)
        finally:
            c.disconnect()
        assert had_threads, world.differs
        os.utime(world.i.maildir(USER) / ("" if folder.name == "INBOX" else f".{folder.name}") / "cur")
        world.n_hidden += 1
        return None

    try:
        return wait_for("agreement", agree, 10)[0]
    except AssertionError as e:
        raise AssertionError(world.differs) from e


def dovecot_log(i):
    return "".join((i.dir / name).read_text(errors="replace") for name in ("dovecot.log", "dovecot.err") if (i.dir / name).exists())


def named_twice(world):
    """Files with two records in dovecot-uidlist. Dovecot makes them: it names a copy of a copy as the first one was named when that is
    gone, and its record may still be there. Surat never names a file as another one was."""
    log = dovecot_log(world.i)
    found = re.findall(r"Maildir(/\.Other|)/dovecot-uidlist: Duplicate file entry at line \d+: (\S+) \(uid (\d+) -> (\d+)\)", log)
    assert len(found) == log.count("Duplicate file entry")
    found = {(world.folders["Other" if folder else "INBOX"], name, int(old), int(new)) for folder, name, old, new in found}
    return found, [(folder.name, name, old, new) for folder, name, old, new in found if new not in folder.origin]


def seen_by_both(world, folder, had_threads):
    """Dovecot takes a file that is renamed while it reads the directory for gone, and gives it a new UID when it finds it again: it
    says so, and then that is what both see."""
    for _ in range(3):
        truth = seen_by(world, Session, folder, had_threads)
        other = seen_by(world, DovecotSession, folder, had_threads)
        if truth == other:
            break
    else:
        raise AssertionError(f"{folder.name}: {set(truth.items()) ^ set(other.items())}\n{dovecot_log(world.i)[-3000:]}")
    anew = {int(n) for n in re.findall(r"giving a new UID \(old uid=(\d+)", dovecot_log(world.i))}
    world.remove(folder, anew)
    world.n_anew = len(anew)
    return truth


def quiet(world, had_threads):
    found, truths = set(), {}
    for folder in world.folders.values():
        truth = seen_by_both(world, folder, had_threads)
        balance(world, folder, truth)
        found |= {folder.mark_of[uid] for uid in truth}
        truths[folder.name] = truth
    strange = found - world.marks - world.maybe_marks
    assert not strange, f"nobody stored {strange}"
    missing = world.marks - found - world.lost_marks
    assert not missing, f"lost: {missing}"
    if max(map(len, truths.values())) > MANY:
        c = world.rng.choice([Session, DovecotSession])(world, world.rng.random(), "thin")
        c.login()
        thin_out(c, world, truths, world.rng)
        c.disconnect()


def test_both_under_load(instance):
    world = World(instance, USER, PASSWORD, SEED)
    foreign = Foreign(world, SEED)
    sessions = [kind(world, SEED, f"{kind.__name__}{n}") for n in range(3) for kind in (Session, DovecotSession)]
    n_quiet, end = 0, time.monotonic() + SECONDS
    try:
        sessions[0].login()
        sessions[0].ok("CREATE Other")
        sessions[0].disconnect()
        while time.monotonic() < end:
            has_threads = world.rng.random() < 0.7
            if has_threads:
                Round(sessions, foreign, world.rng.uniform(0.5, 3)).run()
            else:
                turns(sessions, foreign, world.rng, 1)
            wait_for("what was sent", foreign.has_arrived, 30)
            quiet(world, has_threads)
            n_quiet += 1
    except BaseException:
        print(f"SURAT_RANDOM_SEED={SEED}, {world.n_commands} commands, {world.n_kills} kills\n{instance.log_text()[-2000:]}\n"
              f"{dovecot_log(instance)[-3000:]}")
        raise
    finally:
        for c in sessions:
            c.disconnect()
    print(f"seed {SEED}: {world.n_commands} commands, {n_quiet} quiet looks, {world.n_kills} kills, {world.n_marks} letters, "
          f"{world.n_hidden} hidden changes, {world.n_anew} new UIDs by Dovecot")
    assert n_quiet > 1 and world.n_commands > 5 * min(SECONDS, 60), "hardly anything happened"
    bad = [line for line in instance.log_text().splitlines()
           if (" panic" in line or " error: " in line) and "killed by signal 9" not in line]
    assert not bad, bad[:5]
    log = dovecot_log(instance)
    bad = re.findall(r".*(?:Panic|UID inserted|UIDVALIDITY changed|was lost).*", log)
    assert not bad, bad[:5]
    twice, bad = named_twice(world)
    print(f"{len(twice)} copies named as a letter before them")
    assert not bad, f"these files were numbered twice: {bad[:5]}"


# ---- one after the other ----

def state(c):
    """All folders with UIDVALIDITY, UIDs, flags, letters and INTERNALDATE, and what is subscribed."""
    c.ok('LIST "" *')
    names = sorted(v[-1].decode() for _, v in c.all("LIST") if b"\\Noselect" not in v[0] and b"\\NonExistent" not in v[0])
    c.ok('LSUB "" *')
    found = {"subscribed": sorted(v[-1].decode() for _, v in c.all("LSUB"))}
    for name in names:
        c.ok(f'EXAMINE "{name}"')
        codes = dict(re.findall(r"\[(UIDVALIDITY|UIDNEXT) (\d+)\]", " ".join(v for n, _, v in c.untagged if n == "OK")))
        c.uids, c.flags, c.modseqs, c.is_known = [None] * c.all("EXISTS")[0][0], [], [], False
        c.resize(len(c.uids))
        c.ok("UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])")
        found[name] = codes, [(v[0][v[0].index(b"UID") + 1], frozenset(v[0][v[0].index(b"FLAGS") + 1]) - {b"\\Recent"},
                               v[0][v[0].index(b"INTERNALDATE") + 1], v[0][v[0].index(b"BODY[]") + 1]) for _, v in c.all("FETCH")]
    assert len(found["INBOX"][1]) >= 4 and len(found) > 4 and "Box0.Inner" in found["subscribed"]
    return found


def work(c, world, n):
    """Makes folders, letters, flags, keywords, subscriptions, and holes in the UIDs."""
    names = [f"Box{n}", f"Box{n}.Inner", f"Box{n}.Inner.Most"]
    for name in names:
        c.ok(f'CREATE "{name}"')
    c.ok(f'SUBSCRIBE "{names[1]}"')
    for name in ["INBOX", *names]:
        for k in range(5):
            flags = " ".join(["\\Seen", "\\Flagged", f"Key{n}", "$Junk", "\\Answered", "\\Draft"][k:k + 3])
            c.ok(f'APPEND "{name}" ({flags}) " 7-Feb-20{10 + k} 12:00:0{k} +0700" {{}}', world.letter(world.new_mark()))
        c.ok(f'SELECT "{name}"')
        c.folder = world.folders["INBOX"]
        c.ok("STORE 2 +FLAGS (\\Deleted)")
        c.ok("EXPUNGE")
        c.ok(f"STORE 1 +FLAGS (Late{n})")
        c.ok(f'COPY 1:2 "{names[0]}"')
    c.ok("UNSELECT")


def no_more_than(a, b):
    """What differs, in words."""
    return {name: (a.get(name), b.get(name)) for name in {*a, *b} if a.get(name) != b.get(name)}


def test_taken_over_and_back(instance):
    """Dovecot makes it, Surat takes over and works, Dovecot goes on, and so on: nobody sees another thing than the one before."""
    world = World(instance, USER, PASSWORD, SEED)
    first = Session(world, 1, 0)
    first.login()                       # makes the Maildir, with the folders of a new user
    first.disconnect()
    rng = random.Random(SEED)
    for n in range(6):
        maker, taker = (DovecotSession, Session) if n % 2 == 0 else (Session, DovecotSession)
        a = maker(world, n, "maker")
        a.login()
        a.on_untagged = lambda *args: None
        work(a, world, n)
        left = state(a)
        if rng.random() < 0.5:
            a.disconnect()
        b = taker(world, n, "taker")
        b.login()
        b.on_untagged = lambda *args: None
        assert not no_more_than(left, state(b)), f"{taker.__name__} after {maker.__name__}"
        b.disconnect()
        a.disconnect()
