# IMAP4rev2 (RFC 9051): no RECENT, no UNSEEN, LIST at SELECT
@letter INBOX one
S: a0 OK <*>
C: a1 ENABLE IMAP4rev2
S: * ENABLED IMAP4rev2
S: a1 OK <*>
C: a2 SELECT inbox
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1 EXISTS
S: * LIST () "." INBOX
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 2] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a2 OK [READ-WRITE] <*>
@letter INBOX two
C: a3 NOOP
S: * 2 EXISTS
S: a3 OK <*>
C: a4 STORE 1 +FLAGS (\Seen)
S: * 1 FETCH (UID 1 FLAGS (\Seen))
S: a4 OK <*>
