# APPEND into a folder without room for the keyword: the letter is kept, as COPY does (RFC 3501 section 6.3.11: SHOULD be set)
@cur INBOX S one
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*> \*)] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 2] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
C: a2 STORE 1 +FLAGS.SILENT (k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13 k14 k15 k16 k17 k18 k19 k20 k21 k22 k23 k24 k25)
S: * FLAGS <*>
S: * OK [PERMANENTFLAGS <*>] <*>
S: a2 OK <*>
R: a3 APPEND INBOX (k99 \\Seen) {4+}\r\nX: 1\r\n
S: * 2 EXISTS
S: * 1 RECENT
S: a3 OK [APPENDUID <#> 2] <*>
# of each message of several what fits
R: a4 APPEND INBOX (k99 k1) {4+}\r\nX: 2 (\\Seen k2 k98) {4+}\r\nX: 3\r\n
S: * 4 EXISTS
S: * 3 RECENT
S: a4 OK [APPENDUID <#> 3:4] <*>
C: a5 FETCH 2:4 FLAGS
S: * 2 FETCH (FLAGS (\Seen \Recent))
S: * 3 FETCH (FLAGS (\Recent k1))
S: * 4 FETCH (FLAGS (\Seen \Recent k2))
S: a5 OK <*>
C: z9 LOGOUT
S: * BYE <*>
S: z9 OK <*>
@eof
