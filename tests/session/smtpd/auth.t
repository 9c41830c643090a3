@conf smtpd_sasl_auth_enable = yes
@conf smtpd_error_sleep_time = 0
# plaintext mechanisms are not for the clear
S: 220 *
C: EHLO c.example
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-AUTH CRAM-MD5
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250 *
C: AUTH PLAIN AHRpdG9AZXhhbXBsZS5jb20Ac2VjcmV0
S: 538 5.7.11 Encryption required for requested authentication mechanism
@conf disable_plaintext_auth = no
@conf smtpd_sasl_response_limit = 512
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
C: AUTH PLAIN
S: 334 
C: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
S: 500 5.5.6 *
C: AUTH NTLM
S: 504 *
C: QUIT
S: 221 *
@eof
@conf smtpd_sasl_response_limit = 12288
S: 220 *
C: AUTH PLAIN
S: 503 5.5.1 *
C: HELO c.example
S: 250 *
C: AUTH PLAIN
S: 503 5.5.1 Error: authentication not enabled
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
C: AUTH
S: 501 5.5.4 Syntax: AUTH mechanism
C: AUTH NTLM
S: 504 5.5.4 Error: authentication mechanism not supported
C: AUTH PLAIN !!!
S: 501 5.5.2 Error: invalid base64
C: AUTH PLAIN dGVtcA== dGVtcA==
S: 501 5.5.4 Syntax: AUTH mechanism
C: AUTH PLAIN =
S: 535 5.7.8 Error: authentication failed: authentication failure
@log warning: client.example?192.0.2.1?: SASL PLAIN authentication failed: authentication failure
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: *
S: 501 5.7.0 Authentication aborted
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: dGl0bw==
S: 334 UGFzc3dvcmQ6
C: d3Jvbmc=
S: 535 5.7.8 *
C: AUTH PLAIN
S: 334 
C: dGVtcA==
S: 454 4.7.0 Temporary authentication failure
C: MAIL FROM:<a@b>
S: 250 *
C: AUTH PLAIN
S: 503 5.5.1 Error: MAIL transaction in progress
C: RSET
S: 250 *
C: auth login dGl0bw==
S: 334 UGFzc3dvcmQ6
C: c2VjcmV0
S: 235 2.7.0 Authentication successful
C: AUTH PLAIN
S: 503 5.5.1 Error: already authenticated
C: MAIL FROM:<a@b.example> AUTH=<>
S: 250 *
C: RCPT TO:<x@other.example>
S: 250 2.1.5 Ok
@log ?*: client=client.example?192.0.2.1?, sasl_method=LOGIN, sasl_username=tito@example.com
C: DATA
S: 354 *
C:
C: .
S: 250 2.0.0 *
@mail * flags=80 * user=tito@example.com *
@body 	by mx.example.com (Surat) with ESMTPA id ?*
@body Date: *
C: QUIT
S: 221 *
@log disconnect from client.example?192.0.2.1? helo=1 ehlo=1 auth=1/13 mail=2 rcpt=1 data=1 rset=1 quit=1 commands=9/21
@eof
@conf smtpd_tls_auth_only = yes
S: 220 *
C: EHLO c.example
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-ENHANCEDSTATUSCODES
S: 250-*
S: 250-*
S: 250-*
S: 250 *
C: AUTH PLAIN AHRpdG9AZXhhbXBsZS5jb20Ac2VjcmV0
S: 538 5.7.11 *
C: AUTH CRAM-MD5
S: 538 5.7.11 *
