# GETQUOTA, GETQUOTAROOT without a limit (RFC 2087, RFC 9208 sections 4.1 and 4.2)
S: a0 OK <*>
C: a1 GETQUOTAROOT INBOX
S: * QUOTAROOT INBOX "User quota"
S: * QUOTA "User quota" ()
S: a1 OK <*>
C: a2 GETQUOTA "User quota"
S: * QUOTA "User quota" ()
S: a2 OK <*>
C: a3 GETQUOTA
S: a3 BAD <*>
C: a4 GETQUOTAROOT ../x
S: * QUOTAROOT "../x" "User quota"
S: * QUOTA "User quota" ()
S: a4 OK <*>
C: a6 GETQUOTAROOT ""
S: * QUOTAROOT "" "User quota"
S: * QUOTA "User quota" ()
S: a6 OK <*>
C: a7 GETQUOTA ThisDoesNotExist
S: a7 NO [NONEXISTENT] <*>
C: a5 SETQUOTA "User quota" (STORAGE 512)
S: a5 NO [NOPERM] <*>
C: z9 LOGOUT
S: * BYE <*>
S: z9 OK <*>
@eof
