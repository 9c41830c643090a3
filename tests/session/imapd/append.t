# APPEND (RFC 3501 section 6.3.11), UIDPLUS (RFC 4315), MULTIAPPEND (RFC 3502), BINARY (RFC 3516), UTF8 (RFC 6855)
@conf imap_append_limit = 500
@sh mkdir -p .Drafts/cur .Drafts/new .Drafts/tmp
S: a0 OK <*>
C: a1 APPEND Drafts (\Draft \Seen $Mine) "07-Feb-1994 21:52:25 -0800" {26}
S: + OK
R: Subject: one\r\n\r\nHello\r\nyou\r\n
S: a1 OK [APPENDUID <#v> 1] <*>
@sh ls .Drafts/cur/*:2,DSa && printf 'Subject: one\n\nHello\nyou' | cmp - .Drafts/cur/*
C: a2 SELECT Drafts
S: * FLAGS (<*> $Mine)
S: * OK [PERMANENTFLAGS (<*> $Mine \*)] <*>
S: * 1 EXISTS
S: * <#> RECENT
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 2] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a2 OK <*>
# into the selected folder: EXISTS comes with it
R: a3 APPEND Drafts {7+}\r\nX: a\n\nb\r\n
S: * 2 EXISTS
S: * <#> RECENT
S: a3 OK [APPENDUID <=v> 2] <*>
# several at once
R: a4 APPEND Drafts (\\Seen) {4+}\r\nX: 1 (\\Flagged) "1-Jan-2001 00:00:00 +0000" {4+}\r\nX: 2 {4}\r\n
S: + OK
R: X: 3\r\n
S: * 5 EXISTS
S: * <#> RECENT
S: a4 OK [APPENDUID <=v> 3:5] <*>
# all or nothing
R: a5 APPEND Drafts {4+}\r\nX: 1 (\\Frob) {4+}\r\nX: 2\r\n
S: a5 BAD <*>
R: a6 APPEND Drafts {4+}\r\nX: 1 {0+}\r\n\r\n
S: a6 NO <*>
R: a7 APPEND Drafts {4+}\r\nX: 1 {900}\r\n
S: a7 NO [TOOBIG] <*>
R: a8 APPEND Drafts {4+}\r\nX: 1 oops\r\n
S: a8 BAD <*>
@sh test $(ls .Drafts/cur .Drafts/new | grep -c host) = 5 && test -z "$(ls .Drafts/tmp)"
# the name may be a literal
R: a9 APPEND {6}\r\n
S: + OK
R: Drafts {4}\r\n
S: + OK
R: X: 1\r\n
S: * 6 EXISTS
S: * <#> RECENT
S: a9 OK [APPENDUID <=v> 6] <*>
C: a10 APPEND Missing {4}
S: a10 NO [TRYCREATE] <*>
R: a11 APPEND Missing {10+}\r\na99 LOGOUT\r\n
S: a11 NO [TRYCREATE] <*>
C: a12 APPEND Drafts
S: a12 BAD <*>
C: a13 APPEND Drafts (\Seen)
S: a13 BAD <*>
C: a14 APPEND Drafts "yesterday" {4}
S: a14 BAD <*>
# NUL only in a literal8
R: a15 APPEND Drafts {5+}\r\nX: \01\r\n
S: a15 BAD <*>
R: a16 APPEND Drafts ~{5+}\r\nX: \01\r\n
S: * 7 EXISTS
S: * <#> RECENT
S: a16 OK [APPENDUID <=v> 7] <*>
R: a17 APPEND Drafts UTF8 (~{6+}\r\nX: \xc3\xa4\n)\r\n
S: * 8 EXISTS
S: * <#> RECENT
S: a17 OK [APPENDUID <=v> 8] <*>
R: a18 APPEND Drafts UTF8 (~{6+}\r\nX: \xc3\xa4\n\r\n
S: a18 BAD <*>
C: a19 NOOP
S: a19 OK <*>
C: a20 APPEND Drafts {501}
S: a20 NO [TOOBIG] <*>
R: a21 APPEND INBOX {11}\r\n
S: + OK
@close
@sh test -z "$(ls tmp)" && test -z "$(ls new cur | grep host)"
