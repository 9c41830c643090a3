# a session that was quiet has closed its index, and goes on where it was; another program works meanwhile
@cur INBOX S one
@cur INBOX S two
@letter INBOX three
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 3 EXISTS
S: * 1 RECENT
S: * OK [UNSEEN 3] <*>
S: * OK [UIDVALIDITY <#v>] <*>
S: * OK [UIDNEXT 4] <*>
S: * OK [HIGHESTMODSEQ <#m>] <*>
S: a1 OK <*>
@wait 1200
@sh test -z "$(ls -l /proc/*/fd 2>/dev/null | grep "$PWD/surat-index/data.mdb")"
@letter INBOX four
@sh rm cur/*Q1.*
C: a2 NOOP
S: * 1 EXPUNGE
S: * 3 EXISTS
S: * 2 RECENT
S: a2 OK <*>
@wait 1200
C: a3 STORE 1 +FLAGS (\Flagged)
S: * 1 FETCH (FLAGS (\Flagged \Seen))
S: a3 OK <*>
@wait 1200
C: a4 IDLE
S: + idling
@wait 1200
# a session in parts is told all flags anew
@whole
@sh rm -rf surat-index
C: DONE
S: a4 OK <*>
C: a5 UID STORE 2 -FLAGS (\Flagged)
S: * 1 FETCH (UID 2 FLAGS (\Seen))
S: a5 OK <*>
C: a6 SELECT INBOX
S: * OK [CLOSED] <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 3 EXISTS
S: * <#> RECENT
S: * OK [UNSEEN 2] <*>
S: * OK [UIDVALIDITY <=v>] <*>
S: * OK [UIDNEXT 5] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a6 OK <*>
