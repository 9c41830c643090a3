# who may send as whom
@conf recipient_delimiter = +
@conf smtpd_sasl_auth_enable = yes
@conf disable_plaintext_auth = no
@conf smtpd_sender_restrictions = reject_sender_login_mismatch
@conf smtpd_error_sleep_time = 0
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
C: AUTH PLAIN AHRpdG9AZXhhbXBsZS5jb20Ac2VjcmV0
S: 235 *
C: MAIL FROM:<iqbal@example.com>
S: 250 *
C: RCPT TO:<x@other.example>
S: 553 5.7.1 <iqbal@example.com>: Sender address rejected: not owned by user tito@example.com
C: RSET
S: 250 *
C: MAIL FROM:<Tito+News@Example.com>
S: 250 *
C: RCPT TO:<x@other.example>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<x@other.example>
S: 250 *
@conf smtpd_sender_login_maps = inline:{info@example.com=tito@example.com iqbal@example.com} inline:{@shop.example=tito@example.com}
S: 220 *
C: MAIL FROM:<info@example.com>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 553 5.7.1 <info@example.com>: Sender address rejected: not logged in
C: RSET
S: 250 *
C: MAIL FROM:<stranger@else.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
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
C: AUTH PLAIN AHRpdG9AZXhhbXBsZS5jb20Ac2VjcmV0
S: 235 *
C: MAIL FROM:<info+x@example.com>
S: 250 *
C: RCPT TO:<x@other.example>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<any@shop.example>
S: 250 *
C: RCPT TO:<x@other.example>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<tito@example.com>
S: 250 *
C: RCPT TO:<x@other.example>
S: 553 5.7.1 *: not owned by user tito@example.com
@conf smtpd_sender_login_maps = fail:x
S: 220 *
C: MAIL FROM:<info@example.com>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 451 4.3.0 *
@conf smtpd_sender_login_maps =
@conf smtpd_sender_restrictions = reject_known_sender_login_mismatch
S: 220 *
C: MAIL FROM:<info@example.com>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
@conf smtpd_sender_login_maps = inline:{info@example.com=tito}
@conf smtpd_sender_restrictions = reject_sender_login_mismatch
@conf smtpd_sasl_auth_enable = no
S: 220 *
C: MAIL FROM:<info@example.com>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
