/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ingress role: reads what the agent sends, decides, and hands allowed calls to egress.
 * It holds nothing secret, opens no file and makes no internet socket.
 */
#ifndef INGRESS_INGRESS_H
#define INGRESS_INGRESS_H

#include "base/digest.h"
#include "box/box.h"
#include "box/channel.h"
#include "box/msg_signing.h"
#include "box/msg_slot.h"
#include "box/tls_fault.h"
#include "config/plan_ingress.h"
#include "ev/loop.h"

struct conn;
struct limits;
struct limits_caller;
struct metrics;
struct recent;
struct trunk;

/* What the keeper last said of a slot. */
struct slot_view {
	enum slot_state state;
	uint32_t version;
	uint64_t fetched_ms, next_ms;
	uint32_t attempts; /* that were counted */
	char version_id[64];
	char error_type[64];
	char request_id[128], principal[256]; /* the store's, and whom it denied; or "" */
	bool has_digest;                      /* of a token */
	unsigned char digest[DIGEST_BYTES];
};

/* What egress last said of a target. */
struct target_view {
	bool usable, resolved;
	enum signing_state signing; /* of what its calls are signed with */
	uint64_t certificate_expiry;
	uint64_t cools_until_ms; /* loop_lived_ms: a deployment that failed; 0: it did not */
	enum tls_fault tls;      /* of what came last; usable all the same by what was before */
	char error_type[SIGNING_ERROR_SIZE]; /* why there is nothing to sign with, or "" */
};

/* A call's id is made of the digest of both. */
struct ingress_ids {
	unsigned char key[DIGEST_BYTES]; /* random, and known to nobody else */
	uint64_t count;
};

struct ingress {
	struct loop *loop;
	struct ingress_plan plan;
	struct trunk *trunk; /* to egress */
	struct slot_view *slots;
	struct target_view *targets;
	struct limits *limits;
	struct limits_caller **counters; /* by number of the caller */
	struct metrics *metrics;
	struct recent *recent;
	uint64_t admin_told; /* loop_now when a wrong admin token was logged last */
	struct box_level level;
	uint8_t keeper_pages, egress_pages; /* enum secret_pages */
	uint64_t keeper_seen, egress_seen;  /* loop_now of the last sign of life … */
	uint64_t resolver_seen;             /* … of which the keeper tells */
	size_t nconns, ncalls;
	struct conn *conns; /* all of them, for draining */
	uint64_t buffered;  /* bytes of request bodies, against limits.bufferTotal (call_reserve) */
	uint64_t *buffered_by; /* the same of each caller: the first of nobody in particular */
	bool retiring;         /* no new connection, and every answer is the last of its own */
	bool draining;         /* nor a new call */
	bool started;          /* it has been ready once */
	void (*idle)(struct ingress *in); /* while retiring: called when a connection has gone */
	struct ingress_ids ids;
};

/*
 * Runs the role on the descriptors of box/spawn.h until its parent is gone. Returns the exit
 * status.
 */
int ingress_main(void);

#endif
