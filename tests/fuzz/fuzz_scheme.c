/* Stored password verifiers as a passwd-file may hold them; slow ones are left out. */
#include <stdint.h>

#include "auth/scheme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const fast[] = { "SSHA", "SSHA256", "SHA512", "SMD5", "PLAIN", "PLAIN-MD5", "CRAM-MD5",
					    "SHA",
					    "LDAP-MD5", "CLEARTEXT" };
	struct span stored = { (const char *)data, n }, name, rest;
	struct err err = ERR_INIT;
	size_t i;

	if (!scheme_split(stored, "PLAIN", &name, &rest))
		return 0;
	span_cut(name, '.', &name, &rest);
	for (i = 0; i < ARRAY_LEN(fast); i++) {
		if (span_eq_nocase(name, fast[i]) &&
		    scheme_verify(stored, "PLAIN", SPAN_LIT("a\0b"), &err) == SCHEME_MATCH)
			BUG(true);
		if (span_eq_nocase(name, fast[i]) &&
		    scheme_verify(stored, "PLAIN", SPAN_LIT("test"), &err) == SCHEME_BAD)
			BUG(err.kind != ERR_TEMP);
	}
	return 0;
}
