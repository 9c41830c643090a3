# What the client knows of the folder after a new letter: HIGHESTMODSEQ with QRESYNC, once all is told (RFC 7162)
@cur INBOX S one
S: a0 OK <*>
C: a1 ENABLE QRESYNC
S: * ENABLED QRESYNC
S: a1 OK <*>
C: a2 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#v>] <*>
S: * OK [UIDNEXT 2] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a2 OK <*>
R: a3 APPEND INBOX (\\Seen) {4+}\r\nX: 1\r\n
S: * 2 EXISTS
S: * 1 RECENT
S: * OK [HIGHESTMODSEQ <#m>] Highest
S: a3 OK [APPENDUID <=v> 2] <*>
# so there is nothing to learn for who comes back with it
C: a4 SELECT INBOX (QRESYNC (<=v> <=m>))
S: * OK [CLOSED] <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 3] <*>
S: * OK [HIGHESTMODSEQ <=m>] <*>
S: a4 OK <*>
# a letter of somebody else; where EXPUNGE must wait it is not said
@cur INBOX F three
C: a5 SEARCH ALL
S: * SEARCH 1 2
S: * 3 EXISTS
S: * <#> RECENT
S: a5 OK <*>
C: a6 NOOP
S: a6 OK <*>
@cur INBOX F four
C: a7 NOOP
S: * 4 EXISTS
S: * <#> RECENT
S: * OK [HIGHESTMODSEQ <#>] Highest
S: a7 OK <*>
C: z9 LOGOUT
S: * BYE <*>
S: z9 OK <*>
@eof
