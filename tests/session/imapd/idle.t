# IDLE (RFC 2177)
@conf mailbox_idle_check_interval = 100
@conf imap_idle_notify_interval = 700
@cur INBOX S one
S: a0 OK <*>
C: a1 IDLE
S: + idling
S: * OK Still here
C: DONE
S: a1 OK <*>
C: a2 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 2] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a2 OK <*>
C: a3 IDLE
S: + idling
@letter INBOX two
S: * 2 EXISTS
S: * 1 RECENT
@sh rm cur/*Q1.*
S: * 1 EXPUNGE
C: done
S: a3 OK <*>
C: a4 IDLE now
S: a4 BAD <*>
C: a5 IDLE
S: + idling
C: a6 NOOP
S: a5 BAD <*>
R: a7 IDLE\r\nDONE\r\na8 NOOP\r\n
S: + idling
S: a7 OK <*>
S: a8 OK <*>
C: a9 IDLE
S: + idling
R: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
S: * BYE <*>
@eof
