#include "imapd/commands.h"
#include "imapd/compress.h"

enum cmd_rc cmd_compress(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;
	struct span name;

	if (imap_parse_sp(&c->args, "mechanism", &err) < 0 || imap_parse_atom(&c->args, "mechanism", &name, &err) < 0 ||
	    imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (!span_eq_nocase(name, "DEFLATE"))
		return session_bad(s, c, "Unknown compression mechanism.");
	if (s->is_compressed)
		return session_no(s, c, "[COMPRESSIONACTIVE] DEFLATE is active already.");
	/* what was sent behind the command is plain, or should be compressed: nobody knows */
	if (stream_peek(&s->io).n || s->io.hook)
		return session_bad(s, c, "Nothing may follow COMPRESS before its answer.");
	if (session_ok(s, c, "Begin compression.") != CMD_DONE || session_flush(s) < 0)
		return CMD_END;
	if (compress_start(&s->io, &err) < 0) {
		session_log_error(s, &err);
		(void)session_end(s, "Internal error");
		return CMD_END;
	}
	s->is_compressed = true;
	return CMD_DONE;
}
