@conf smtpd_error_sleep_time = 0
@conf smtpd_client_restrictions = check_client_access inline:{203.0.113=REJECT bad net, bad.example=550 5.7.99 go away}
@conf smtpd_helo_restrictions = check_helo_access inline:{spam.example=REJECT}
@conf smtpd_sender_restrictions = check_sender_access inline:{evil.example=554 no, hold.example=HOLD, redir.example=REDIRECT iqbal@example.com, <>=450 4.7.7 later, disc.example=DISCARD, pre.example=PREPEND X-Seen: yes, badpre.example=PREPEND X Seen: no, bcc.example=BCC iqbal@example.com, filt.example=FILTER x:y, class.example=strict, warn.example=WARN look, dip.example=DEFER_IF_PERMIT, dir.example=DEFER_IF_REJECT later, user@=REJECT, ok.example=OK, typo.example=rejct}
@conf smtpd_recipient_restrictions = check_recipient_access inline:{iqbal@example.com=DEFER busy}, warn_if_reject reject_non_fqdn_sender, warn_if_reject check_sender_access inline:{warnlater.example=DEFER_IF_PERMIT maybe}, check_sender_access inline:{dip.example=DEFER_IF_PERMIT second}
@conf smtpd_restriction_classes = strict
@conf strict = reject_non_fqdn_helo_hostname, permit
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@sub.evil.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 554 5.7.1 <a@sub.evil.example>: Sender address rejected: no
C: RSET
S: 250 *
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 450 4.7.7 <>: Sender address rejected: later
C: RSET
S: 250 *
C: MAIL FROM:<user@any.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 554 5.7.1 <user@any.example>: Sender address rejected: Access denied
C: RSET
S: 250 *
C: MAIL FROM:<a@filt.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 451 4.3.5 Server configuration error
C: RSET
S: 250 *
C: MAIL FROM:<a@typo.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 451 4.3.5 Server configuration error
@log warning: access table *: 'rejct': *unknown restriction 'rejct'; did you mean 'reject'?
C: RSET
S: 250 *
C: MAIL FROM:<a@dip.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 450 4.7.1 <a@dip.example>: Sender address rejected: Service unavailable
C: RCPT TO:<x@other.example>
S: 554 5.7.1 *
C: RSET
S: 250 *
C: MAIL FROM:<a@dir.example>
S: 250 *
C: RCPT TO:<x@other.example>
S: 450 4.7.1 <a@dir.example>: Sender address rejected: later
C: RCPT TO:<iqbal@example.com>
S: 450 4.7.1 <a@dir.example>: Sender address rejected: later
C: RCPT TO:<tito@example.com>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@ok.example>
S: 250 *
C: RCPT TO:<iqbal@example.com>
S: 450 4.7.1 <iqbal@example.com>: Recipient address rejected: busy
C: RSET
S: 250 *
C: MAIL FROM:<a@hold.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
@log NOQUEUE: hold: RCPT from client.example?192.0.2.1?: <a@hold.example>: Sender address triggers HOLD action; from=<a@hold.example> to=<tito@example.com> proto=SMTP helo=<c.example>
C: RCPT TO:<carla@example.com>
S: *
@nolog *hold: RCPT *to=<carla@example.com>*
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@mail * flags=32 *
C: MAIL FROM:<a@redir.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@mail * rcpt=iqbal@example.com,,0 orig=tito@example.com
@mails 2
C: MAIL FROM:<a@disc.example>
S: 250 *
C: RCPT TO:<x@other.example>
S: 250 *
@log NOQUEUE: discard: RCPT from *
C: RCPT TO:<iqbal@example.com>
S: 250 *
C: RCPT TO:<nobody@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 250 2.0.0 Ok: queued as *
@mails 2
C: MAIL FROM:<a@bcc.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
@log NOQUEUE: bcc: RCPT from *: <a@bcc.example>: Sender address triggers BCC action: iqbal@example.com; *
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@mail * rcpt=tito@example.com,,0 rcpt=iqbal@example.com,,0
C: MAIL FROM:<a@pre.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@body X-Seen: yes
C: MAIL FROM:<a@badpre.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
@log warning: access table *: 'X Seen: no' is no address or header
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@nobody X Seen*
C: MAIL FROM:<a@warn.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
@log NOQUEUE: warn: RCPT from *: <a@warn.example>: Sender address triggers WARN action: look; *
C: RSET
S: 250 *
C: MAIL FROM:<a@warnlater.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
@log NOQUEUE: reject_warning: RCPT from *: 450 4.7.1 <a@warnlater.example>: Sender address rejected: maybe; *
C: RSET
S: 250 *
C: MAIL FROM:<a@short>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 250 *
@log NOQUEUE: reject_warning: RCPT from client.example?192.0.2.1?: 504 5.5.2 <a@short>: Sender address rejected: need fully-qualified address; from=<a@short> *
C: RSET
S: 250 *
C: HELO short
S: 250 *
C: MAIL FROM:<a@class.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 504 5.5.2 <short>: Helo command rejected: need fully-qualified hostname
C: HELO spam.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 554 5.7.1 <spam.example>: Helo command rejected: Access denied
@client 203.0.113.9
@connect
S: 220 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 554 5.7.1 <client.example?203.0.113.9?>: Client host rejected: bad net
@ptr mail.bad.example
@connect
S: 220 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 550 5.7.99 <mail.bad.example?203.0.113.9?>: Client host rejected: go away
@conf smtpd_client_restrictions = check_client_access fail:x
S: 220 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<tito@example.com>
S: 451 4.3.0 *Temporary lookup failure
@log warning: table fail:x: fail: table
