/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/status.h"

#include "base/json.h"
#include "base/utf8.h"
#include "cli/ask.h"
#include "cli/help.h"
#include "cli/open.h"
#include "cli/printable.h"
#include "cli/table.h"

enum { REFUSALS_SHOWN = 10 };

struct question {
	const char *config;
	bool json, open;
};

static const char usage[] =
	"usage: sidekey status [-c FILE] [--json | --open]\n"
	"\n"
	"Asks the running sidekey, on its admin Unix socket or else on its admin port, where\n"
	"SIDEKEY_ADMIN_TOKEN must hold the token that adminToken names. Exit 0: told, 1: not,\n"
	"2: usage or configuration.\n"
	"  --json   the answer as it came\n"
	"  --open   the same in a browser, at a link for one use that is printed, until Ctrl-C or\n"
	"           ten minutes in which nobody looks\n";

/* ---- values as people read them ---- */

static double
number(const struct json *object, const char *name)
{
	double n = 0;

	(void)json_doc_number(object, name, &n);
	return n;
}

static struct span
string(const struct json *object, const char *name)
{
	struct span s = {"", 0};

	(void)json_doc_string(object, name, &s);
	return s;
}

static void
count_cell(struct table *t, const struct json *object, const char *name)
{
	table_cellf(t, "%.0f", number(object, name));
}

/* 12s, 3m 50s, 2h 5m, 29d 3h. */
static void
span_text(double seconds, char out[static 32])
{
	int64_t s = (int64_t)(seconds < 0 ? -seconds : seconds);
	const char *sign = seconds < 0 ? "-" : "";

	if (s < 60)
		snprintf(out, 32, "%s%" PRId64 "s", sign, s);
	else if (s < 3600)
		snprintf(out, 32, "%s%" PRId64 "m %" PRId64 "s", sign, s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, 32, "%s%" PRId64 "h %" PRId64 "m", sign, s / 3600, s / 60 % 60);
	else
		snprintf(out, 32, "%s%" PRId64 "d %" PRId64 "h", sign, s / 86400, s / 3600 % 24);
}

/* The time in object's member, or a dash where it has none. */
static void
span_cell(struct table *t, const struct json *object, const char *name)
{
	char out[32] = "-";
	double seconds;

	if (json_doc_number(object, name, &seconds))
		span_text(seconds, out);
	table_cell(t, span_of(out));
}

/*
 * Of a duration a histogram knows between which bounds it lies, and no more: the one that percent
 * of 100 calls are not above, or the last, that they are above.
 */
static void
latency_cell(struct table *t, const struct json *h, double percent)
{
	const struct json *bounds = json_doc_get(h, "le"), *counts = json_doc_get(h, "counts");
	double left = number(h, "count") * percent / 100, s = 0, n;
	const char *sign = ">";

	for (size_t i = 0; left > 0 && json_doc_item_number(bounds, i, &s); i++) {
		if (json_doc_item_number(counts, i, &n))
			left -= n;
		sign = left > 0 ? ">" : "<=";
	}
	if (s == 0)
		table_cell(t, SPAN("-"));
	else if (s < 0.001)
		table_cellf(t, "%s %g us", sign, s * 1e6);
	else if (s < 1)
		table_cellf(t, "%s %g ms", sign, s * 1e3);
	else
		table_cellf(t, "%s %g s", sign, s);
}

/* ---- tables ---- */

#define HEADS(t, ...)                                                                              \
	table_init((t), (const char *const[]){__VA_ARGS__},                                        \
		   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void
target_row(void *arg, struct span name, const struct json *target)
{
	struct span error = string(target, "error");
	struct table *t = arg;

	table_cell(t, name);
	table_cell(t, string(target, "state"));
	table_cell(t, json_doc_is_true(target, "required") ? SPAN("yes") : SPAN("no"));
	table_cell(t, json_doc_is_true(target, "resolved") ? SPAN("yes") : SPAN("no"));
	span_cell(t, target, "cooling_seconds");
	span_cell(t, target, "certificate_expiry_seconds");
	table_cell(t, error.len > 0 ? error : SPAN("-"));
}

static void
slot_row(void *arg, struct span name, const struct json *slot)
{
	struct span error = string(slot, "error");
	struct table *t = arg;

	table_cell(t, name);
	table_cell(t, string(slot, "state"));
	count_cell(t, slot, "version");
	span_cell(t, slot, "age_seconds");
	span_cell(t, slot, "next_attempt_seconds");
	table_cell(t, error.len > 0 ? error : SPAN("-"));
}

static void
print_calls(const struct json *calls)
{
	const struct json *by = json_doc_get(calls, "by"), *row;
	struct table t;

	printf("%.0f calls, %.0f in flight, %.2f a second in the last minute\n\n",
	       number(calls, "total"), number(calls, "inflight"),
	       number(calls, "last_minute") / 60);
	HEADS(&t, "TARGET", "OPERATION", "CALLS", "ERRORS");
	for (size_t i = 0; (row = json_doc_item(by, i)) != NULL; i++) {
		struct span target = string(row, "target"), operation = string(row, "operation");

		table_cell(&t, target.len > 0 ? target : SPAN("-"));
		table_cell(&t, operation.len > 0 ? operation : SPAN("-"));
		count_cell(&t, row, "calls");
		count_cell(&t, row, "errors");
	}
	table_end(&t, stdout);
}

static void
print_latency(const struct json *latency)
{
	static const struct {
		const char *name, *shown;
	} rows[] = {{"first_byte", "first byte"},
		    {"duration", "whole call"},
		    {"overhead", "added by sidekey"}};
	struct table t;

	HEADS(&t, "LATENCY", "P50", "P90", "P99");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct json *h = json_doc_get(latency, rows[i].name);

		if (number(h, "count") == 0)
			continue;
		table_cell(&t, span_of(rows[i].shown));
		latency_cell(&t, h, 50);
		latency_cell(&t, h, 90);
		latency_cell(&t, h, 99);
	}
	table_end(&t, stdout);
}

static void
print_tokens(const struct json *tokens)
{
	const struct json *row;
	struct table t;

	HEADS(&t, "TARGET", "MODEL RULE", "TOKENS IN", "TOKENS OUT");
	for (size_t i = 0; (row = json_doc_item(tokens, i)) != NULL; i++) {
		struct span model = string(row, "model");

		table_cell(&t, string(row, "target"));
		table_cell(&t, model.len > 0 ? model : SPAN("-"));
		count_cell(&t, row, "input");
		count_cell(&t, row, "output");
	}
	table_end(&t, stdout);
}

static void
print_upstream_errors(const struct json *errors)
{
	const struct json *row;
	struct table t;

	HEADS(&t, "TARGET", "UPSTREAM ERROR", "CALLS");
	for (size_t i = 0; (row = json_doc_item(errors, i)) != NULL; i++) {
		table_cell(&t, string(row, "target"));
		table_cell(&t, string(row, "kind"));
		count_cell(&t, row, "count");
	}
	table_end(&t, stdout);
}

static void
print_refusals(const struct json *recent)
{
	const struct json *call;
	struct table t;
	size_t shown = 0;

	HEADS(&t, "TIME (UTC)", "REFUSED", "STATUS", "CALLER", "OPERATION", "MODEL", "REQUEST ID");
	for (size_t i = 0; shown < REFUSALS_SHOWN && (call = json_doc_item(recent, i)) != NULL;
	     i++) {
		uint64_t s = (uint64_t)number(call, "time_ms") / 1000;
		struct span code = string(call, "code"), operation = string(call, "operation");

		if (code.len == 0)
			continue;
		table_cellf(&t, "%02u:%02u:%02u", (unsigned)(s / 3600 % 24),
			    (unsigned)(s / 60 % 60), (unsigned)(s % 60));
		table_cell(&t, code);
		count_cell(&t, call, "status");
		table_cell(&t, string(call, "caller"));
		table_cell(&t, operation.len > 0 ? operation : SPAN("-"));
		table_cell(&t, string(call, "model"));
		table_cell(&t, string(call, "request_id"));
		shown++;
	}
	table_end(&t, stdout);
}

static void
print_all(const struct json *doc)
{
	struct span version = string(doc, "version");
	char uptime[32];
	struct table t;

	span_text(number(doc, "uptime_seconds"), uptime);
	printf("sidekey ");
	printable_put(version, stdout);
	printf(", generation %.0f, up %s: %s\n\n", number(doc, "generation"), uptime,
	       json_doc_is_true(doc, "draining") ? "ending"
	       : json_doc_is_true(doc, "ready")  ? "ready"
						 : "not ready");
	HEADS(&t, "TARGET", "STATE", "REQUIRED", "RESOLVED", "COOLS FOR", "CERTIFICATE ENDS IN",
	      "LAST ERROR");
	json_doc_members(json_doc_get(doc, "targets"), target_row, &t);
	table_end(&t, stdout);
	HEADS(&t, "SECRET", "STATE", "VERSION", "AGE", "NEXT", "LAST ERROR");
	json_doc_members(json_doc_get(doc, "slots"), slot_row, &t);
	table_end(&t, stdout);
	print_calls(json_doc_get(doc, "calls"));
	print_latency(json_doc_get(doc, "latency_seconds"));
	print_tokens(json_doc_get(doc, "tokens"));
	print_upstream_errors(json_doc_get(doc, "upstream_errors"));
	print_refusals(json_doc_get(doc, "recent"));
}

/* ---- asking ---- */

/* As it came, but for characters that command a terminal: these are escaped, as JSON may be. */
static void
print_json(struct span body)
{
	const unsigned char *p = (const unsigned char *)body.ptr;

	for (size_t i = 0, n; i < body.len; i += n) {
		uint32_t c;

		n = utf8_length(p + i, body.len - i);
		if (n == 0)
			return; /* not in what json_doc_parse has taken */
		c = utf8_acting(p + i, n);
		if (c != 0)
			printf("\\u%04" PRIx32, c);
		else
			(void)fwrite(p + i, 1, n, stdout);
	}
}

static int
show(const struct question *q, struct span body)
{
	struct json *doc = json_doc_parse(body); /* which takes no control characters of ASCII */

	if (doc == NULL) {
		fprintf(stderr, "sidekey status: the answer is not that of a sidekey\n");
		return 1;
	}
	if (q->json)
		print_json(body);
	else
		print_all(doc);
	json_doc_free(doc);
	return ferror(stdout) == 0 && fflush(stdout) == 0 ? 0 : 1;
}

/* The refusal's own sentence says what to change. */
static void
explain(unsigned status, struct span body)
{
	struct json *doc = json_doc_parse(body);
	struct span why = string(doc, "error");

	fprintf(stderr, "sidekey status: the answer is %u: ", status);
	printable_put(why, stderr);
	putc('\n', stderr);
	if (status == 401)
		fprintf(stderr, "sidekey status: set SIDEKEY_ADMIN_TOKEN to that token\n");
	json_doc_free(doc);
}

static int
tell(const struct question *q, const struct config *c, const struct environment *env)
{
	struct span body = {"", 0};
	struct buf answer;
	const char *token = env->get(env->arg, "SIDEKEY_ADMIN_TOKEN");
	unsigned status;
	int code = 1;

	buf_init(&answer, ASK_ANSWER_MAX);
	status = ask_secured(&c->admin, "/status", token, &answer, &body);
	if (status == 200)
		code = q->open ? open_page(&c->admin, token) : show(q, body);
	else if (status != 0)
		explain(status, body);
	else if (c->admin.n == 0)
		fputs("sidekey status: this configuration opens no admin port: `admin` is empty\n",
		      stderr);
	else
		fprintf(stderr, "sidekey status: nobody answers on the admin socket or port; is "
				"sidekey running with this configuration, and may you open its "
				"socket?\n");
	buf_free(&answer);
	return code;
}

static int
parse(int argc, char **argv, struct question *q)
{
	*q = (struct question){0};
	for (int i = 1; i < argc; i++) {
		if (help_config(argc, argv, &i, &q->config))
			continue;
		if (strcmp(argv[i], "--json") == 0) {
			q->json = true;
		} else if (strcmp(argv[i], "--open") == 0) {
			q->open = true;
		} else {
			help_refuse("status", argv[i]);
			return -1;
		}
	}
	if (!q->json || !q->open)
		return 0;
	fputs("sidekey status: either --json or --open\n\n", stderr);
	return -1;
}

int
cli_status(int argc, char **argv)
{
	struct config_source source = {NULL, config_own_environment()};
	struct config_faults faults;
	struct config *c = NULL;
	struct question q;
	int status = 2;

	if (help_is_among(argc, argv)) {
		fputs(usage, stdout);
		return 0;
	}
	if (parse(argc, argv, &q) != 0) {
		fputs(usage, stderr);
		return 2;
	}
	source.path = q.config;
	fault_init(&faults);
	if (config_read(&source, &c, &faults) != 0)
		fault_print(&faults, stderr);
	else
		status = tell(&q, c, &source.env);
	fault_free(&faults);
	config_free(c);
	return status;
}
