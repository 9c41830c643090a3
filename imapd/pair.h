/* pair.h: what a child of imapd and its parent tell each other over one SOCK_SEQPACKET pair
 *
 *   child                                          parent
 *   WATCH number, new/ and cur/  ───────────────▶  ON or OFF of that number; later CHANGE, dropped while one waits
 *   UNWATCH                      ───────────────▶
 *   PARK, the client, pair_park  ───────────────▶  keeps the client; a process will go on with the session (parked.h)
 *   DONE                         ───────────────▶  the session is over; BEGIN with the next client of that user, or the end
 *   REFUSE, the client, state    ───────────────▶  of a BEGIN that cannot be served here: the mailbox is another one
 *
 * The parent believes a child nothing but what concerns that child's own session. The end of the pair is the child's end.
 */
#ifndef IMAPD_PAIR_H
#define IMAPD_PAIR_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "io/ipc.h"

enum pair_kind { PAIR_WATCH = 1, PAIR_UNWATCH, PAIR_PARK, PAIR_DONE, PAIR_REFUSE, PAIR_ON, PAIR_OFF, PAIR_CHANGE, PAIR_BEGIN };

#define PAIR_MAX 4096           /* bytes behind the head; the least send buffer of the kernel takes that */

struct pair_msg {
	uint32_t kind;          /* enum pair_kind */
	uint32_t number;        /* of WATCH, ON and OFF; CHANGE: how many there were of this watch; PARK: the last one seen */
};

/* Behind the head of PARK; then words_n bytes for the log when the client has gone, then the session's state. */
struct pair_park {
	uint64_t wake_ms;       /* on the clock that never goes back: a process is wanted then; UINT64_MAX: never */
	uint64_t still_ms;      /* how often the client hears "* OK Still here"; 0: never */
	uint64_t words_n;
};

/* Behind the head of BEGIN, encoded; what each is stands in child_start.h. */
#define PAIR_BEGIN_FIELDS(S, U64, STR, LIST) STR(S, session) STR(S, remote) STR(S, tag) STR(S, input) STR(S, state)
IPC_STRUCT(pair_begin, PAIR_BEGIN_FIELDS)

/* A new pair for parent and child. -1: errno, and both are -1. Source: pair.c */
int pair_new(int fds[2]) WARN_UNUSED;

/* One message with up to two descriptors, which stay the caller's (-1: none), and what is behind the head. Does not
 * block: -1 with errno, EAGAIN when the other side does not read. Source: pair.c */
int pair_send(int fd, const struct pair_msg *m, const int fds[2], struct span behind) WARN_UNUSED;

/* 1: a message; fds are the caller's (-1: none came), *n_r bytes are behind it. 0: none is there. -1: the other side has
 * gone, and all it said has been read, or speaks nonsense. Does not block. Source: pair.c */
int pair_receive(int fd, struct pair_msg *m, int fds[2], char behind[PAIR_MAX], size_t *n_r) WARN_UNUSED;

/* Closes what came from the other side, whatever it is (-1: nothing): the last close of a socket could wait for its peer
 * as long as the sender had it set (SO_LINGER). Source: pair.c */
void pair_give_back(int fd);

/* Closes an end that still may hold messages with descriptors. Source: pair.c */
void pair_close(int fd);

#endif
