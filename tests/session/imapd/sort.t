# SORT and THREAD (RFC 5256), SORT=DISPLAY (RFC 5957), ESORT (RFC 5267)
@cur INBOX S Charlie
@cur INBOX S alpha
@cur INBOX F Re: Charlie
@cur INBOX S Bravo
@sh printf 'Subject: Re: alpha\nFrom: Zoe <a@example.com>\nDate: Sun, 6 Feb 1994 10:00:00 +0000\nMessage-ID: <r@x>\nReferences: <p@x>\n\nmuch longer than the others are, to be the last by size: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n' > cur/1700000005.M1P1Q5.host:2,S
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 5 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 3] <*>
S: * OK [UIDVALIDITY <#v>] <*>
S: * OK [UIDNEXT 6] <*>
S: * OK [HIGHESTMODSEQ <#m0>] <*>
S: a1 OK <*>
C: a2 SORT (SUBJECT) UTF-8 ALL
S: * SORT 2 5 4 1 3
S: a2 OK <*>
C: a3 SORT (REVERSE SUBJECT) US-ASCII SEEN
S: * SORT 1 4 2 5
S: a3 OK <*>
C: a4 UID SORT (DATE REVERSE SUBJECT) UTF-8 ALL
S: * SORT 5 1 3 4 2
S: a4 OK <*>
C: a5 SORT (REVERSE SIZE) UTF-8 1,5
S: * SORT 5 1
S: a5 OK <*>
C: a6 SORT (DISPLAYFROM) UTF-8 1,5
S: * SORT 1 5
S: a6 OK <*>
C: a7 SORT (REVERSE DISPLAYFROM) UTF-8 1,5
S: * SORT 5 1
S: a7 OK <*>
C: a8 SORT RETURN (ALL COUNT MIN MAX) (SUBJECT) UTF-8 ALL
S: * ESEARCH (TAG "a8") MIN 2 MAX 3 ALL 2,5,4,1,3 COUNT 5
S: a8 OK <*>
C: a9 SORT () UTF-8 ALL
S: a9 BAD <*>
C: a10 SORT (SUBJECT) X-NONE ALL
S: a10 NO [BADCHARSET (<*>)] <*>
C: a11 SORT (FROB) UTF-8 ALL
S: a11 BAD <*>
C: a12 SORT (ARRIVAL) UTF-8 NOT ALL
S: * SORT
S: a12 OK <*>
C: a13 THREAD REFERENCES UTF-8 ALL
S: * THREAD (1 3)(2 5)(4)
S: a13 OK <*>
C: a14 UID THREAD ORDEREDSUBJECT UTF-8 ALL
S: * THREAD (5 2)(1 3)(4)
S: a14 OK <*>
C: a15 THREAD REFERENCES UTF-8 NOT ALL
S: * THREAD
S: a15 OK <*>
C: a16 THREAD FROB UTF-8 ALL
S: a16 BAD <*>
# a result in the order of SORT is saved in the order of UIDs
C: a17 SORT RETURN (SAVE) (REVERSE SUBJECT) UTF-8 SEEN
S: a17 OK <*>
C: a18 UID SEARCH $
S: * SEARCH 1 2 4 5
S: a18 OK <*>
C: z LOGOUT
S: * BYE <*>
S: z OK <*>
