# sendmail -bs < file: everything at once, no restriction of the network, no AUTH
@conf smtpd_sasl_auth_enable = yes
@conf smtpd_tls_auth_only = no
@conf smtpd_client_restrictions = reject
@conf smtpd_recipient_restrictions = reject
@unix uid=1000
S: 220 *
C: EHLO localhost
C: MAIL FROM:<root>
C: RCPT TO:<x@other.example>
C: DATA
S: 250-*
S: 250-PIPELINING
S: 250-*
S: 250-*
S: 250-ENHANCEDSTATUSCODES
S: 250-*
S: 250-*
S: 250-*
S: 250 *
S: 250 *
S: 250 *
S: 354 *
C: .
S: 250 2.0.0 *
@body Received: by mx.example.com (Surat, from userid 1000)
C: AUTH PLAIN
S: 504 *
