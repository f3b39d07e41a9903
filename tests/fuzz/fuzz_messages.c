/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile keeper, resolver, ingress or egress: the input is what it sends over a channel. What is
 * no message of those that it may send ends the channel; what is one, read and written again, is
 * the same bytes. The first byte says who sends it, the second is the type.
 */
#include "rounds.h"

#include "box/channel.h"
#include "box/msg_answer.h"
#include "box/msg_signing.h"

#define MAY(type) (UINT32_C(1) << (type))

/* As the roles join them. */
static const uint32_t accepted[] = {
	/* keeper → egress */
	MAY(MSG_SECRET) | MAY(MSG_SECRET_GONE) | MAY(MSG_TLS) | MAY(MSG_LOOKED) | MAY(MSG_SIGNING),
	/* keeper → ingress */
	MAY(MSG_SLOT) | MAY(MSG_DIGEST) | MAY(MSG_ALIVE),
	/* resolver → keeper, egress */
	MAY(MSG_ADDRESSES) | MAY(MSG_ALIVE),
	/* egress → ingress */
	MAY(MSG_TARGET) | MAY(MSG_REDACTED) | MAY(MSG_ALIVE) | MAY(MSG_DEPLOYMENT),
	/* ingress → egress: what it has to say comes by the trunk */
	0,
	/* any: what no channel takes all of is read by its form all the same */
	UINT32_MAX - MAY(MSG_NONE),
};

struct receiver {
	uint32_t accepts;
	struct span sent;
	unsigned got, lost;
};

static void
received(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct receiver *r = arg;
	struct buf again;

	assert(fd == -1 && (r->accepts >> type & 1) != 0 && type == (uint8_t)r->sent.ptr[0]);
	buf_init(&again, MSG_BYTES_MAX);
	assert(pack_write(msg_row(type)->type, obj, &again) == 0);
	assert(span_eq(buf_span(&again), span_cut(r->sent, 1, r->sent.len)));
	buf_free(&again);
	r->got++;
}

static void
lost(void *arg, const char *why)
{
	struct receiver *r = arg;

	assert(why != NULL);
	r->lost++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct loop *loop;
	struct receiver r = {0};
	struct channel_options o = {0, received, lost, &r};
	struct channel *c;
	int fds[2];

	if (loop == NULL)
		loop = loop_new();
	if (size < 2 || size > MSG_BYTES_MAX + 2 || channel_pair(fds) != 0)
		return 0;
	r.sent = (struct span){(const char *)data + 1, size - 1};
	r.accepts = o.accepts = accepted[data[0] % (sizeof(accepted) / sizeof(accepted[0]))];
	c = channel_new(loop, fds[0], &o);
	if (send(fds[1], r.sent.ptr, r.sent.len, MSG_NOSIGNAL) == (ssize_t)r.sent.len) {
		rounds_run(loop, 1);
		assert(r.got + r.lost == 1);
	}
	close(fds[1]);
	channel_free(c);
	return 0;
}
