/* cm.h: cmocka with what it needs before it */
#ifndef TESTS_CONF_CM_H
#define TESTS_CONF_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MAIN(group)                                               \
	int main(void)                                            \
	{                                                         \
		return cmocka_run_group_tests(group, NULL, NULL); \
	}

#endif
