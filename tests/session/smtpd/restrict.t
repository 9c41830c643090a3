@conf smtpd_recipient_restrictions = reject_rbl_client zen.example
@badconf *smtpd_recipient_restrictions: not supported yet, take them out: reject_rbl_client
@conf smtpd_sender_restrictions = reject_non_fqdn_sendr
@badconf *smtpd_sender_restrictions: unknown restriction 'reject_non_fqdn_sendr'; did you mean 'reject_non_fqdn_sender'?
@conf smtpd_sender_restrictions = check_sender_access
@badconf *'check_sender_access' needs a table type:name behind it
@conf smtpd_sender_restrictions = warn_if_reject
@badconf *nothing behind 'warn_if_reject'
@conf smtpd_restriction_classes = a, b
@conf a = b
@conf b = a
@conf smtpd_sender_restrictions = a
@badconf *restriction class '?' contains itself*
@conf mynetworks = 10.0.0.1/8
@badconf mynetworks: '10.0.0.1/8' has non-zero bits behind its prefix
@conf mynetworks = hash:/etc/x
@badconf mynetworks: *tables can stand in main.cf only*
@conf smtpd_error_sleep_time = 0
@conf smtpd_client_restrictions = reject_unknown_client_hostname
@conf smtpd_helo_restrictions = reject_invalid_helo_hostname
@conf smtpd_sender_restrictions = reject_non_fqdn_sender
@conf smtpd_recipient_restrictions = reject_non_fqdn_recipient, reject_plaintext_session, reject
@conf smtpd_relay_restrictions = permit_auth_destination, reject
@ptr 
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 450 4.7.25 <unknown?192.0.2.1?>: Client host rejected: cannot find your hostname, ?192.0.2.1?
@ptr c.example
@connect
S: 220 *
C: HELO a_b..c
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 501 5.5.2 <a_b..c>: Helo command rejected: Invalid name
C: HELO 1234
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 501 5.5.2 <1234>: Helo command rejected: Invalid name
C: HELO 192.0.2.1
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 450 4.7.1 Session encryption is required
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 504 5.5.2 <a@b>: Sender address rejected: need fully-qualified address
C: RSET
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<x@other>
S: 554 5.7.1 <x@other>: Recipient address rejected: Access denied
C: RCPT TO:<tito@example.com>
S: 450 4.7.1 Session encryption is required
@conf smtpd_recipient_restrictions = reject_multi_recipient_bounce
@conf smtpd_data_restrictions = check_sender_access inline:{d.example=REJECT}
@conf smtpd_end_of_data_restrictions = check_sender_access inline:{e.example=450 4.7.1 not yet}
@conf smtpd_reject_unlisted_sender = yes
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: RCPT TO:<iqbal@example.com>
S: 550 5.5.3 <iqbal@example.com>: Recipient address rejected: Multi-recipient bounce
C: RSET
S: 250 *
C: MAIL FROM:<nobody@example.com>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 550 5.1.0 <nobody@example.com>: Sender address rejected: User unknown in local recipient table
C: RSET
S: 250 *
C: MAIL FROM:<a@d.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 554 5.7.1 <a@d.example>: Sender address rejected: Access denied
C: RSET
S: 250 *
C: MAIL FROM:<a@e.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 450 4.7.1 <a@e.example>: Sender address rejected: not yet
@mails 0
@conf smtpd_helo_restrictions = permit_sasl_authenticated, reject
@conf smtpd_sender_restrictions = check_sender_access inline:{ok.example=OK}, reject
@conf smtpd_data_restrictions = check_recipient_access inline:{tito@example.com=REJECT tito}, permit_auth_destination, reject
@conf smtpd_end_of_data_restrictions = check_recipient_access inline:{iqbal@example.com=REJECT iqbal}
S: 220 *
C: VRFY tito@example.com
S: 252 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 554 5.7.1 <a@b.example>: Sender address rejected: Access denied
C: RSET
S: 250 *
C: MAIL FROM:<a@ok.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: RCPT TO:<nobody@example.com>
S: 550 *
C: DATA
S: 554 5.7.1 <tito@example.com>: Recipient address rejected: tito
@log *: reject: DATA from c.example?192.0.2.1?: 554 5.7.1 <tito@example.com>: *; from=<a@ok.example> to=<tito@example.com> proto=SMTP
C: RCPT TO:<iqbal@example.com>
S: 250 *
C: DATA
S: 554 5.7.1 <DATA>: Data command rejected: Access denied
C: RSET
S: 250 *
C: MAIL FROM:<a@ok.example>
S: 250 *
C: RCPT TO:<iqbal@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 554 5.7.1 <iqbal@example.com>: Recipient address rejected: iqbal
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@ok.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 554 5.7.1 <c.example>: Helo command rejected: Access denied
@conf smtpd_helo_restrictions =
@conf smtpd_sender_restrictions =
@conf smtpd_recipient_restrictions = defer_if_permit, check_recipient_access inline:{iqbal@example.com=defer}
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 450 4.7.0 <tito@example.com>: Recipient address rejected: defer_if_permit requested
C: RCPT TO:<iqbal@example.com>
S: 450 4.7.1 <iqbal@example.com>: Recipient address rejected: Access denied
@conf smtpd_restriction_classes = a, b
@conf a = reject_non_fqdn_sender, reject_non_fqdn_helo_hostname
@conf b = permit_sasl_authenticated, reject
@conf smtpd_recipient_restrictions = warn_if_reject a, warn_if_reject check_recipient_access inline:{tito@example.com=b}, reject_non_fqdn_sender
S: 220 *
C: HELO short
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
@log NOQUEUE: reject_warning: RCPT from *: 504 5.5.2 <short>: Helo command rejected: need fully-qualified hostname; *
@log NOQUEUE: reject_warning: RCPT from *: 554 5.7.1 <tito@example.com>: Recipient address rejected: Access denied; *
C: RSET
S: 250 *
C: MAIL FROM:<a@short>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 504 5.5.2 <a@short>: Sender address rejected: need fully-qualified address
