# the selected folder is deleted or made anew by another: no number means anything any more
@cur .Old S one
S: a0 OK <*>
C: a1 SELECT Old
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 2] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
@sh rm -rf .Old
C: a2 NOOP
S: * BYE <*>
@eof
@log Disconnected: Selected mailbox was lost
