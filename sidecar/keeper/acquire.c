/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "keeper/acquire.h"

#include "keeper/source.h"

static source_fn *const sources[IDENTITY_SOURCES] = {
	[IDENTITY_FROM_ENVIRONMENT] = source_environment,
	[IDENTITY_FROM_WEB_IDENTITY] = source_web,
	[IDENTITY_FROM_CONTAINER] = source_container,
	[IDENTITY_FROM_KEYS] = source_keys,
	[IDENTITY_FROM_SSO] = source_sso,
	[IDENTITY_FROM_INSTANCE] = source_instance,
};

enum { NAME_MS = 6 * 1000 }; /* the resolver gives up after five */

static void
end(struct acquire *a, bool good)
{
	timer_stop(a->seams->loop, &a->timer);
	a->stalled = false;
	secret_free(a->session);
	a->session = NULL;
	a->running = false;
	if (good)
		a->fault = (struct acquire_fault){0};
	else
		keys_clear(&a->keys);
	a->done(a, good);
}

static void
run(struct acquire *a)
{
	if (a->step == 0)
		sources[a->plan->source](a);
	else if (a->step <= a->plan->nroles)
		source_role(a);
	else
		end(a, true);
}

void
acquire_start(struct acquire *a)
{
	if (a->running)
		return;
	a->running = true;
	a->step = 0;
	a->tried_again = a->waited = false;
	a->principal[0] = '\0';
	run(a);
}

void
acquire_resume(struct acquire *a)
{
	if (!a->stalled)
		return;
	a->stalled = false;
	timer_stop(a->seams->loop, &a->timer);
	run(a);
}

static void
waited(struct timer *t)
{
	struct acquire *a = ev_owner(t, struct acquire, timer);

	a->waited = true;
	acquire_resume(a);
}

void
acquire_init(struct acquire *a, struct acquire_seams *seams, const struct plan_identity *plan,
	     void (*done)(struct acquire *a, bool good))
{
	*a = (struct acquire){.seams = seams, .plan = plan, .done = done, .timer.fn = waited};
}

void
acquire_got(struct acquire *a, const struct call_keys *keys, uint64_t expires_s)
{
	if (!keys_set(&a->keys, keys, expires_s)) {
		acquire_failed(a, false, "SecretPagesFull",
			       "the secret pages are full: raise RLIMIT_MEMLOCK");
		return;
	}
	a->step++;
	a->tried_again = a->waited = false;
	run(a);
}

void
acquire_failed(struct acquire *a, bool is_denial, const char *type, const char *why, ...)
{
	va_list args;

	a->fault = (struct acquire_fault){.is_denial = is_denial};
	snprintf(a->fault.type, sizeof(a->fault.type), "%s", type);
	va_start(args, why);
	vsnprintf(a->fault.why, sizeof(a->fault.why), why, args);
	va_end(args);
	end(a, false);
}

static bool
is_denial(const struct fetch_answer *answer, const struct aws_error *e)
{
	if (answer->fault != NULL)
		return false;
	if (e != NULL)
		return e->class != AWS_ERROR_THROTTLED && e->class != AWS_ERROR_TRANSIENT &&
		       e->class != AWS_ERROR_OTHER;
	return answer->status >= 400 && answer->status < 500 && answer->status != 408 &&
	       answer->status != 429;
}

void
acquire_refused(struct acquire *a, const struct fetch_answer *answer, const char *whom,
		const struct aws_error *e)
{
	struct acquire_fault *f = &a->fault;
	const char *type = e != NULL && e->type[0] != '\0' ? e->type : "HttpError";

	*f = (struct acquire_fault){.is_denial = is_denial(answer, e), .status = answer->status};
	snprintf(f->type, sizeof(f->type), "%s", answer->fault != NULL ? answer->fault : type);
	if (answer->fault != NULL)
		snprintf(f->why, sizeof(f->why), "%s cannot be reached", whom);
	else
		snprintf(f->why, sizeof(f->why), "%s said no: %s (status %u)", whom, type,
			 answer->status);
	snprintf(f->request_id, sizeof(f->request_id), "%.*s", (int)answer->request_id.len,
		 answer->request_id.ptr);
	if (e != NULL)
		snprintf(f->principal, sizeof(f->principal), "%s", e->principal);
	end(a, false);
}

bool
acquire_again(struct acquire *a)
{
	if (a->tried_again)
		return false;
	a->tried_again = true;
	run(a);
	return true;
}

static void
stall(struct acquire *a)
{
	a->stalled = true;
	timer_set(a->seams->loop, &a->timer, NAME_MS);
}

size_t
acquire_addresses(struct acquire *a, const struct plan_endpoint *at,
		  struct fetch_address *addresses)
{
	size_t n = names_of(a->seams->names, at, addresses);

	if (n > 0 && a->fault.type[0] != '\0')
		names_again(a->seams->names, at);
	if (n == 0 && a->waited)
		acquire_failed(a, false, "NameNotResolved", "the name %.*s has no address",
			       (int)at->host.len, at->host.ptr);
	else if (n == 0)
		stall(a);
	return n;
}

void
acquire_fetch(struct acquire *a, const struct plan_endpoint *at, struct fetch_request *r,
	      fetch_fn *done)
{
	struct fetch_address addresses[FETCH_ADDRESSES_MAX];

	r->https = at->https;
	r->host = at->host;
	r->port = at->port;
	r->addresses = addresses;
	r->naddresses = acquire_addresses(a, at, addresses);
	if (r->naddresses > 0 && fetch_start(a->seams->fetcher, r, done, a) != 0)
		acquire_failed(a, false, "RequestNotBuilt", "the request could not be built");
}
