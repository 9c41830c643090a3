@conf smtpd_tls_wrappermode = yes
@badconf smtpd_tls_wrappermode needs smtpd_tls_cert_file
@cert
@conf smtpd_tls_wrappermode = yes
@tls
S: 220 mx.example.com ESMTP Surat
C: EHLO c.example
S: 250-mx.example.com
S: 250-PIPELINING
S: 250-SIZE*
S: 250-VRFY
S: 250-ENHANCEDSTATUSCODES
S: 250-*
S: 250-*
S: 250-*
S: 250 *
C: QUIT
S: 221 2.0.0 Bye
