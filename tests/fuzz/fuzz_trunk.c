/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of a trunk in hostile hands: it writes what it likes into the pages, moves the
 * places, says that it sleeps, rings. Our end reads nothing beyond the ring, takes no more than a
 * window of bytes before it has said that there is room for more, and is silent once it is lost.
 * The input is a side and then steps: a byte for what is done, and what it needs.
 */
#include <sys/mman.h>

#include "rounds.h"

#include "box/trunk_pages.h"

enum { STREAMS = 4, STEPS_MAX = 4096 };

enum step { PUT, BYTES, WRITTEN, TAKEN, WANTS, RING, ROUND, OPEN, SEND, HOLD, CLOSE, STEPS };

struct end { /* of ours */
	struct stream stream;
	uint64_t came; /* since it was held back, or not any more */
};

static struct end ours[STREAMS];
static unsigned lost;

/* What is left of the input. */
static struct span input;

static uint32_t
next(size_t n)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n && input.len > 0; i++) {
		v = v << 8 | (unsigned char)*input.ptr;
		input = span_cut(input, 1, input.len);
	}
	return v;
}

static void
came(struct stream *s, struct span bytes)
{
	struct end *end = ev_owner(s, struct end, stream);

	assert(lost == 0 && bytes.len > 0 && bytes.len <= STREAM_WINDOW);
	end->came += bytes.len;
	assert(!s->is_held || end->came <= STREAM_WINDOW);
	if (bytes.ptr[bytes.len - 1] == 'x')
		stream_close(s);
}

static void
nothing(struct stream *s)
{
	(void)s;
	assert(lost == 0);
}

static const struct stream_events events = {came, nothing, nothing};

static struct end *
free_end(void)
{
	for (size_t i = 0; i < STREAMS; i++)
		if (!stream_is_open(&ours[i].stream))
			return &ours[i];
	return NULL;
}

static struct stream *
opened(void *arg)
{
	struct end *end = free_end();

	(void)arg;
	if (end == NULL)
		abort(); /* there are no more slots than ends */
	*end = (struct end){.stream = {.events = &events}};
	return &end->stream;
}

static void
is_lost(void *arg, const char *why)
{
	(void)arg;
	assert(why != NULL && lost == 0);
	lost++;
}

/* ---- what the hostile one does ---- */

static void
put(struct ring *out)
{
	struct record r = {next(1), next(1), next(1), next(2)};
	char bytes[256];
	size_t n = r.n < sizeof(bytes) ? r.n : sizeof(bytes);

	memset(bytes, (int)next(1), sizeof(bytes));
	ring_put(out, &r, sizeof(r));
	if (r.kind == RECORD_DATA)
		ring_put(out, bytes, n);
	ring_written(out);
}

static void
put_bytes(struct ring *out)
{
	for (size_t n = next(1); n > 0 && input.len > 0; n--) {
		ring_put(out, input.ptr, 1);
		input = span_cut(input, 1, input.len);
	}
	ring_written(out);
}

static void
act_hostile(enum step step, struct trunk_pages *pages, int us, struct ring *out, int cord)
{
	static const char often[256];

	if (step == PUT)
		put(out);
	else if (step == BYTES)
		put_bytes(out);
	else if (step == WRITTEN)
		atomic_fetch_add(&pages->rings[!us].written, next(4));
	else if (step == TAKEN)
		atomic_fetch_add(&pages->rings[us].taken, next(4));
	else if (step == WANTS)
		atomic_store(&pages->sides[next(1) & 1].wants, next(4));
	else
		(void)!write(cord, often, sizeof(often));
}

/* ---- what we do meanwhile ---- */

static void
act(enum step step, struct trunk *t, int us)
{
	struct end *end = &ours[next(1) % STREAMS];
	struct buf b;

	if (step == OPEN) {
		if (us == TRUNK_INGRESS && !stream_is_open(&end->stream)) {
			*end = (struct end){0};
			assert(stream_open(t, &end->stream, &events) || lost > 0);
		}
		return;
	}
	if (!stream_is_open(&end->stream))
		return;
	if (step == CLOSE) {
		stream_close(&end->stream);
	} else if (step == HOLD) {
		end->came = 0;
		stream_hold(&end->stream, next(1) & 1);
	} else {
		buf_init(&b, 2 * STREAM_WINDOW);
		buf_grew(&b, buf_room(&b, 1 + next(2)) == NULL ? 0 : b.cap);
		stream_send(&end->stream, &b, 0);
		buf_free(&b);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct loop *l;
	int made[TRUNK_MADE], us, them;
	struct trunk_options o = {
		.streams = STREAMS, .opened = opened, .lost = is_lost, .arg = NULL};
	struct trunk_pages *pages;
	struct ring out = {0};
	struct trunk *t;

	if (size < 2 || size > STEPS_MAX)
		return 0;
	if (l == NULL)
		l = loop_new();
	input = (struct span){(const char *)data, size};
	us = next(1) & 1;
	if (trunk_create(made) != 0)
		abort();
	them = !us;
	pages = mmap(NULL, sizeof(*pages), PROT_READ | PROT_WRITE, MAP_SHARED, made[TRUNK_PAGES],
		     0);
	o.side = (enum trunk_side)us;
	lost = 0;
	t = trunk_open(l, trunk_fds(made, o.side), &o);
	assert(pages != MAP_FAILED && t != NULL);
	out.pages = &pages->rings[them];
	while (input.len > 0) {
		enum step step = next(1) % STEPS;

		if (step == ROUND)
			rounds_run(l, 1);
		else if (step < ROUND)
			act_hostile(step, pages, us, &out, made[TRUNK_CORD + us]);
		else
			act(step, t, us);
	}
	rounds_run(l, 2);
	for (size_t i = 0; i < STREAMS; i++)
		stream_close(&ours[i].stream);
	trunk_free(t);
	munmap(pages, sizeof(*pages));
	close(made[TRUNK_BELL + them]);
	close(made[TRUNK_CORD + us]);
	return 0;
}
