/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/store.h"

#include "aws/secretsmanager.h"
#include "aws/sigv4.h"
#include "base/auto.h"
#include "base/date.h"
#include "base/log.h"

enum { FILE_MAX = 1024 * 1024, FILE_POLL_MS = 10 * 1000, SKEW_MIN_S = 60 };

/* ---- env: ---- */

bool
store_take_env(struct slot *s, struct span name, struct span value)
{
	if (s->reference.kind != REFERENCE_ENV || !span_eq(s->reference.name, name))
		return false;
	slot_fetched(s, value, (struct span){NULL, 0});
	return true;
}

/* The environment does not change: what is not there will not come. */
static bool
fetch_env(struct store_context *c, struct slot *s)
{
	(void)c;
	if (slot_value(s).ptr != NULL)
		slot_fetched(s, slot_value(s), (struct span){NULL, 0});
	else
		slot_failed(s, SLOT_DENIED, "VariableNotSet");
	return true;
}

/* ---- file: ---- */

static const char *
read_file(struct span name, struct buf *out)
{
	char path[4096];
	struct stat st;

	if (name.len >= sizeof(path))
		return "NameTooLong";
	memcpy(path, name.ptr, name.len);
	path[name.len] = '\0';
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return errno == EACCES || errno == EPERM ? "PermissionDenied" : "NoSuchFile";
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return "NotAFile";
	for (;;) {
		char *room = buf_room(out, 16 * 1024);
		ssize_t n = room == NULL ? -1 : read(fd, room, 16 * 1024);

		if (n < 0)
			return room == NULL ? "TooLarge" : "ReadError";
		if (n == 0)
			return NULL;
		buf_grew(out, (size_t)n);
	}
}

/* Kubernetes swaps a link beside the file: reading it again every few seconds is what sees that. */
static bool
fetch_file(struct store_context *c, struct slot *s)
{
	struct buf content;
	const char *wrong;

	buf_init(&content, FILE_MAX);
	wrong = read_file(s->reference.name, &content);
	if (wrong == NULL)
		slot_fetched(s, buf_span(&content), (struct span){NULL, 0});
	else
		slot_failed(s, strcmp(wrong, "NoSuchFile") == 0 ? SLOT_UNREACHED : SLOT_DENIED,
			    wrong);
	buf_free(&content);
	if (wrong == NULL)
		timer_set(c->loop, &s->timer, FILE_POLL_MS);
	return true;
}

/* ---- Secrets Manager ---- */

struct asking { /* one GetSecretValue under way */
	struct store_context *c;
	struct slot *s;
};

static void
log_failure(const struct store_context *c, struct slot *s, const struct aws_error *e,
	    const struct fetch_answer *a)
{
	if (!slot_is_news(s))
		return;
	log_say(LOG_WARN, "a secret could not be fetched", LOG_S("slot", s->plan->name),
		LOG_S("reference", s->plan->reference),
		LOG_C("error_type", a->fault != NULL ? a->fault : e->type),
		LOG_IF(a->fault == NULL, LOG_U("status", a->status)),
		LOG_IF(a->request_id.len > 0, LOG_S("store_request_id", a->request_id)),
		LOG_S("access_key_id", identity_key_id(c->identity)),
		LOG_IF(e->principal[0] != '\0', LOG_C("principal", e->principal)),
		LOG_U("next_attempt_s", s->next_ms > loop_wall_ms()
						? (s->next_ms - loop_wall_ms() + 999) / 1000
						: 0));
}

static bool
learn_clock(struct store_context *c, const struct fetch_answer *a)
{
	int64_t ours = (int64_t)(loop_wall_ms() / 1000), off = (int64_t)a->date - ours;
	int64_t moved = off - c->clock_offset_s;

	if (a->date == 0 || (moved < SKEW_MIN_S && moved > -SKEW_MIN_S))
		return false;
	c->clock_offset_s = off;
	return true;
}

static void
refused(struct store_context *c, struct slot *s, const struct fetch_answer *a)
{
	struct aws_error e = {0};
	bool again = false;

	if (a->fault == NULL)
		aws_error_read(a->status, a->body, &e);
	if (a->fault == NULL && e.type[0] == '\0')
		memcpy(e.type, "HttpError", sizeof("HttpError"));
	if (!s->tried_again && a->fault == NULL) {
		if (e.class == AWS_ERROR_CLOCK)
			again = learn_clock(c, a);
		if (e.class == AWS_ERROR_CREDENTIALS)
			again = identity_renew(c->identity);
	}
	if (again) {
		s->fetching = false;
		s->tried_again = true;
		slot_refresh(s);
		return;
	}
	if (a->fault != NULL)
		slot_failed(s, SLOT_UNREACHED, a->fault);
	else
		slot_failed(s,
			    e.class == AWS_ERROR_THROTTLED || e.class == AWS_ERROR_TRANSIENT
				    ? SLOT_ERROR
				    : SLOT_DENIED,
			    e.type);
	log_failure(c, s, &e, a);
}

static void
answered(void *arg, const struct fetch_answer *a)
{
	struct asking *asking = arg;
	struct store_context *c = asking->c;
	struct slot *s = asking->s;
	struct secretsmanager_value v;
	enum secretsmanager_fault fault;

	free(asking);
	if (a->fault != NULL || a->status != 200) {
		refused(c, s, a);
		return;
	}
	fault = secretsmanager_read(a->body, s->reference.json_key, &v);
	if (fault == SECRETSMANAGER_OK) {
		slot_fetched(s, v.value, v.version_id);
		secretsmanager_free(&v);
		return;
	}
	slot_failed(s, fault == SECRETSMANAGER_NOT_JSON ? SLOT_ERROR : SLOT_DENIED,
		    "UnusableSecret");
	log_say(LOG_WARN, "a secret cannot be used", LOG_S("slot", s->plan->name),
		LOG_S("reference", s->plan->reference),
		LOG_C("why", secretsmanager_fault_text(fault)));
}

/* The signed header lines, NUL between them, in a buffer that is wiped. 0 or -1. */
static int
sign(const struct store_context *c, const struct slot *s, struct span body, struct span host,
     struct buf *out)
{
	unsigned char key[SIGV4_KEY_LEN];
	char hash[SIGV4_HEX_LEN + 1], date[17];
	struct span token = identity_token(c->identity);
	struct sigv4_header headers[] = {
		{SPAN("content-type"), SPAN("application/x-amz-json-1.1")},
		{SPAN("host"), host},
		{SPAN("x-amz-date"), {date, 16}},
		{SPAN("x-amz-target"), SPAN("secretsmanager.GetSecretValue")},
		{SPAN("x-amz-security-token"), token},
	};
	struct sigv4_request r = {.method = SPAN("POST"),
				  .path = SPAN("/"),
				  .query = SPAN(""),
				  .headers = headers,
				  .nheaders = token.len > 0 ? 5 : 4,
				  .payload_hash = {hash, SIGV4_HEX_LEN},
				  .normalize = true};
	struct sigv4_scope scope = {identity_key_id(c->identity),
				    s->reference.arn.region,
				    SPAN("secretsmanager"),
				    {date, 16}};
	int bad = sigv4_hash(body, hash);

	date_to_basic((uint64_t)((int64_t)(loop_wall_ms() / 1000) + c->clock_offset_s), date);
	bad |= sigv4_key(identity_secret(c->identity), &scope, key);
	bad |= buf_add_str(out, "Authorization: ") | sigv4_authorization(&r, &scope, key, out) |
	       buf_add_char(out, '\0');
	for (size_t i = 0; i < r.nheaders; i++)
		bad |= buf_add_span(out, headers[i].name) | buf_add_str(out, ": ") |
		       buf_add_span(out, headers[i].value) | buf_add_char(out, '\0');
	explicit_bzero(key, sizeof(key));
	return bad;
}

static void
host_field(const struct slot *s, struct buf *out)
{
	bool usual = s->plan->port == (s->plan->https ? 443 : 80);
	bool v6 = span_find(s->plan->host, 0, ':') < s->plan->host.len;

	(void)buf_addf(out, v6 ? "[%.*s]" : "%.*s", (int)s->plan->host.len, s->plan->host.ptr);
	if (!usual)
		(void)buf_addf(out, ":%u", (unsigned)s->plan->port);
}

static int
send_request(struct store_context *c, struct slot *s, const struct fetch_address *addresses,
	     size_t naddresses)
{
	struct fetch_request r = {.https = s->plan->https,
				  .host = s->plan->host,
				  .port = s->plan->port,
				  .addresses = addresses,
				  .naddresses = naddresses,
				  .path = "/"};
	struct asking *asking = calloc(1, sizeof(*asking));
	auto_buf struct buf body, lines, host;
	int bad;

	if (asking == NULL)
		abort();
	*asking = (struct asking){c, s};
	buf_init(&body, 8 * 1024);
	buf_init(&lines, 64 * 1024);
	buf_init(&host, 512);
	host_field(s, &host);
	bad = secretsmanager_body(&s->reference, &body) |
	      sign(c, s, buf_span(&body), buf_span(&host), &lines);
	for (size_t at = 0; bad == 0 && at < lines.len; at += strlen(lines.ptr + at) + 1)
		r.lines[r.nlines++] = lines.ptr + at;
	r.body = buf_span(&body);
	if (bad == 0 && fetch_start(c->fetcher, &r, answered, asking) != NULL)
		return 0;
	free(asking);
	return -1;
}

static bool
fetch_secretsmanager(struct store_context *c, struct slot *s)
{
	struct fetch_address addresses[FETCH_ADDRESSES_MAX];
	size_t n = 0;

	switch (identity_get(c->identity)) {
	case IDENTITY_WAITING:
		return false;
	case IDENTITY_FAILED:
		/* What the environment lacks at the start will not come; an endpoint may. */
		slot_failed(s,
			    c->plan->credentials == CREDENTIALS_CONTAINER ? SLOT_UNREACHED
									  : SLOT_DENIED,
			    "NoIdentity");
		if (!slot_is_news(s))
			return true;
		log_say(LOG_WARN, "a secret could not be fetched", LOG_S("slot", s->plan->name),
			LOG_S("reference", s->plan->reference), LOG_C("error_type", "NoIdentity"),
			LOG_C("why", identity_fault(c->identity)));
		return true;
	default:
		break;
	}
	if (!c->addresses(c, s, addresses, &n)) {
		slot_failed(s, SLOT_UNREACHED, "NameNotResolved");
		return true;
	}
	if (send_request(c, s, addresses, n) != 0)
		slot_failed(s, SLOT_ERROR, "RequestNotBuilt");
	return true;
}

/* ---- the table ---- */

bool
store_fetch(struct store_context *c, struct slot *s)
{
	static bool (*const stores[])(struct store_context *, struct slot *) = {
		[REFERENCE_SECRETS_MANAGER] = fetch_secretsmanager,
		[REFERENCE_ENV] = fetch_env,
		[REFERENCE_FILE] = fetch_file,
	};
	size_t kind = s->reference.kind;

	if (kind < sizeof(stores) / sizeof(stores[0]) && stores[kind] != NULL)
		return stores[kind](c, s);
	slot_failed(s, SLOT_DENIED, "NotAvailableYet");
	return true;
}
