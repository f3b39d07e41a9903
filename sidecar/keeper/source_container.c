/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/source.h"

#include "aws/credentials.h"
#include "base/auto.h"
#include "keeper/file.h"

enum { LINE_MAX_BYTES = 64 * 1024, TIMEOUT_MS = 5 * 1000 };

#define WHOM "the container credential endpoint"

static void
answered(void *arg, const struct fetch_answer *answer)
{
	struct acquire *a = arg;
	struct credentials c;
	struct aws_error e;

	if (answer->fault != NULL || answer->status != 200) {
		aws_error_read(answer->status, answer->body, &e);
		acquire_refused(a, answer, WHOM, &e);
		return;
	}
	if (!credentials_read_container(answer->body, &c)) {
		acquire_failed(a, false, "BadAnswer", WHOM "'s answer holds no credentials");
		return;
	}
	acquire_got(a, &(struct call_keys){c.key_id, c.secret, c.token}, c.expires_s);
	credentials_free(&c);
}

/* The file's content, read each time, or the variable's. NULL, or what is wrong. */
static const char *
add_token(const struct acquire *a, struct buf *line)
{
	if (a->plan->token_file.len > 0)
		return file_read_line(a->plan->token_file, line);
	if (a->seams->endpoint_token == NULL)
		return NULL;
	return buf_add_span(line, secret_span(a->seams->endpoint_token)) == 0 ? NULL : "TooLarge";
}

void
source_container(struct acquire *a)
{
	struct fetch_request r = {
		.lines = {"Accept: application/json"}, .nlines = 1, .timeout_ms = TIMEOUT_MS};
	const char *wrong;
	auto_buf struct buf line = {0}, path = {0};

	buf_init(&line, LINE_MAX_BYTES);
	buf_init(&path, LINE_MAX_BYTES);
	(void)buf_add_span(&path, a->plan->path);
	(void)buf_add_char(&path, '\0');
	r.path = path.ptr;
	(void)buf_add_str(&line, "Authorization: ");
	wrong = add_token(a, &line);
	if (wrong == NULL && buf_add_char(&line, '\0') != 0)
		wrong = "TooLarge";
	if (wrong != NULL) {
		acquire_failed(a, false, wrong,
			       "the token for " WHOM " cannot be used: "
			       "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
		return;
	}
	if (line.len > sizeof("Authorization: "))
		r.lines[r.nlines++] = line.ptr;
	acquire_fetch(a, &a->plan->at, &r, answered);
}
