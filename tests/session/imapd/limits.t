# what is too long, too much or too odd
@conf imap_max_line_length = 1024
S: a0 OK <*>
C: a1 NOOP {70000}
S: a1 BAD [TOOBIG] <*>
C: a2 NOOP
S: a2 OK <*>
R: a3 NOOP {5+}\r\na\0\0bb \r\n
S: a3 BAD <*>
R: a4 NO\0OP\r\n
S: a4 BAD <*>
C: a5 NOOP {99999999999999999999}
S: a5 BAD [TOOBIG] <*>
C: a6 NOOP {99999999999999999999+}
S: * BYE [TOOBIG] <*>
@eof
@log Disconnected: Too big literal
@connect
S: a0 OK <*>
# a command behind a refused non-synchronizing literal is not taken for one (RFC 7888 section 4)
R: a1 FROB {70000+}\r\n
@sh true
@connect
S: a0 OK <*>
R: a1 SELECT {12+}\r\na9 LOGOUT\r\n\r\n
S: a1 <*>
C: a2 NOOP
S: a2 OK <*>
@connect
S: a0 OK <*>
C: 1
S: 1 BAD <*>
C: 2
S: 2 BAD <*>
C: 3
S: 3 BAD <*>
C: 4
S: 4 BAD <*>
C: 5
S: 5 BAD <*>
C: 6
S: 6 BAD <*>
C: 7
S: 7 BAD <*>
C: 8
S: 8 BAD <*>
C: 9
S: 9 BAD <*>
C: 10
S: 10 BAD <*>
C: 11
S: 11 BAD <*>
C: 12
S: 12 BAD <*>
C: 13
S: 13 BAD <*>
C: 14
S: 14 BAD <*>
C: 15
S: 15 BAD <*>
C: 16
S: 16 BAD <*>
C: 17
S: 17 BAD <*>
C: 18
S: 18 BAD <*>
C: 19
S: 19 BAD <*>
C: 20
S: 20 BAD <*>
S: * BYE Too many invalid IMAP commands.
@eof
@log Disconnected: Too many invalid IMAP commands
@connect
S: a0 OK <*>
R: a1 NOOP xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
S: * BYE [TOOBIG] <*>
@eof
@log Disconnected: Too long command
