#include "script.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attr.h"

void script_read(const char *file, unsigned *number, bool (*fn)(void *arg, char *line), void *arg)
{
	FILE *in = fopen(file, "r");
	char *line = NULL;
	size_t cap = 0;
	bool goes_on = true;

	BUG(!in);
	while (goes_on && getline(&line, &cap, in) >= 0) {
		++*number;
		line[strcspn(line, "\n")] = '\0';
		goes_on = fn(arg, line);
	}
	fclose(in);
	free(line);
}

void script_raw(struct str *out, const char *z)
{
	for (; *z; z++) {
		char c = *z;

		if (c == '\\') {
			z++;
			c = *z == 'r' ? '\r' : *z == 'n' ? '\n' : *z == '0' ? '\0' : *z;
			if (*z == 'x') {
				char hex[3] = { z[1], z[2], 0 };

				c = (char)strtol(hex, NULL, 16);
				z += 2;
			}
		}
		(void)!str_addc(out, c);
	}
}

int script_main(int argc, char **argv, void (*play)(const char *file, size_t chunk), const size_t *chunks, size_t n)
{
	size_t i;
	int k;

	signal(SIGPIPE, SIG_IGN);
	for (k = 1; k < argc; k++) {
		for (i = 0; i < n; i++)
			play(argv[k], chunks[i]);
		printf("%s: ok\n", argv[k]);
	}
	return argc > 1 ? 0 : 1;
}
