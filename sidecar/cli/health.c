/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/health.h"

#include "cli/ask.h"
#include "cli/help.h"

struct question {
	const char *config;
	const char *path; /* /healthz or /readyz */
	bool started;     /* look for "started":true whatever the status */
};

static const char usage[] =
	"usage: sidekey health [-c FILE] [--ready | --started]\n"
	"\n"
	"Asks the admin port of the running sidekey. Exit 0: good, 1: not, 2: usage.\n"
	"  (no option)  its processes answer (/healthz)\n"
	"  --ready      every required target can be called (/readyz)\n"
	"  --started    it has been ready once (for start-up probes)\n";

static int
judge(const struct question *q, const struct config *c)
{
	struct buf answer;
	bool good = false;

	buf_init(&answer, ASK_ANSWER_MAX);
	ask_admin(&c->admin, q->path, &answer);
	if (c->admin.n == 0)
		fputs("sidekey health: this configuration opens no admin port: `admin` is empty\n",
		      stderr);
	else if (answer.len == 0)
		fprintf(stderr, "sidekey health: nobody answers on the admin port; is sidekey "
				"running with this configuration?\n");
	else if (q->started)
		good = span_has(buf_span(&answer), SPAN("\"started\":true"));
	else
		good = span_starts(buf_span(&answer), SPAN("HTTP/1.1 200 "));
	if (answer.len > 0 && !good)
		fprintf(stderr, "sidekey health: not %s; see %s on the admin port\n",
			q->started          ? "started"
			: q->path[1] == 'r' ? "ready"
					    : "healthy",
			q->path);
	buf_free(&answer);
	return good ? 0 : 1;
}

static int
parse(int argc, char **argv, struct question *q)
{
	*q = (struct question){NULL, "/healthz", false};
	for (int i = 1; i < argc; i++) {
		if (help_config(argc, argv, &i, &q->config))
			continue;
		if (strcmp(argv[i], "--ready") == 0) {
			q->path = "/readyz";
		} else if (strcmp(argv[i], "--started") == 0) {
			*q = (struct question){q->config, "/readyz", true};
		} else {
			help_refuse("health", argv[i]);
			return -1;
		}
	}
	return 0;
}

int
cli_health(int argc, char **argv)
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
		status = judge(&q, c);
	fault_free(&faults);
	config_free(c);
	return status;
}
