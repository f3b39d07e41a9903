/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is put into a ring comes out of it: the same records, in order, wherever in the ring they
 * stand and however far the writer is ahead. The input is the place to begin at, and the lengths of
 * the records.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "box/trunk_pages.h"

enum { RECORD_MAX = RING_BYTES / 2, SHIFTS = 256, INPUT_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ring_pages pages;

/* Of any record: it begins where its serial number says, so that no two in a row are alike. */
static char content[RECORD_MAX + SHIFTS];

/* The writer and the reader of pages, and what is on its way between them. */
struct ends {
	struct ring out, in;
	struct buf queued;
};

static void
check_room(const struct ends *e)
{
	assert(ring_room(&e->out) == RING_BYTES - (long)e->queued.len);
	assert(ring_has(&e->in) == (long)e->queued.len);
}

static void
put(struct ends *e, struct span bytes)
{
	ring_put(&e->out, bytes.ptr, bytes.len);
	assert(buf_add_span(&e->queued, bytes) == 0);
}

static void
take(struct ends *e, size_t n)
{
	char *got = malloc(n + 1); /* of its own size, so that a write beyond it shows */

	if (got == NULL)
		abort();
	ring_get(&e->in, got, n);
	assert(span_eq((struct span){got, n}, span_cut(buf_span(&e->queued), 0, n)));
	buf_drop(&e->queued, n);
	free(got);
}

/* The next record of what is queued, and its bytes. */
static void
take_record(struct ends *e)
{
	struct record r;

	assert(e->queued.len >= sizeof(r));
	memcpy(&r, e->queued.ptr, sizeof(r));
	take(e, sizeof(r));
	take(e, r.n);
	ring_taken(&e->in);
	check_room(e);
}

static void
put_record(struct ends *e, uint32_t serial, struct span bytes)
{
	struct record r = {RECORD_DATA, 0, serial, (uint32_t)bytes.len};

	while (ring_room(&e->out) < (long)(sizeof(r) + bytes.len))
		take_record(e);
	put(e, (struct span){(const char *)&r, sizeof(r)});
	put(e, bytes);
	ring_written(&e->out);
	check_room(e);
}

static void
fill_content(void)
{
	if (content[1] != 0)
		return;
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (char)(i ^ i >> 8);
}

/*
 * Four bytes are the place. Then for each record there are two of its length and one that is odd
 * when the reader takes a record behind it.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ends e = {.out = {.pages = &pages}, .in = {.pages = &pages}};
	uint32_t serial = 0;

	if (size < 4 || size > INPUT_MAX)
		return 0;
	fill_content();
	memcpy(&e.out.at, data, 4);
	e.in.at = e.out.at;
	ring_written(&e.out);
	ring_taken(&e.in);
	buf_init(&e.queued, RING_BYTES);
	for (const uint8_t *step = data + 4; step + 3 <= data + size; step += 3, serial++) {
		size_t n = ((size_t)step[0] << 8 | step[1]) % RECORD_MAX;

		put_record(&e, serial, (struct span){content + serial % SHIFTS, n});
		if ((step[2] & 1) != 0)
			take_record(&e);
	}
	while (e.queued.len > 0)
		take_record(&e);
	buf_free(&e.queued);
	return 0;
}
