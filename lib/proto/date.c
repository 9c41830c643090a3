#include "proto/date.h"

#include <stdbool.h>
#include <time.h>

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
	"Nov", "Dec" };

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back (era arithmetic: 400 years have 146097 days). */
static int64_t days_from_civil(int64_t y, int m, int d)
{
	int64_t era, yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y_r, int *m_r, int *d_r)
{
	int64_t era, doe, yoe, doy, mp;

	z += 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d_r = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m_r = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y_r = yoe + era * 400 + (*m_r <= 2);
}

int date_local_offset_min(int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	return localtime_r(&t, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;
}

int date_format(struct str *out, int64_t unix_s, int offset_min)
{
	int64_t local = unix_s + (int64_t)offset_min * 60, day, year;
	int secs, month, mday, offset = offset_min < 0 ? -offset_min : offset_min;

	day = local >= 0 ? local / 86400 : (local - 86399) / 86400;
	secs = (int)(local - day * 86400);
	civil_from_days(day, &year, &month, &mday);
	return str_addf(out, "%s, %d %s %04lld %02d:%02d:%02d %c%02d%02d", days[((day % 7) + 11) % 7], mday,
			months[month - 1],
		(long long)year, secs / 3600, secs / 60 % 60, secs % 60, offset_min < 0 ? '-' : '+', offset / 60,
		offset % 60);
}

int date_format_zone(struct str *out, int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return date_format(out, unix_s, 0);
	if (date_format(out, unix_s, (int)(tm.tm_gmtoff / 60)) < 0)
		return -1;
	return tm.tm_zone && *tm.tm_zone ? str_addf(out, " (%s)", tm.tm_zone) : 0;
}

/* Blanks and comments. */
static void skip_cfws(struct span *in)
{
	size_t i = 0, depth = 0;

	for (; i < in->n; i++) {
		char c = in->p[i];

		if (depth && c == '\\')
			i++;
		else if (c == '(')
			depth++;
		else if (depth && c == ')')
			depth--;
		else if (!depth && c != ' ' && c != '\t' && c != '\r' && c != '\n')
			break;
	}
	*in = span_from(*in, i < in->n ? i : in->n);
}

static bool take_char(struct span *in, char c)
{
	skip_cfws(in);
	if (in->n == 0 || in->p[0] != c)
		return false;
	*in = span_from(*in, 1);
	return true;
}

/* min..max digits; -1 when there are fewer or more. */
static int take_digits(struct span *in, size_t min, size_t max, size_t *n_r)
{
	size_t n = 0;
	int v = 0;

	skip_cfws(in);
	while (n < in->n && in->p[n] >= '0' && in->p[n] <= '9') {
		if (++n > max)
			return -1;
		v = v * 10 + (in->p[n - 1] - '0');
	}
	*n_r = n;
	*in = span_from(*in, n);
	return n < min ? -1 : v;
}

static struct span take_alpha(struct span *in)
{
	struct span word;
	size_t n = 0;

	skip_cfws(in);
	while (n < in->n && ((in->p[n] | 32) >= 'a' && (in->p[n] | 32) <= 'z'))
		n++;
	word = span_sub(*in, 0, n);
	*in = span_from(*in, n);
	return word;
}

static int index_of(struct span word, const char (*names)[4], int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (span_starts_nocase(word, names[i]))
			return i;
	}
	return -1;
}

static int days_in(int month, int year)
{
	static const unsigned char n[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return n[month] + (month == 1 && leap);
}

/* RFC 5322 section 4.3: unknown names and military letters are taken for -0000. */
static int zone_by_name(struct span word)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = { { "EDT", -4 }, { "EST", -5 }, { "CDT", -5 }, { "CST", -6 }, { "MDT", -6 }, { "MST", -7 },
		      { "PDT", -7 }, { "PST", -8 } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(zones); i++) {
		if (span_eq_nocase(word, zones[i].name))
			return zones[i].hours * 60;
	}
	return 0;
}

static int take_zone(struct span *in, int *offset_r)
{
	bool minus;
	size_t n;
	int v;

	skip_cfws(in);
	*offset_r = 0;
	if (in->n == 0)
		return 0;
	if (in->p[0] != '+' && in->p[0] != '-') {
		*offset_r = zone_by_name(take_alpha(in));
		return 0;
	}
	minus = in->p[0] == '-';
	*in = span_from(*in, 1);
	v = take_digits(in, 4, 4, &n);
	if (v < 0 || v % 100 > 59)
		return -1;
	v = v / 100 * 60 + v % 100;
	*offset_r = minus ? -v : v;
	return 0;
}

int date_parse(struct span in, int64_t *unix_s_r, int *offset_min_r)
{
	int mday, month, year, hour, min, sec = 0;
	struct span word;
	size_t n;

	word = take_alpha(&in);
	if (word.n && (index_of(word, days, 7) < 0 || (take_char(&in, ','), false)))
		return -1;
	mday = take_digits(&in, 1, 2, &n);
	month = index_of(take_alpha(&in), months, 12);
	year = take_digits(&in, 2, 4, &n);
	if (n == 2)
		year += year < 50 ? 2000 : 1900;
	else if (n == 3)
		year += 1900;
	hour = take_digits(&in, 1, 2, &n);
	if (year < 1900 || month < 0 || mday < 1 || mday > days_in(month, year) || hour < 0 || hour > 23 ||
	    !take_char(&in, ':'))
		return -1;
	min = take_digits(&in, 1, 2, &n);
	if (take_char(&in, ':'))
		sec = take_digits(&in, 1, 2, &n);
	if (min < 0 || min > 59 || sec < 0 || sec > 60 || take_zone(&in, offset_min_r) < 0)
		return -1;
	if (sec == 60)          /* the clock has no leap seconds */
		sec = 59;
	*unix_s_r = days_from_civil(year, month + 1, mday) * 86400 + hour * 3600 + min * 60 + sec - *offset_min_r * 60;
	return 0;
}
