/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SEQPACKET channel between two roles. Messages are structs packed by the one
 * table in box/msg.c; a channel knows which it may receive. The peer
 * is hostile: a message of a wrong type, size, moment or with a descriptor too many
 * ends the channel, and with it the role.
 */
#ifndef BOX_CHANNEL_H
#define BOX_CHANNEL_H

#include "box/msg.h"
#include "ev/loop.h"

struct channel;

/*
 * Handles one message; obj is the packed struct of that type, valid during the call; fd is -1
 * or owned by the handler.
 */
typedef void channel_fn(void *arg, enum msg_type type, const void *obj, int fd);
/*
 * The peer is gone (why is NULL), or broke the protocol or the channel failed (a static sentence).
 * The channel is then silent.
 */
typedef void channel_lost_fn(void *arg, const char *why);

struct channel_options {
	uint32_t accepts;       /* bit 1 << enum msg_type of what may come */
	channel_fn *on_message; /* may be NULL where nothing may come */
	channel_lost_fn *on_lost;
	void *arg;
};

/* Takes fd over (nonblocking SEQPACKET). */
struct channel *channel_new(struct loop *l, int fd, const struct channel_options *o);
void channel_free(struct channel *c);
/* From now on type may come too: one whose moment it was not before. It carries no descriptor. */
void channel_accept(struct channel *c, enum msg_type type);

/*
 * Sends obj as type, with fd (dup'ed by the kernel; -1 for none). Queued when the
 * socket is full (bounded; a peer that does not read for that long is lost). 0 or -1.
 * Buffers are wiped: values of secrets may pass.
 */
int channel_send(struct channel *c, enum msg_type type, const void *obj, int fd);

/*
 * A pair of nonblocking, close-on-exec SEQPACKET sockets, by which no descriptor passes where the
 * kernel can see to it, before rights_let allows it (base/rights.h). 0 or -1 (errno).
 */
int channel_pair(int fds[2]);

#endif
