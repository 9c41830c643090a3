# greeting, NOOP, CAPABILITY, ID, LOGOUT and what is none of them (RFC 3501 sections 2.2, 6.1; RFC 2971)
@conf imap_id_log = *
S: a0 OK [CAPABILITY IMAP4rev1 <*>] Logged in
C: a1 CAPABILITY
S: * CAPABILITY IMAP4rev1 IMAP4rev2 <*>
S: a1 OK <*>
C: a2 noop
S: a2 OK <*>
C: a3 NOOP now
S: a3 BAD <*>
C: a4 ID ("name" "test" "os" NIL)
S: * ID ("name" "Surat"<*>)
S: a4 OK <*>
@log imap(tito)<
@log name=test
C: a5 ID NIL
S: * ID (<*>)
S: a5 OK <*>
C: a6 ID
S: a6 BAD <*>
C: a7 FROB
S: a7 BAD Unknown command: FROB
C: a8 CHECK
S: a8 BAD No mailbox selected: CHECK
C: a9 LOGIN a b
S: a9 BAD <*>
C: a10 UID NOOP
S: a10 BAD <*>
# no tag, a bad tag, an empty line
C:
S: * BAD <*>
C: (( NOOP
S: * BAD <*>
# literals of a command that is none
C: a11 FROB {3+}
C: abc
S: a11 BAD <*>
C: a12 LOGOUT
S: * BYE <*>
S: a12 OK <*>
@eof
@log >: Disconnected: Logged out in=
