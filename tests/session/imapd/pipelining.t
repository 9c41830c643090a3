# many commands in one packet, and behind the login; literals of names; a name is one word to the last byte
@cur INBOX S one
@sh mkdir -p ".a b/cur" ".a b/new" ".a b/tmp"
R: a1 SELECT {5+}\r\nINBOX\r\na2 STORE 1 +FLAGS.SILENT (\\Deleted)\r\na3 NOOP\r\na4 EXPUNGE\r\na5 SELECT "a b"\r\na6 UNSELECT\r\na7 LOGOUT\r\n
S: a0 OK <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 2] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
S: a2 OK <*>
S: a3 OK <*>
S: * 1 EXPUNGE
S: a4 OK <*>
S: * OK [CLOSED] <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 0 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 1] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a5 OK <*>
S: a6 OK <*>
S: * BYE <*>
S: a7 OK <*>
@eof
@connect
S: a0 OK <*>
R: a1 EXAMINE {8+}\r\nIN\0BOX..\r\n
S: a1 BAD <*>
R: a2 EXAMINE "IN\nBOX"\r\n
S: a2 BAD <*>
S: <*> BAD <*>
C: a3 EXAMINE INBOX INBOX
S: a3 BAD <*>
# numbers of an empty folder
C: a4 SELECT "a b"
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 0 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 1] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a4 OK <*>
C: a5 STORE 1:* +FLAGS (\Seen)
S: a5 OK <*>
C: a6 STORE 1 +FLAGS (\Seen)
S: a6 BAD <*>
C: a7 UID STORE 1:* +FLAGS (\Seen)
S: a7 OK <*>
C: a8 STORE 4294967296 +FLAGS (\Seen)
S: a8 BAD <*>
C: a9 STORE -1 +FLAGS (\Seen)
S: a9 BAD <*>
C: a10 UID STORE 4294967295:1 +FLAGS (\Seen)
S: a10 OK <*>
