# CVE-2011-0411: what comes in clear behind STARTTLS is thrown away
@cert
@whole
S: 220 *
C: EHLO c.example
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250 *
C: STARTTLS
C: EHLO evil.example
C: MAIL FROM:<evil@evil.example>
S: 220 2.0.0 Ready to start TLS
@tls
C: RCPT TO:<tito@example.com>
S: 503 5.5.1 Error: need MAIL command
C: NOOP
S: 250 2.0.0 Ok
@nolog *evil*
