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
C: MAIL FROM:<a@b.example> RET=HDRS ENVID=QQ+2B314159
S: 250 *
C: RCPT TO:<tito@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;tito@example.com
S: 250 *
C: RCPT TO:<iqbal@example.com> NOTIFY=NEVER
S: 250 *
C: RCPT TO:<iqbal@example.com> NOTIFY=NEVER,SUCCESS
S: 501 5.5.4 *
C: RCPT TO:<iqbal@example.com> ORCPT=rfc822;a+0D+0Ab
S: 501 5.5.4 *
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
@mail sender=a@b.example flags=8 * envid=QQ+314159 rcpt=tito@example.com,rfc822;tito@example.com,6 rcpt=iqbal@example.com,,1
