# COPY (RFC 3501 section 6.4.7), UIDPLUS (RFC 4315), MOVE (RFC 6851)
@cur INBOX S one
@cur INBOX F two
@cur INBOX S three
@cur INBOX S four
@sh mkdir -p .Old/cur .Old/new .Old/tmp
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 4 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 2] <*>
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
C: a2 COPY 1:2 Old
S: a2 OK [COPYUID <#v> 1:2 1:2] <*>
@sh test $(ls .Old/cur .Old/new | grep -c host) = 2 && test $(ls cur | wc -l) = 4
C: a3 UID COPY 4,2 Old
S: a3 OK [COPYUID <=v> 2,4 3:4] <*>
C: a4 COPY 1 Missing
S: a4 NO [TRYCREATE] <*>
C: a5 UID COPY 77 Old
S: a5 OK <*>
C: a6 COPY 5 Old
S: a6 BAD <*>
C: a7 MOVE 2:3 Old
S: * OK [COPYUID <=v> 2:3 5:6] <*>
S: * 2 EXPUNGE
S: * 2 EXPUNGE
S: a7 OK <*>
@sh test $(ls .Old/cur .Old/new | grep -c host) = 6 && test $(ls cur | wc -l) = 2
C: a8 UID MOVE 4 Missing
S: a8 NO [TRYCREATE] <*>
C: a9 UID MOVE 4 Old
S: * OK [COPYUID <=v> 4 7] <*>
S: * 2 EXPUNGE
S: a9 OK <*>
C: a10 COPY 1 INBOX
S: * 2 EXISTS
S: * <#> RECENT
S: a10 OK [COPYUID <#> 1 5] <*>
C: a11 EXAMINE Old
S: * OK [CLOSED] <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS ()] <*>
S: * 7 EXISTS
S: * <#> RECENT
S: * OK [UNSEEN 2] <*>
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 8] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a11 OK <*>
C: a12 MOVE 1 INBOX
S: a12 NO [READ-ONLY] <*>
C: a13 COPY 1 INBOX
S: a13 OK [COPYUID <#> 1 6] <*>
C: a14 MOVE 1
S: a14 BAD <*>
