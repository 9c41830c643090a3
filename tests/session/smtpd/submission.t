@conf smtpd_tls_security_level = encrypt
@conf smtpd_sasl_auth_enable = yes
@conf smtpd_relay_restrictions = permit_sasl_authenticated, reject
@conf smtpd_sender_restrictions = reject_sender_login_mismatch
@conf smtpd_sasl_authenticated_header = yes
@cert
S: 220 *
C: EHLO c.example
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-STARTTLS
S: 250-ENHANCEDSTATUSCODES
S: 250-*
S: 250-*
S: 250-*
S: 250 *
C: STARTTLS
S: 220 *
@tls
C: EHLO c.example
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-AUTH PLAIN LOGIN CRAM-MD5
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250 *
C: MAIL FROM:<tito@example.com>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 554 5.7.1 <tito@example.com>: Recipient address rejected: Access denied
C: RSET
S: 250 *
C: AUTH PLAIN AHRpdG9AZXhhbXBsZS5jb20Ac2VjcmV0
S: 235 *
C: MAIL FROM:<tito@example.com>
S: 250 *
C: RCPT TO:<x@other.example>
S: 250 *
C: DATA
S: 354 *
C: Subject: x
C:
C: .
S: 250 2.0.0 *
@body 	(Authenticated sender: tito@example.com)
@body Message-Id: <*
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<x@other.example>
S: 250 *
C: DATA
S: 354 *
C: Subject: x
C:
C: .
S: 250 2.0.0 *
@body From: MAILER-DAEMON@mx.example.com
