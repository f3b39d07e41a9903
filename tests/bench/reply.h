/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/1.1 answer, read in whatever pieces it comes: with a length, or in chunks (RFC 9112
 * section 7.1). The far end is a proxy under measurement, not an enemy.
 */
#ifndef BENCH_REPLY_H
#define BENCH_REPLY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REPLY_LINE = 256 };

enum reply_at {
	REPLY_STATUS,
	REPLY_FIELDS,
	REPLY_BODY,
	REPLY_SIZE,
	REPLY_CHUNK,
	REPLY_CHUNK_END,
	REPLY_TRAILER,
	REPLY_DONE
};

struct reply {
	enum reply_at at;
	char line[REPLY_LINE]; /* the line under way; of a longer one its beginning */
	size_t have;
	uint64_t left; /* bytes of the body, or of the chunk */
	int status;
	bool chunked, closes;
	/* Given the body's bytes; may be NULL. */
	void (*take)(void *arg, const char *ptr, size_t len);
	void *arg;
};

static inline void
reply_field(struct reply *r)
{
	if (strncasecmp(r->line, "content-length:", 15) == 0)
		r->left = strtoull(r->line + 15, NULL, 10);
	else if (strncasecmp(r->line, "transfer-encoding:", 18) == 0)
		r->chunked = true;
	else if (strncasecmp(r->line, "connection: close", 17) == 0)
		r->closes = true;
}

static inline enum reply_at
reply_after_head(const struct reply *r)
{
	if (r->chunked)
		return REPLY_SIZE;
	return r->left > 0 ? REPLY_BODY : REPLY_DONE;
}

/* A line has come whole, without its end. */
static inline enum reply_at
reply_line(struct reply *r)
{
	bool blank = r->line[0] == '\0';

	switch (r->at) {
	case REPLY_STATUS:
		r->status = (int)strtol(r->line + strcspn(r->line, " "), NULL, 10);
		return REPLY_FIELDS;
	case REPLY_FIELDS:
		if (blank)
			return reply_after_head(r);
		reply_field(r);
		return REPLY_FIELDS;
	case REPLY_SIZE:
		r->left = strtoull(r->line, NULL, 16);
		return r->left > 0 ? REPLY_CHUNK : REPLY_TRAILER;
	case REPLY_CHUNK_END:
		return REPLY_SIZE;
	default:
		return blank ? REPLY_DONE : REPLY_TRAILER;
	}
}

static inline void
reply_byte(struct reply *r, char c)
{
	if (c != '\n') {
		if (c != '\r' && r->have < sizeof r->line - 1)
			r->line[r->have++] = c;
		return;
	}
	r->line[r->have] = '\0';
	r->have = 0;
	r->at = reply_line(r);
}

static inline size_t
reply_bytes(struct reply *r, const char *ptr, size_t len)
{
	size_t n = len < r->left ? len : (size_t)r->left;

	if (r->take != NULL)
		r->take(r->arg, ptr, n);
	r->left -= n;
	if (r->left == 0)
		r->at = r->at == REPLY_BODY ? REPLY_DONE : REPLY_CHUNK_END;
	return n;
}

/* Reads on, to the end of the answer at most; what it did not use is returned. */
static inline size_t
reply_take(struct reply *r, const char *ptr, size_t len)
{
	while (len > 0 && r->at != REPLY_DONE) {
		size_t n = 1;

		if (r->at == REPLY_BODY || r->at == REPLY_CHUNK)
			n = reply_bytes(r, ptr, len);
		else
			reply_byte(r, *ptr);
		ptr += n;
		len -= n;
	}
	return len;
}

static inline bool
reply_has_head(const struct reply *r)
{
	return r->at > REPLY_FIELDS;
}

#endif
