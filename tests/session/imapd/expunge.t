# EXPUNGE (RFC 3501 section 6.4.3), UID EXPUNGE (RFC 4315 section 2.1), CLOSE
@cur INBOX T one
@cur INBOX - two
@cur INBOX T three
@cur INBOX T four
@cur INBOX T five
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 5 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] <*>
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 6] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
C: a2 UID EXPUNGE 2:3
S: * 3 EXPUNGE
S: a2 OK Expunge completed.
C: a3 UID EXPUNGE 99
S: a3 OK <*>
C: a4 UID EXPUNGE
S: a4 BAD <*>
C: a5 EXPUNGE 1
S: a5 BAD <*>
C: a6 EXPUNGE
S: * 1 EXPUNGE
S: * 2 EXPUNGE
S: * 2 EXPUNGE
S: a6 OK <*>
@sh test $(ls cur | wc -l) = 1
C: a7 EXPUNGE
S: a7 OK <*>
C: a8 STORE 1 +FLAGS.SILENT (\Deleted)
S: a8 OK <*>
C: a9 UNSELECT
S: a9 OK <*>
@sh test $(ls cur | wc -l) = 1
C: a10 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] <*>
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 6] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a10 OK <*>
C: a11 CLOSE
S: a11 OK Close completed.
@sh test $(ls cur | wc -l) = 0
C: a12 LOGOUT
S: * BYE <*>
S: a12 OK <*>
@log deleted=1 expunged=5
