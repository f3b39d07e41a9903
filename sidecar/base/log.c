/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#include "base/buf.h"
#include "base/date.h"

enum { LINE_MAX_BYTES = 16 * 1024 };

static struct {
	enum log_format format;
	enum log_level level;
	const char *role;
} log_state = {LOG_JSON, LOG_INFO, "sidekey"};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void
log_setup(enum log_format format, enum log_level level, const char *role)
{
	log_state.format = format;
	log_state.level = level;
	log_state.role = role;
}

static bool
log_wants(enum log_level level)
{
	return level <= log_state.level;
}

/* RFC 3339 in UTC with milliseconds. */
static void
add_time(struct buf *b)
{
	struct timespec now;
	char d[17];

	clock_gettime(CLOCK_REALTIME, &now);
	date_to_basic((uint64_t)now.tv_sec, d);
	(void)buf_addf(b, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.%03ldZ", d, d + 4, d + 6, d + 9, d + 11,
		       d + 13, now.tv_nsec / 1000000);
}

static void
add_field_json(struct buf *b, const struct log_field *f)
{
	if (f->is_number)
		(void)buf_addf(b, ",\"%s\":%" PRIu64, f->name, f->number);
	else if (buf_addf(b, ",\"%s\":", f->name) == 0 && buf_add_json(b, f->text) != 0)
		(void)buf_add_str(b, "\"\"");
}

static void
add_field_text(struct buf *b, const struct log_field *f)
{
	if (f->is_number)
		(void)buf_addf(b, " %s=%" PRIu64, f->name, f->number);
	else if (buf_addf(b, " %s=", f->name) == 0)
		(void)buf_add_json(b, f->text);
}

/* One write(2), so that lines of several processes do not mix. */
static void
write_line(const struct buf *b)
{
	const char *at = b->ptr;
	size_t left = b->len;

	while (left > 0) {
		ssize_t n = write(STDERR_FILENO, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody to tell */
		at += n;
		left -= (size_t)n;
	}
}

void
log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
	struct buf b;
	bool json = log_state.format == LOG_JSON;

	if (!log_wants(level))
		return;
	buf_init(&b, LINE_MAX_BYTES);
	(void)buf_add_str(&b, json ? "{\"time\":\"" : "");
	add_time(&b);
	(void)buf_addf(&b, json ? "\",\"level\":\"%s\",\"role\":\"%s\",\"msg\":" : " %-5s %-8s ",
		       level_names[level], log_state.role);
	if (json)
		(void)buf_add_json(&b, span_of(msg));
	else
		(void)buf_add_str(&b, msg);
	for (size_t i = 0; i < n; i++) {
		if (fields[i].name == NULL)
			continue;
		if (json)
			add_field_json(&b, &fields[i]);
		else
			add_field_text(&b, &fields[i]);
	}
	(void)buf_add_str(&b, json ? "}\n" : "\n");
	write_line(&b);
	buf_free(&b);
}
