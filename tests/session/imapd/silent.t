# .SILENT keeps back what the client asked for, not what others did meanwhile (RFC 3501 section 6.4.6)
@cur INBOX S one
@cur INBOX S two
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 3] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
C: a2 FETCH 1:2 FLAGS
S: * 1 FETCH (FLAGS (\Seen))
S: * 2 FETCH (FLAGS (\Seen))
S: a2 OK <*>
@session 2
S: a0 OK <*>
C: b1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 3] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: b1 OK <*>
C: b2 STORE 1 +FLAGS (\Flagged)
S: * 1 FETCH (FLAGS (\Flagged \Seen))
S: b2 OK <*>
@session 1
C: a3 STORE 1:2 +FLAGS.SILENT (\Answered)
S: * 1 FETCH (FLAGS (\Answered \Flagged \Seen))
S: a3 OK <*>
# a keyword that another session names
@session 2
C: b3 STORE 1 +FLAGS ($Work)
S: * FLAGS (<*> $Work)
S: * OK [PERMANENTFLAGS (<*> $Work \*)] <*>
S: * 1 FETCH (FLAGS (\Answered \Flagged \Seen $Work))
S: * 2 FETCH (FLAGS (\Answered \Seen))
S: b3 OK <*>
@session 1
C: a4 STORE 1 +FLAGS (\Draft)
S: * FLAGS (<*> $Work)
S: * OK [PERMANENTFLAGS (<*> $Work \*)] <*>
S: * 1 FETCH (FLAGS (\Answered \Flagged \Seen \Draft $Work))
S: a4 OK <*>
# and a copy has it, before this session was told of it
@sh mkdir -p .Other/cur .Other/new .Other/tmp
@session 2
C: b4 STORE 2 +FLAGS ($Late)
S: * FLAGS (<*> $Late)
S: * OK [PERMANENTFLAGS (<*> $Late \*)] <*>
S: * 2 FETCH (FLAGS (\Answered \Seen $Late))
S: * 1 FETCH (FLAGS (\Answered \Flagged \Seen \Draft $Work))
S: b4 OK <*>
@session 1
C: a5 COPY 2 Other
S: * FLAGS (<*> $Late)
S: * OK [PERMANENTFLAGS (<*> $Late \*)] <*>
S: * 2 FETCH (FLAGS (\Answered \Seen $Late))
S: a5 OK [COPYUID <#> 2 1] <*>
@sh grep -q '$Late' .Other/dovecot-keywords && ls .Other/cur | grep -q ':2,RSa$'
