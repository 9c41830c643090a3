@conf imap_idle_timeout = 1200
S: a0 OK <*>
C: a1 NOOP
S: a1 OK <*>
S: * BYE Disconnected for inactivity.
@eof
@log Disconnected: Inactivity
