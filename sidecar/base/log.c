/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <time.h>

#include "base/log.h"

#include "base/buf.h"
#include "base/date.h"
#include "base/sink.h"

enum { LINE_MAX_BYTES = 16 * 1024 };

static struct {
	enum log_format format;
	enum log_level level;
	const char *role;
	uint64_t lost; /* lines, since the last that went out */
} log_state = {LOG_JSON, LOG_INFO, "sidekey", 0};

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

static bool
put_line(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
	struct buf b;
	bool json = log_state.format == LOG_JSON, done;

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
	done = sink_put(buf_span(&b));
	buf_free(&b);
	return done;
}

/* The first that gets through after a gap says how wide it was. */
static bool
tell_lost(void)
{
	const struct log_field lines = LOG_U("lines", log_state.lost);

	if (log_state.lost > 0 &&
	    !put_line(LOG_WARN,
		      "lines of the log were lost: whoever takes it had no room for them, or did "
		      "not read",
		      &lines, 1))
		return false;
	log_state.lost = 0;
	return true;
}

void
log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
	if (log_wants(level) && (!tell_lost() || !put_line(level, msg, fields, n)))
		log_state.lost++;
}
