@conf smtpd_recipient_limit = 2
@conf smtpd_error_sleep_time = 0
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<rcpt1@example.com>
S: 250 *
C: RCPT TO:<rcpt2@example.com>
S: 250 *
C: RCPT TO:<rcpt3@example.com>
S: 452 4.5.3 Error: too many recipients
@conf smtpd_hard_error_limit = 3
S: 220 *
C: A
S: 500 5.5.2 *
C: B
S: 500 5.5.2 *
C: C
S: 500 5.5.2 *
S: 421 4.7.0 mx.example.com Error: too many errors
@log too many errors after UNKNOWN from client.example?192.0.2.1?
@eof
@conf smtpd_soft_error_limit = 0
@conf smtpd_error_sleep_time = 1
S: 220 *
C: A
S: 500 5.5.2 *
C: QUIT
S: 221 *
@eof
@conf smtpd_junk_command_limit = 2
@conf smtpd_soft_error_limit = 10
S: 220 *
C: HELO c.example
S: 250 *
C: NOOP
S: 250 *
C: NOOP
S: 250 *
C: NOOP
S: 250 *
C: NOOP
S: 250 *
C: NOOP
S: 250 *
S: 421 4.7.0 *
@eof
@conf line_length_limit = 512
S: 220 *
R: NOOP 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
R: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
R: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
R: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
C: end
S: 500 5.5.2 Error: command line too long
C: QUIT
S: 221 *
@eof
# anvil
@conf smtpd_client_connection_count_limit = 5
@count 6
S: 421 4.7.0 mx.example.com Error: too many connections from 192.0.2.1
@log warning: Connection concurrency limit exceeded: 6 from client.example?192.0.2.1? for service smtp
@eof
@count 1
@conf smtpd_client_message_rate_limit = 2
@conf smtpd_client_recipient_rate_limit = 3
@connect
S: 220 *
C: HELO c.example
S: 250 *
@rate 3
C: MAIL FROM:<a@b.example>
S: 450 4.7.1 Error: too much mail from 192.0.2.1
@log warning: Message delivery request rate limit exceeded: 3 from client.example?192.0.2.1? for service smtp
@rate 2
C: MAIL FROM:<a@b.example>
S: 250 *
@rate 4
C: RCPT TO:<tito@example.com>
S: 450 4.7.1 Error: too many recipients from 192.0.2.1
@close
# those of event_limit_exceptions are not counted
@conf smtpd_client_event_limit_exceptions = 192.0.2.0/24
@count 100
@connect
S: 220 *
C: QUIT
S: 221 *
