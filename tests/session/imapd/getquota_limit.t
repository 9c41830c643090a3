# GETQUOTA and GETQUOTAROOT with a limit (RFC 9208 sections 4.1, 4.2 and 5.1)
@conf quota = 10240
@letter INBOX one
S: a0 OK <*>
C: a1 GETQUOTAROOT inbox
S: * QUOTAROOT INBOX "User quota"
S: * QUOTA "User quota" (STORAGE 1 10)
S: a1 OK <*>
C: a2 GETQUOTA "User quota"
S: * QUOTA "User quota" (STORAGE 1 10)
S: a2 OK <*>
C: a3 GETQUOTA ""
S: a3 NO [NONEXISTENT] <*>
C: a4 GETQUOTAROOT Nowhere
S: * QUOTAROOT Nowhere "User quota"
S: * QUOTA "User quota" (STORAGE 1 10)
S: a4 OK <*>
