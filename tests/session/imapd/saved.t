# "$" (RFC 5182) for STORE, COPY and EXPUNGE; it follows the messages, not the numbers
@cur INBOX S one
@cur INBOX FS two
@cur INBOX FS three
@cur INBOX S four
@sh mkdir -p .Old/cur .Old/new .Old/tmp
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 4 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
C: a2 STORE $ +FLAGS (\Seen)
S: a2 OK <*>
C: a3 SEARCH RETURN (SAVE) FLAGGED
S: a3 OK <*>
C: a4 STORE $ +FLAGS.SILENT (\Answered)
S: a4 OK <*>
@sh ls cur | grep -c ':2,FRS$' | grep -qx 2
C: a5 STORE 1 +FLAGS.SILENT (\Deleted)
S: a5 OK <*>
C: a6 EXPUNGE
S: * 1 EXPUNGE
S: a6 OK <*>
C: a7 STORE 3,$ -FLAGS (\Answered)
S: * 1 FETCH (FLAGS (\Flagged \Seen))
S: * 2 FETCH (FLAGS (\Flagged \Seen))
S: * 3 FETCH (FLAGS (\Seen))
S: a7 OK <*>
C: a8 UID COPY $ Old
S: a8 OK [COPYUID <#> 2:3 1:2] <*>
C: a9 UID STORE $ +FLAGS.SILENT (\Deleted)
S: a9 OK <*>
C: a10 UID EXPUNGE $
S: * 1 EXPUNGE
S: * 1 EXPUNGE
S: a10 OK <*>
C: a11 UID STORE $ +FLAGS (\Deleted)
S: a11 OK <*>
