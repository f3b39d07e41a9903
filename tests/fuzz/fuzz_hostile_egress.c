/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Egress in an upstream's hands: whatever it writes into the stream of a call, the client gets at
 * most one answer for each request, with one head, framed as that head says. The first byte chooses
 * what the client asks, the second how large the pieces are.
 */
#include "rounds.h"

#include "base/log.h"
#include "box/frame.h"
#include "config/project.h"
#include "ingress/admission.h"
#include "ingress/conn.h"
#include "ingress/limits.h"
#include "ingress/metrics.h"
#include "ingress/recent.h"

#define HOST "Host: 127.0.0.1:7717\r\n"
#define POST(minor, length, body)                                                                  \
	"POST /v1/chat/completions HTTP/1." minor "\r\n" HOST                                      \
	"Content-Type: application/json\r\nContent-Length: " length "\r\n\r\n" body
#define BODY     "{\"model\":\"gpt-4o\",\"messages\":[]}"
#define STREAM   "{\"model\":\"gpt-4o\",\"stream\":true,\"messages\":[]}"
#define LIST     "GET /v1/models HTTP/1.1\r\n" HOST "\r\n"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { SAID_MAX = 16 * 1024 * 1024 };

static const char configuration[] =
	"targets: {a: {apiBase: 'https://h.example/v1', apiKey: env:KEY}}\n"
	"models: [{match: 'gpt-*', target: a}]\n";

/* Of one connection, one after the other. */
static const struct {
	const char *requests[3];
} asked[] = {
	{{POST("1", "32", BODY)}},
	{{POST("1", "46", STREAM)}},
	{{POST("0", "32", BODY)}}, /* whose answer may last until the close */
	{{LIST}},                  /* whose answer is read and written anew */
	{{POST("1", "32", BODY), LIST, POST("1", "32", BODY)}},
};

static struct rounds_end far; /* egress's, once ingress has opened it */
static struct trunk *ends[2];

static struct stream *
opened(void *arg)
{
	(void)arg;
	far.stream = (struct stream){.events = &rounds_events};
	return &far.stream;
}

static const char *
variable(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "KEY") == 0 ? "sk-planted-7f3Qz81LmX" : NULL;
}

static void
read_plan(struct ingress *in)
{
	static struct plans plans; /* into which in->plan points */
	static struct config *c;   /* and they into this */
	struct environment env = {variable, NULL};
	struct config_faults faults;

	fault_init(&faults);
	if (config_read_text(span_of(configuration), "fuzz", &env, &c, &faults) != 0 ||
	    project(c, &env, &plans, &faults) != 0) {
		fault_print(&faults, stderr);
		abort();
	}
	fault_free(&faults);
	in->plan = plans.ingress;
	in->plan.keep_alive_ms = 60000;
}

static struct ingress *
start(void)
{
	static struct ingress in;
	if (in.loop != NULL)
		return &in;
	log_setup(LOG_JSON, LOG_ERROR, "ingress");
	read_plan(&in);
	in.loop = loop_new();
	in.limits = limits_open(limits_create());
	in.slots = calloc(in.plan.nslots + 1, sizeof(*in.slots));
	in.targets = calloc(in.plan.ntargets + 1, sizeof(*in.targets));
	in.metrics = metrics_new(&in.plan);
	in.recent = calloc(1, sizeof(*in.recent));
	if (in.limits == NULL || in.slots == NULL || in.targets == NULL || in.recent == NULL)
		abort();
	admission_start(&in);
	rounds_trunks(in.loop, in.plan.connections, opened, NULL, ends);
	in.trunk = ends[TRUNK_INGRESS];
	for (size_t i = 0; i < in.plan.nslots; i++)
		in.slots[i].state = SLOT_FRESH;
	for (size_t i = 0; i < in.plan.ntargets; i++)
		in.targets[i] = (struct target_view){.usable = true, .resolved = true};
	return &in;
}

/* ---- what the client got, read by nothing of ours ---- */

static size_t
find(struct span s, size_t from, const char *what)
{
	const char *at =
		from > s.len ? NULL : memmem(s.ptr + from, s.len - from, what, strlen(what));

	return at == NULL ? s.len : (size_t)(at - s.ptr);
}

/* The value of the line `name` in head, which may be there once; NULL: it is not. */
static const char *
field(struct span head, const char *name)
{
	const char *value = NULL;

	for (size_t at = find(head, 0, "\r\n"); at + 2 < head.len;
	     at = find(head, at + 2, "\r\n")) {
		struct span line = span_cut(head, at + 2, find(head, at + 2, "\r\n"));

		if (!span_istarts(line, span_of(name)))
			continue;
		assert(value == NULL);
		value = line.ptr + strlen(name);
	}
	return value;
}

static void
check_head(struct span head)
{
	assert(span_starts(head, SPAN("HTTP/1.1 ")) && head.len > 12);
	assert(head.ptr[9] >= '2' && head.ptr[9] <= '5' && head.ptr[12] == ' ');
	for (size_t i = 0; i < head.len; i++) {
		char c = head.ptr[i];

		assert(c != '\0');
		assert(c != '\n' || (i > 0 && head.ptr[i - 1] == '\r'));
		assert(c != '\r' || (i + 1 < head.len && head.ptr[i + 1] == '\n'));
	}
}

/* Behind the chunks at at; said.len when they break off. */
static size_t
skip_chunks(struct span said, size_t at)
{
	for (;;) {
		size_t line = find(said, at, "\r\n");
		unsigned long n;
		char *end;

		if (line == said.len)
			return said.len;
		n = strtoul(said.ptr + at, &end, 16);
		assert(end == said.ptr + line && end != said.ptr + at);
		at = line + 2 + n + 2;
		if (at > said.len)
			return said.len;
		assert(memcmp(said.ptr + at - 2, "\r\n", 2) == 0);
		if (n == 0)
			return at;
	}
}

/* Behind the answer at at; said.len when it breaks off, or lasts until the close. */
static size_t
skip_answer(struct span said, size_t at)
{
	size_t body = find(said, at, "\r\n\r\n") + 4;
	struct span head = span_cut(said, at, body - 2);
	const char *length, *coding;

	assert(body <= said.len + 2); /* heads are whole */
	check_head(head);
	length = field(head, "Content-Length: ");
	coding = field(head, "Transfer-Encoding: ");
	assert(length == NULL || coding == NULL);
	if (memcmp(head.ptr + 9, "204", 3) == 0 || memcmp(head.ptr + 9, "304", 3) == 0)
		return body;
	if (coding != NULL) {
		assert(strncmp(coding, "chunked\r\n", 9) == 0);
		return skip_chunks(said, body);
	}
	if (length == NULL)
		return said.len;
	assert(*length >= '0' && *length <= '9');
	return strtoul(length, NULL, 10) > said.len - body ? said.len
							   : body + strtoul(length, NULL, 10);
}

static void
check_answers(struct span said, unsigned requests)
{
	unsigned n = 0;

	for (size_t at = 0; at < said.len; at = skip_answer(said, at))
		assert(n++ < requests);
}

/*
 * The client asks, and egress answers with all of bytes, on a stream that may have seen calls
 * before; what the client gets is in said. False when its connection has ended.
 */
static bool
play(struct ingress *in, int client, const char *request, struct span bytes, size_t step,
     struct buf *said)
{
	if (send(client, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		return false;
	rounds_run(in->loop, 4);
	assert(stream_is_open(&far.stream)); /* a good call always gets there */
	rounds_send(in->loop, &far, bytes, step, client, said);
	rounds_run(in->loop, 4);
	buf_clear(&far.said, 0);
	return rounds_read(client, said);
}

/* An answer that never ends is broken off. */
static void
hang_up(struct ingress *in, int client, struct buf *said)
{
	stream_close(&far.stream);
	rounds_run(in->loop, 4);
	(void)rounds_read(client, said);
	close(client);
	for (int i = 0; i < 16 && in->nconns > 0; i++)
		rounds_run(in->loop, 1);
	assert(in->nconns == 0 && in->ncalls == 0 && in->buffered == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ingress *in = start();
	struct span all = {(const char *)data, size};
	const char *const *requests;
	struct buf said;
	unsigned n = 0;
	size_t step;
	int fds[2];

	if (size < 3 || size > 256 * 1024)
		return 0;
	requests = asked[data[0] % COUNT(asked)].requests;
	step = (size_t)data[1] * data[1] + 1;
	if (step < size / 64)
		step = size / 64;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
		abort();
	buf_init(&said, SAID_MAX);
	buf_init(&far.said, SAID_MAX);
	conn_new(in, &in->plan.listeners[0], fds[0]);
	while (n < 3 && requests[n] != NULL)
		if (!play(in, fds[1], requests[n++], span_cut(all, 2, size), step, &said) ||
		    in->ncalls > 0)
			break;
	hang_up(in, fds[1], &said);
	check_answers(buf_span(&said), n);
	buf_free(&said);
	return 0;
}
