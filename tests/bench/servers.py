"""The two servers under measurement, each on a journaled ext4 of its own and in a cgroup of its own."""
import glob
import os
import pwd
import shutil
import socket
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
USERS = 50
PASSWORD = "bench-password"
IMAP_PASSWORD = "imap-password"
IMAP_USERS = ["big", "small", "huge"]
IDLE_USERS = 3000


def sh(*args, stdout=subprocess.PIPE, **kw):
    """Runs a command; its output only shows when it fails."""
    p = subprocess.run(args, stdout=stdout, stderr=subprocess.STDOUT, text=True, **kw)
    if p.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: {(p.stdout or '')[-2000:]}")
    return p.stdout


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


class Volume:
    """An ext4 in a sparse file, mounted at path: what one server writes is not mixed with what others write. It is a copy of
    image if one is given."""

    def __init__(self, path, size, image=None):
        self.path, self.image = path, path + ".img"
        os.makedirs(path)
        if image:
            sh("cp", "--sparse=always", "--reflink=auto", image, self.image)
        else:
            with open(self.image, "wb") as f:
                f.truncate(size)
            sh("mkfs.ext4", "-q", "-F", "-i", "8192", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.device = sh("losetup", "--find", "--show", self.image).strip()
        sh("mount", self.device, path)
        os.chmod(path, 0o755)

    def written(self):
        """Bytes, after everything that lingers in memory has gone out too."""
        sh("sync", "-f", self.path)
        return int(read(f"/sys/block/{os.path.basename(self.device)}/stat").split()[6]) * 512

    def unmount(self):
        for command in (["umount", self.path], ["losetup", "-d", self.device]):
            for _ in range(300):
                if subprocess.run(command, capture_output=True).returncode == 0:
                    break
                time.sleep(0.1)

    def close(self):
        self.unmount()
        os.unlink(self.image)


class Group:
    """A version 2 cgroup: the CPU and the events of all its processes, also of those that have ended."""

    def __init__(self, name):
        mounts = [line.split() for line in read("/proc/mounts").splitlines()]
        roots = [m[1] for m in mounts if m[2] == "cgroup2"]
        if not roots:
            raise RuntimeError("no cgroup2 is mounted")
        self.name, self.path = name, os.path.join(roots[0], name)
        os.mkdir(self.path)

    def enter(self):
        """For preexec_fn."""
        with open(os.path.join(self.path, "cgroup.procs"), "w") as f:
            f.write(str(os.getpid()))

    def cpu(self):
        for line in read(os.path.join(self.path, "cpu.stat")).splitlines():
            if line.startswith("usage_usec"):
                return int(line.split()[1]) / 1e6
        raise RuntimeError("cpu.stat has no usage_usec")

    def pids(self):
        return [int(p) for p in read(os.path.join(self.path, "cgroup.procs")).split()]

    def memory(self, name=None, key="Pss:"):
        """Bytes: PSS and page tables of all processes, or another row of smaps_rollup of those of one name."""
        total = 0
        for pid in self.pids():
            try:
                comm = read(f"/proc/{pid}/comm").strip()
                if name and comm != name:
                    continue
                rollup, status = read(f"/proc/{pid}/smaps_rollup"), read(f"/proc/{pid}/status")
            except (FileNotFoundError, ProcessLookupError):
                continue
            rows = [r.split() for r in rollup.splitlines() if r.startswith(key)]
            rows += [r.split() for r in status.splitlines() if r.startswith("VmPTE:") and not name]
            total += sum(int(r[1]) * 1024 for r in rows)
        return total

    def close(self):
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.1)


class Server:
    """What is the same for both: a volume, a group, mailboxes user0@example.com ... of one uid below mail."""

    def __init__(self, name, where, port, size=6 << 30, image=None):
        self.name, self.smtp = name, port + 25
        self.dir = os.path.join(where, name)
        self.volume = Volume(self.dir, size, image)
        self.group = Group(f"bench-{name}-{os.getpid()}")
        self.uid, self.gid = pwd.getpwnam("_surat-vmail")[2:4]

    def run(self, *args):
        return sh(*args, preexec_fn=self.group.enter)

    def mailboxes(self, path):
        write(path, "".join(f"user{i}@example.com user{i}/Maildir/\n" for i in range(USERS)))
        return "texthash:" + path

    def passwords(self):
        """A passwd-file of the IMAP users, without hashes: they would cost more than what is measured."""
        users = IMAP_USERS + [f"idle{i}" for i in range(IDLE_USERS)]
        write(self.dir + "/imap-passwd", "".join(f"{u}@example.com:{{PLAIN}}{IMAP_PASSWORD}\n" for u in users))
        return self.dir + "/imap-passwd"

    def wait_open(self, port):
        for _ in range(200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} does not listen on {port}")

    def delivered(self):
        return sum(len(os.listdir(d)) for d in glob.glob(self.mail + "/user*/Maildir/new"))

    def empty_mail(self):
        for d in glob.glob(self.mail + "/user*"):
            shutil.rmtree(d)

    def close(self):
        self.stop()
        self.group.close()
        self.volume.close()


class Surat(Server):
    def __init__(self, where, port, settings=(), image=None):
        super().__init__("surat", where, port, image=image)
        inst = os.path.join(self.dir, "inst")
        self.tls, self.conf, self.mail = port + 465, inst + "/etc", inst + "/mail"
        self.imap, self.imaps = port + 143, port + 993
        self.options = ["--dir", inst, "--base-port", str(port), "--user", f"bench={PASSWORD}", "--no-demo"]
        self.cert = inst + "/tls"
        own = self.imap_settings() if image else self.smtp_settings()
        for s in [*own, "mail_location=maildir:~/Maildir", *settings]:
            self.options += ["--set", s]

    def smtp_settings(self):
        passwd = os.path.join(self.dir, "passwd")
        write(passwd, f"user0@example.com:{{PLAIN}}{PASSWORD}\n")
        return ["mynetworks=127.0.0.0/8", "virtual_mailbox_maps=" + self.mailboxes(self.dir + "/boxes"),
                "smtpd_client_connection_count_limit=0", "smtpd_client_connection_rate_limit=0", "auth_passdb=passwd-file:" + passwd]

    def imap_settings(self):
        self.mail = self.dir + "/mail"
        return ["auth_passdb=passwd-file:" + self.passwords(), f"mail_home={self.mail}/%d/%n", "virtual_mailbox_base=" + self.mail,
                "mail_max_userip_connections=0", "disable_plaintext_auth=no"]

    def set_cold(self, user):
        """The mailbox as a client with UIDs finds it without any index."""
        shutil.rmtree(f"{self.mail}/example.com/{user}/Maildir/surat-index", ignore_errors=True)

    def problems(self):
        return [line for line in read(self.conf + "/../mail.log").splitlines() if " error" in line or " warn" in line or "fatal" in line]

    def start(self):
        self.run(TOP + "/tools/quickstart", *self.options)

    def surat(self, command, *args):
        return sh(TOP + "/build/tools/surat", command, "-c", self.conf, *args)

    def queued(self):
        """How many letters the queue holds, as its list says."""
        return self.surat("queue", "list", "-j").count("\n")

    def empty_queue(self):
        self.surat("queue", "delete", "ALL")

    def refresh(self):
        self.surat("reload")

    def stop(self):
        sh(TOP + "/tools/quickstart", "--stop", "--dir", os.path.join(self.dir, "inst"))


MASTER_CF = """\
{smtp} inet n - n - {many} smtpd
{tls} inet n - n - {many} smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Server):
    """Debian's Postfix as a private instance. Tuned where its defaults hold it back: no pause on input (in_flow_delay)."""

    def __init__(self, where, port, cert, many=200):
        super().__init__("postfix", where, port)
        self.tls, self.conf, self.mail = port + 465, self.dir + "/etc", self.dir + "/mail"
        for d in (self.conf, self.dir + "/queue", self.dir + "/data", self.mail, self.conf + "/sasl"):
            os.mkdir(d)
        os.chown(self.mail, self.uid, self.gid)
        os.chown(self.dir + "/data", pwd.getpwnam("postfix")[2], -1)
        write(self.conf + "/main.cf", f"""\
compatibility_level = 3.6
queue_directory = {self.dir}/queue
data_directory = {self.dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = example.com
virtual_mailbox_maps = {self.mailboxes(self.conf + "/boxes")}
virtual_mailbox_base = {self.mail}
virtual_uid_maps = static:{self.uid}
virtual_gid_maps = static:{self.gid}
virtual_mailbox_limit = 0
virtual_transport = virtual
default_transport = smtp
defer_transports = smtp
message_size_limit = 10240000
smtpd_client_connection_count_limit = 0
smtpd_recipient_limit = 1000
in_flow_delay = 0
minimal_backoff_time = 3600s
maillog_file = {self.dir}/mail.log
maillog_file_prefixes = {self.dir}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {cert}/cert.pem
smtpd_tls_key_file = {cert}/key.pem
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = {self.conf}/sasl
smtpd_sasl_local_domain = example.com
""")
        write(self.conf + "/master.cf", MASTER_CF.format(smtp=self.smtp, tls=self.tls, many=many))
        write(self.conf + "/sasl/smtpd.conf", f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN\n"
              f"sasldb_path: {self.conf}/sasldb\n")
        sh("saslpasswd2", "-p", "-c", "-f", self.conf + "/sasldb", "-u", "example.com", "user0", input=PASSWORD)
        os.chmod(self.conf + "/sasldb", 0o644)

    def start(self):
        try:
            self.run("postfix", "-c", self.conf, "start")
        except RuntimeError:
            raise RuntimeError("Postfix does not start: " + read(self.dir + "/mail.log")) from None

    def queued(self):
        return sh("postqueue", "-c", self.conf, "-j").count("\n")

    def empty_queue(self):
        sh("postsuper", "-c", self.conf, "-d", "ALL")

    def refresh(self):
        sh("postfix", "-c", self.conf, "reload")

    def stop(self):
        subprocess.run(["postfix", "-c", self.conf, "stop"], capture_output=True)
