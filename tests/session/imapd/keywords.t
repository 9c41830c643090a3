# 26 keywords have a letter each; the next one is refused and \* goes
@cur INBOX S one
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*> \*)] <*>
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 2] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a1 OK <*>
C: a2 STORE 1 +FLAGS (k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13 k14 k15 k16 k17 k18 k19 k20 k21 k22 k23 k24 k25)
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft k0 <*> k25)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft k0 <*> k25)] <*>
S: * 1 FETCH (FLAGS (\Seen k0 <*> k25))
S: a2 OK <*>
@sh ls cur | grep -q ':2,Sabcdefghijklmnopqrstuvwxyz$'
C: a3 STORE 1 +FLAGS (k26)
S: a3 NO [LIMIT] <*>
C: a4 STORE 1 FLAGS (K3 \Seen)
S: * 1 FETCH (FLAGS (\Seen k3))
S: a4 OK <*>
