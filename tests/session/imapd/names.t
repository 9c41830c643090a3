# Names on the wire: modified UTF-7 (RFC 3501 section 5.1.3), UTF-8 (RFC 9051 section 5.1, RFC 6855 section 3), quotes
S: a0 OK <*>
C: a1 CREATE "Entw&APw-rfe"
S: a1 OK <*>
C: a2 CREATE "a\"b\\c"
S: a2 OK <*>
C: a3 CREATE NIL
S: a3 OK <*>
C: a4 CREATE "per%cent"
S: a4 OK <*>
C: a5 CREATE "R&-D"
S: a5 OK <*>
C: a6 LIST "" *
S: * LIST (\HasNoChildren) "." INBOX
S: * LIST (\HasNoChildren) "." Entw&APw-rfe
S: * LIST (\HasNoChildren) "." "NIL"
S: * LIST (\HasNoChildren) "." R&-D
S: * LIST (\HasNoChildren) "." "a\"b\\c"
S: * LIST (\HasNoChildren) "." "per%cent"
S: a6 OK <*>
C: a7 CREATE {4+}
R: a\xc3\xa4b\r\n
S: a7 NO [CANNOT] <*>
C: a8 CREATE "not canonical &AGE-"
S: a8 NO [CANNOT] <*>
C: a9 CREATE "&Jjo"
S: a9 NO [CANNOT] <*>
C: a10 SUBSCRIBE "Entw&APw-rfe"
S: a10 OK <*>
C: b1 ENABLE IMAP4rev2
S: * ENABLED IMAP4rev2
S: b1 OK <*>
R: b2 LIST "" "Entw\xc3\xbcr%"\r\n
S: * LIST (\HasNoChildren) "." "Entwürfe"
S: b2 OK <*>
R: b3 STATUS "Entw\xc3\xbcrfe" (MESSAGES)\r\n
S: * STATUS "Entwürfe" (MESSAGES 0)
S: b3 OK <*>
C: b4 STATUS R&D (MESSAGES)
S: * STATUS R&D (MESSAGES 0)
S: b4 OK <*>
C: b5 STATUS R&-D (MESSAGES)
S: b5 NO [NONEXISTENT] <*>
# decomposed letters become Net-Unicode, and OLDNAME tells (RFC 9051 section 6.3.4)
R: b6 CREATE "Mu\xcc\x88ll"\r\n
R: b7 CREATE "\xc3\xa9t\xc3\xa9."\r\n
S: * LIST () "." "Müll" ("OLDNAME" ("Mu<*>ll"))
S: b6 OK <*>
S: * LIST () "." "été" ("OLDNAME" ("été."))
S: b7 OK <*>
@sh test -d '.M&APw-ll' -a -d '.&AOk-t&AOk-'
R: b8 RENAME "M\xc3\xbcll" "A\xcc\x88pfel"\r\n
S: * LIST () "." "Äpfel" ("OLDNAME" ("Müll"))
S: b8 OK <*>
C: b9 RENAME R&D plain
S: b9 OK <*>
R: b10 CREATE "broken \xff"\r\n
S: b10 NO [CANNOT] <*>
C: b12 LSUB "" *
S: * LSUB () "." "Entwürfe"
S: b12 OK <*>
# modified UTF-7 is no encoding here
C: b13 CREATE "&APw-"
S: b13 OK <*>
@sh test -d '.&-APw-'
C: z9 LOGOUT
S: * BYE <*>
S: z9 OK <*>
@eof
