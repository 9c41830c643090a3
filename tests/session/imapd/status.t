# STATUS: RFC 3501 section 6.3.10, RFC 7162, RFC 8438, RFC 9051 section 6.3.11
@cur INBOX S two
@cur INBOX ST three
@letter INBOX one
S: a0 OK <*>
C: a1 STATUS inbox (UIDNEXT MESSAGES)
S: * STATUS INBOX (MESSAGES 3 UIDNEXT <#>)
S: a1 OK <*>
C: a2 STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ SIZE DELETED)
S: * STATUS INBOX (MESSAGES 3 RECENT 1 UIDNEXT 4 UIDVALIDITY <#> UNSEEN 1 HIGHESTMODSEQ <#> SIZE <#> DELETED 1)
S: a2 OK <*>
C: a3 STATUS nope (MESSAGES)
S: a3 NO [NONEXISTENT] <*>
C: a4 STATUS ../x (MESSAGES)
S: a4 NO [CANNOT] <*>
C: a5 STATUS INBOX ()
S: a5 BAD <*>
C: a6 STATUS INBOX (FROB)
S: a6 BAD <*>
C: a7 STATUS INBOX MESSAGES
S: a7 BAD <*>
C: a8 STATUS INBOX
S: a8 BAD <*>
C: a9 STATUS {5}
S: + <*>
C: INBOX (MESSAGES MESSAGES)
S: * STATUS INBOX (MESSAGES 3)
S: a9 OK <*>
# the same when it is selected, and STATUS takes nothing from \Recent
C: b1 EXAMINE INBOX
S: * FLAGS <*>
S: * OK [PERMANENTFLAGS <*>
S: * 3 EXISTS
S: * 1 RECENT
S: * OK [UNSEEN <#>] <*>
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 4] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: b1 OK <*>
C: b2 STATUS INBOX (MESSAGES UNSEEN)
S: * STATUS INBOX (MESSAGES 3 UNSEEN 1)
S: b2 OK <*>
# SIZE is the sum of RFC822.SIZE
@sh mkdir -p .a/cur .a/new .a/tmp && printf 'a: b\n\nc\n' > .a/cur/1.M1 && printf 'a: b\r\n\r\nc\r\n' > .a/cur/2.M1
C: c1 STATUS a (SIZE)
S: * STATUS a (SIZE 22)
S: c1 OK <*>
C: z9 LOGOUT
S: * BYE <*>
S: z9 OK <*>
@eof
