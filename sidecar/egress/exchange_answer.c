/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "egress/exchange_parts.h"

#include "base/log.h"
#include "egress/throttle.h"
#include "http/grammar.h"

enum { HOLD_MS = 3 * 1000 }; /* a refusal, at most (design section 4) */

static bool
is_sound(const struct frame_head *head)
{
	for (size_t i = 0; i < head->nfields; i++)
		if (!grammar_is_token(head->fields[i].name) ||
		    !grammar_is_field_value(head->fields[i].value))
			return false;
	return head->status <= 599;
}

/* Whether a secret would be found in what the head belongs to, where it is to be. */
static bool
is_readable(const struct exchange *x, const struct frame_head *head)
{
	return !x->target->plan->redact || outlet_reads(head);
}

/* ---- a refusal (design section 4) ---- */

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
	if (v == VERDICT_OVERLOADED) {
		log_say(LOG_WARN,
			"there is no descriptor for a connection to an upstream: raise "
			"RLIMIT_NOFILE or lower limits.connections",
			LOG_S("target", x->target->plan->name));
		return;
	}
	log_say(LOG_WARN, "upstream failed", LOG_S("target", x->target->plan->name),
		LOG_C("code", verdict_row(v)->code),
		LOG_IF(x->status != 0, LOG_U("upstream_status", x->status)));
}

static int
pass_head(struct exchange *x, const struct frame_head *head)
{
	struct frame_head told = *head;

	told.target = (uint16_t)exchange_target(x);
	return outlet_head(&x->outlet, inject_redactor(&x->inject), &told, &x->ev->sink, x->arg);
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
		exchange_fail(x, VERDICT_UPSTREAM_INVALID);
		return;
	}
	exchange_drop(x);
	x->ev->end(x->arg);
}

void
exchange_broken(struct later *l)
{
	struct exchange *x = ev_owner(l, struct exchange, broken);

	say_failed(x, VERDICT_UPSTREAM_INVALID);
	exchange_fail(x, VERDICT_UPSTREAM_INVALID);
}

static bool
has_newer(const struct exchange *x)
{
	if (x->inject.loan != NULL &&
	    signers_is_newer(x->e->signers, exchange_target(x), x->inject.loan->version))
		return true;
	return vault_is_newer(x->e->vault, x->inject.secrets) ||
	       x->tls_version != x->target->tls_version;
}

/*
 * The held refusal goes on as it came, and what still comes of it follows. There is room: nothing
 * of this call's is on the way yet, and what is held is bounded accordingly.
 */
static bool
let_go(struct exchange *x)
{
	_Alignas(max_align_t) char space[FRAME_ROOM];
	struct http_field fields[HTTP_FIELDS_MAX];
	struct frame_head head;
	struct pool room;
	int bad;

	assert(x->held.as.verdict == VERDICT_OK);
	pool_over(&room, space, sizeof(space));
	bad = held_take(&x->held, &room, &head);
	if (bad == 0 && refusal_may_be_budget(&head) && refusal_is_budget(buf_span(&x->held.body)))
		refusal_say_retry(&head, false, fields);
	else if (bad == 0 && x->held.as.refusal != REFUSAL_NONE && has_newer(x))
		refusal_say_retry(&head, true, fields); /* of a body that is kept nowhere */
	if (bad == 0)
		bad = pass_head(x, &head);
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
		exchange_fail(x, v);
		return;
	}
	if (let_go(x))
		end(x);
	else
		exchange_broken(&x->broken);
}

/* Sends the call once more with what there is now. False: there is nothing newer. */
static bool
send_again(struct exchange *x)
{
	struct header_set *secrets;

	if (x->inlet.streamed || !has_newer(x))
		return false;
	secrets = vault_headers(x->e->vault, exchange_target(x));
	if (secrets == NULL || x->target->lane == NULL) {
		header_set_release(secrets);
		return false;
	}
	inject_renew(&x->inject, secrets);
	held_free(&x->held);
	x->replayed = true;
	exchange_start(x);
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

/* ---- another deployment (design section 7) ---- */

static bool
is_of_aws(const struct exchange *x)
{
	return x->target->plan->is_signed || x->target->plan->provider == PROVIDER_BEDROCK;
}

bool
exchange_move_on(struct exchange *x, enum verdict why, bool answers)
{
	_Alignas(max_align_t) char space[FRAME_ROOM];
	struct target *left = x->target, *next = spread_next(&x->spread, x->e, answers);
	struct header_set *secrets;
	struct frame_call call;
	struct pool room;

	if (next == NULL)
		return false;
	pool_over(&room, space, sizeof(space));
	if (spread_call(&x->spread, &room, &call) != 0)
		abort(); /* it was written by the same form */
	x->target = next;
	secrets = vault_headers(x->e->vault, exchange_target(x));
	assert(secrets != NULL); /* it is usable */
	held_free(&x->held);
	inject_free(&x->inject);
	inject_build(&x->inject, next->plan, &call, secrets);
	x->replayed = false;
	x->e->deployment(x->e, left, true, why, spread_cools_ms(&x->spread, x->e, left));
	exchange_start(x);
	return true;
}

/* Holds back an answer that may let the call go to another; false: it goes on as it comes. */
static bool
hold_throttle(struct exchange *x, struct judgement as, const struct frame_head *head)
{
	if (throttle_by_head(head, is_of_aws(x)) == THROTTLE_NO || x->inlet.streamed ||
	    !is_readable(x, head) || !spread_has_next(&x->spread, x->e) || !is_sound(head) ||
	    held_head(&x->held, as, head) != 0)
		return false;
	x->state = EXCHANGE_SPARED;
	timer_set(x->e->loop, &x->timer, HOLD_MS);
	return true;
}

/* All of it is here. */
static void
consider_throttle(struct exchange *x)
{
	if (!held_is_throttle(&x->held, is_of_aws(x)) || !exchange_move_on(x, VERDICT_OK, true))
		give_up(x);
}

/*
 * Notes that the call failed where it is. If that was not reached, nothing was sent, and the call
 * goes to another, be it one that failed a moment ago: there is no answer to pass on.
 */
static bool
went_elsewhere(struct exchange *x, enum verdict v, bool sent)
{
	bool unreached = x->state == EXCHANGE_SENT && !sent &&
			 (v == VERDICT_UPSTREAM_UNREACHABLE || v == VERDICT_UPSTREAM_UNTRUSTED);

	/* Neither our credentials nor our own shortage says anything of a deployment. */
	if (v != VERDICT_ACCESS_DENIED_BY_GATEWAY && v != VERDICT_OVERLOADED)
		spread_failed(&x->spread, x->e, v, 0);
	return unreached && spread_may_dial(&x->spread, x->e) && exchange_move_on(x, v, false);
}

/* ---- a budget that is spent (design section 6) ---- */

/*
 * Holds back an answer whose body may say that another try is in vain: its head has to say it. Of a
 * call that is not signed it may be LiteLLM's, which has a /bedrock, too.
 */
static bool
hold_budget(struct exchange *x, struct judgement as, const struct frame_head *head)
{
	if (!refusal_may_be_budget(head) || x->target->plan->is_signed ||
	    held_head(&x->held, as, head) != 0)
		return false;
	x->state = EXCHANGE_SPENT;
	timer_set(x->e->loop, &x->timer, HOLD_MS);
	return true;
}

/* ---- the upstream's side ---- */

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
	bool readable = is_readable(x, head);

	x->status = head->status;
	if (x->inject.loan != NULL && refusal_names_signature(head))
		as.refusal = REFUSAL_FORBIDDEN;
	if (throttle_is_failure(head->status)) {
		spread_failed(&x->spread, x->e, VERDICT_OK,
			      throttle_retry_ms(head, loop_wall_ms() / 1000));
		if (hold_throttle(x, as, head))
			return as.verdict;
	}
	/* No secret is found in it: none of it goes on, though a refusal is looked into. */
	if (!readable && as.verdict == VERDICT_OK)
		as.verdict = VERDICT_UPSTREAM_INVALID;
	if (as.refusal != REFUSAL_NONE && may_hold(x) && is_sound(head) &&
	    held_head(&x->held, as, head) == 0) {
		x->state = EXCHANGE_HELD;
		timer_set(x->e->loop, &x->timer, HOLD_MS);
		return as.verdict;
	}
	if (readable && as.verdict == VERDICT_UPSTREAM_INVALID && x->may_be_html &&
	    head->status == 200)
		as.verdict = VERDICT_OK;
	if (as.verdict != VERDICT_OK)
		return as.verdict;
	if (!is_sound(head))
		return VERDICT_UPSTREAM_INVALID;
	if (!throttle_is_failure(head->status))
		spread_succeeded(&x->spread, x->e);
	if (hold_budget(x, as, head))
		return VERDICT_OK;
	if (pass_head(x, head) != 0)
		return VERDICT_UPSTREAM_INVALID;
	relay(x);
	return VERDICT_OK;
}

bool
exchange_is_held(const struct exchange *x)
{
	return x->state == EXCHANGE_HELD || x->state == EXCHANGE_SPARED ||
	       x->state == EXCHANGE_SPENT;
}

static bool
on_data(void *arg, struct span piece)
{
	struct exchange *x = arg;
	enum outlet_answer answer;

	if (exchange_is_held(x)) {
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
	if (exchange_is_held(x) && v == x->held.as.verdict) {
		if (x->state == EXCHANGE_HELD)
			consider(x);
		else if (x->state == EXCHANGE_SPARED)
			consider_throttle(x);
		else
			give_up(x);
		return;
	}
	/* It broke off: the agent sees how far it came. */
	if (exchange_is_held(x) && !let_go(x)) {
		exchange_broken(&x->broken);
		return;
	}
	if (v == VERDICT_UPSTREAM_UNREACHABLE)
		x->e->look_up(x->e, t);
	if (v == VERDICT_OK) {
		end(x);
	} else if (!went_elsewhere(x, v, sent)) {
		say_failed(x, v);
		exchange_fail(x, v);
	}
}

const struct transfer_events exchange_answer = {on_head, on_data, on_more, on_done};

/* Of several secrets one may be here, be it that the store keeps silent of the others. */
static void
looked_too_long(struct exchange *x)
{
	look_leave(&x->target->look, &x->look);
	if (send_again(x))
		return;
	if (look_late(&x->target->look, &x->look, loop_now(x->e->loop)))
		log_say(LOG_WARN,
			"an upstream refused our credentials, and the store did not say in time "
			"whether it has newer ones; the refusal is passed on",
			LOG_S("target", x->target->plan->name));
	give_up(x);
}

void
exchange_held_too_long(struct exchange *x)
{
	if (!exchange_is_held(x))
		looked_too_long(x);
	else if (!let_go(x)) /* an endless body: it is passed on as it comes */
		exchange_broken(&x->broken);
}
