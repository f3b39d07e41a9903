/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per event on standard error, JSON or text. Only roles, parent and
 * verbs log; layers below return errors. No secret, header value or body is
 * ever a field: there is no way to log a struct secret. Nobody waits for the
 * log: what cannot be written is lost, and the next line that can be is
 * preceded by one that says how many were.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_JSON, LOG_TEXT };

struct log_field {
	struct span key; /* as JSON has it, so that one piece goes into a line; empty: left out */
	struct span text;
	uint64_t number;
	bool is_number;
};

/* What follows is written when at or above level. role is a literal such as "ingress". */
void log_setup(enum log_format format, enum log_level level, const char *role);

/*
 * From now on lines that say that all is well (LOG_INFO and below) wait for log_flush, as many as
 * go out in one write: for a process that writes a line for each call. Any other goes out at once,
 * after those that wait.
 */
void log_gather(void);
void log_flush(void);

/* {"time":"2026-11-21T04:41:00.123Z","level":"info","role":"keeper","msg":"…", fields…} */
void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n);

#define LOG_KEY(name)       SPAN(",\"" name "\":")
#define LOG_S(name, span)   ((struct log_field){LOG_KEY(name), (span), 0, false})
#define LOG_C(name, cstr)   ((struct log_field){LOG_KEY(name), span_of(cstr), 0, false})
#define LOG_U(name, num)    ((struct log_field){LOG_KEY(name), {NULL, 0}, (uint64_t)(num), true})
#define LOG_IF(cond, field) ((cond) ? (field) : (struct log_field){{NULL, 0}, {NULL, 0}, 0, false})

#define log_say(level, msg, ...)                                                                   \
	log_write((level), (msg), (const struct log_field[]){__VA_ARGS__},                         \
		  sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
