/* banned.h: functions that have no safe use here; every .c file gets this by the build's -include */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* The declarations come first, or poisoning would break the system headers themselves. */
#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef stpcpy
#undef strtok
#undef sprintf
#undef vsprintf
#undef alloca
#pragma GCC poison strcpy strcat strncpy strncat stpcpy strtok sprintf vsprintf
#pragma GCC poison atoi atol atoll gmtime localtime asctime ctime system popen
#pragma GCC poison alloca mktemp tmpnam tempnam usleep

#endif
