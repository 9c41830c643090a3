/* Replays a corpus through a fuzz target when libFuzzer is not linked: each argument is a file or a folder. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	size_t n;
	struct stat st;

	if (!f || fstat(fileno(f), &st) < 0) {
		perror(path);
		return -1;
	}
	data = malloc((size_t)st.st_size + 1);
	n = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

static int replay_folder(const char *path, int *count)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char name[4096];

	if (!d) {
		perror(path);
		return -1;
	}
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (replay_file(name) < 0)
			return -1;
		(*count)++;
	}
	closedir(d);
	return 0;
}

int main(int argc, char **argv)
{
	int i, count = 0;

	for (i = 1; i < argc; i++) {
		if (replay_folder(argv[i], &count) < 0)
			return 1;
	}
	printf("%d inputs replayed\n", count);
	return count > 0 ? 0 : 1;       /* an empty corpus would be a test that cannot fail */
}
