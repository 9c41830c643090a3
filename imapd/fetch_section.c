#include "imapd/fetch.h"


#define SECTION_MAX 1000        /* bytes of "1.2.3"; what is longer does not exist */
#define HEADER_MAX (4u << 20)   /* bytes of a header that HEADER.FIELDS looks at */

static bool is_header(const struct imap_fetch_item *it)
{
	return it->text == IMAP_FETCH_HEADER || it->text == IMAP_FETCH_FIELDS || it->text == IMAP_FETCH_FIELDS_NOT;
}

bool fetch_section_needs_parts(const struct imap_fetch_item *it)
{
	return it->kind >= IMAP_FETCH_RFC822 && (it->n_parts > 0 || !is_header(it));
}

/* 1 found, 0 none, -1. */
static int find_part(const struct fetch_file *file, const struct imap_fetch_item *it, struct mail_part *p_r, struct err *err)
{
	struct str section = STR_INIT(SECTION_MAX);
	size_t i;
	int rc = 0;

	for (i = 0; i < it->n_parts && rc == 0; i++) {
		if ((i && str_addc(&section, '.') < 0) || str_add_u64(&section, it->parts[i]) < 0)
			rc = -1;
	}
	rc = rc < 0 ? 0 : mail_record_part(file->parts, str_span(&section), p_r);
	str_fini(&section);
	return rc < 0 ? err_set(err, ERR_TEMP, "the record of a message is damaged") : rc;
}

static void set_range(struct fetch_piece *p, int fd, uint64_t offset, struct mime_size size)
{
	p->kind = FETCH_PIECE_RANGE;
	p->range = (struct fetch_range){ .fd = fd, .offset = offset, .octets = size.octets, .crlf_octets = size.crlf_octets };
}

static bool take_text(void *arg, struct span bytes)
{
	return str_add_span(arg, bytes) == 0;
}

static int filter(const struct fetch_range *r, const struct imap_fetch_item *it, struct str *text, struct fetch_piece *p,
		  struct err *err)
{
	struct str header = STR_INIT(2 * HEADER_MAX);
	struct fetch_sink sink = { take_text, &header };
	uint64_t n = r->crlf_octets < HEADER_MAX ? r->crlf_octets : HEADER_MAX;
	size_t start = text->n;
	int rc;

	rc = fetch_range_send(r, 0, n, false, &sink, err);
	if (rc == 0 && fetch_header_filter(text, str_span(&header), it) < 0)
		rc = err_set(err, ERR_TEMP, "the header of a message is too long");
	str_fini(&header);
	p->kind = FETCH_PIECE_TEXT;
	p->text = span_from(str_span(text), start);
	return rc;
}

/* HEADER or HEADER.FIELDS. */
static int header_section(const struct imap_fetch_item *it, const struct fetch_range *header, struct str *text,
			  struct fetch_piece *p, struct err *err)
{
	if (it->text != IMAP_FETCH_HEADER)
		return filter(header, it, text, p, err);
	p->kind = FETCH_PIECE_RANGE;
	p->range = *header;
	return 0;
}

/* HEADER, HEADER.FIELDS or TEXT of a part that is a message. */
static int message_section(const struct fetch_file *file, const struct imap_fetch_item *it, const struct mail_part *part,
			   struct str *text, struct fetch_piece *p, struct err *err)
{
	struct mime_size rest = part->body;

	if (part->kind != MIME_MESSAGE)
		return 0;
	set_range(p, file->fd, part->body_offset, part->inner);
	if (it->text != IMAP_FETCH_TEXT)
		return header_section(it, &p->range, text, p, err);
	rest.octets -= part->inner.octets;
	rest.crlf_octets -= part->inner.crlf_octets;
	set_range(p, file->fd, part->body_offset + part->inner.octets, rest);
	return 0;
}

int fetch_section_find(const struct fetch_file *file, const struct imap_fetch_item *it, struct str *text,
		       struct fetch_piece *p_r, struct err *err)
{
	struct fetch_range header;
	struct mail_part part;
	int rc;

	*p_r = (struct fetch_piece){ .kind = FETCH_PIECE_NIL };
	if (!fetch_section_needs_parts(it))
		return fetch_range_header(file->fd, 0, file->octets, &header, err) < 0
			       ? -1 : header_section(it, &header, text, p_r, err);
	rc = find_part(file, it, &part, err);
	if (rc <= 0)
		return rc;
	if (it->text == IMAP_FETCH_MIME) {
		set_range(p_r, file->fd, part.header_offset, part.header);
		return 0;
	}
	if (it->text == IMAP_FETCH_ALL && it->n_parts > 0) {
		set_range(p_r, file->fd, part.body_offset, part.body);
		if (part.kind == MIME_TEXT || part.kind == MIME_OTHER)
			p_r->encoding = part.encoding;
		return 0;
	}
	if (it->n_parts > 0)
		return message_section(file, it, &part, text, p_r, err);
	if (it->text == IMAP_FETCH_TEXT) {
		set_range(p_r, file->fd, part.body_offset, part.body);
		return 0;
	}
	set_range(p_r, file->fd, 0, (struct mime_size){ .octets = part.header.octets + part.body.octets,
		.crlf_octets = part.header.crlf_octets + part.body.crlf_octets });
	return 0;
}
