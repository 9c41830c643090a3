S: 220 *
C: EHLO c.example
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-*
S: 250-SMTPUTF8
S: 250 *
R: MAIL FROM:<\xc3\xa9@b.example>\r\n
S: 553 5.6.7 *
R: MAIL FROM:<\xc3@b.example> SMTPUTF8\r\n
S: 501 5.1.7 *
R: MAIL FROM:<\xc3\xa9@b.example> SMTPUTF8\r\n
S: 250 *
R: RCPT TO:<\xc3\xa9@other.example>\r\n
S: 554 5.7.1 *
C: RCPT TO:<tito@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@mail * flags=2 *
@body 	by mx.example.com (Surat) with UTF8SMTP id *
