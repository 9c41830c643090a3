#include "imapd/print.h"

char *print_u64(char *to, uint64_t n)
{
	char digits[PRINT_U64_MAX], *p = digits + sizeof(digits);
	size_t len;

	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	len = (size_t)(digits + sizeof(digits) - p);
	memcpy(to, p, len);
	return to + len;
}

static char *two(char *to, int n)
{
	to[0] = (char)('0' + n / 10 % 10);
	to[1] = (char)('0' + n % 10);
	return to + 2;
}

char *print_internaldate(char *to, int64_t unix_s, int offset_min)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const int64_t last = 253402214400;      /* 31-Dec-9999 */
	int64_t local, day, era, doe, yoe, year;
	int secs, doy, mp, month, minutes = offset_min < 0 ? -offset_min : offset_min;

	unix_s = unix_s > last ? last : unix_s < -62135596800 ? -62135596800 : unix_s;
	local = unix_s + (int64_t)offset_min * 60;
	day = (local >= 0 ? local : local - 86399) / 86400;
	secs = (int)(local - day * 86400);
	/* days of a calendar that begins on 1 March of the year 0 */
	day += 719468;
	era = (day >= 0 ? day : day - 146096) / 146097;
	doe = day - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = (int)(doe - (365 * yoe + yoe / 4 - yoe / 100));
	mp = (5 * doy + 2) / 153;
	month = mp < 10 ? mp + 2 : mp - 10;
	year = yoe + era * 400 + (month < 2);
	year = year < 0 ? 0 : year > 9999 ? 9999 : year;

	*to++ = '"';
	to = two(to, doy - (153 * mp + 2) / 5 + 1);
	*to++ = '-';
	memcpy(to, months + month * 3, 3);
	to += 3;
	*to++ = '-';
	to = two(to, (int)(year / 100));
	to = two(to, (int)(year % 100));
	*to++ = ' ';
	to = two(to, secs / 3600);
	*to++ = ':';
	to = two(to, secs / 60 % 60);
	*to++ = ':';
	to = two(to, secs % 60);
	*to++ = ' ';
	*to++ = offset_min < 0 ? '-' : '+';
	to = two(to, minutes / 60 % 100);
	to = two(to, minutes % 60);
	*to++ = '"';
	return to;
}
