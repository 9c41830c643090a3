# SELECT and EXAMINE (RFC 3501 sections 6.3.1, 6.3.2), CLOSE, UNSELECT (RFC 3691), [CLOSED] (RFC 7162 section 3.2.11)
@cur INBOX S one
@letter INBOX two
@cur .Sent FS three
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] <*>
S: * 2 EXISTS
S: * 1 RECENT
S: * OK [UNSEEN 2] <*>
S: * OK [UIDVALIDITY <#v>] <*>
S: * OK [UIDNEXT 3] <*>
S: * OK [HIGHESTMODSEQ <#m>] <*>
S: a1 OK [READ-WRITE] <*>
@sh test $(ls new | wc -l) = 0 && test $(ls cur | wc -l) = 2
C: a2 EXAMINE Sent
S: * OK [CLOSED] <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS ()] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 2] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a2 OK [READ-ONLY] <*>
C: a3 STORE 1 +FLAGS (\Deleted)
S: a3 NO [READ-ONLY] <*>
C: a4 EXPUNGE
S: a4 NO [READ-ONLY] <*>
C: a5 SELECT Missing
S: * OK [CLOSED] <*>
S: a5 NO [NONEXISTENT] <*>
C: a6 CHECK
S: a6 BAD No mailbox selected: CHECK
C: a7 UNSELECT
S: a7 BAD <*>
# bad syntax leaves the selected folder alone
C: a8 EXAMINE inbox
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS ()] <*>
S: * 2 EXISTS
S: * <#> RECENT
S: * OK [UNSEEN 2] <*>
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 3] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a8 OK [READ-ONLY] <*>
C: a9 SELECT
S: a9 BAD <*>
C: a10 SELECT INBOX (FROB)
S: a10 BAD <*>
C: a11 CHECK
S: a11 OK <*>
C: a12 UNSELECT
S: a12 OK <*>
C: a13 SELECT "a//b"
S: a13 NO <*>
C: a14 SELECT ../INBOX
S: a14 NO <*>
C: a15 SELECT INBOX (QRESYNC (1 1))
S: a15 BAD <*>
