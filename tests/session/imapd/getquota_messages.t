# a limit of messages (RFC 9208 section 5.2)
@conf quota_messages = 1
S: a0 OK <*>
C: a1 GETQUOTAROOT INBOX
S: * QUOTAROOT INBOX "User quota"
S: * QUOTA "User quota" (MESSAGE 0 1)
S: a1 OK <*>
R: a2 APPEND INBOX {4+}\r\nX: 1\r\n
S: a2 OK [APPENDUID <#> 1] <*>
C: a3 GETQUOTA "User quota"
S: * QUOTA "User quota" (MESSAGE 1 1)
S: a3 OK <*>
C: a4 APPEND INBOX {4}
S: a4 NO [OVERQUOTA] <*>
