/* park.h: a session that only waits is put into a few hundred bytes; the process ends, and another goes on when
 * something happens (parked.h has the parent's side)
 *
 * Not every session can: what the client was told must be sayable in few words (mailbox_place), nothing may lie half
 * read, and a compressed stream has a history.
 */
#ifndef IMAPD_PARK_H
#define IMAPD_PARK_H

#include "imapd/session.h"
#include "io/ipc.h"

/* What a session leaves. tag: of the IDLE it is in, or ""; silent_ms: since when the client has said nothing outside of
 * IDLE; counts: struct session_counts; saved: the ranges of SEARCHRES; place: struct mailbox_place, n 0: no folder is
 * selected. */
#define PARK_STATE_FIELDS(S, U64, STR, LIST)                                                                     \
	STR(S, tag) U64(S, silent_ms) U64(S, enabled) U64(S, n_bad) STR(S, counts) STR(S, saved) STR(S, folder)    \
	U64(S, is_read_only) STR(S, place)
IPC_STRUCT(park_state, PARK_STATE_FIELDS)

/* Gives the session to the parent if that is possible; then it ends here, with SESSION_PARKED for a reason, and -1. 0: it
 * goes on. tag: of the IDLE it is in, or n 0. Source: park.c */
int session_park(struct session *s, struct span tag) WARN_UNUSED;

/* It has ended here, and lives on. Source: park.c */
bool session_is_parked(const struct session *s);

/* Goes on with what another process left: *idle_r is the tag of its IDLE (in state), or n 0. -1: that is not possible, and
 * the client has been told. Source: park.c */
int session_unpark(struct session *s, struct span state, struct span *idle_r) WARN_UNUSED;

#endif
