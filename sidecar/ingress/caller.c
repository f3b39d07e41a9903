/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <sys/socket.h>

#include "ingress/caller.h"

#include "ingress/token.h"
#include "policy/access/models.h"

enum { PRESENTED_MAX = 8 };

/* What a request presents, as digests. */
struct presented {
	unsigned char digests[PRESENTED_MAX][DIGEST_BYTES];
	size_t n;
	bool too_many;
};

struct caller_peer
caller_peer_of(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 || n != sizeof(who))
		return (struct caller_peer){false, 0};
	return (struct caller_peer){true, who.uid};
}

/* ---- what is presented ---- */

/* Where clients put their API key as it is (reference/llm.md 1.2). */
static const char *const key_headers[] = {"x-api-key", "api-key", "x-goog-api-key"};

static void
present(struct presented *p, struct span token)
{
	if (token.len == 0)
		return;
	if (p->n == PRESENTED_MAX) {
		p->too_many = true;
		return;
	}
	digest_sha256(token, p->digests[p->n++]);
}

/* The access key id of a signature of AWS: `Credential=ID/20260728/REGION/SERVICE/aws4_request`. */
static struct span
access_key_id(struct span value)
{
	const struct span name = SPAN("Credential=");

	for (size_t at = 0; at + name.len < value.len; at++)
		if (span_starts(span_cut(value, at, value.len), name)) {
			at += name.len;
			return span_cut(value, at, span_find(value, at, '/'));
		}
	return (struct span){NULL, 0};
}

static void
present_authorization(struct presented *p, struct span value)
{
	const struct span bearer = SPAN("Bearer "), sigv4 = SPAN("AWS4-");

	if (span_istarts(value, bearer))
		present(p, span_trim(span_cut(value, bearer.len, value.len)));
	else if (span_istarts(value, sigv4))
		present(p, access_key_id(value));
}

static void
collect(const struct http_request *r, struct presented *p)
{
	for (size_t i = 0; i < r->nfields; i++) {
		const struct http_field *f = &r->fields[i];

		if (span_iis(f->name, "authorization"))
			present_authorization(p, f->value);
		for (size_t k = 0; k < sizeof(key_headers) / sizeof(key_headers[0]); k++)
			if (span_iis(f->name, key_headers[k]))
				present(p, f->value);
	}
}

/* ---- who that is ---- */

static bool
has_token(const struct ingress_caller *c)
{
	return c->token.slot != PLAN_NONE || c->token.digest.len > 0;
}

static bool
is_presented(const struct presented *p, struct span digest)
{
	bool found = false;

	for (size_t i = 0; i < p->n; i++)
		found |= span_eq_ct((struct span){(const char *)p->digests[i], DIGEST_BYTES},
				    digest);
	return found;
}

static bool
is_user(const struct ingress_caller *c, struct caller_peer peer)
{
	for (size_t i = 0; i < c->nuids; i++)
		if (peer.is_known && c->uids[i].uid == peer.uid)
			return true;
	return false;
}

/* Whether a token is yet to come from its store; one that was refused is nobody's. */
static bool
is_awaited(const struct ingress *in, const struct ingress_caller *c)
{
	return c->token.slot != PLAN_NONE && !in->slots[c->token.slot].has_digest &&
	       in->slots[c->token.slot].state != SLOT_REFUSED;
}

struct found {
	long by_token, by_uid;
	size_t tokens; /* callers who have what was presented */
	bool awaited;
};

static void
look(const struct ingress *in, struct caller_peer peer, const struct presented *p, struct found *f)
{
	*f = (struct found){.by_token = CALLER_NONE, .by_uid = CALLER_NONE};
	for (size_t i = 0; i < in->plan.ncallers; i++) {
		const struct ingress_caller *c = &in->plan.callers[i];
		bool user = is_user(c, peer);

		if (!has_token(c)) {
			if (user && f->by_uid == CALLER_NONE)
				f->by_uid = (long)i;
			continue;
		}
		f->awaited |= is_awaited(in, c);
		if (!is_presented(p, token_digest(in, &c->token)))
			continue;
		f->tokens++;
		if (c->nuids == 0 || user)
			f->by_token = (long)i;
	}
}

enum caller_fault
caller_find(const struct ingress *in, struct caller_peer peer, const struct http_request *r,
	    long *out)
{
	struct presented p = {.n = 0};
	struct found f;

	collect(r, &p);
	look(in, peer, &p, &f);
	if (p.too_many)
		return CALLER_TOO_MANY;
	/* Of two, the one with the wider rules would be anybody's guess. */
	if (f.tokens > 1)
		return CALLER_AMBIGUOUS;
	if (f.by_token == CALLER_NONE && f.by_uid == CALLER_NONE) {
		if (p.n > 0 && f.tokens == 0 && f.awaited)
			return CALLER_NOT_YET;
		return p.n == 0 ? CALLER_MISSING : CALLER_WRONG;
	}
	*out = f.by_token != CALLER_NONE ? f.by_token : f.by_uid;
	return CALLER_OK;
}

const char *
caller_fault_text(enum caller_fault fault)
{
	static const char *const texts[CALLER_FAULTS] = {
		[CALLER_MISSING] =
			"Only the configured `callers` may call here, and this request presents "
			"no token. Set the client's API key to the one that `sidekey token` made "
			"(Authorization: Bearer, x-api-key, api-key or x-goog-api-key; for AWS "
			"clients the access key id), or call as one of the `uids` on the Unix "
			"socket.",
		[CALLER_WRONG] =
			"The API key of this request is not the token of any of the `callers`, or "
			"its caller may not use it over this connection (`uids`). Ask the operator "
			"for the one that `sidekey token` made; /readyz tells whether a token "
			"could not be read.",
		[CALLER_AMBIGUOUS] =
			"This request presents the tokens of two `callers`, or their secrets hold "
			"the same token, so that nobody can tell who calls. Present one; the "
			"operator gives each its own with `sidekey token`.",
		[CALLER_TOO_MANY] = "This request presents more credentials than any client has; "
				    "send one.",
		[CALLER_NOT_YET] =
			"The token of a caller has not been read from its store yet, so that this "
			"one can be neither taken nor refused; try again in a few seconds. /readyz "
			"tells the state of its slot.",
	};

	return texts[fault];
}

struct span
caller_name(const struct ingress *in, long caller)
{
	if (in->plan.ncallers == 0)
		return SPAN("local");
	return caller == CALLER_NONE ? SPAN("") : in->plan.callers[caller].name;
}

/* ---- what it may ---- */

/* NULL: no callers are configured, and so no rules of theirs. */
static const struct ingress_caller *
rules_of(const struct ingress *in, long caller)
{
	if (in->plan.ncallers == 0)
		return NULL;
	assert(caller != CALLER_NONE); /* nobody gets past decide_head unknown */
	return &in->plan.callers[caller];
}

bool
caller_has_models(const struct ingress *in, long caller)
{
	const struct ingress_caller *c = rules_of(in, caller);

	return c != NULL && c->has_models;
}

bool
caller_may_name(const struct ingress *in, long caller, struct span model)
{
	const struct ingress_caller *c = rules_of(in, caller);

	return c == NULL || !c->has_models ||
	       model_is_listed((const struct span *)c->models, c->nmodels, model);
}

/*
 * What of these would be run with, a file or an agent made elsewhere says: a model that the caller
 * may not name could be in it.
 */
static const uint32_t models_unseen = 1U << OPERATION_FILES | 1U << OPERATION_BATCHES |
				      1U << OPERATION_AGENTS | 1U << OPERATION_KNOWLEDGE_BASES;

bool
caller_may_call(const struct ingress *in, long caller, enum operation operation)
{
	const struct ingress_caller *c = rules_of(in, caller);
	uint32_t may = c == NULL ? UINT32_MAX : c->operations;

	if (c != NULL && c->has_models)
		may &= ~models_unseen;
	return (may >> operation & 1) != 0;
}

bool
caller_counts_tokens(const struct ingress *in, long caller)
{
	const struct ingress_caller *c = rules_of(in, caller);

	return c != NULL && (c->limits.budget_tokens > 0 || c->limits.tokens_per_minute > 0);
}

/* ---- their tokens ---- */

bool
caller_tokens_are_known(const struct ingress *in)
{
	for (size_t i = 0; i < in->plan.ncallers; i++)
		if (has_token(&in->plan.callers[i]) &&
		    token_digest(in, &in->plan.callers[i].token).len == 0)
			return false;
	return true;
}

bool
caller_tokens_are_settled(const struct ingress *in)
{
	for (size_t i = 0; i < in->plan.ncallers; i++)
		if (is_awaited(in, &in->plan.callers[i]))
			return false;
	return true;
}
