# changes of others: told before a tagged answer, EXPUNGE never during FETCH, STORE and SEARCH (RFC 3501 section 7.4.1)
@cur INBOX S one
@cur INBOX S two
@cur INBOX S three
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 4] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
@session 2
S: a0 OK <*>
C: b1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 4] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: b1 OK <*>
C: b2 STORE 2 +FLAGS (\Deleted $Work)
S: * FLAGS (<*> $Work)
S: * OK [PERMANENTFLAGS (<*> $Work \*)] <*>
S: * 2 FETCH (FLAGS (\Deleted \Seen $Work))
S: b2 OK <*>
@session 1
C: a2 NOOP
S: * FLAGS (<*> $Work)
S: * OK [PERMANENTFLAGS (<*> $Work \*)] <*>
S: * 2 FETCH (FLAGS (\Deleted \Seen $Work))
S: a2 OK <*>
@session 2
C: b3 EXPUNGE
S: * 2 EXPUNGE
S: b3 OK <*>
@session 1
# number 2 is gone but stays number 2 until EXPUNGE may be told
C: a3 STORE 3 +FLAGS (\Flagged)
S: * 3 FETCH (FLAGS (\Flagged \Seen))
S: a3 OK <*>
C: a4 STORE 2 +FLAGS (\Flagged)
S: a4 NO [EXPUNGEISSUED] <*>
C: a5 NOOP
S: * 2 EXPUNGE
S: a5 OK <*>
@session 2
C: b4 NOOP
S: * 2 FETCH (FLAGS (\Flagged \Seen))
S: b4 OK <*>
# deliveries and another program's work
@letter INBOX four
C: b5 NOOP
S: * 3 EXISTS
S: * 1 RECENT
S: b5 OK <*>
@session 1
C: a6 NOOP
S: * 3 EXISTS
S: * 0 RECENT
S: a6 OK <*>
@sh cd cur && f=$(ls | grep Q1.) && mv $f ${f%:*}:2,RS
C: a7 NOOP
S: * 1 FETCH (FLAGS (\Answered \Seen))
S: a7 OK <*>
@sh rm cur/*Q1.*
C: a8 UID STORE 3 -FLAGS (\Flagged)
S: * 2 FETCH (UID 3 FLAGS (\Seen))
S: * 1 EXPUNGE
S: a8 OK <*>
