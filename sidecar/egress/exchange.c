/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "egress/exchange_parts.h"

#include "base/log.h"

enum { RESOLVE_POLL_MS = 50 }; /* while the first answer of the resolver is awaited */

/* ---- ends ---- */

static void
tell_redactions(struct exchange *x)
{
	struct redactions *found = &x->outlet.redact.found;

	for (size_t i = 0; i < 64 && found->matches > 0; i++) {
		if ((found->secrets >> i & 1) == 0)
			continue;
		x->e->redacted(x->e, x->target, inject_redacted(&x->inject, i), found->matches);
		found->matches = 0; /* counted once, whatever the number of secrets */
	}
	*found = (struct redactions){0};
}

void
exchange_drop(struct exchange *x)
{
	struct transfer *t = x->transfer;

	tell_redactions(x);
	outlet_stop(&x->outlet);
	timer_stop(x->e->loop, &x->timer);
	later_stop(x->e->loop, &x->broken);
	x->transfer = NULL;
	transfer_cancel(t);
	if (x->target != NULL)
		look_leave(&x->target->look, &x->look);
	held_free(&x->held);
	inject_free(&x->inject);
	spread_free(&x->spread);
	x->e->buffered -= inlet_kept(&x->inlet);
	inlet_free(&x->inlet);
	x->paused = false;
	x->state = EXCHANGE_NONE;
}

void
exchange_fail(struct exchange *x, enum verdict v)
{
	exchange_drop(x);
	x->ev->fail(x->arg, v);
}

size_t
exchange_target(const struct exchange *x)
{
	return (size_t)(x->target - x->e->targets);
}

void
exchange_resume(struct exchange *x)
{
	if (!x->paused)
		return;
	x->paused = false;
	transfer_resume(x->transfer);
}

/* ---- starting ---- */

/* How far a step of the start has come; why it failed is told beside it. */
enum step { STEP_DONE, STEP_WAITS, STEP_FAILED };

static enum step
failed(enum verdict v, enum verdict *why)
{
	*why = v;
	return STEP_FAILED;
}

static enum step
await_address(struct exchange *x, enum verdict *why)
{
	uint64_t now = loop_now(x->e->loop);

	if (target_is_resolved(x->target))
		return STEP_DONE;
	if (x->state != EXCHANGE_RESOLVE) {
		x->resolve_until = now + x->target->plan->connect_ms;
		x->e->look_up(x->e, x->target);
	}
	x->state = EXCHANGE_RESOLVE;
	if (now >= x->resolve_until)
		return failed(VERDICT_UPSTREAM_UNREACHABLE, why);
	timer_set(x->e->loop, &x->timer, RESOLVE_POLL_MS);
	return STEP_WAITS;
}

static struct span
kept_body(const struct exchange *x)
{
	return (struct span){x->inlet.whole, (size_t)x->inlet.len};
}

static enum step
sign_request(struct exchange *x, enum verdict *why)
{
	enum verdict v = VERDICT_OK;

	if (x->target->lane == NULL) /* it was taken back while an address was awaited */
		return failed(target_verdict(x->target), why);
	if (x->target->plan->is_signed)
		v = inject_sign(&x->inject, x->e->signers, exchange_target(x), span_of(x->method),
				kept_body(x));
	return v == VERDICT_OK ? STEP_DONE : failed(v, why);
}

static enum step
send_request(struct exchange *x, enum verdict *why)
{
	const struct transfer_request r = {
		.method = span_of(x->method),
		.target = x->inject.target,
		.lines = x->inject.lines,
		.nlines = x->inject.nlines,
		.has_body = x->inlet.has_body,
		.body = kept_body(x),
		.streamed = x->inlet.streamed,
		.length = x->inlet.chunked ? -1 : (int64_t)x->inlet.len,
	};

	x->state = EXCHANGE_SENT;
	x->status = 0;
	x->tls_version = x->target->tls_version;
	x->last_piece = loop_now(x->e->loop);
	timer_set(x->e->loop, &x->timer,
		  inlet_is_coming(&x->inlet) ? x->target->plan->idle_ms
					     : x->target->plan->first_byte_ms);
	x->transfer = transfer_start(x->target->lane, &r, &exchange_answer, x);
	return x->transfer == NULL ? failed(VERDICT_OVERLOADED, why) : STEP_DONE;
}

void
exchange_start(struct exchange *x)
{
	enum verdict why = VERDICT_OK;
	enum step s = await_address(x, &why);

	if (s == STEP_DONE)
		s = sign_request(x, &why);
	if (s == STEP_DONE)
		s = send_request(x, &why);
	if (s == STEP_FAILED)
		exchange_fail(x, why);
}

/*
 * How long the upstream that is to answer may still be silent, in ms. While it is dialled,
 * timeouts.connect decides; then it is not silent as long as it takes some of the request, nor is
 * an agent that does not send an upstream that does not take it.
 */
static uint64_t
time_left(const struct exchange *x)
{
	bool coming = inlet_is_coming(&x->inlet);
	uint64_t limit = coming ? x->target->plan->idle_ms : x->target->plan->first_byte_ms;
	uint64_t quiet, since = x->last_piece, moved;

	if (!transfer_is_sent(x->transfer, &moved) || (coming && x->inlet.pieces.len == 0))
		return limit;
	if (!coming && moved > since)
		since = moved;
	quiet = loop_now(x->e->loop) - since;
	return quiet < limit ? limit - quiet : 0;
}

static void
timed_out(struct timer *timer)
{
	struct exchange *x = ev_owner(timer, struct exchange, timer);
	uint64_t idle = x->target->plan->idle_ms, quiet = loop_now(x->e->loop) - x->last_piece;
	uint64_t left = x->state == EXCHANGE_SENT ? time_left(x) : 0;

	if (x->state == EXCHANGE_RESOLVE) {
		/* Another may have its address by now. */
		if (target_is_resolved(x->target) ||
		    !exchange_move_on(x, VERDICT_UPSTREAM_UNREACHABLE, false))
			exchange_start(x);
		return;
	}
	if (left > 0) {
		timer_set(x->e->loop, &x->timer, left);
		return;
	}
	/* An agent that does not read is not an upstream that does not send. */
	if (x->state == EXCHANGE_RELAY && (x->paused || quiet < idle)) {
		timer_set(x->e->loop, &x->timer, x->paused ? idle : idle - quiet);
		return;
	}
	if (exchange_is_held(x) || x->state == EXCHANGE_LOOK) {
		exchange_held_too_long(x);
		return;
	}
	log_say(LOG_WARN, "upstream timed out", LOG_S("target", x->target->plan->name));
	spread_failed(&x->spread, x->e, VERDICT_UPSTREAM_TIMEOUT, 0);
	exchange_fail(x, VERDICT_UPSTREAM_TIMEOUT);
}

void
exchange_init(struct exchange *x, struct egress *e, const struct exchange_events *ev, void *arg)
{
	*x = (struct exchange){.e = e, .ev = ev, .arg = arg};
	x->timer.fn = timed_out;
	x->broken.fn = exchange_broken;
}

/* ---- the request ---- */

/* Ingress counts our copies too, and refuses sooner; this holds when it does not. */
static bool
has_room(const struct egress *e, uint64_t n)
{
	return n <= e->plan->buffer_total && e->buffered <= e->plan->buffer_total - n;
}

/* GET /files/{id}/content: what was stored may be a page; an error's page it is not (200 alone). */
static bool
is_stored_file(const struct frame_call *call)
{
	return call->operation == OPERATION_FILES && span_is(call->method, "GET") &&
	       span_ends(call->path, SPAN("/content"));
}

const char *
exchange_begin(struct exchange *x, const struct frame_call *call)
{
	struct header_set *secrets;
	struct target *asked;
	const char *wrong;

	if (call->target >= x->e->plan->ntargets)
		return "a target that does not exist";
	asked = &x->e->targets[call->target];
	if (asked->plan->is_deployment)
		return "a deployment, which is not for ingress to choose";
	wrong = inject_check(asked->plan, call, x->e->plan->body_bytes + FRAME_RENAME_MAX,
			     x->e->plan->upload_bytes + FRAME_RENAME_MAX);
	if (wrong != NULL)
		return wrong;
	x->target = spread_begin(&x->spread, x->e, asked, call);
	x->state = EXCHANGE_BODY;
	inlet_begin(&x->inlet, call);
	x->may_be_html = is_stored_file(call) && !x->target->plan->access;
	x->replayed = false;
	(void)span_cstr(call->model, x->model, sizeof(x->model));
	(void)span_cstr(call->method, x->method, sizeof(x->method));
	secrets = vault_headers(x->e->vault, exchange_target(x));
	if (secrets == NULL || x->target->lane == NULL) {
		exchange_fail(x, secrets == NULL ? VERDICT_CREDENTIAL_UNAVAILABLE
						 : target_verdict(x->target));
		header_set_release(secrets);
		return NULL;
	}
	inject_build(&x->inject, x->target->plan, call, secrets);
	if (x->inlet.streamed) {
		if (x->target->plan->is_signed) /* a signature covers the whole body */
			exchange_fail(x, VERDICT_OPERATION_NOT_ALLOWED);
		else
			exchange_start(x);
		return NULL;
	}
	if (!has_room(x->e, x->inlet.len)) {
		exchange_fail(x, VERDICT_OVERLOADED);
		return NULL;
	}
	inlet_keep(&x->inlet);
	x->e->buffered += x->inlet.len;
	return NULL;
}

const char *
exchange_body(struct exchange *x, struct span piece)
{
	/* After an early answer, or while its refusal is looked into, the rest is of no use. */
	bool wanted = x->state == EXCHANGE_RESOLVE || x->transfer != NULL;
	const char *wrong =
		inlet_add(&x->inlet, piece, x->e->plan->upload_bytes + FRAME_RENAME_MAX, wanted);

	if (wrong == NULL && x->transfer != NULL)
		transfer_more(x->transfer);
	return wrong;
}

bool
exchange_has_room(const struct exchange *x)
{
	return inlet_has_room(&x->inlet);
}

const char *
exchange_send(struct exchange *x)
{
	const char *wrong = inlet_end(&x->inlet);

	if (wrong != NULL)
		return wrong;
	if (!x->inlet.streamed) {
		exchange_start(x);
		return NULL;
	}
	if (x->state == EXCHANGE_SENT) {
		x->last_piece = loop_now(x->e->loop);
		timer_set(x->e->loop, &x->timer, x->target->plan->first_byte_ms);
	}
	if (x->transfer != NULL)
		transfer_more(x->transfer);
	return NULL;
}
