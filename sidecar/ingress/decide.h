/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a request may become a call, and which: every refusal names its rule and what to
 * change.
 */
#ifndef INGRESS_DECIDE_H
#define INGRESS_DECIDE_H

#include "http/head.h"
#include "ingress/caller.h"
#include "ingress/multipart.h"
#include "policy/access/verdict.h"

enum { DECIDE_MODEL_MAX = 128, DECIDE_NO_RULE = -1 };

struct decision {
	struct caller_peer peer; /* at the other end of the connection */
	long caller;             /* CALLER_NONE: not known, or no callers are configured */
	enum dialect dialect;
	const struct route *route; /* NULL: not known */
	enum body_kind body;       /* the route's, as Content-Type decides */
	struct span rest;          /* the path that the route table knows: a view */
	enum dialect spoken;       /* with the target: of rest, once the body was looked at */
	uint16_t target;           /* PLAN_NONE: not chosen */
	long rule;    /* of `models`, that decided; DECIDE_NO_RULE: the default target */
	bool listing; /* the answer lists models, of which some may have to be left out */
	char model[DECIDE_MODEL_MAX + 1]; /* as the agent named it, cut, for the log */
	bool stream;
	struct span rewrite_at; /* where in the body the model's value stands, with quotes … */
	struct span rewrite_to; /* … and the name to put there; ptr NULL: leave it */
	struct span usage_at;   /* what in the body gives way to … */
	struct span usage_text; /* … the wish for usage; ptr NULL: leave it */
	char why[512];          /* of a refusal */
};

/*
 * By the head alone: Host, Origin, upgrade, caller, path, method, query, content type. A caller who
 * is known to d already stays.
 */
enum verdict decide_head(const struct ingress *in, const struct ingress_listener *l,
			 const struct http_request *r, struct decision *d);

/*
 * With the whole body: fields, model, target, secrets. Views into it are kept in d, and others
 * (rest, rewrite_to) that are good until the next call of it.
 */
enum verdict decide_body(const struct ingress *in, struct span body, struct decision *d);

/*
 * Which fields of a form are refused, in front of its files or behind them: for multipart_init,
 * with in as its arg.
 */
scan_denies_fn *decide_form_denies(const struct ingress *in, const struct decision *d);

/*
 * Whether a form cannot be sent on before its model is known: rules for models, or a target whose
 * path has it.
 */
bool decide_awaits_model(const struct ingress *in, const struct decision *d);

/*
 * decide_body for a form: model_at and model_len tell where the model stands, which rewrite_to
 * replaces. Before its end the form may be judged as soon as decide_awaits_model allows.
 */
enum verdict decide_form(const struct ingress *in, const struct multipart *form,
			 struct decision *d);
/* Says which fault a form has, in d->why. */
enum verdict decide_form_fault(const struct multipart *form, struct decision *d);

/*
 * Whether, by the rules of `models`, the call may name model, and would have target told sent for
 * it.
 */
bool decide_may_list(const struct ingress *in, long caller, struct span model, uint16_t target,
		     struct span sent);

#endif
