# what the line at the end says
@cur INBOX S one
@cur INBOX S two
S: a0 OK <*>
C: a1 EXAMINE INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS ()] <*>
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 3] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
C: a2 FETCH 1:2 BODY[TEXT]
S: * 1 FETCH (BODY[TEXT] {5}
S: one
S: )
S: * 2 FETCH (BODY[TEXT] {5}
S: two
S: )
S: a2 OK <*>
C: a3 FETCH 2 BODY[HEADER.FIELDS (SUBJECT)]
S: * 2 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {16}
S: Subject: two
S: 
S: )
S: a3 OK <*>
C: a4 LOGOUT
S: * BYE <*>
S: a4 OK <*>
@log deleted=0 expunged=0 trashed=0 hdr_count=1 hdr_bytes=16 body_count=2 body_bytes=10
