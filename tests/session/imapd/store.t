# STORE (RFC 3501 section 6.4.6)
@cur INBOX - one
@cur INBOX S two
@cur INBOX F three
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] <*>
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 4] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
C: a2 STORE 1:2 +FLAGS (\Flagged \Seen)
S: * 1 FETCH (FLAGS (\Flagged \Seen))
S: * 2 FETCH (FLAGS (\Flagged \Seen))
S: a2 OK <*>
@sh ls cur | grep -c ':2,FS$' | grep -qx 2
C: a3 STORE 2 -FLAGS \Seen
S: * 2 FETCH (FLAGS (\Flagged))
S: a3 OK <*>
C: a4 UID STORE 3 FLAGS (\Answered \Draft)
S: * 3 FETCH (UID 3 FLAGS (\Answered \Draft))
S: a4 OK <*>
C: a5 STORE 1:* FLAGS.SILENT ()
S: a5 OK <*>
@sh ls cur | grep -c ':2,$' | grep -qx 3
# a new keyword is announced before it is used
C: a6 STORE 1 +FLAGS ($Junk)
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Junk)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Junk \*)] <*>
S: * 1 FETCH (FLAGS ($Junk))
S: a6 OK <*>
@sh grep -qx '0 $Junk' dovecot-keywords && ls cur | grep -q ':2,a$'
C: a7 STORE 2 +FLAGS.SILENT ($junk)
S: a7 OK <*>
# taking away a keyword that nobody has makes none
C: a8 STORE 1 -FLAGS ($Nothing $JUNK)
S: * 1 FETCH (FLAGS ())
S: a8 OK <*>
@sh ! grep -q Nothing dovecot-keywords
C: a9 STORE 4 +FLAGS (\Seen)
S: a9 BAD <*>
C: a10 UID STORE 44 +FLAGS (\Seen)
S: a10 OK <*>
C: a11 STORE 1 +FLAGS (\Recent)
S: a11 BAD <*>
C: a12 STORE 1 +FLAGS (\Frob)
S: a12 BAD <*>
C: a13 STORE 0 +FLAGS (\Seen)
S: a13 BAD <*>
C: a14 STORE 1
S: a14 BAD <*>
C: a15 STORE 1 (FLAGS
S: a15 BAD <*>
C: a16 CLOSE
S: a16 OK <*>
