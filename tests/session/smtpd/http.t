S: 220 *
C: GET / HTTP/1.1
C: Host: mx.example.com
C:
S: 500 5.5.1 Error: I can break rules, too. Goodbye.
@log warning: non-SMTP command from client.example?192.0.2.1?: GET / HTTP/1.1
@eof
@connect
S: 220 *
C: HELO c.example
S: 250 *
C: POST /MAIL HTTP/1.0
C: MAIL FROM:<a@b.example>
S: 500 5.5.1 *
@eof
@connect
S: 220 *
C: Host: x
S: 500 5.5.1 *
@eof
@connect
S: 220 *
C: Host:mx.example.com
S: 500 5.5.1 *
@eof
@sessions 0
