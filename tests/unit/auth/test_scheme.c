/* Password verifiers: vectors of other programs, damage, and what we make ourselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/scheme.h"

static const struct {
	const char *stored, *password;
} vectors[] = {
	{ "{PLAIN}test", "test" },
	{ "{CLEARTEXT}", "" },
	{ "{plain}pässwörd", "pässwörd" },
	{ "{PLAIN.b64}dGVzdA==", "test" },
	{ "{PLAIN.HEX}74657374", "test" },
	{ "{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
	  "password" },
	{ "{ARGON2I}$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8", "password" },
	{ "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
	  "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", "pencil" },       /* RFC 7677 3 */
	{ "{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=", "pencil" },
	{ "{BLF-CRYPT}$2b$12$bwsDeCVppD8O/YT0hTf9Zu5kP4pTLDF31izMqZ5CG2Pvy3ng5zm4G", "test" },
	{ "{SHA512-CRYPT}$6$CjRGFSEe9ZQdbhVb$fI91M20.15444OdD4WUNeRZQhgj88ODc0NstuceQltRlZ9yvWczHOZLWc72aOLVefYfjs/"
	  "6CuFp9f8Panffwg0", "test" },
	{ "{SHA256-CRYPT}$5$uFyJ3Aw0JoZsHypv$yUjYg9IEOCpLEuDZEzHZU2JkyfFIZR9WyPe.4kuC0l/", "test" },
	{ "{MD5-CRYPT}$1$ooVwXyeb$e1EJBGZPIOF.4qFiNCBuq0", "test" },
	{ "{CRYPT}$y$j9T$abcdefgh$4aYJlpUYBQ/CwvNaNZWyJ8iEiOSOhXhXiF4pD9oU0p6", "test" },
	{ "{DES-CRYPT}abgOeLfPimXQo", "test" },
	{ "$1$ooVwXyeb$e1EJBGZPIOF.4qFiNCBuq0", "test" },               /* no braces: the fallback CRYPT */
	{ "{PBKDF2}$1$saltsalt$5000$3fbffe4b837f22fef5ad0a05f2aaf14e12f89354", "test" },
	{ "{PBKDF2}$1$bUnT4Pl7yFtYX0KU$5000$50a83cafdc517b9f46519415e53c6a858908680a", "test" },
	{ "{SSHA}Arx4pNBtwyfMIbG7SHXfY94vHZ5zYWx0MTIzNA==", "test" },
	{ "{SSHA.HEX}f438229716cab43569496f3a3630b3727524b81b73616c74", "test" },
	{ "{SSHA256}b6PGN9u8zyC4Z7OPQ23RHvK5uTabCYSgYfXXTgp3YtJzYWx0MTIzNA==", "test" },
	{ "{SSHA512}nSDmwxJlEtwtouAfcXb2+pBRPnrss3krwKhDXldx/2fojn+XIkzTe/XyZXhIgOUQJQbvuVX7TEl8C9Uc4XZt23NhbHQxMjM0",
	  "test" },
	{ "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "test" },
	{ "{SHA1}a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", "test" },
	{ "{SHA256}n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "test" },
	{ "{SHA256.hex}9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "test" },
	{ "{SHA512}7iaw3Ur350mqGo7jwQrpkj9hiYB3Lkc/iBml1JQODbJ6wYX4oOHV+E+IvIh/1nsUNzLDBMxfqa2Ob1f1ACio/w==", "test" },
	{ "{SMD5}In1zul7ShXuYWrbDpEqmEnNhbHQxMjM0", "test" },
	{ "{LDAP-MD5}CY9rzUYh03PK3k6DJie09g==", "test" },
	{ "{PLAIN-MD5}098f6bcd4621d373cade4e832627b4f6", "test" },
	{ "{CRAM-MD5}e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6", "test" },
	{ "{HMAC-MD5}e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6", "test" },
};

static void known_vectors(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(vectors); i++) {
		struct err err = ERR_INIT;
		struct span stored = span_z(vectors[i].stored);

		if (scheme_verify(stored, "CRYPT", span_z(vectors[i].password), &err) != SCHEME_MATCH)
			fail_msg("%s: no match: %s", vectors[i].stored, err.msg);
		if (scheme_verify(stored, "CRYPT", SPAN_LIT("Test"), &err) != SCHEME_MISMATCH)
			fail_msg("%s: another password: %s", vectors[i].stored, err.msg);
		if (scheme_verify(stored, "CRYPT", (struct span){ "test\0x", 6 }, &err) != SCHEME_MISMATCH)
			fail_msg("%s: NUL in the password", vectors[i].stored);
	}
}

/* Whatever is cut off or changed in a verifier, nothing matches and nothing breaks. */
static void damaged(void **state)
{
	size_t i, n;

	(void)state;
	for (i = 5; i < ARRAY_LEN(vectors); i++) {
		const char *brace = strchr(vectors[i].stored, '}');
		size_t least = brace ? (size_t)(brace - vectors[i].stored) : 0, step = strlen(vectors[i].stored) / 6;

		if (strstr(vectors[i].stored, "$2b$12"))
			continue;       /* a second for each */
		for (n = strlen(vectors[i].stored) - 1; n > least; n = n > step ? n - step : 0) {
			struct err err = ERR_INIT;
			struct span cut = { vectors[i].stored, n };

			if (scheme_verify(cut, "CRYPT", span_z(vectors[i].password), &err) == SCHEME_MATCH)
				fail_msg("%s cut to %zu bytes matches", vectors[i].stored, n);
		}
	}
}

static void bad_verifiers(void **state)
{
	static const char *const rows[] = {
		"{NONSENSE}x", "{", "{}x", "{PLAIN", "{SHA.foo}x", "{SHA256}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "{SSHA}AAAA",
		"{PLAIN-MD5}098f6bcd4621d373cade4e832627b4zz", "{ARGON2ID}x",
		"{ARGON2ID}$argon2d$v=19$m=8,t=1,p=1$AAAA$AAAA",
		"{CRYPT}", "{CRYPT}y", "{PBKDF2}$1$a$0$b", "{PBKDF2}$2$x$5$y", "{SCRAM-SHA-256}4096,a,b,c",
		"{SCRAM-SHA-256}0,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,x",
		"{CRAM-MD5}00",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		if (scheme_verify(span_z(rows[i]), "CRYPT", SPAN_LIT("x"), &err) != SCHEME_BAD || err.kind != ERR_TEMP)
			fail_msg("%s was not called damaged", rows[i]);
	}
}

/* What passwd files have where nobody is to log in: no password matches, and nothing is damaged. */
static void locked(void **state)
{
	static const char *const rows[] = { "!", "!!", "*", "x", "{CRYPT}!$1$ooVwXyeb$e1EJBGZPIOF.4qFiNCBuq0", "{CRYPT}*0",
					    "*LK*" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		if (scheme_verify(span_z(rows[i]), "CRYPT", SPAN_LIT("test"), &err) != SCHEME_MISMATCH ||
		    scheme_verify(span_z(rows[i]), "CRYPT", span_z(rows[i]), &err) != SCHEME_MISMATCH)
			fail_msg("%s: %s", rows[i], err.msg);
	}
}

static void generated(void **state)
{
	static const char *const names[] = { "ARGON2ID", "SCRAM-SHA-256", "SCRAM-SHA-1", "SHA512-CRYPT", "BLF-CRYPT",
					     "CRAM-MD5", "PLAIN" };
	static const char *const passwords[] = { "secret", "ünïcode ﬁ", "a{b}c:d,e", " " };
	struct str s = STR_INIT(1000), again = STR_INIT(1000);
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		for (j = 0; j < ARRAY_LEN(passwords); j++) {
			struct span password = span_z(passwords[j]);
			struct err err = ERR_INIT;

			if (strcmp(names[i], "BLF-CRYPT") == 0 && j > 0)
				continue;
			str_reset(&s);
			str_reset(&again);
			assert_int_equal(scheme_generate(&s, names[i], password, &err), 0);
			assert_int_equal(scheme_generate(&again, names[i], password, &err), 0);
			if (scheme_verify(str_span(&s), NULL, password, &err) != SCHEME_MATCH)
				fail_msg("%s of %s does not match: %s", s.p, passwords[j], err.msg);
			assert_int_equal(scheme_verify(str_span(&s), NULL, SPAN_LIT("other"), &err), SCHEME_MISMATCH);
			if (i < 5 && strcmp(s.p, again.p) == 0)
				fail_msg("%s: no fresh salt", names[i]);
			if (strcmp(names[i], "PLAIN") != 0)
				assert_null(strstr(s.p, passwords[0]));
		}
	}
	str_fini(&s);
	str_fini(&again);
}

static void refused_passwords(void **state)
{
	char text[SCHEME_PASSWORD_MAX + 1];
	struct str s = STR_INIT(4000);
	struct err err = ERR_INIT;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(scheme_generate(&s, "PLAIN", SPAN_NULL, &err), -1);
	assert_int_equal(scheme_generate(&s, "PLAIN", (struct span){ "a\0b", 3 }, &err), -1);
	assert_int_equal(scheme_generate(&s, "PLAIN", (struct span){ text, sizeof(text) }, &err), -1);
	assert_int_equal(scheme_generate(&s, "PLAIN", (struct span){ text, sizeof(text) - 1 }, &err), 0);
	assert_int_equal(scheme_verify(str_span(&s), NULL, (struct span){ text, sizeof(text) }, &err), SCHEME_MISMATCH);
	assert_int_equal(scheme_generate(&s, "ROT13", SPAN_LIT("x"), &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	assert_true(scheme_is_known(SPAN_LIT("ssha.b64")));
	assert_false(scheme_is_known(SPAN_LIT("ssha.b32")));
	scheme_dummy(SPAN_LIT("x"));
	str_fini(&s);
}

/* RFC 4013: compatibility forms are one password. */
static void saslprep(void **state)
{
	struct str s = STR_INIT(1000);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(scheme_generate(&s, "SCRAM-SHA-256", SPAN_LIT("I\u00adX"), &err), 0);
	assert_int_equal(scheme_verify(str_span(&s), NULL, SPAN_LIT("IX"), &err), SCHEME_MATCH);
	str_reset(&s);
	assert_int_equal(scheme_generate(&s, "SCRAM-SHA-1", SPAN_LIT("\u2168"), &err), 0);
	assert_int_equal(scheme_verify(str_span(&s), NULL, SPAN_LIT("IX"), &err), SCHEME_MATCH);
	/* doveadm pw -s SCRAM-SHA-256 leaves the password as it is */
	assert_int_equal(scheme_verify(SPAN_LIT("{SCRAM-SHA-256}4096,xOF0EhM14yo0/wAAfh5DEA==,"
						"N/e9GZr+EGCpm7NpIPMDbCwcvb84Yn3NL+hj72RUn28=,"
						"I08VCuJiEy4QO7kp13dYKvxJrnbEz9w2i4C3D5WNsek="),
				       NULL, SPAN_LIT("pass\u2168"), &err), SCHEME_MATCH);
	str_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_vectors), cmocka_unit_test(damaged),           cmocka_unit_test(bad_verifiers),
		cmocka_unit_test(locked),
		cmocka_unit_test(generated),     cmocka_unit_test(refused_passwords), cmocka_unit_test(saslprep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
