@cert
@conf smtpd_tls_loglevel = 1
@conf smtpd_tls_received_header = yes
@conf smtpd_sasl_auth_enable = yes
@conf smtpd_tls_auth_only = yes
S: 220 *
C: EHLO c.example
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-STARTTLS
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250 *
C: STARTTLS now
S: 501 5.5.4 Syntax: STARTTLS
C: MAIL FROM:<a@b.example>
S: 250 *
C: STARTTLS
S: 503 5.5.1 Error: MAIL transaction in progress
C: RSET
S: 250 *
C: STARTTLS
S: 220 2.0.0 Ready to start TLS
@tls
@log Anonymous TLS connection established from client.example?192.0.2.1?: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
# EHLO and what it allowed are forgotten
C: AUTH PLAIN
S: 503 5.5.1 Error: send HELO/EHLO first
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
C: STARTTLS
S: 554 5.5.1 Error: TLS already active
C: AUTH PLAIN AHRpdG9AZXhhbXBsZS5jb20Ac2VjcmV0
S: 235 2.7.0 *
C: MAIL FROM:<tito@example.com>
C: RCPT TO:<x@other.example>
C: DATA
S: 250 *
S: 250 *
S: 354 *
C: .
S: 250 2.0.0 *
@body 	(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
@body 	by mx.example.com (Surat) with ESMTPSA id *
C: QUIT
S: 221 *
@eof
@conf smtpd_tls_security_level = encrypt
S: 220 *
C: EHLO c.example
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-STARTTLS
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250 *
C: MAIL FROM:<a@b.example>
S: 530 5.7.0 Must issue a STARTTLS command first
@conf smtpd_tls_security_level = none
S: 220 *
C: STARTTLS
S: 502 5.5.1 *
