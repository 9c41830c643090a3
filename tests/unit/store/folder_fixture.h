/* folder_fixture.h: an empty Maildir "m" under /tmp with a store that has no index; for the tests of folder.h */
#ifndef TEST_FOLDER_FIXTURE_H
#define TEST_FOLDER_FIXTURE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/mail_store.h"

static char root[64];
static struct mail_store store;

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;

	snprintf(root, sizeof(root), "/tmp/surat-folder-XXXXXX");
	assert_non_null(mkdtemp(root));
	store = (struct mail_store){ 0 };
	assert_int_equal(maildir_open(&store.root, root, "m", MAILDIR_CREATE, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	clock_fake_ms(0);
	maildir_close(&store.root);
	return nftw(root, rm_one, 64, FTW_DEPTH | FTW_PHYS);
}

#endif
