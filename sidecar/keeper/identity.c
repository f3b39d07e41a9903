/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/identity.h"

#include "base/auto.h"
#include "base/date.h"
#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "http/grammar.h"

enum {
	AHEAD_S = 15 * 60, /* refresh that long before the end (botocore's advisory limit) */
	RETRY_MS = 2 * 1000,
	TOKEN_MAX = 16 * 1024,
};

struct identity {
	struct loop *loop;
	struct fetcher *fetcher;
	const struct keeper_plan *plan;
	struct names *names;
	void (*on_change)(void *arg);
	void *arg;
	struct secret *key_id, *secret, *token; /* in use */
	struct secret *endpoint_token;          /* AWS_CONTAINER_AUTHORIZATION_TOKEN */
	uint64_t expires_s;                     /* 0: never */
	uint64_t retry_at;                      /* loop_now: not before */
	struct plan_endpoint at;
	bool fetching;
	const char *path;
	const char *fault;
};

/* ---- the endpoint ---- */

static uint16_t
name_of(const struct keeper_plan *plan, struct span host)
{
	for (size_t i = 0; i < plan->nnames; i++)
		if (span_eq(plan->names[i].text, host))
			return (uint16_t)i;
	return PLAN_NONE;
}

/* The URI was checked when the configuration was read; here it is only taken apart. */
static void
take_uri(struct identity *id, struct span uri)
{
	size_t start = span_find(uri, 0, ':') + 3, slash = span_find(uri, start, '/');
	struct span authority = span_cut(uri, start, slash), path = span_cut(uri, slash, uri.len);
	size_t colon = authority.len;
	uint64_t port;

	id->at.https = span_starts(uri, SPAN("https:"));
	id->at.port = id->at.https ? 443 : 80;
	while (colon > 0 && authority.ptr[colon - 1] != ':' && authority.ptr[colon - 1] != ']')
		colon--;
	if (colon > 0 && authority.ptr[colon - 1] == ':' &&
	    num_u64(span_cut(authority, colon, authority.len), UINT16_MAX, &port) == 0) {
		id->at.port = (uint16_t)port;
		authority = span_cut(authority, 0, colon - 1);
	}
	if (authority.len > 2 && authority.ptr[0] == '[')
		authority = span_cut(authority, 1, authority.len - 1);
	id->at.host = authority;
	id->at.resolve = name_of(id->plan, authority);
	id->path = path.len > 0 ? strndup(path.ptr, path.len) : "/";
}

struct identity *
identity_new(struct loop *l, struct fetcher *f, const struct keeper_plan *plan, struct names *names,
	     void (*on_change)(void *arg), void *arg)
{
	struct identity *id = calloc(1, sizeof(*id));

	if (id == NULL)
		abort();
	*id = (struct identity){
		.loop = l,
		.fetcher = f,
		.plan = plan,
		.names = names,
		.on_change = on_change,
		.arg = arg,
	};
	if (plan->credentials == CREDENTIALS_CONTAINER)
		take_uri(id, plan->container_uri);
	return id;
}

static void
put(struct secret **slot, struct span value)
{
	secret_free(*slot);
	*slot = value.len > 0 ? secret_new(value) : NULL;
}

bool
identity_take_env(struct identity *id, struct span name, struct span value)
{
	if (span_is(name, "AWS_ACCESS_KEY_ID"))
		put(&id->key_id, value);
	else if (span_is(name, "AWS_SECRET_ACCESS_KEY"))
		put(&id->secret, value);
	else if (span_is(name, "AWS_SESSION_TOKEN"))
		put(&id->token, value);
	else if (span_is(name, "AWS_CREDENTIAL_EXPIRATION"))
		(void)date_from_iso(value, &id->expires_s);
	else if (span_is(name, "AWS_CONTAINER_AUTHORIZATION_TOKEN"))
		put(&id->endpoint_token, grammar_is_field_value(value) ? value : SPAN(""));
	else
		return false;
	return true;
}

/* ---- fetching ---- */

static bool
take_answer(struct identity *id, struct span body)
{
	struct json *doc = json_doc_parse(body);
	struct span key, secret, token = {NULL, 0}, expires;
	bool good = false;

	if (doc == NULL)
		return false;
	if (json_doc_string(doc, "AccessKeyId", &key) &&
	    json_doc_string(doc, "SecretAccessKey", &secret) && key.len > 0 && secret.len > 0) {
		(void)json_doc_string(doc, "Token", &token);
		put(&id->key_id, key);
		put(&id->secret, secret);
		put(&id->token, token);
		id->expires_s = 0;
		if (json_doc_string(doc, "Expiration", &expires))
			(void)date_from_iso(expires, &id->expires_s);
		good = id->key_id != NULL && id->secret != NULL;
	}
	json_doc_free(doc);
	return good;
}

static void
fetched(void *arg, const struct fetch_answer *a)
{
	struct identity *id = arg;

	id->fetching = false;
	id->fault = NULL;
	if (a->fault != NULL)
		id->fault = "the container credential endpoint does not answer";
	else if (a->status != 200)
		id->fault = "the container credential endpoint refused";
	else if (!take_answer(id, a->body))
		id->fault = "the container credential endpoint's answer holds no credentials";
	if (id->fault != NULL) {
		id->retry_at = loop_now(id->loop) + RETRY_MS;
		log_say(LOG_ERROR, "no AWS identity", LOG_C("source", "container"),
			LOG_C("why", id->fault),
			LOG_IF(a->fault == NULL, LOG_U("status", a->status)));
	}
	id->on_change(id->arg);
}

/* The endpoint's token: the file's content, read each time, or the variable's. 0 or -1. */
static int
add_token(const struct identity *id, struct buf *line)
{
	struct span file = id->plan->container_token_file;
	char path[4096];

	if (file.len == 0)
		return id->endpoint_token == NULL
			       ? 0
			       : buf_add_span(line, secret_span(id->endpoint_token));
	if (file.len >= sizeof(path))
		return -1;
	memcpy(path, file.ptr, file.len);
	path[file.len] = '\0';
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *room = buf_room(line, TOKEN_MAX);
	ssize_t n = fd < 0 || room == NULL ? -1 : read(fd, room, TOKEN_MAX);

	if (n <= 0)
		return -1;
	while (n > 0 && (room[n - 1] == '\n' || room[n - 1] == '\r'))
		n--;
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)room[i] < 0x20 || room[i] == 0x7f)
			return -1;
	buf_grew(line, (size_t)n);
	return 0;
}

static void
start_fetch(struct identity *id)
{
	struct fetch_address addresses[FETCH_ADDRESSES_MAX];
	struct fetch_request r = {
		.https = id->at.https,
		.host = id->at.host,
		.port = id->at.port,
		.addresses = addresses,
		.naddresses = names_of(id->names, &id->at, addresses),
		.path = id->path,
		.lines = {"Accept: application/json", NULL},
		.nlines = 1,
	};
	struct buf line;

	buf_init(&line, 2 * TOKEN_MAX);
	(void)buf_add_str(&line, "Authorization: ");
	if (add_token(id, &line) != 0) {
		id->fault = "the token file of the container credential endpoint cannot be read";
		id->retry_at = loop_now(id->loop) + RETRY_MS;
	} else {
		(void)buf_add_char(&line, '\0');
		if (line.len > sizeof("Authorization: "))
			r.lines[r.nlines++] = line.ptr;
		id->fetching = fetch_start(id->fetcher, &r, fetched, id) != NULL;
	}
	buf_free(&line);
}

/* ---- use ---- */

static bool
is_valid(const struct identity *id, uint64_t margin_s)
{
	return id->key_id != NULL && id->secret != NULL &&
	       (id->expires_s == 0 || loop_wall_ms() / 1000 + margin_s < id->expires_s);
}

enum identity_state
identity_get(struct identity *id)
{
	if (id->plan->credentials == CREDENTIALS_CONTAINER && !is_valid(id, AHEAD_S) &&
	    !id->fetching && loop_now(id->loop) >= id->retry_at)
		start_fetch(id);
	if (is_valid(id, 0))
		return IDENTITY_READY;
	return id->fetching ? IDENTITY_WAITING : IDENTITY_FAILED;
}

bool
identity_renew(struct identity *id)
{
	if (id->plan->credentials != CREDENTIALS_CONTAINER)
		return false;
	put(&id->secret, (struct span){NULL, 0});
	return true;
}

static struct span
span_or_empty(const struct secret *s)
{
	return s == NULL ? (struct span){"", 0} : secret_span(s);
}

struct call_keys
identity_keys(const struct identity *id)
{
	return (struct call_keys){span_or_empty(id->key_id), span_or_empty(id->secret),
				  span_or_empty(id->token)};
}

const char *
identity_fault(const struct identity *id)
{
	if (id->plan->credentials == CREDENTIALS_NONE)
		return "no AWS identity is configured: set AWS_ACCESS_KEY_ID and "
		       "AWS_SECRET_ACCESS_KEY, or the container credential variables";
	if (id->plan->credentials == CREDENTIALS_ENVIRONMENT)
		return "the AWS credentials of the environment have expired or are incomplete";
	return id->fault == NULL ? "the AWS identity has expired" : id->fault;
}
