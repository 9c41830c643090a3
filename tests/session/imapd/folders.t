# CREATE, DELETE, RENAME, SUBSCRIBE (RFC 3501 sections 6.3.3 to 6.3.7, RFC 5530, RFC 6154 section 3)
S: a0 OK <*>
C: a1 CREATE owatagusiam.
S: a1 OK <*>
C: a2 CREATE owatagusiam.blurdybloop
S: a2 OK <*>
@sh test -d .owatagusiam/cur -a -d .owatagusiam.blurdybloop/new -a -f .owatagusiam/maildirfolder
C: a3 CREATE owatagusiam
S: a3 NO [ALREADYEXISTS] <*>
C: a4 CREATE inbox
S: a4 NO [ALREADYEXISTS] <*>
C: a5 CREATE ""
S: a5 NO [CANNOT] <*>
C: a6 CREATE "../../x"
S: a6 NO [CANNOT] <*>
C: a7 CREATE a/b
S: a7 NO [CANNOT] <*>
C: a8 CREATE a..b
S: a8 NO [CANNOT] <*>
C: a9 CREATE {3+}
R: a\0b\r\n
S: a9 BAD <*>
C: a10 CREATE
S: a10 BAD <*>
C: a11 CREATE a b
S: a11 BAD <*>
C: a12 CREATE Inbox.kid
S: a12 OK <*>
@sh test -d .INBOX.kid
C: a13 CREATE {7}
S: + <*>
C: with sp
S: a13 OK <*>
C: a14 CREATE "&bad"
S: a14 NO [CANNOT] <*>
@sh ! ls -a .. | grep -q x$
# CREATE-SPECIAL-USE
C: b1 CREATE MySpecial (USE (\Drafts \Sent))
S: b1 OK <*>
C: b2 LIST (SPECIAL-USE) "" "*"
S: * LIST (\Drafts \Sent) "." MySpecial
S: b2 OK <*>
C: b3 CREATE Everything (USE (\All))
S: b3 NO [USEATTR] <*>
C: b4 CREATE Other (USE (\Sent))
S: b4 NO [USEATTR] <*>
C: b5 CREATE Other (USE (\Frob))
S: b5 NO [USEATTR] <*>
C: b6 CREATE Other (FROB (\Sent))
S: b6 BAD <*>
C: b7 CREATE Other (USE (Sent))
S: b7 BAD <*>
C: b8 CREATE Other (USE (\Junk)
S: b8 BAD <*>
C: b9 LIST "" Other
S: b9 OK <*>
C: b10 CREATE Other (USE ())
S: b10 OK <*>
# DELETE
C: c1 DELETE owatagusiam
S: c1 OK <*>
C: c2 LIST "" "owa*"
S: * LIST (\Noselect \HasChildren) "." owatagusiam
S: * LIST (\HasNoChildren) "." owatagusiam.blurdybloop
S: c2 OK <*>
C: c3 DELETE owatagusiam
S: c3 NO [NONEXISTENT] <*>
C: c4 DELETE INBOX
S: c4 NO [CANNOT] <*>
C: c5 DELETE nope
S: c5 NO [NONEXISTENT] <*>
C: c6 DELETE owatagusiam.blurdybloop
S: c6 OK <*>
C: c7 LIST "" "owa*"
S: c7 OK <*>
@sh ! ls -a | grep -q surat-gone
# the selected folder may go
C: d1 CREATE gone
S: d1 OK <*>
C: d2 SELECT gone
S: * FLAGS <*>
S: * OK <*>
S: * 0 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#old>] <*>
S: * OK [UIDNEXT 1] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: d2 OK <*>
C: d3 DELETE gone
S: d3 OK <*>
C: d4 FETCH 1 UID
S: d4 BAD <*>
C: d5 CREATE gone
S: d5 OK <*>
# UIDVALIDITY is another one
C: d6 STATUS gone (UIDVALIDITY)
S: * STATUS gone (UIDVALIDITY <#new>)
S: d6 OK <*>
@sh test <=new> -gt <=old>
# the selected folder may be called otherwise, or the one above it
C: d7 CREATE up.sel
S: d7 OK <*>
C: d8 EXAMINE up.sel
S: * FLAGS <*>
S: * OK <*>
S: * 0 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 1] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: d8 OK <*>
C: d9 RENAME up.sel up.self
S: d9 OK <*>
C: d10 FETCH 1 UID
S: d10 BAD <*>
C: d11 EXAMINE up.self
S: * FLAGS <*>
S: * OK <*>
S: * 0 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 1] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: d11 OK <*>
C: d12 RENAME up down
S: d12 OK <*>
C: d13 CHECK
S: d13 BAD <*>
C: d14 DELETE down.self
S: d14 OK <*>
# RENAME
@letter .gone letter
C: e1 CREATE gone.kid.grandkid
S: e1 OK <*>
C: e2 RENAME gone moved.here
S: e2 OK <*>
C: e3 LIST "" ("gone*" "moved*")
S: * LIST (\NonExistent) "." moved
S: * LIST () "." moved.here
S: * LIST (\NonExistent) "." moved.here.kid
S: * LIST () "." moved.here.kid.grandkid
S: e3 OK <*>
C: e4 STATUS moved.here (MESSAGES UIDVALIDITY)
S: * STATUS moved.here (MESSAGES 1 UIDVALIDITY <=new>)
S: e4 OK <*>
C: e5 RENAME nope x
S: e5 NO [NONEXISTENT] <*>
C: e6 RENAME moved.here Other
S: e6 NO [ALREADYEXISTS] <*>
C: e7 RENAME moved.here INBOX
S: e7 NO [ALREADYEXISTS] <*>
C: e8 RENAME moved.here moved.here.below
S: e8 NO [CANNOT] <*>
C: e9 RENAME moved.here ../x
S: e9 NO [CANNOT] <*>
C: e10 RENAME moved.here moved.here
S: e10 NO [ALREADYEXISTS] <*>
C: e11 RENAME moved.here
S: e11 BAD <*>
C: e12 RENAME moved shifted.
S: e12 OK <*>
C: e13 LIST "" "shi*"
S: * LIST (\Noselect \HasChildren) "." shifted
S: * LIST (\HasChildren) "." shifted.here
S: * LIST (\Noselect \HasChildren) "." shifted.here.kid
S: * LIST (\HasNoChildren) "." shifted.here.kid.grandkid
S: e13 OK <*>
C: e14 RENAME MySpecial YourSpecial
S: e14 OK <*>
C: e15 LIST (SPECIAL-USE) "" "*"
S: * LIST (\Drafts \Sent) "." YourSpecial
S: e15 OK <*>
# renaming INBOX moves its letters, and those below it stay (RFC 3501 section 6.3.5)
@letter INBOX one
@cur INBOX S two
C: f1 RENAME INBOX old-mail
S: f1 OK <*>
C: f2 STATUS old-mail (MESSAGES UNSEEN)
S: * STATUS old-mail (MESSAGES 2 UNSEEN 1)
S: f2 OK <*>
C: f3 STATUS INBOX (MESSAGES)
S: * STATUS INBOX (MESSAGES 0)
S: f3 OK <*>
C: f4 LIST "" ("INBOX*" "old-mail*")
S: * LIST () "." INBOX
S: * LIST () "." INBOX.kid
S: * LIST () "." old-mail
S: f4 OK <*>
C: f5 RENAME INBOX old-mail
S: f5 NO [ALREADYEXISTS] <*>
# SUBSCRIBE
C: g1 SUBSCRIBE old-mail
S: g1 OK <*>
C: g2 SUBSCRIBE old-mail
S: g2 OK <*>
C: g3 SUBSCRIBE nope
S: g3 NO [NONEXISTENT] <*>
C: g4 SUBSCRIBE inbox.kid
S: g4 OK <*>
@sh printf 'V\t2\n\nold-mail\nINBOX\tkid\n' | cmp - subscriptions
C: g5 DELETE old-mail
S: g5 OK <*>
C: g6 LIST (SUBSCRIBED) "" *
S: * LIST (\Subscribed) "." INBOX.kid
S: * LIST (\Subscribed \NonExistent) "." old-mail
S: g6 OK <*>
C: g7 UNSUBSCRIBE old-mail
S: g7 OK <*>
C: g8 UNSUBSCRIBE never
S: g8 OK <*>
C: g9 UNSUBSCRIBE "../x"
S: g9 NO [CANNOT] <*>
C: g10 LSUB "" "*"
S: * LSUB () "." INBOX.kid
S: g10 OK <*>
C: g11 SUBSCRIBE
S: g11 BAD <*>
# a second client sees it all at once
@session 2
@connect
S: a0 OK <*>
C: h1 LIST "" "wi*"
S: * LIST (\HasNoChildren) "." "with sp"
S: h1 OK <*>
@session 1
C: h2 RENAME "with sp" without
S: h2 OK <*>
@session 2
C: h3 LIST "" "wi*"
S: * LIST (\HasNoChildren) "." without
S: h3 OK <*>
C: z9 LOGOUT
S: * BYE <*>
S: z9 OK <*>
@eof
@session 1
C: z8 LOGOUT
S: * BYE <*>
S: z8 OK <*>
@eof
