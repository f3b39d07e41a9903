/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer's head says of our credentials, and a refusal that is held back while the keeper
 * looks for a newer secret (design section 4). It is then passed on byte for byte, or forgotten.
 */
#ifndef EGRESS_REFUSAL_H
#define EGRESS_REFUSAL_H

#include "box/frame.h"
#include "policy/access/verdict.h"

/* Kinds are kept apart: what is looked at in vain for one says nothing of another. */
enum refusal {
	REFUSAL_NONE,
	REFUSAL_UNAUTHORIZED, /* 401 */
	REFUSAL_FORBIDDEN,    /* 403 */
	REFUSAL_ACCESS,       /* Cloudflare Access's login or its page */
};

struct judgement {
	enum refusal refusal;
	enum verdict verdict; /* what the agent gets in place of the answer; OK: the answer */
};

/*
 * access: the target has `cloudflareAccess`, so that a page, too, is Access's (reference/llm.md
 * 5.1, design section 6). A redirect to its login says so itself.
 */
struct judgement refusal_judge(const struct frame_head *head, bool access);

/*
 * Whether body is an answer of LiteLLM's that the key is good and may not use this model, by its
 * error.type: another key is not looked for then. Messages changed between versions; types did not.
 */
bool refusal_is_model(struct span body);

/*
 * Whether an answer may be LiteLLM's that a budget is spent (400 in older versions, 429 in newer
 * ones), which only its error.type says; and whether its body says so. Clients try a 429 again.
 */
bool refusal_may_be_budget(const struct frame_head *head);
bool refusal_is_budget(struct span body);

/* Has head say whether the client is to try again; to: room for its fields. */
void refusal_say_retry(struct frame_head *head, bool retry,
		       struct http_field to[static HTTP_FIELDS_MAX]);

/* A refusal that is held; all zero when there is none. */
struct held {
	struct judgement as;
	struct buf head; /* packed */
	struct buf body;
};

/* Starts to hold. 0, or -1: it is too large. */
int held_head(struct held *h, struct judgement as, const struct frame_head *head);
/* 0, or -1: no more than a body frame is held. */
int held_body(struct held *h, struct span piece);
/*
 * Whether the head of an answer to a signed call names such a fault with a status that others use
 * for the request itself: AWS's type decides, since statuses differ (reference/aws.md 1.3).
 */
bool refusal_names_signature(const struct frame_head *head);
/*
 * Whether one of AWS's is about the signature or its keys, and not about what they may do; *date_s
 * is its Date, where it has one.
 */
bool refusal_is_of_signature(const struct held *h, uint64_t *date_s);
/* Whether it says that the call was not executed for want of capacity (throttle.h). */
bool held_is_throttle(const struct held *h, bool aws);
/* The head as it came: 0, or -1. room: for its fields; it lasts as long as room and h. */
int held_take(const struct held *h, struct pool *room, struct frame_head *head);
void held_free(struct held *h);

#endif
