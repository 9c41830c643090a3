# An address without a domain is not fully qualified although ours is put behind it; the postmaster is exempt from all
# lists but that of the relay (RFC 5321 section 4.5.1).
@conf smtpd_error_sleep_time = 0
@conf smtpd_helo_restrictions = reject_non_fqdn_helo_hostname
@conf smtpd_sender_restrictions = reject_non_fqdn_sender
@conf smtpd_recipient_restrictions = reject_non_fqdn_recipient
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<root>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 504 5.5.2 <root@example.com>: Sender address rejected: need fully-qualified address
C: RCPT TO:<PostMaster>
S: 250 2.1.5 Ok
C: RCPT TO:<postmaster@example.com>
S: 504 5.5.2 *
C: RSET
S: 250 *
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<tito>
S: 504 5.5.2 <tito@example.com>: Recipient address rejected: need fully-qualified address
C: RCPT TO:<tito@example.com>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: VRFY tito@example.com
S: 252 *
C: VRFY tito
S: 504 5.5.2 *
C: RCPT TO:<postmaster>
S: 250 *
C: HELO 192.0.2.1
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 504 5.5.2 <192.0.2.1>: Helo command rejected: need fully-qualified hostname
C: HELO -c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 504 5.5.2 <-c.example>: *
C: HELO é.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 504 5.5.2 *
C: HELO [192.0.2.1]
S: 250 *
C: MAIL FROM:<a@1.2.3.4>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 504 5.5.2 <a@1.2.3.4>: Sender address rejected: *
C: RSET
S: 250 *
C: MAIL FROM:<a@[1.2.3.4]>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: QUIT
S: 221 *
@eof
@conf smtpd_relay_restrictions = permit_sasl_authenticated, reject
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<postmaster>
S: 554 5.7.1 *
