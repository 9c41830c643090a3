/* CRAM-MD5 stores the MD5 state after one block of the outer and of the inner pad (RFC 2104), little-endian, outer
 * first. Only the old MD5_CTX lets the state be seen. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

#include "auth/scheme_impl.h"

static void one_block(const unsigned char key[64], unsigned char pad, unsigned char out[16])
{
	unsigned char block[64];
	MD5_CTX ctx;
	size_t i;

	for (i = 0; i < sizeof(block); i++)
		block[i] = key[i] ^ pad;
	MD5_Init(&ctx);
	MD5_Update(&ctx, block, sizeof(block));
	for (i = 0; i < 16; i++) {
		MD5_LONG word = i < 4 ? ctx.A : i < 8 ? ctx.B : i < 12 ? ctx.C : ctx.D;

		out[i] = (unsigned char)(word >> (8 * (i % 4)));
	}
	explicit_bzero(&ctx, sizeof(ctx));
	explicit_bzero(block, sizeof(block));
}

void scheme_cram_context(struct span password, unsigned char out[32])
{
	unsigned char key[64] = { 0 };
	size_t n;

	if (password.n > sizeof(key))
		scheme_digest("MD5", password, SPAN_NULL, key, &n);
	else if (password.n > 0)
		memcpy(key, password.p, password.n);
	one_block(key, 0x5c, out);
	one_block(key, 0x36, out + 16);
	explicit_bzero(key, sizeof(key));
}

enum scheme_rc scheme_cram_verify(const struct scheme *s, struct span data, struct span password, struct err *err)
{
	unsigned char context[32];

	scheme_cram_context(password, context);
	return scheme_equal(data, (struct span){ (char *)context, sizeof(context) }) ? SCHEME_MATCH : SCHEME_MISMATCH;
}
