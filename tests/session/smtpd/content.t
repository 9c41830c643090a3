S: 220 *
C: EHLO c.example
S: 250-*
S: 250-PIPELINING
S: 250-SIZE*
S: 250-VRFY
S: 250-ENHANCEDSTATUSCODES
S: 250-8BITMIME
S: 250-DSN
S: 250-SMTPUTF8
S: 250 CHUNKING
C: MAIL FROM:<a@b.example> BODY=8BITMIME
C: RCPT TO:<tito@example.com>
C: DATA
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 354 End data with <CR><LF>.<CR><LF>
C: From: a@b.example
C: Bcc: secret@x
C:  folded
C: Message-ID: <1@b>
C: Return-Path: <x>
C:
C: ..dot
C: text
C: .
S: 250 2.0.0 Ok: queued as ?*
@mails 1
@mail sender=a@b.example flags=1 helo=c.example proto=ESMTP user= envid= rcpt=tito@example.com,,0
@body Received: from c.example (client.example ?192.0.2.1?)
@body 	by mx.example.com (Surat) with ESMTP id ?*
@body 	for <tito@example.com>; *
@body .dot
@nobody ..dot
@nobody Bcc:*
@nobody *folded*
@nobody Return-Path:*
@nobody Date:*
@log ?*: client=client.example?192.0.2.1?
@log ?*: message-id=<1@b>
# a header that loops
C: MAIL FROM:<a@b.example>
C: RCPT TO:<tito@example.com>
C: RCPT TO:<iqbal@example.com>
C: DATA
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 250 2.1.5 Ok
S: 354 *
C: no header at all
C: .
S: 250 2.0.0 Ok: queued as ?*
@body no header at all
@mail * rcpt=tito@example.com,,0 rcpt=iqbal@example.com,,0
@nobody 	for <*
C: QUIT
S: 221 2.0.0 Bye
@eof
@conf hopcount_limit = 2
S: 220 *
C: HELO c.example
S: 250 mx.example.com
C: MAIL FROM:<a@b.example>
S: 250 2.1.0 Ok
C: RCPT TO:<tito@example.com>
S: 250 2.1.5 Ok
C: DATA
S: 354 *
C: Received: 1
C: Received: 2
C: Received: 3
C:
C: .
S: 554 5.4.0 Error: too many hops
@log ?*: reject: END-OF-MESSAGE from client.example?192.0.2.1?: 554 5.4.0 Error: too many hops; from=<a@b.example> to=<tito@example.com> proto=SMTP helo=<c.example>
@mails 2
C: MAIL FROM:<>
S: 250 2.1.0 Ok
C: RCPT TO:<tito@example.com>
S: 250 2.1.5 Ok
C: DATA
S: 354 *
C: .
S: 250 2.0.0 Ok: queued as ?*
@body 	by mx.example.com (Surat) with SMTP id ?*
@mails 3
@connect
S: 220 *
C: HELO a<b>@"c\(d);
S: 250 *
C: MAIL FROM:<a@b.example>
S: 250 *
C: RCPT TO:<nobody@example.com>
S: 550 *
@log NOQUEUE: reject: * helo=<a?b???c??d??>
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@body Received: from a?b???c??d?? (client.example ?192.0.2.1?)
