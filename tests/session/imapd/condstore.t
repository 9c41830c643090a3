# CONDSTORE and QRESYNC (RFC 7162), ENABLE (RFC 5161)
@cur INBOX S one
@cur INBOX S two
@cur INBOX S three
@cur INBOX S four
S: a0 OK <*>
C: a1 ENABLE CONDSTORE X-FROB
S: * ENABLED CONDSTORE
S: a1 OK <*>
C: a2 ENABLE
S: a2 BAD <*>
C: a3 ENABLE QRESYNC CONDSTORE
S: * ENABLED QRESYNC
S: a3 OK <*>
C: a4 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 4 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <#m0>] <*>
S: a4 OK <*>
C: a5 STORE 1 +FLAGS (\Flagged)
S: * 1 FETCH (UID 1 MODSEQ (<#m1>) FLAGS (\Flagged \Seen))
S: a5 OK <*>
C: a6 UID STORE 2 (UNCHANGEDSINCE <=m1>) +FLAGS.SILENT (\Flagged)
S: * 2 FETCH (UID 2 MODSEQ (<#m2>))
S: a6 OK <*>
C: a7 STORE 1:3 (UNCHANGEDSINCE <=m1>) +FLAGS.SILENT (\Deleted)
S: * 1 FETCH (UID 1 MODSEQ (<#m3>))
S: * 3 FETCH (UID 3 MODSEQ (<=m3>))
S: a7 OK [MODIFIED 2] <*>
C: a8 UID STORE 1:2 (UNCHANGEDSINCE 1) -FLAGS (\Deleted)
S: a8 OK [MODIFIED 1:2] <*>
# nor does the folder get a keyword that no message gets
C: a80 STORE 1:3 (UNCHANGEDSINCE 1) +FLAGS (never)
S: a80 OK [MODIFIED 1:3] <*>
@sh ! grep -s never dovecot-keywords
C: a9 EXPUNGE
S: * VANISHED 1,3
S: a9 OK [HIGHESTMODSEQ <#m4>] <*>
C: a10 UNSELECT
S: a10 OK <*>
# what changed since m1: 2 was flagged, 1 and 3 are gone
C: a11 SELECT INBOX (QRESYNC (<=v> <=m1>))
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <=m4>] <*>
S: * VANISHED (EARLIER) 1,3
S: * 1 FETCH (UID 2 MODSEQ (<=m2>) FLAGS (\Flagged \Seen))
S: a11 OK <*>
# only of those UIDs that the client knows
C: a12 EXAMINE INBOX (QRESYNC (<=v> <=m1> 3:4))
S: * OK [CLOSED] <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS ()] <*>
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <=m4>] <*>
S: * VANISHED (EARLIER) 3
S: a12 OK <*>
# nothing new, and another UIDVALIDITY
C: a13 SELECT INBOX (QRESYNC (<=v> <=m4>))
S: * OK [CLOSED] <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <=m4>] <*>
S: a13 OK <*>
C: a14 SELECT INBOX (QRESYNC (77 1))
S: * OK [CLOSED] <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <=m4>] <*>
S: a14 OK <*>
C: a15 STORE 1 +FLAGS.SILENT (\Deleted)
S: * 1 FETCH (UID 2 MODSEQ (<#>))
S: a15 OK <*>
C: a16 CLOSE
S: a16 OK [HIGHESTMODSEQ <#m5>] <*>
C: a17 SELECT INBOX (QRESYNC (<=v> <=m4> 1:4 (1,2 2,4)))
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <=m5>] <*>
S: * VANISHED (EARLIER) 2
S: a17 OK <*>
# the log of expunges may be lost with the index: then all that is not there is told
@sh rm -rf surat-index
@connect
S: a0 OK <*>
C: b1 ENABLE QRESYNC
S: * ENABLED QRESYNC
S: b1 OK <*>
C: b2 SELECT INBOX (QRESYNC (<=v> <=m1>))
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: * VANISHED (EARLIER) 1:3
S: * 1 FETCH (UID 4 MODSEQ (<#>) FLAGS (\Seen))
S: b2 OK <*>
# CONDSTORE by what needs it, with the folder selected
@connect
S: a0 OK <*>
C: c1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: c1 OK <*>
C: c2 STORE 1 (UNCHANGEDSINCE 99999999999999999) +FLAGS (\Draft)
S: * OK [HIGHESTMODSEQ <#>] <*>
S: * 1 FETCH (UID 4 MODSEQ (<#>) FLAGS (\Seen \Draft))
S: c2 OK <*>
