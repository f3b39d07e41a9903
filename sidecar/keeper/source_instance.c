/* SPDX-License-Identifier: Apache-2.0 */
/* The instance's role, by IMDSv2 alone: version 1 answers whoever can make us fetch a URL. */
#include <string.h>

#include "keeper/source.h"

#include "aws/credentials.h"
#include "base/auto.h"
#include "http/grammar.h"

enum { TIMEOUT_MS = 3 * 1000, TOKEN_MAX = 4096, ROLE_MAX = 128 };

#define WHOM      "the instance metadata service"
#define ROLES     "/latest/meta-data/iam/security-credentials/"
#define HOP_LIMIT "in a container, set the instance's HttpPutResponseHopLimit to 2"

/* A GET with the session's token. */
static void
get(struct acquire *a, const char *path, fetch_fn *done)
{
	struct fetch_request r = {.path = path, .nlines = 1, .timeout_ms = TIMEOUT_MS};
	auto_buf struct buf line = {0};

	buf_init(&line, 2 * TOKEN_MAX);
	(void)buf_add_str(&line, "X-aws-ec2-metadata-token: ");
	(void)buf_add_span(&line, secret_span(a->session));
	(void)buf_add_char(&line, '\0');
	r.lines[0] = line.ptr;
	acquire_fetch(a, &a->plan->at, &r, done);
}

static void
refused(struct acquire *a, const struct fetch_answer *answer)
{
	if (answer->fault == NULL && answer->status == 401 && acquire_again(a))
		return; /* the token is not good any more: another, once */
	acquire_refused(a, answer, WHOM, NULL);
}

static void
answered(void *arg, const struct fetch_answer *answer)
{
	struct acquire *a = arg;
	struct credentials c;
	char why[80];

	if (answer->fault != NULL || answer->status != 200) {
		refused(a, answer);
		return;
	}
	if (!credentials_read_instance(answer->body, &c, why)) {
		acquire_failed(a, why[0] != '\0', why[0] != '\0' ? why : "BadAnswer",
			       WHOM " gives out no keys for the instance's role");
		return;
	}
	acquire_got(a, &(struct call_keys){c.key_id, c.secret, c.token}, c.expires_s);
	credentials_free(&c);
}

/* IAM's own grammar of role names, which is safe in a path. */
static bool
is_role_name(struct span s)
{
	return span_is_alnum(s, "_+=,.@-") && s.len < ROLE_MAX;
}

static void
role_named(void *arg, const struct fetch_answer *answer)
{
	struct acquire *a = arg;
	struct span role = span_cut(answer->body, 0, span_find(answer->body, 0, '\n'));
	char path[sizeof(ROLES) + ROLE_MAX] = ROLES;

	if (answer->fault == NULL && answer->status == 404) {
		acquire_failed(a, true, "NoInstanceRole", "the instance has no IAM role");
	} else if (answer->fault != NULL || answer->status != 200) {
		refused(a, answer);
	} else if (!is_role_name(span_trim(role))) {
		acquire_failed(a, false, "BadAnswer", WHOM " names no role");
	} else {
		role = span_trim(role);
		memcpy(path + sizeof(ROLES) - 1, role.ptr, role.len);
		path[sizeof(ROLES) - 1 + role.len] = '\0';
		get(a, path, answered);
	}
}

static void
session_begun(void *arg, const struct fetch_answer *answer)
{
	struct acquire *a = arg;

	if (answer->fault != NULL && strcmp(answer->fault, "TimedOut") == 0) {
		acquire_failed(a, false, answer->fault, WHOM " does not answer; " HOP_LIMIT);
		return;
	}
	if (answer->fault != NULL || answer->status != 200) {
		acquire_refused(a, answer, WHOM, NULL);
		return;
	}
	secret_free(a->session);
	a->session = answer->body.len > 0 && answer->body.len <= TOKEN_MAX &&
				     grammar_is_field_value(answer->body)
			     ? secret_new(answer->body)
			     : NULL;
	if (a->session == NULL)
		acquire_failed(a, false, "BadAnswer", WHOM " gave no token");
	else
		get(a, ROLES, role_named);
}

void
source_instance(struct acquire *a)
{
	struct fetch_request r = {.method = "PUT",
				  .path = "/latest/api/token",
				  .lines = {"X-aws-ec2-metadata-token-ttl-seconds: 21600"},
				  .nlines = 1,
				  .timeout_ms = TIMEOUT_MS};

	acquire_fetch(a, &a->plan->at, &r, session_begun);
}
