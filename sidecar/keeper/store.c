/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/store.h"

#include "aws/error.h"
#include "aws/secretsmanager.h"
#include "base/auto.h"
#include "base/log.h"
#include "keeper/call.h"

enum { FILE_MAX = 1024 * 1024, FILE_POLL_MS = 10 * 1000 };

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
		LOG_S("access_key_id", identity_keys(c->identity).key_id),
		LOG_IF(e->principal[0] != '\0', LOG_C("principal", e->principal)),
		LOG_U("next_attempt_s", s->next_ms > loop_wall_ms()
						? (s->next_ms - loop_wall_ms() + 999) / 1000
						: 0));
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
			again = skew_learn(&c->skew, a->date);
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

static int
send_request(struct store_context *c, struct slot *s, const struct fetch_address *addresses,
	     size_t naddresses)
{
	struct call call = {.at = &s->plan->at,
			    .addresses = addresses,
			    .naddresses = naddresses,
			    .path = "/",
			    .content_type = "application/x-amz-json-1.1",
			    .target = "secretsmanager.GetSecretValue",
			    .keys = identity_keys(c->identity),
			    .region = s->reference.arn.region,
			    .service = SPAN("secretsmanager"),
			    .now_s = skew_now_s(&c->skew)};
	struct asking *asking = calloc(1, sizeof(*asking));
	auto_buf struct buf body;

	if (asking == NULL)
		abort();
	*asking = (struct asking){c, s};
	buf_init(&body, 8 * 1024);
	if (secretsmanager_body(&s->reference, &body) == 0) {
		call.body = buf_span(&body);
		if (call_start(c->fetcher, &call, answered, asking) == 0)
			return 0;
	}
	free(asking);
	return -1;
}

static bool
fetch_secretsmanager(struct store_context *c, struct slot *s)
{
	struct fetch_address addresses[FETCH_ADDRESSES_MAX];
	size_t n;

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
	n = names_of(c->names, &s->plan->at, addresses);
	if (n > 0 && s->failures > 0)
		names_again(c->names, &s->plan->at);
	if (n == 0) {
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
