/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "egress/exchange.h"

#include "base/log.h"
#include "http/grammar.h"

enum {
	RESOLVE_POLL_MS = 50, /* while the first answer of the resolver is awaited */
	HOLD_MS = 3 * 1000,   /* a refusal, at most (design section 4) */
};

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
	x->e->buffered -= inlet_kept(&x->inlet);
	inlet_free(&x->inlet);
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

/* ---- a refusal (design section 4) ---- */

static void start(struct exchange *x);

static void
relay(struct exchange *x)
{
	x->state = EXCHANGE_RELAY;
	x->last_piece = loop_now(x->e->loop);
	timer_set(x->e->loop, &x->timer, x->target->plan->idle_ms);
}

static void
say_failed(const struct exchange *x, enum verdict v)
{
	log_say(LOG_WARN, "upstream failed", LOG_S("target", x->target->plan->name),
		LOG_C("code", verdict_row(v)->code));
}

static int
pass_head(struct exchange *x, const struct frame_head *head)
{
	return outlet_head(&x->outlet, inject_redactor(&x->inject), head, &x->ev->sink, x->arg);
}

static enum outlet_answer
pass_data(struct exchange *x, struct span piece)
{
	return outlet_data(&x->outlet, piece, &x->ev->sink, x->arg);
}

/* The answer is complete, and so is what goes on of it. */
static void
end(struct exchange *x)
{
	if (outlet_end(&x->outlet, &x->ev->sink, x->arg) != OUTLET_TAKEN) {
		say_failed(x, VERDICT_UPSTREAM_INVALID);
		fail(x, VERDICT_UPSTREAM_INVALID, true);
		return;
	}
	exchange_drop(x);
	x->ev->end(x->arg);
}

static void
broken(struct later *l)
{
	struct exchange *x = ev_owner(l, struct exchange, broken);

	say_failed(x, VERDICT_UPSTREAM_INVALID);
	fail(x, VERDICT_UPSTREAM_INVALID, true);
}

/*
 * The held refusal goes on as it came, and what still comes of it follows. There is room: nothing
 * of this call's is on the way yet, and what is held is bounded accordingly.
 */
static bool
let_go(struct exchange *x)
{
	_Alignas(max_align_t) char space[HTTP_FIELDS_MAX * sizeof(struct http_field) + 64];
	struct frame_head head;
	struct pool room;
	int bad;

	assert(x->held.as.verdict == VERDICT_OK);
	pool_over(&room, space, sizeof(space));
	bad = held_take(&x->held, &room, &head) | pass_head(x, &head);
	if (x->held.body.len > 0 && pass_data(x, buf_span(&x->held.body)) != OUTLET_TAKEN)
		bad = -1;
	held_free(&x->held);
	relay(x);
	return bad == 0;
}

/* No newer secret: the agent gets the refusal, or what stands in its place. */
static void
give_up(struct exchange *x)
{
	enum verdict v = x->held.as.verdict;

	if (v != VERDICT_OK) {
		say_failed(x, v);
		fail(x, v, true);
		return;
	}
	if (let_go(x))
		end(x);
	else
		broken(&x->broken);
}

static size_t
number_of(const struct exchange *x)
{
	return (size_t)(x->target - x->e->targets);
}

static bool
has_newer(const struct exchange *x)
{
	if (x->inject.loan != NULL &&
	    signers_is_newer(x->e->signers, number_of(x), x->inject.loan->version))
		return true;
	return vault_is_newer(x->e->vault, x->inject.secrets) ||
	       x->tls_version != x->target->tls_version;
}

/* Sends the call once more with what there is now. False: there is nothing newer. */
static bool
send_again(struct exchange *x)
{
	struct header_set *secrets;

	if (x->inlet.streamed || !has_newer(x))
		return false;
	secrets = vault_headers(x->e->vault, number_of(x));
	if (secrets == NULL || x->target->lane == NULL) {
		header_set_release(secrets);
		return false;
	}
	inject_renew(&x->inject, secrets);
	held_free(&x->held);
	x->replayed = true;
	start(x);
	return true;
}

static bool
looked_well(struct look_call *c)
{
	return send_again(ev_owner(c, struct exchange, look));
}

static void
looked_in_vain(struct look_call *c)
{
	give_up(ev_owner(c, struct exchange, look));
}

/* Whether the refusal is of our credentials, and notes for the keeper which it was. */
static bool
is_worth_a_look(struct exchange *x)
{
	uint64_t date_s = 0;

	if (x->held.as.refusal != REFUSAL_ACCESS && x->inject.loan != NULL &&
	    !refusal_is_of_signature(&x->held, &date_s))
		return false;
	x->target->refused_version = x->inject.loan == NULL ? 0 : x->inject.loan->version;
	x->target->refused_s = date_s;
	return x->held.as.verdict != VERDICT_OK || !refusal_is_model(buf_span(&x->held.body));
}

/*
 * All of the refusal is here. While a look is under way its end is waited for even if there is
 * something newer: of two secrets that changed together one may be here before the other.
 */
static void
consider(struct exchange *x)
{
	struct look *look = &x->target->look;
	enum look_answer answer;

	if (!is_worth_a_look(x)) {
		give_up(x);
		return;
	}
	if (!look->under_way && has_newer(x)) {
		if (!send_again(x))
			give_up(x);
		return;
	}
	look_print(&x->look.print, x->held.as.refusal, span_of(x->method),
		   span_of(x->inject.target), span_of(x->model));
	x->look.again = looked_well;
	x->look.pass_on = looked_in_vain;
	answer = look_join(look, &x->look, loop_now(x->e->loop));
	if (answer == LOOK_IN_VAIN) {
		give_up(x);
		return;
	}
	x->state = EXCHANGE_LOOK; /* the timer goes on */
	if (answer == LOOK_ASK)
		x->e->refused(x->e, x->target);
}

/* ---- the upstream's side ---- */

static bool
is_sound(const struct frame_head *head)
{
	for (size_t i = 0; i < head->nfields; i++)
		if (!grammar_is_token(head->fields[i].name) ||
		    !grammar_is_field_value(head->fields[i].value))
			return false;
	return head->status <= 599;
}

/* Whether another secret could make a difference to a call that was refused. */
static bool
may_hold(const struct exchange *x)
{
	return !x->replayed && (header_set_has_secret(x->inject.secrets) ||
				x->inject.loan != NULL || x->target->plan->has_tls_client);
}

static enum verdict
on_head(void *arg, const struct frame_head *head)
{
	struct exchange *x = arg;
	struct judgement as = refusal_judge(head, x->target->plan->access);

	if (x->target->plan->redact && !outlet_reads(head))
		return VERDICT_UPSTREAM_INVALID;
	if (as.refusal != REFUSAL_NONE && may_hold(x) && is_sound(head) &&
	    held_head(&x->held, as, head, x->inlet.streamed) == 0) {
		x->state = EXCHANGE_HELD;
		timer_set(x->e->loop, &x->timer, HOLD_MS);
		return as.verdict;
	}
	if (as.verdict == VERDICT_UPSTREAM_INVALID && x->may_be_html && head->status == 200)
		as.verdict = VERDICT_OK;
	if (as.verdict != VERDICT_OK)
		return as.verdict;
	if (!is_sound(head) || pass_head(x, head) != 0)
		return VERDICT_UPSTREAM_INVALID;
	relay(x);
	return VERDICT_OK;
}

static bool
on_data(void *arg, struct span piece)
{
	struct exchange *x = arg;
	enum outlet_answer answer;

	if (x->state == EXCHANGE_HELD) {
		if (held_body(&x->held, piece) == 0)
			return true;
		/* Too long to be an error's: it is not looked into. */
		answer = let_go(x) ? pass_data(x, piece) : OUTLET_BROKEN;
	} else {
		answer = pass_data(x, piece);
	}
	if (answer == OUTLET_BROKEN)
		loop_later(x->e->loop, &x->broken);
	x->paused = answer != OUTLET_TAKEN;
	if (!x->paused)
		x->last_piece = loop_now(x->e->loop);
	return !x->paused;
}

/* What libcurl takes of a streamed body makes room for what waits at ingress. */
static long
on_more(void *arg, char *to, size_t max)
{
	struct exchange *x = arg;
	long n = inlet_give(&x->inlet, to, max);

	if (n > 0) {
		x->last_piece = loop_now(x->e->loop);
		x->ev->room(x->arg);
	}
	return n;
}

static void
on_done(void *arg, enum verdict v, bool sent)
{
	struct exchange *x = arg;
	struct target *t = x->target;

	x->transfer = NULL; /* freed already */
	if (x->state == EXCHANGE_HELD && v == x->held.as.verdict) {
		consider(x);
		return;
	}
	/* It broke off: the agent sees how far it came. */
	if (x->state == EXCHANGE_HELD && !let_go(x)) {
		broken(&x->broken);
		return;
	}
	if (v == VERDICT_UPSTREAM_UNREACHABLE)
		x->e->look_up(x->e, t);
	if (v != VERDICT_OK) {
		say_failed(x, v);
		fail(x, v, sent);
		return;
	}
	end(x);
}

static const struct transfer_events events = {on_head, on_data, on_more, on_done};

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
		.has_body = x->inlet.has_body,
		.body = {x->inlet.whole, (size_t)x->inlet.len},
		.streamed = x->inlet.streamed,
		.length = x->inlet.chunked ? -1 : (int64_t)x->inlet.len,
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
	if (x->target->lane == NULL) { /* it was taken back while an address was awaited */
		fail(x, VERDICT_CREDENTIAL_UNAVAILABLE, false);
		return;
	}
	if (x->target->plan->is_signed &&
	    inject_sign(&x->inject, x->e->signers, number_of(x), r.method, r.body) != 0) {
		fail(x, VERDICT_CREDENTIAL_UNAVAILABLE, false);
		return;
	}
	r.target = x->inject.target;
	r.lines = x->inject.lines;
	r.nlines = x->inject.nlines;
	x->state = EXCHANGE_SENT;
	x->tls_version = x->target->tls_version;
	x->last_piece = loop_now(x->e->loop);
	timer_set(x->e->loop, &x->timer,
		  inlet_is_coming(&x->inlet) ? x->target->plan->idle_ms
					     : x->target->plan->first_byte_ms);
	x->transfer = transfer_start(x->target->lane, &r, &events, x);
	if (x->transfer == NULL)
		fail(x, VERDICT_OVERLOADED, false);
}

static void
held_too_long(struct exchange *x)
{
	if (x->state == EXCHANGE_HELD) {
		/* An endless body: it is passed on as it comes. */
		if (!let_go(x))
			broken(&x->broken);
		return;
	}
	if (look_late(&x->target->look, &x->look, loop_now(x->e->loop)))
		log_say(LOG_WARN,
			"an upstream refused our credentials, and the store did not say in time "
			"whether it has newer ones; the refusal is passed on",
			LOG_S("target", x->target->plan->name));
	give_up(x);
}

static void
timed_out(struct timer *timer)
{
	struct exchange *x = ev_owner(timer, struct exchange, timer);
	uint64_t idle = x->target->plan->idle_ms, quiet = loop_now(x->e->loop) - x->last_piece;
	bool unsent = x->inlet.pieces.len > 0;

	if (x->state == EXCHANGE_RESOLVE) {
		start(x);
		return;
	}
	/* Nor is an agent that does not send an upstream that does not take it. */
	if (x->state == EXCHANGE_SENT && inlet_is_coming(&x->inlet) && (!unsent || quiet < idle)) {
		timer_set(x->e->loop, &x->timer, unsent ? idle - quiet : idle);
		return;
	}
	/* An agent that does not read is not an upstream that does not send. */
	if (x->state == EXCHANGE_RELAY && (x->paused || quiet < idle)) {
		timer_set(x->e->loop, &x->timer, x->paused ? idle : idle - quiet);
		return;
	}
	if (x->state == EXCHANGE_HELD || x->state == EXCHANGE_LOOK) {
		held_too_long(x);
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
	x->broken.fn = broken;
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
	const char *wrong;

	if (call->target >= x->e->plan->ntargets)
		return "a target that does not exist";
	x->target = &x->e->targets[call->target];
	wrong = inject_check(x->target->plan, call, x->e->plan->body_bytes,
			     x->e->plan->upload_bytes + FRAME_RENAME_MAX);
	if (wrong != NULL)
		return wrong;
	x->state = EXCHANGE_BODY;
	inlet_begin(&x->inlet, call);
	x->may_be_html = is_stored_file(call) && !x->target->plan->access;
	x->replayed = false;
	memcpy(x->model, call->model.ptr, call->model.len);
	x->model[call->model.len] = '\0';
	memcpy(x->method, call->method.ptr, call->method.len);
	x->method[call->method.len] = '\0';
	secrets = vault_headers(x->e->vault, call->target);
	if (secrets == NULL || x->target->lane == NULL) {
		header_set_release(secrets);
		fail(x, VERDICT_CREDENTIAL_UNAVAILABLE, false);
		return NULL;
	}
	inject_build(&x->inject, x->target->plan, call, secrets);
	if (x->inlet.streamed) {
		if (x->target->plan->is_signed) /* a signature covers the whole body */
			fail(x, VERDICT_OPERATION_NOT_ALLOWED, false);
		else
			start(x);
		return NULL;
	}
	if (!has_room(x->e, x->inlet.len)) {
		fail(x, VERDICT_OVERLOADED, false);
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
		start(x);
		return NULL;
	}
	if (x->state == EXCHANGE_SENT)
		timer_set(x->e->loop, &x->timer, x->target->plan->first_byte_ms);
	if (x->transfer != NULL)
		transfer_more(x->transfer);
	return NULL;
}
