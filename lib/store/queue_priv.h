/* queue_priv.h: the queue's state, shared by queue.c and queue_large.c only */
#ifndef STORE_QUEUE_PRIV_H
#define STORE_QUEUE_PRIV_H

#include <lmdb.h>
#include <stdatomic.h>

#include "store/queue.h"

struct queue {
	MDB_env *env;
	MDB_dbi msg, body, due, held, counters;
	int lock_fd;                    /* holds the lock that keeps a second process away */
	int large_fd;                   /* large/ */
	uint64_t reserve;
	uint64_t last_id;               /* the loop's thread */
	_Atomic uint64_t mark;          /* durable: ids below it may have been given */
	size_t recovered_messages, recovered_files;
};

/* Sets the due time in a whole record. Source: queue_codec.c */
void queue_record_set_due(char *record, uint64_t due_ms);

#endif
