# FETCH (RFC 3501 section 6.4.5), BINARY (RFC 3516), CHANGEDSINCE and VANISHED (RFC 7162)
@cur INBOX S one
@cur INBOX RS two
@cur INBOX * three
@sh mv cur/1700000003.* cur/1700000003.M1P1Q3.host:2,
@sh printf 'Subject: parts\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nHello\nyou\n--b\nContent-Type: application/x-data\nContent-Transfer-Encoding: base64\n\nAGEAYgo=\n--b\nContent-Type: text/plain\nContent-Transfer-Encoding: x-none\n\n?\n--b--\n' > cur/1700000004.M1P1Q4.host:2,S
S: a0 OK <*>
C: a1 FETCH 1 FLAGS
S: a1 BAD <*>
C: a2 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 4 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 3] <*>
S: * OK [UIDVALIDITY <#v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <#m0>] <*>
S: a2 OK <*>
C: a3 FETCH 1:2,4 (FLAGS UID)
S: * 1 FETCH (UID 1 FLAGS (\Seen))
S: * 2 FETCH (UID 2 FLAGS (\Answered \Seen))
S: * 4 FETCH (UID 4 FLAGS (\Seen))
S: a3 OK <*>
C: a4 UID FETCH 2:3,900 FLAGS
S: * 2 FETCH (UID 2 FLAGS (\Answered \Seen))
S: * 3 FETCH (UID 3 FLAGS ())
S: a4 OK <*>
C: a5 FETCH 9 FLAGS
S: a5 BAD <*>
C: a6 FETCH 1 (RFC822.SIZE BODY.PEEK[TEXT])
S: * 1 FETCH (RFC822.SIZE 102 BODY[TEXT] {5}
S: one
S: )
S: a6 OK <*>
C: a7 FETCH 1 (BODY.PEEK[HEADER.FIELDS (to SUBJECT)] BODY.PEEK[TEXT]<1.2> BODY.PEEK[TEXT]<9.2> BODY.PEEK[7])
S: * 1 FETCH (BODY[HEADER.FIELDS (TO SUBJECT)] {38}
S: To: tito@example.com
S: Subject: one
S: 
S:  BODY[TEXT]<1> {2}
S: ne BODY[TEXT]<9> "" BODY[7] "")
S: a7 OK <*>
C: a8 FETCH 1 (INTERNALDATE ENVELOPE)
S: * 1 FETCH (INTERNALDATE "<*>" ENVELOPE ("Mon, 7 Feb 1994 21:52:25 -0800" "one" ((NIL NIL "a" "example.com")) ((NIL NIL "a" "example.com")) ((NIL NIL "a" "example.com")) ((NIL NIL "tito" "example.com")) NIL NIL NIL NIL))
S: a8 OK <*>
# \Seen, and the flags with it, once
C: a9 FETCH 3 BODY[TEXT]<0.2>
S: * 3 FETCH (FLAGS (\Seen) BODY[TEXT]<0> {2}
S: th)
S: a9 OK <*>
C: a10 FETCH 3 (RFC822.TEXT)
S: * 3 FETCH (RFC822.TEXT {7}
S: three
S: )
S: a10 OK <*>
@sh ls cur/*:2,S | grep -q Q3
C: a11 FETCH 4 (BODY BINARY.SIZE[2] BODY.PEEK[1] BODY.PEEK[1.MIME])
S: * 4 FETCH (BODY (("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 1)("application" "x-data" NIL NIL NIL "base64" 8)("text" "plain" ("charset" "us-ascii") NIL NIL "x-none" 1 0) "mixed") BINARY.SIZE[2] 5 BODY[1] {10}
S: Hello
S: you BODY[1.MIME] {28}
S: Content-Type: text/plain
S: 
S: )
S: a11 OK <*>
C: a12 FETCH 4 BINARY.PEEK[3]
S: * 4 FETCH (UID 4)
S: a12 NO [UNKNOWN-CTE] <*>
C: a13 FETCH 4 BINARY.PEEK[2]<1.1>
S: * 4 FETCH (BINARY[2]<1> ~{1}
S: a)
S: a13 OK <*>
# what changed
C: a14 FETCH 1:* (FLAGS) (CHANGEDSINCE <=m0>)
S: * OK [HIGHESTMODSEQ <#m1>] <*>
S: * 3 FETCH (MODSEQ (<=m1>) FLAGS (\Seen))
S: a14 OK <*>
C: a15 UID FETCH 1:* (FLAGS) (CHANGEDSINCE <=m0> VANISHED)
S: a15 BAD <*>
C: a16 ENABLE QRESYNC
S: * ENABLED QRESYNC
S: a16 OK <*>
C: a17 STORE 1 +FLAGS.SILENT (\Deleted)
S: * 1 FETCH (UID 1 MODSEQ (<#>))
S: a17 OK <*>
C: a18 EXPUNGE
S: * VANISHED 1
S: a18 OK <*>
C: a19 UID FETCH 1:* (FLAGS) (CHANGEDSINCE <=m1> VANISHED)
S: * VANISHED (EARLIER) 1
S: a19 OK <*>
C: a20 FETCH 1:* (FLAGS) (VANISHED)
S: a20 BAD <*>
# a file that somebody took away
@sh rm cur/*Q3*
C: a21 FETCH 1:3 BODY.PEEK[TEXT]<0.1>
S: * 1 FETCH (BODY[TEXT]<0> {1}
S: t)
S: * 3 FETCH (BODY[TEXT]<0> {1}
S: -)
S: a21 OK [EXPUNGEISSUED] <*>
C: a21b NOOP
S: * VANISHED 3
S: a21b OK <*>
C: a22 FETCH 1 (FLAGS
S: a22 BAD <*>
C: a23 FETCH 1 BODY[HEADER.FIELDS ()]
S: a23 BAD <*>
C: a24 FETCH 1 BODY[1.0]
S: a24 BAD <*>
C: a25 EXAMINE INBOX
S: * OK [CLOSED] <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS ()] <*>
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a25 OK <*>
C: z LOGOUT
S: * BYE <*>
S: z OK <*>
