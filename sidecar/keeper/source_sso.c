/* SPDX-License-Identifier: Apache-2.0 */
/* A role of IAM Identity Center, by the sign-in that `aws sso login` has left; never a login. */
#include "keeper/source.h"

#include "aws/credentials.h"
#include "aws/signin.h"
#include "base/auto.h"
#include "keeper/file.h"

enum { FILE_MAX = 64 * 1024 };

#define WHOM "IAM Identity Center"

/* What only a person can mend. */
static void
ask_for_login(struct acquire *a, const char *type, const char *what)
{
	acquire_failed(a, true, type, "%s: run aws sso login --profile %.*s", what,
		       (int)a->plan->profile.len, a->plan->profile.ptr);
}

static void
answered(void *arg, const struct fetch_answer *answer)
{
	struct acquire *a = arg;
	struct credentials c;
	struct aws_error e;

	if (answer->fault == NULL)
		(void)skew_learn(a->seams->skew, answer->date);
	if (answer->fault == NULL && answer->status == 401) {
		ask_for_login(a, "UnauthorizedException", "the cached sign-in is refused");
	} else if (answer->fault != NULL || answer->status != 200) {
		aws_error_read(answer->status, answer->body, &e);
		acquire_refused(a, answer, WHOM, &e);
	} else if (!credentials_read_sso(answer->body, &c)) {
		acquire_failed(a, false, "BadAnswer", WHOM "'s answer holds no credentials");
	} else {
		acquire_got(a, &(struct call_keys){c.key_id, c.secret, c.token}, c.expires_s);
		credentials_free(&c);
	}
}

static void
ask(struct acquire *a, struct span token)
{
	struct fetch_request r = {.lines = {"Accept: application/json"}, .nlines = 2};
	auto_buf struct buf line = {0}, path = {0};

	buf_init(&line, FILE_MAX);
	buf_init(&path, FILE_MAX);
	(void)buf_add_str(&path, "/federation/credentials?role_name=");
	(void)buf_add_percent(&path, a->plan->sso_role);
	(void)buf_add_str(&path, "&account_id=");
	(void)buf_add_percent(&path, a->plan->sso_account);
	(void)buf_add_char(&path, '\0');
	(void)buf_add_str(&line, "x-amz-sso_bearer_token: ");
	(void)buf_add_span(&line, token);
	(void)buf_add_char(&line, '\0');
	r.path = path.ptr;
	r.lines[1] = line.ptr;
	acquire_fetch(a, &a->plan->at, &r, answered);
}

void
source_sso(struct acquire *a)
{
	struct json *doc = NULL;
	struct span token, region;
	uint64_t expires_s = 0;
	auto_buf struct buf text = {0};

	buf_init(&text, FILE_MAX);
	if (file_read(a->plan->sso_cache, &text) != NULL) {
		ask_for_login(a, "NoSignIn", "there is no cached sign-in that can be read");
		return;
	}
	if (!signin_read(buf_span(&text), &doc, &token, &expires_s, &region)) {
		ask_for_login(a, "BadSignIn", "the cached sign-in holds no token");
		return;
	}
	if (skew_now_s(a->seams->skew) >= expires_s)
		ask_for_login(a, "ExpiredSignIn", "the cached sign-in has expired");
	else
		ask(a, token);
	json_doc_free(doc);
}
