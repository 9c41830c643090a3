/* tls.h: OpenSSL behind stream's hook; only smtpd, login and smtp link it */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "io/stream.h"

struct tls_ctx;

/* What a server context is made from. Strings may be NULL for the defaults. */
struct tls_params {
	struct span pem;                /* chain and private key */
	const char *min_protocol;       /* "TLSv1.2" (default) or "TLSv1.3" */
	const char *max_protocol;       /* "TLSv1.2" or "TLSv1.3" (default) */
	const char *ciphers;            /* TLS 1.2 list in OpenSSL's form */
	const char *ciphersuites;       /* TLS 1.3 */
	bool prefers_server_ciphers;    /* our order decides, not the client's */
	const char *alpn;               /* "smtp", "imap", "pop3": another protocol offered by the client is refused */
	bool wants_client_cert;         /* asked for, never demanded */
	struct span client_ca_pem;
	struct span ticket_key;         /* 80 bytes shared by all workers of an instance, or empty: tickets off */
};

/* Loads what OpenSSL would load late: for daemons that may get their first certificate when they cannot open files any
 * more. -1 ERR_CONF. tls_ctx_new does it too. Source: tls.c */
int tls_preload(struct err *err) WARN_UNUSED;

/* One reference; NULL with ERR_CONF names what is wrong with certificate or key (they do not match, expired is only a
 * warning of surat check). Contexts are shared by the sessions that use them. Source: tls.c */
struct tls_ctx *tls_ctx_new(const struct tls_params *p, struct err *err) WARN_UNUSED;
void tls_ctx_unref(struct tls_ctx **ctx);       /* takes NULL; sets *ctx to NULL */

/* Are all certificates in pem good at now (seconds since 1970)? -1 ERR_CONF names the first that has expired or is not
 * valid yet; 0 also where there is none to be read, which tls_ctx_new tells. Source: tls.c */
int tls_check_dates(struct span pem, int64_t now, struct err *err) WARN_UNUSED;

/* Puts a server session under s; the caller has flushed the output and dropped the input (a client that sent bytes
 * behind STARTTLS loses them: RFC 3207 section 4.2, CVE-2011-0411). tls_handshake runs the handshake. Source: tls.c */
int tls_accept(struct stream *s, struct tls_ctx *ctx, struct err *err) WARN_UNUSED;

/* Drives the handshake: IO_OK done, IO_AGAIN (wait for stream_events), IO_EOF, IO_ERR. Source: tls.c */
enum io_rc tls_handshake(struct stream *s, struct err *err) WARN_UNUSED;

/* After a handshake behind which the client speaks first: its packet is acknowledged at once. In TLS 1.3 we have
 * nothing to send, and a client under Nagle's rule would hold its next command until our kernel's delayed ACK, 40 ms
 * later. Source: tls.c */
void tls_acknowledge(const struct stream *s);

/* Of a finished handshake; strings live as long as the stream. */
struct tls_info {
	const char *protocol;           /* "TLSv1.3" */
	const char *cipher;             /* "TLS_AES_256_GCM_SHA384" */
	int bits, alg_bits;
	bool has_client_cert, is_client_trusted;
	const char *client_fingerprint; /* SHA-256 of the certificate as hex pairs with colons, or "" */
};

/* Source: tls.c */
void tls_info(const struct stream *s, struct tls_info *info_r);

/* Bytes that OpenSSL has decrypted and nobody has read: poll will not tell of them. Source: tls.c */
bool tls_has_pending(const struct stream *s);

#endif
