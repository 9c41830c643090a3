"""Debian's Dovecot as a private instance on high ports, in three configurations."""
import subprocess
import time

from servers import Server, read, sh, write

# What each configuration adds to the common part below. No setting changes what is on disk before a client hears OK.
CONFIGURATIONS = {
    "default": "",
    # login processes that serve many clients, imap processes that serve one user after the other, no scan of cur/ that
    # our own changes caused, envelopes cached as they are sent
    "tuned": """\
maildir_very_dirty_syncs = yes
mail_always_cache_fields = flags imap.envelope imap.bodystructure date.sent
auth_cache_size = 16M
service imap-login {
  service_count = 0
  process_min_avail = 2
  process_limit = 4
  client_limit = 20000
}
service imap {
  service_count = 512
  process_min_avail = 4
  process_limit = 8000
}
service auth {
  client_limit = 20000
}
service anvil {
  client_limit = 20000
}
""",
}
# A process that would serve another user keeps its memory.
CONFIGURATIONS["hibernating"] = CONFIGURATIONS["tuned"] + """\
imap_hibernate_timeout = 5s
service imap {
  service_count = 1
  unix_listener imap-master {
    user = $default_internal_user
  }
}
service imap-hibernate {
  client_limit = 20000
  unix_listener imap-hibernate {
    mode = 0666
  }
}
"""

COMMON = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/mail.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}/cert.pem
ssl_key = <{cert}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = {uid}
mail_location = maildir:~/Maildir
mail_max_userip_connections = 20000
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {passwd}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={mail}/%d/%n
}}
namespace inbox {{
  inbox = yes
}}
default_vsz_limit = 2G
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
"""


class Dovecot(Server):
    def __init__(self, where, port, cert, kind, image):
        super().__init__("dovecot-" + kind, where, port, image=image)
        self.imap, self.imaps = port + 143, port + 993
        self.mail, self.conf = self.dir + "/mail", self.dir + "/dovecot.conf"
        passwd = self.passwords()
        write(self.conf, COMMON.format(dir=self.dir, cert=cert, uid=self.uid, gid=self.gid, mail=self.mail, passwd=passwd,
                                       imap=self.imap, imaps=self.imaps) + CONFIGURATIONS[kind])
        self.p = None

    def start(self):
        self.p = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", self.conf], preexec_fn=self.group.enter,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.wait_open(self.imap)

    def set_cold(self, user):
        """The mailbox as a client with UIDs finds it without any index."""
        box = f"{self.mail}/example.com/{user}/Maildir"
        sh("find", box, "-maxdepth", "2", "(", "-name", "dovecot.index*", "-o", "-name", "dovecot.list.index*", ")", "-delete")

    def refresh(self):
        sh("doveadm", "-c", self.conf, "reload")

    def problems(self):
        return [line for line in read(self.dir + "/mail.log").splitlines() if "Error" in line or "Fatal" in line or "Panic" in line]

    def stop(self):
        if not self.p:
            return
        self.p.terminate()
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        time.sleep(0.5)
