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
S: 250 *
C: MAIL FROM:<tito@example.com>
S: 250 2.1.0 Ok
C: RCPT TO:<x@other.example>
S: 554 5.7.1 <x@other.example>: Relay access denied
@log NOQUEUE: reject: RCPT from client.example?192.0.2.1?: 554 5.7.1 <x@other.example>: Relay access denied; from=<tito@example.com> to=<x@other.example> proto=ESMTP helo=<c.example>
# routes that the sender chose
C: RCPT TO:<x%other.example@example.com>
S: 554 5.7.1 <x%other.example@example.com>: Relay access denied
C: RCPT TO:<other.example!x@example.com>
S: 554 5.7.1 <other.example!x@example.com>: Relay access denied
C: RCPT TO:<"x@other.example"@example.com>
S: 554 5.7.1 <"x@other.example"@example.com>: Relay access denied
C: RCPT TO:<@example.com:x@other.example>
S: 554 5.7.1 <x@other.example>: Relay access denied
C: RCPT TO:<@other.example,@example.com:tito@example.com>
S: 250 2.1.5 Ok
C: RCPT TO:<x@[192.0.2.77]>
S: 554 5.7.1 *: Relay access denied
C: RCPT TO:<x@other.example@example.com>
S: 501 5.1.3 Bad recipient address syntax
C: RCPT TO:<postmaster>
S: 250 2.1.5 Ok
C: RCPT TO:<Postmaster@EXAMPLE.com>
S: 250 2.1.5 Ok
C: RCPT TO:<Postmaster@virtual.example>
S: 250 2.1.5 Ok
C: RCPT TO:<postmaster@1.2.3.4>
S: 554 5.7.1 <postmaster@1.2.3.4>: Relay access denied
C: RCPT TO:<root@virtual.example>
S: 550 5.1.1 <root@virtual.example>: *
C: RCPT TO:<temp@example.com>
S: 451 4.3.0 <temp@example.com>: Temporary lookup failure
@conf mynetworks = 192.0.2.0/24 [2001:db8::]/32
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<tito@example.com>
S: 250 2.1.0 Ok
C: RCPT TO:<x@other.example>
S: 250 2.1.5 Ok
C: RCPT TO:<nobody@example.com>
S: 550 5.1.1 *
@client 2001:db8::5
@connect
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<tito@example.com>
S: 250 2.1.0 Ok
C: RCPT TO:<x@other.example>
S: 250 2.1.5 Ok
C: DATA
S: 354 *
C: Subject: x
C:
C: .
S: 250 2.0.0 *
@body Received: from c.example (client.example [[]IPv6:2001:db8::5])
@body Date: *
@body From: tito@example.com
@body Message-Id: <*@mx.example.com>
@mail * flags=64 *
@client 203.0.113.1
@connect
S: 220 *
C: HELO c.example
S: 250 *
C: MAIL FROM:<tito@example.com>
S: 250 2.1.0 Ok
C: RCPT TO:<x@other.example>
S: 554 5.7.1 *
@conf smtpd_relay_restrictions = defer_unauth_destination
S: 220 *
C: MAIL FROM:<tito@example.com>
S: 250 2.1.0 Ok
C: RCPT TO:<x@other.example>
S: 454 4.7.1 <x@other.example>: Relay access denied
