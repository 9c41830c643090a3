# [OVERQUOTA] (RFC 9208 section 4.4.2): before the literal is sent, and nothing is left
@conf quota = 400
S: a0 OK <*>
R: a1 APPEND INBOX {4+}\r\nX: 1\r\n
S: a1 OK [APPENDUID <#> 1] <*>
C: a2 APPEND INBOX {500}
S: a2 NO [OVERQUOTA] <*>
R: a3 APPEND INBOX {4+}\r\nX: 1 {4+}\r\nX: 2 {450}\r\n
S: a3 NO [OVERQUOTA] <*>
C: a4 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1 EXISTS
S: * <#> RECENT
S: * OK [UNSEEN 1] <*>
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT <#>] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a4 OK <*>
@sh test -z "$(ls tmp)"
C: a5 LOGOUT
S: * BYE <*>
S: a5 OK <*>
