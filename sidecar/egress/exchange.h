/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call at its upstream: an address is awaited, the request sent, the answer passed on as it
 * comes. One at a time for each stream, which embeds it.
 */
#ifndef EGRESS_EXCHANGE_H
#define EGRESS_EXCHANGE_H

#include "egress/inject.h"
#include "egress/inlet.h"
#include "egress/outlet.h"
#include "egress/spread.h"
#include "egress/target.h"

/* What all streams share. */
struct egress {
	struct loop *loop;
	const struct egress_plan *plan;
	struct vault *vault;
	struct signers *signers;
	struct target *targets;
	size_t nstreams;   /* what the fuzzers see come back to none */
	uint64_t buffered; /* bytes of request bodies held */
	void (*look_up)(struct egress *e, const struct target *t); /* ask the resolver again */
	void (*refused)(struct egress *e, const struct target *t); /* ask the keeper to look */
	/* An answer had n matches of the secret of slot in it, which were overwritten. */
	void (*redacted)(struct egress *e, const struct target *t, uint16_t slot, uint64_t n);
	/*
	 * t, a deployment, failed a call, which has left it for another or not, and is to cool for
	 * so many ms from now; 0: it is not, or does not any more.
	 */
	void (*deployment)(struct egress *e, const struct target *t, bool left, enum verdict why,
			   uint64_t cools_ms);
};

/* The answer, on its way to ingress. end and fail come last; the exchange is then free again. */
struct exchange_events {
	struct outlet_sink sink; /* exchange_resume says when it is ready again */
	/* Of a streamed body more can be taken. */
	void (*room)(void *arg);
	void (*end)(void *arg);
	void (*fail)(void *arg, enum verdict v);
};

enum exchange_state {
	EXCHANGE_NONE,
	EXCHANGE_BODY,    /* the request's body is coming */
	EXCHANGE_RESOLVE, /* all is here but an address */
	EXCHANGE_SENT,    /* the upstream has it */
	EXCHANGE_HELD,    /* it refuses our credentials; the rest of the refusal is coming */
	EXCHANGE_SPARED,  /* it has too much to do; the rest of what it says of it is coming */
	EXCHANGE_SPENT,   /* a budget may be; the rest of what it says of it is coming */
	EXCHANGE_LOOK,    /* the keeper looks for newer ones */
	EXCHANGE_RELAY,   /* its answer is being passed on */
};

struct exchange {
	struct egress *e;
	const struct exchange_events *ev;
	void *arg;
	enum exchange_state state;
	struct timer timer;
	struct target *target; /* the call's, or the deployment of it that the call is with */
	struct spread spread;
	struct inject inject;
	char method[20], model[FRAME_MODEL_MAX + 1];
	struct inlet inlet;
	bool replayed; /* it was sent again: once is enough */
	struct outlet outlet;
	struct later broken; /* fails the call outside of libcurl's callbacks */
	struct held held;
	struct look_call look;
	uint32_t tls_version; /* that the call was made with */
	bool may_be_html;     /* the answer is a file that somebody stored */
	struct transfer *transfer;
	uint16_t status; /* of the upstream's answer; 0 as long as there is none */
	bool paused;
	uint64_t resolve_until;
	uint64_t last_piece;
};

void exchange_init(struct exchange *x, struct egress *e, const struct exchange_events *ev,
		   void *arg);

/*
 * The request, as ingress sends it: its head, its body in pieces, its end. NULL, or a static
 * sentence when ingress broke the rules. May fail or end the call at once.
 */
const char *exchange_begin(struct exchange *x, const struct frame_call *call);
const char *exchange_body(struct exchange *x, struct span piece);
/* Whether a streamed body's next piece can be taken now; events.room says when again. */
bool exchange_has_room(const struct exchange *x);
const char *exchange_send(struct exchange *x);

/* There is room for data again. */
void exchange_resume(struct exchange *x);

/* Ends it without an event: the upstream is let go, and nothing is held any more. */
void exchange_drop(struct exchange *x);

#endif
