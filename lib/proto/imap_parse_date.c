#include "proto/imap_parse.h"

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int32_t imap_parse_day(int year, int month, int day)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	int y = year + 399;     /* whole years before this one, shifted so that year 0 divides as the others */
	int leaps = y / 4 - y / 100 + y / 400;

	return year * 365 + leaps - 96 + before[month - 1] + (month > 2 && is_leap(year)) + day - 719529;
}

/* min to max digits, taken from the front of s. */
static int digits(struct span *s, size_t min, size_t max, int *n_r)
{
	size_t n = 0;
	uint64_t v;

	while (n < s->n && n < max && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (n < min || span_u64(span_sub(*s, 0, n), 9999, &v) < 0)
		return -1;
	*s = span_from(*s, n);
	*n_r = (int)v;
	return 0;
}

static int byte(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return -1;
	*s = span_from(*s, 1);
	return 0;
}

/* "1-Feb-1994" from the front of s. */
static int take_day(struct span *s, int32_t *day_r)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
	                                    "Dec" };
	static const int lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int day, month, year;

	if (digits(s, 1, 2, &day) < 0 || byte(s, '-') < 0)
		return -1;
	for (month = 0; month < 12 && !span_eq_nocase(span_sub(*s, 0, 3), months[month]); month++)
		;
	if (month == 12)
		return -1;
	*s = span_from(*s, 3);
	if (byte(s, '-') < 0 || digits(s, 4, 4, &year) < 0)
		return -1;
	if (day < 1 || day > lengths[month] || (month == 1 && day == 29 && !is_leap(year)))
		return -1;
	*day_r = imap_parse_day(year, month + 1, day);
	return 0;
}

/* "02:07:09 -0800" */
static int take_time(struct span *s, int *seconds_r, int *offset_min_r)
{
	int hour, minute, second, zone;
	bool is_west;

	if (digits(s, 2, 2, &hour) < 0 || byte(s, ':') < 0 || digits(s, 2, 2, &minute) < 0 || byte(s, ':') < 0 ||
	    digits(s, 2, 2, &second) < 0 || byte(s, ' ') < 0)
		return -1;
	is_west = byte(s, '-') == 0;
	if ((!is_west && byte(s, '+') < 0) || digits(s, 4, 4, &zone) < 0)
		return -1;
	if (hour > 23 || minute > 59 || second > 60 || zone / 100 > 23 || zone % 100 > 59)
		return -1;
	*seconds_r = (hour * 60 + minute) * 60 + second;
	*offset_min_r = (zone / 100 * 60 + zone % 100) * (is_west ? -1 : 1);
	return 0;
}

int imap_parse_date_time(struct imap_parse *p, int64_t *unix_s_r, int *offset_min_r, struct err *err)
{
	struct span s;
	int32_t day;
	int seconds;

	if (imap_parse_peek(p) != '"')
		return err_set(err, ERR_PROTO, "Missing date");
	if (imap_parse_string(p, "date", &s, err) < 0)
		return -1;
	(void)!byte(&s, ' ');   /* date-day-fixed */
	if (take_day(&s, &day) < 0 || byte(&s, ' ') < 0 || take_time(&s, &seconds, offset_min_r) < 0 || s.n)
		return err_set(err, ERR_PROTO, "Invalid date");
	*unix_s_r = (int64_t)day * 86400 + seconds - *offset_min_r * 60;
	return 0;
}

int imap_parse_date(struct imap_parse *p, int32_t *day_r, struct err *err)
{
	struct span s;

	if (imap_parse_astring(p, "date", &s, err) < 0)
		return -1;
	return take_day(&s, day_r) < 0 || s.n ? err_set(err, ERR_PROTO, "Invalid date") : 0;
}
