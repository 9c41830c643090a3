"""Libraries and smaller programs for IMAP, POP3 and SMTP, each through a whole session; what they did is looked at by another client."""
import os
import shutil
import subprocess

import pytest
from imap_wire import Imap, pairs
from instance import Instance
from letters import crlf, fetch, letter, wait_file

TITO, IQBAL = "tito@example.com", "iqbal@example.com"
USERS = {TITO: "rahasia-1", IQBAL: "rahasia-2"}


@pytest.fixture(scope="module")
def suite():
    with Instance(users=USERS, settings={"mail_max_userip_connections": 30}) as i:
        yield i


def login(suite, user=IQBAL):
    return Imap(suite, user, USERS[user])


@pytest.fixture
def box(suite):
    """Three letters in an INBOX of iqbal, nothing else there; their marks. tito has no letter."""
    for user in USERS:
        with login(suite, user) as c:
            c.ok("SELECT INBOX")
            c.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)") if c.all("EXISTS")[0][0] else None
            c.ok("EXPUNGE")
    marks = []
    with login(suite) as c:
        for n in range(3):
            text, m = letter(to=IQBAL, body=f"isi {n}\n.\n..\n")
            c.ok("APPEND INBOX {}", crlf(text))
            marks.append(m)
    return marks


def run(args, text=None, check=True, **kw):
    done = subprocess.run([str(a) for a in args], input=text, capture_output=True, timeout=60, text=True, **kw)
    assert not check or done.returncode == 0, (args, done.stdout[-3000:], done.stderr[-3000:])
    return done


def seen(suite, user=IQBAL, folder="INBOX"):
    """{mark: flags}"""
    with login(suite, user) as c:
        c.ok(f"EXAMINE {folder}")
        c.ok("FETCH 1:* (FLAGS ENVELOPE)") if c.all("EXISTS")[0][0] else None
        return {pairs(v)["ENVELOPE"][1].decode(): {f.decode() for f in pairs(v)["FLAGS"]} - {"\\Recent"} for _, v in c.all("FETCH")}


# ---- programs ----

def test_interimap(suite, box, tmp_path):
    """Two accounts kept the same with QRESYNC, one over STARTTLS, one over TLS: it trusts what VANISHED and MODSEQ say."""
    side = "[{}]\ntype = {}\nhost = localhost\nport = {}\nusername = {}\npassword = {}\nSSL_CAfile = {}\n"
    (tmp_path / "rc").write_text(
        f"database = {tmp_path}/db\nlist-select-opts =\n\n" +
        side.format("local", "imap", suite.port("imap"), IQBAL, USERS[IQBAL], suite.cert) + "STARTTLS = YES\n\n" +
        side.format("remote", "imaps", suite.port("imaps"), TITO, USERS[TITO], suite.cert))
    (tmp_path / "rc").chmod(0o600)

    def sync():
        done = run(["interimap", f"--config={tmp_path}/rc"], env={**os.environ, "HOME": str(tmp_path)})
        assert "WARNING" not in done.stderr.upper() and "BUG" not in done.stderr, done.stderr
        return done.stderr
    sync()
    sync()
    assert set(seen(suite, TITO)) == set(box)
    with login(suite, TITO) as c:
        c.ok("SELECT INBOX")
        c.ok("STORE 1 +FLAGS (\\Flagged penting)")
        c.ok("STORE 3 +FLAGS (\\Deleted)")
        c.ok("EXPUNGE")
    with login(suite) as c:
        c.ok("SELECT INBOX")
        c.ok("STORE 2 +FLAGS (\\Answered)")
        text, m = letter(to=IQBAL)
        c.ok("APPEND INBOX (\\Seen) {}", crlf(text))
    sync()
    want = {box[0]: {"\\Flagged", "penting"}, box[1]: {"\\Answered"}, m: {"\\Seen"}}
    assert seen(suite) == want and seen(suite, TITO) == want
    assert "Updated" not in sync()


@pytest.mark.parametrize("service", ["imap", "imaps"])
def test_imapfilter(suite, box, service):
    script = f"""
options.timeout, options.certificates, options.create, options.expunge = 20, false, true, true
a = IMAP{{server = 'localhost', port = {suite.port(service)}, username = '{IQBAL}', password = '{USERS[IQBAL]}'
    {", ssl = 'auto'" if service == "imaps" else ""}}}
assert(#a.INBOX:select_all() == 3 and #a.INBOX:is_unseen() == 3 and #a.INBOX:contain_body('isi 1') == 1)
one = a.INBOX:contain_subject('{box[1]}') * a.INBOX:sent_since('01-Jan-2020') + a.INBOX:contain_subject('{box[1]}')
assert(#one == 1)
box, uid = table.unpack(one[1])
assert(box[uid]:fetch_message():find('isi 1') and box[uid]:fetch_field('subject'):find('{box[1]}') and box[uid]:fetch_structure())
one:add_flags({{'\\\\Flagged', 'kata'}})
one:copy_messages(a['Arsip.Baru'])
assert(#a['Arsip.Baru']:is_flagged() == 1)
a['Arsip.Baru']:select_all():move_messages(a.Trash)
assert(a['Arsip.Baru']:check_status() == 0)
a.Trash:select_all():delete_messages()
assert(a:rename_mailbox('Arsip.Baru', 'Lama') and a:delete_mailbox('Lama'))
a.INBOX:contain_subject('{box[2]}'):delete_messages()
"""
    run(["imapfilter", "-t", suite.cert, "-c", "/dev/stdin"], script, env={**os.environ, "SSL_CERT_FILE": str(suite.cert)})
    assert seen(suite) == {box[0]: set(), box[1]: {"\\Flagged", "kata"}}


@pytest.mark.parametrize("send,auth,read", [("smtps:submissions", "plain", "imaps:imaps"), ("submission:submission", "login", "pop3s:pop3s"),
                                            ("submission:submission", "plain", "imap:imap")])
def test_s_nail(suite, box, tmp_path, send, auth, read):
    (tmp_path / "rc").write_text(f"set v15-compat=yes\nset tls-ca-file={suite.cert}\nset tls-ca-no-defaults\nset from={TITO}\n")
    env = {**os.environ, "HOME": str(tmp_path), "MAILRC": str(tmp_path / "rc")}

    def url(words, user):
        scheme, service = words.split(":")
        return f"{scheme}://{user.replace('@', '%40')}:{USERS[user]}@localhost:{suite.port(service)}"
    _, m = letter()
    run(["s-nail", "-n", "-S", "smtp-use-starttls", "-S", f"smtp-auth={auth}", "-S", f"mta={url(send, TITO)}", "-s", m, IQBAL],
        "isi\n.titik\n", env=env)
    assert b"isi\n.titik\n" in fetch(suite, IQBAL, m, USERS[IQBAL])
    done = run(["s-nail", "-n", "-#", "-R", "-S", "imap-use-starttls", "-f", url(read, IQBAL)], "headers\ntype 2\nquit\n", env=env)
    assert all(word[:20] in done.stdout for word in [*box, m]) and "isi 1" in done.stdout, done.stdout


# ---- libraries ----

PERL = r"""
use strict; use warnings; use Mail::IMAPClient; use IO::Socket::SSL;
my ($port, $ca, $user, $pass, @marks) = @ARGV;
my $c = Mail::IMAPClient->new(Server => 'localhost', Port => $port, User => $user, Password => $pass, Uid => 1,
	Starttls => [SSL_ca_file => $ca], Authmechanism => 'PLAIN') or die "login: $@";
sub ok { my ($what, $it) = @_; defined $it && $it or die "$what: " . ($c->LastError // 'wrong') . "\n"; }
ok('capability', $c->has_capability('UIDPLUS') && $c->has_capability('IDLE'));
ok('select', $c->select('INBOX'));
ok('search', join(',', $c->search('SUBJECT', $c->Quote($marks[1]))) eq ($c->messages)[1]);
my $uid = ($c->messages)[1];
ok('envelope', $c->get_envelope($uid)->subject eq $marks[1]);
ok('structure', $c->get_bodystructure($uid)->bodytype =~ /text/i);
ok('size', length($c->message_string($uid)) == $c->size($uid));
ok('thread', $c->thread('REFERENCES', 'UTF-8', 'ALL'));
ok('sort', scalar(@{$c->sort('REVERSE SUBJECT', 'UTF-8', 'ALL')}) == 3);
ok('flags', $c->set_flag('Flagged', $uid) && grep { /Flagged/ } $c->flags($uid));
for my $name ('', 'INBOX', '/blah') { ok("quotaroot $name", $c->getquotaroot($name)); }
ok('quota', $c->getquota('User quota') && !$c->getquota('nihil'));
ok('create', $c->create('Perl') && $c->copy('Perl', $uid) && $c->move('Perl', ($c->messages)[0]) && $c->expunge);
ok('select', $c->select('Perl') && $c->message_count == 2);
my $new = $c->append_string('Perl', "Subject: baru\015\012\015\012isi\015\012", '\Seen');
ok('appenduid', $new == 3);
ok('idle', (my $tag = $c->idle)); ok('done', $c->done($tag));
ok('rename', $c->rename('Perl', 'Perl2') && $c->select('INBOX') && $c->delete('Perl2'));
ok('logout', $c->logout);
"""


def test_perl_imapclient(suite, box):
    run(["perl", "-", suite.port("imap"), suite.cert, IQBAL, USERS[IQBAL], *box], PERL)
    assert seen(suite) == {box[1]: {"\\Seen", "\\Flagged"}, box[2]: set()}


RUBY = r"""
require 'net/imap'; require 'net/smtp'; require 'net/pop'
imap, smtp, pop, ca, user, pass, text, *marks = ARGV
def ok(what, it) = it ? it : abort("#{what}: #{it.inspect}")
tls = {ca_file: ca}
c = Net::IMAP.new('localhost', port: imap.to_i, ssl: tls)
c.authenticate('PLAIN', user, pass)
c.select('INBOX')
ok 'search', c.search(['SUBJECT', marks[1]], 'UTF-8') == [2]
ok 'sort', c.sort(['REVERSE', 'ARRIVAL'], ['ALL'], 'UTF-8').size == 3
ok 'thread', c.thread('REFERENCES', 'ALL', 'UTF-8').size == 3
m = c.fetch(2, %w(UID FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE INTERNALDATE BODY.PEEK[TEXT]<0.5> MODSEQ))[0].attr
ok 'envelope', m['ENVELOPE'].subject == marks[1] && m['BODY[TEXT]<0>'] == 'isi 1' && m['BODYSTRUCTURE'].media_type == 'TEXT'
ok 'quota', c.getquotaroot('INBOX').any? { |q| q.is_a?(Net::IMAP::MailboxQuota) }
c.create('Ruby')
ok 'copyuid', c.uid_copy(m['UID'], 'Ruby').data.code.name == 'COPYUID'
ok 'appenduid', c.append('Ruby', text, [:Seen, 'kata'], Time.now).data.code.name == 'APPENDUID'
ok 'move', c.move(1, 'Ruby')
ok 'store', c.store(1, '+FLAGS', [:Deleted])[0].attr['FLAGS'].include?(:Deleted)
ok 'expunge', c.expunge.last == 1
ok 'status', c.status('Ruby', %w(MESSAGES UNSEEN)) == {'MESSAGES' => 3, 'UNSEEN' => 2}
heard = []
c.idle(5) do |r|
	if heard.empty?
		heard << nil
		Thread.new { d = Net::IMAP.new('localhost', port: imap.to_i, ssl: tls); d.login(user, pass); d.append('INBOX', text); d.disconnect }
	end
	heard << r.name if r.is_a?(Net::IMAP::UntaggedResponse)
	c.idle_done if r.name == 'EXISTS'
end
ok 'idle', heard.include?('EXISTS')
c.delete('Ruby')
c.logout
context = OpenSSL::SSL::SSLContext.new
context.set_params(ca_file: ca)
[:plain, :login].each do |how|
	s = Net::SMTP.new('localhost', smtp.to_i)
	s.enable_starttls(context)
	s.start('localhost', user, pass, how) { |x| ok 'queued', x.send_message(text, user, user).string =~ /queued/ }
end
p3 = Net::POP3.new('localhost', pop.to_i)
p3.enable_ssl(ca_file: ca)
p3.start(user, pass)
ok 'pop', p3.n_mails >= 2 && p3.mails[0].unique_id =~ /\A\h{16}\z/ && p3.mails[0].top(0).include?('Subject') && p3.mails[0].pop.size == p3.mails[0].length
p3.finish
"""


def test_ruby(suite, box):
    text, m = letter(to=IQBAL, sender=IQBAL, body="isi\n.titik\n")
    run(["ruby", "-", suite.port("imaps"), suite.port("submission"), suite.port("pop3s"), suite.cert, IQBAL, USERS[IQBAL],
         crlf(text).decode(), *box], RUBY)
    assert b"\n.titik\n" in wait_file(suite.maildir(IQBAL), m)


def test_none_of_the_programs_is_missing():
    missing = [p for p in ("interimap", "imapfilter", "s-nail", "perl", "ruby") if not shutil.which(p)]
    assert not missing, missing
