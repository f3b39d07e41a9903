/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "egress/exchange.h"

#include "base/log.h"
#include "http/grammar.h"

enum { RESOLVE_POLL_MS = 50 /* while the first answer of the resolver is awaited */ };

/* ---- ends ---- */

void
exchange_drop(struct exchange *x)
{
	struct transfer *t = x->transfer;

	timer_stop(x->e->loop, &x->timer);
	x->transfer = NULL;
	transfer_cancel(t);
	inject_free(&x->inject);
	x->e->buffered -= x->body == NULL ? 0 : x->body_len;
	free(x->body);
	x->body = NULL;
	x->paused = false;
	x->state = EXCHANGE_NONE;
}

static void
fail(struct exchange *x, enum verdict v, bool sent)
{
	struct frame_fail f = {
		.verdict = (uint8_t)v, .sent = sent, .wire = x->state == EXCHANGE_RELAY};

	exchange_drop(x);
	x->ev->fail(x->arg, &f);
}

/* ---- the upstream's side ---- */

static struct span
field_value(const struct frame_head *head, const char *name)
{
	for (size_t i = 0; i < head->nfields; i++)
		if (span_iis(head->fields[i].name, name))
			return head->fields[i].value;
	return (struct span){"", 0};
}

static bool
is_access_login(struct span location)
{
	const struct span marks[] = {SPAN(".cloudflareaccess.com/"), SPAN("/cdn-cgi/access/")};

	for (size_t m = 0; m < sizeof(marks) / sizeof(marks[0]); m++)
		for (size_t i = 0; i + marks[m].len <= location.len; i++)
			if (span_starts(span_cut(location, i, location.len), marks[m]))
				return true;
	return false;
}

/* What is not an API's answer is not relayed: design section 6. */
static enum verdict
judge_head(const struct target *t, const struct frame_head *head)
{
	bool html = span_istarts(field_value(head, "content-type"), SPAN("text/html"));

	if (head->status >= 300 && head->status < 400)
		return is_access_login(field_value(head, "location"))
			       ? VERDICT_ACCESS_DENIED_BY_GATEWAY
			       : VERDICT_UPSTREAM_REDIRECT;
	if (html && t->plan->access && (head->status == 401 || head->status == 403))
		return VERDICT_ACCESS_DENIED_BY_GATEWAY;
	return html ? VERDICT_UPSTREAM_INVALID : VERDICT_OK;
}

static enum verdict
on_head(void *arg, const struct frame_head *head)
{
	struct exchange *x = arg;
	enum verdict v = judge_head(x->target, head);

	if (v != VERDICT_OK)
		return v;
	if (head->status > 599)
		return VERDICT_UPSTREAM_INVALID;
	for (size_t i = 0; i < head->nfields; i++)
		if (!grammar_is_token(head->fields[i].name) ||
		    !grammar_is_field_value(head->fields[i].value))
			return VERDICT_UPSTREAM_INVALID;
	if (x->ev->head(x->arg, head) != 0)
		return VERDICT_UPSTREAM_INVALID;
	x->state = EXCHANGE_RELAY;
	x->last_piece = loop_now(x->e->loop);
	timer_set(x->e->loop, &x->timer, x->target->plan->idle_ms);
	return VERDICT_OK;
}

static bool
on_data(void *arg, struct span piece)
{
	struct exchange *x = arg;

	x->paused = !x->ev->data(x->arg, piece);
	if (!x->paused)
		x->last_piece = loop_now(x->e->loop);
	return !x->paused;
}

static void
on_done(void *arg, enum verdict v, bool sent)
{
	struct exchange *x = arg;
	struct target *t = x->target;

	x->transfer = NULL; /* freed already */
	if (v == VERDICT_UPSTREAM_UNREACHABLE)
		x->e->look_up(x->e, t);
	if (v != VERDICT_OK) {
		log_say(LOG_WARN, "upstream failed", LOG_S("target", t->plan->name),
			LOG_C("code", verdict_row(v)->code));
		fail(x, v, sent);
		return;
	}
	exchange_drop(x);
	x->ev->end(x->arg);
}

static const struct transfer_events events = {on_head, on_data, on_done};

void
exchange_resume(struct exchange *x)
{
	if (!x->paused)
		return;
	x->paused = false;
	transfer_resume(x->transfer);
}

/* ---- starting ---- */

static void
start(struct exchange *x)
{
	struct transfer_request r = {
		.method = span_of(x->method),
		.target = x->inject.target,
		.lines = x->inject.lines,
		.nlines = x->inject.nlines,
		.has_body = x->has_body,
		.body = {x->body, x->body_len},
	};

	if (!target_is_resolved(x->target)) {
		if (x->state != EXCHANGE_RESOLVE) {
			x->resolve_until = loop_now(x->e->loop) + x->target->plan->connect_ms;
			x->e->look_up(x->e, x->target);
		}
		x->state = EXCHANGE_RESOLVE;
		if (loop_now(x->e->loop) >= x->resolve_until)
			fail(x, VERDICT_UPSTREAM_UNREACHABLE, false);
		else
			timer_set(x->e->loop, &x->timer, RESOLVE_POLL_MS);
		return;
	}
	x->state = EXCHANGE_SENT;
	timer_set(x->e->loop, &x->timer, x->target->plan->first_byte_ms);
	x->transfer = transfer_start(x->target->lane, &r, &events, x);
	if (x->transfer == NULL)
		fail(x, VERDICT_OVERLOADED, false);
}

static void
timed_out(struct timer *timer)
{
	struct exchange *x = ev_owner(timer, struct exchange, timer);
	uint64_t idle = x->target->plan->idle_ms, quiet = loop_now(x->e->loop) - x->last_piece;

	if (x->state == EXCHANGE_RESOLVE) {
		start(x);
		return;
	}
	/* An agent that does not read is not an upstream that does not send. */
	if (x->state == EXCHANGE_RELAY && (x->paused || quiet < idle)) {
		timer_set(x->e->loop, &x->timer, x->paused ? idle : idle - quiet);
		return;
	}
	log_say(LOG_WARN, "upstream timed out", LOG_S("target", x->target->plan->name));
	fail(x, VERDICT_UPSTREAM_TIMEOUT, true);
}

void
exchange_init(struct exchange *x, struct egress *e, const struct exchange_events *ev, void *arg)
{
	*x = (struct exchange){.e = e, .ev = ev, .arg = arg};
	x->timer.fn = timed_out;
}

/* ---- the request ---- */

const char *
exchange_begin(struct exchange *x, const struct frame_call *call)
{
	struct header_set *secrets;
	const char *wrong;

	if (call->target >= x->e->plan->ntargets)
		return "a target that does not exist";
	x->target = &x->e->targets[call->target];
	wrong = inject_check(x->target->plan, call, x->e->plan->body_bytes);
	if (wrong != NULL)
		return wrong;
	x->state = EXCHANGE_BODY;
	memcpy(x->method, call->method.ptr, call->method.len);
	x->method[call->method.len] = '\0';
	x->has_body = call->has_body;
	x->body_len = call->body_len;
	x->body_got = 0;
	secrets = vault_headers(x->e->vault, call->target);
	if (secrets == NULL || x->target->lane == NULL) {
		header_set_release(secrets);
		fail(x, VERDICT_CREDENTIAL_UNAVAILABLE, false);
		return NULL;
	}
	inject_build(&x->inject, x->target->plan, call, secrets);
	x->body = malloc(x->body_len + 1);
	if (x->body == NULL)
		abort();
	x->e->buffered += x->body_len;
	return NULL;
}

const char *
exchange_body(struct exchange *x, struct span piece)
{
	if (piece.len > x->body_len - x->body_got)
		return "more body than was announced";
	memcpy(x->body + x->body_got, piece.ptr, piece.len);
	x->body_got += piece.len;
	return NULL;
}

const char *
exchange_send(struct exchange *x)
{
	if (x->body_got != x->body_len)
		return "an end before the body was complete";
	start(x);
	return NULL;
}
