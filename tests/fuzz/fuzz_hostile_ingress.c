/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ingress in an agent's hands: whatever it writes into a stream, egress answers in whole and proper
 * frames or not at all, never with the secret, and forgets all of it in the end. There are three
 * targets: one refuses connections, one has no address, and one says back what it was sent, the
 * secret with it. The first byte says how large the pieces are.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "rounds.h"

#include "base/log.h"
#include "base/secret.h"
#include "egress/serve.h"
#include "ev/multi.h"

#define KEY "sk-planted-7f3Qz81LmX"
#define TEXT(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	} /* SPAN for data */

enum { REFUSED, NOWHERE, ECHO, TARGETS, SAID_MAX = 16 * 1024 * 1024, ECHO_BYTES = 32 * 1024 };

static struct egress_part parts[] = {{TEXT("Bearer "), PLAN_NONE}, {{NULL, 0}, 0}};
static struct egress_header headers[] = {{TEXT("Authorization"), parts, 2, false}};
static struct egress_query query[] = {{TEXT("api-version"), TEXT("1")}};

#define TARGET(at, address, who, named)                                                            \
	{                                                                                          \
		.name = TEXT(at), .provider = PROVIDER_##who, .host = TEXT(address), .port = 1,    \
		.authority = TEXT(address), .base_path = TEXT("/v1"), .resolve = (named),          \
		.operations = UINT32_MAX, .headers = headers, .nheaders = 1, .query = query,       \
		.nquery = 1, .redact = true, .connect_ms = 100, .first_byte_ms = 1000,             \
		.idle_ms = 1000, .pool_idle_ms = 1000                                              \
	}

static struct egress_target plans[TARGETS] = {
	TARGET("refused", "127.0.0.1", OPENAI, PLAN_NONE),
	TARGET("nowhere", "nowhere.invalid", AZURE, 0),
	TARGET("echo", "127.0.0.1", LITELLM, PLAN_NONE),
};
static const struct egress_plan plan = {
	.targets = plans,
	.ntargets = TARGETS,
	.nslots = 1,
	.body_bytes = 1024 * 1024,
	.upload_bytes = 1024 * 1024,
	.buffer_total = 2 * 1024 * 1024,
	.connections = 8,
};
static struct target targets[TARGETS];
static struct trunk *ends[2];

/* ---- the upstream that says all back ---- */

struct echo {
	struct loop *loop;
	struct watch watch;
	struct buf got;
};

static void
echo_end(struct echo *e)
{
	watch_stop(e->loop, &e->watch);
	close(e->watch.fd);
	buf_free(&e->got);
	free(e);
}

static void
echo_ready(struct watch *w, uint32_t events)
{
	struct echo *e = ev_owner(w, struct echo, watch);
	char *room = buf_room(&e->got, 4096);
	ssize_t n = room == NULL ? 0 : recv(w->fd, room, 4096, MSG_DONTWAIT);
	struct buf answer;

	(void)events;
	if (n <= 0) {
		echo_end(e);
		return;
	}
	buf_grew(&e->got, (size_t)n);
	if (memmem(e->got.ptr, e->got.len, "\r\n\r\n", 4) == NULL)
		return;
	assert(memmem(e->got.ptr, e->got.len, KEY, strlen(KEY)) != NULL);
	buf_init(&answer, 2 * ECHO_BYTES);
	(void)buf_addf(&answer, "HTTP/1.1 200 OK\r\nX-Key: " KEY "\r\nContent-Length: %zu\r\n\r\n",
		       e->got.len);
	(void)buf_add_span(&answer, buf_span(&e->got));
	(void)send(w->fd, answer.ptr, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_free(&answer);
	echo_end(e);
}

static void
echo_accept(struct watch *w, uint32_t events)
{
	struct echo *listener = ev_owner(w, struct echo, watch);
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct echo *e;

	(void)events;
	if (fd < 0)
		return;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		abort();
	*e = (struct echo){listener->loop, {fd, 0, echo_ready}, {0}};
	buf_init(&e->got, ECHO_BYTES);
	watch_set(e->loop, &e->watch, EPOLLIN);
}

static uint16_t
echo_start(struct loop *l)
{
	static struct echo listener;
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)(void *)&at, len) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)(void *)&at, &len) != 0)
		abort();
	listener = (struct echo){l, {fd, 0, echo_accept}, {0}};
	watch_set(l, &listener.watch, EPOLLIN);
	return ntohs(at.sin_port);
}

/* ---- egress ---- */

static void
look_up(struct egress *e, const struct target *t)
{
	(void)e;
	assert(t >= targets && t < targets + TARGETS);
}

static void
refused(struct egress *e, const struct target *t)
{
	(void)e;
	(void)t;
	abort(); /* no upstream has refused a key */
}

static void
redacted(struct egress *e, const struct target *t, uint16_t slot, uint64_t n)
{
	(void)e;
	assert(t == &targets[ECHO] && slot == 0 && n > 0);
}

static void
deployment(struct egress *e, const struct target *t, bool left, enum verdict why, uint64_t cools_ms)
{
	(void)e;
	(void)t;
	(void)left;
	(void)why;
	(void)cools_ms;
	abort(); /* no target has any */
}

static struct stream *
opened(void *arg)
{
	return serve_new(arg);
}

static struct egress *
start(void)
{
	static struct egress e = {.plan = &plan,
				  .targets = targets,
				  .look_up = look_up,
				  .refused = refused,
				  .redacted = redacted,
				  .deployment = deployment};

	if (e.loop != NULL)
		return &e;
	log_setup(LOG_JSON, LOG_ERROR, "egress");
	if (secret_init(64 * 1024) == SECRET_PAGES_NONE)
		abort();
	multi_setup();
	e.loop = loop_new();
	e.vault = vault_new(&plan);
	e.signers = signers_new(&plan);
	if (vault_put(e.vault, 0, 1, SPAN(KEY)) != 0)
		abort();
	plans[ECHO].port = echo_start(e.loop);
	for (size_t i = 0; i < TARGETS; i++)
		target_init(&targets[i], e.loop, &plans[i]);
	rounds_trunks(e.loop, plan.connections, opened, &e, ends);
	return &e;
}

/* ---- what came back ---- */

/* One frame of the sequence (HEAD BODY* END | HEAD? BODY* FAIL)*. */
static void
check_frame(const struct frame *f, bool *in_answer)
{
	_Alignas(max_align_t) char room[FRAME_ROOM];
	struct frame_head head;
	struct frame_fail fail;
	struct pool pool;

	pool_over(&pool, room, sizeof(room));
	switch (f->type) {
	case FRAME_HEAD:
		assert(!*in_answer);
		assert(pack_read(&frame_head_type, f->payload, &pool, &head) == 0);
		assert(head.status >= 200 && head.status <= 599);
		*in_answer = true;
		break;
	case FRAME_BODY:
		assert(*in_answer && f->payload.len > 0);
		break;
	case FRAME_END:
		assert(*in_answer);
		*in_answer = false;
		break;
	default:
		assert(f->type == FRAME_FAIL);
		assert(pack_read(&frame_fail_type, f->payload, &pool, &fail) == 0);
		assert(fail.verdict != VERDICT_OK && fail.verdict < VERDICTS);
		*in_answer = false;
	}
}

/* The last may be cut: egress hangs up in the middle on who breaks the rules. */
static void
check_answer(struct span said)
{
	bool in_answer = false;
	struct frame f;
	long n;

	assert(said.len == 0 || memmem(said.ptr, said.len, KEY, strlen(KEY)) == NULL);
	for (size_t at = 0; (n = frame_next(span_cut(said, at, said.len), &f)) != 0;
	     at += (size_t)n) {
		assert(n > 0);
		check_frame(&f, &in_answer);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct egress *e = start();
	struct span all = {(const char *)data, size};
	struct rounds_end end;
	size_t step;

	if (size < 2 || size > 256 * 1024)
		return 0;
	step = (size_t)data[0] * data[0] + 1;
	if (step < size / 64)
		step = size / 64;
	buf_init(&end.said, SAID_MAX);
	if (!stream_open(ends[TRUNK_INGRESS], &end.stream, &rounds_events))
		abort();
	rounds_send(e->loop, &end, span_cut(all, 1, size), step, -1, NULL);
	rounds_run(e->loop, 8);
	assert(e->buffered <= plan.buffer_total);
	stream_close(&end.stream);
	for (int i = 0; i < 16 && e->nstreams > 0; i++)
		rounds_run(e->loop, 1);
	assert(e->nstreams == 0 && e->buffered == 0);
	check_answer(buf_span(&end.said));
	buf_free(&end.said);
	return 0;
}
