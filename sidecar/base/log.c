/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"

#include "base/buf.h"
#include "base/date.h"
#include "base/sink.h"

enum { LINE_MAX_BYTES = 16 * 1024, LINES_MAX_BYTES = PIPE_BUF + LINE_MAX_BYTES };

static struct {
	enum log_format format;
	enum log_level level;
	const char *role;
	bool gathers;
	uint64_t lost; /* lines, since the last that went out */
} log_state = {LOG_JSON, LOG_INFO, "sidekey", false, 0};

static struct buf waiting = {.max = LINES_MAX_BYTES};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void
log_setup(enum log_format format, enum log_level level, const char *role)
{
	log_state.format = format;
	log_state.level = level;
	log_state.role = role;
	sink_open();
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
	static char second[sizeof("2026-11-21T04:41:00.")];
	static time_t of = -1;
	struct timespec now;
	unsigned ms;
	char d[17];

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != of) {
		date_to_basic((uint64_t)now.tv_sec, d);
		snprintf(second, sizeof(second), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.", d, d + 4, d + 6,
			 d + 9, d + 11, d + 13);
		of = now.tv_sec;
	}
	ms = (unsigned)(now.tv_nsec / 1000000);
	(void)buf_add_str(b, second);
	(void)buf_add_dec(b, ms / 100);
	(void)buf_add_dec(b, ms / 10 % 10);
	(void)buf_add_dec(b, ms % 10);
	(void)buf_add_char(b, 'Z');
}

static void
add_field(struct buf *b, const struct log_field *f, bool json)
{
	if (json) {
		(void)buf_add_span(b, f->key);
	} else {
		(void)buf_add_char(b, ' ');
		(void)buf_add_span(b, span_cut(f->key, 2, f->key.len - 2));
		(void)buf_add_char(b, '=');
	}
	if (f->is_number)
		(void)buf_add_dec(b, f->number);
	else if (buf_add_json(b, f->text) != 0)
		(void)buf_add_str(b, "\"\"");
}

static void
add_beginning(struct buf *b, enum log_level level, bool json)
{
	(void)buf_add_str(b, json ? "{\"time\":\"" : "");
	add_time(b);
	if (!json) {
		(void)buf_addf(b, " %-5s %-8s ", level_names[level], log_state.role);
		return;
	}
	(void)buf_add_str(b, "\",\"level\":\"");
	(void)buf_add_str(b, level_names[level]);
	(void)buf_add_str(b, "\",\"role\":\"");
	(void)buf_add_str(b, log_state.role);
	(void)buf_add_str(b, "\",\"msg\":");
}

static void
make_line(struct buf *b, enum log_level level, const char *msg, const struct log_field *fields,
	  size_t n)
{
	bool json = log_state.format == LOG_JSON;

	b->max = LINE_MAX_BYTES;
	add_beginning(b, level, json);
	if (json)
		(void)buf_add_json(b, span_of(msg));
	else
		(void)buf_add_str(b, msg);
	for (size_t i = 0; i < n; i++)
		if (fields[i].key.len > 0)
			add_field(b, &fields[i], json);
	(void)buf_add_str(b, json ? "}\n" : "\n");
}

/* The first that gets through after a gap says how wide it was. */
static bool
tell_lost(void)
{
	const struct log_field lines = LOG_U("lines", log_state.lost);
	struct buf line = {0};
	bool told;

	if (log_state.lost == 0)
		return true;
	make_line(&line, LOG_WARN,
		  "lines of the log were lost: whoever takes it had no room for them, or did not "
		  "read",
		  &lines, 1);
	told = sink_put(buf_span(&line)) == 0;
	buf_free(&line);
	log_state.lost = told ? 0 : log_state.lost;
	return told;
}

void
log_gather(void)
{
	log_state.gathers = true;
}

void
log_flush(void)
{
	struct span lines = buf_span(&waiting);

	if (lines.len == 0)
		return;
	log_state.lost += tell_lost() ? sink_put(lines) : span_count(lines, '\n');
	buf_clear(&waiting, PIPE_BUF);
}

void
log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
	static struct buf line; /* its memory is kept from line to line */

	if (!log_wants(level))
		return;
	make_line(&line, level, msg, fields, n);
	if (waiting.len + line.len > PIPE_BUF)
		log_flush();
	(void)buf_add_span(&waiting, buf_span(&line));
	buf_clear(&line, PIPE_BUF);
	if (!log_state.gathers || level < LOG_INFO)
		log_flush();
}
