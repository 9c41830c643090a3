/* letter.h: a message on its way into a mailbox: the fields put in front, and the fields that show a loop */
#ifndef LOCAL_LETTER_H
#define LOCAL_LETTER_H

#include "local/msg_child.h"

/* The body comes as a span or, when fd >= 0, as `size` bytes of fd. Nothing is owned. */
struct letter {
	struct span qid;
	struct span sender;
	uint64_t arrival_ms;
	struct span body;
	int fd;
	uint64_t size;
};

enum letter_fields { LETTER_FROM_LINE = 1, LETTER_DELIVERED_TO = 2, LETTER_CHAIN = 4 };

/* Return-Path, X-Original-To and Delivered-To as Postfix writes them, with an mbox "From " line in front and with a
 * Delivered-To for each address of the chain (newest on top) when asked for; owned by the arena. Line ends and other
 * control characters in an address become "?". Source: letter.c */
struct span letter_head(struct arena *a, const struct letter *l, const struct child_rcpt *r, unsigned fields);

/* 1 when the header has a Delivered-To with this address (it was here before), 0 when not, -1 ERR_SYS when the body
 * cannot be read. Looks at 256 KiB of header at most. Source: letter.c */
int letter_has_delivered_to(const struct letter *l, struct span address, struct err *err);

#endif
