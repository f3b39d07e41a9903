/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls: by the token that is presented, or the user at the other end of a Unix socket. Tokens
 * are known by their SHA-256 alone, and compared with every caller's in constant time, without an
 * early end.
 */
#ifndef INGRESS_CALLER_H
#define INGRESS_CALLER_H

#include "http/head.h"
#include "ingress/ingress.h"
#include "policy/access/operations.h"

enum { CALLER_NONE = -1 };

/* Who the kernel says is at the other end; known on a Unix socket alone. */
struct caller_peer {
	bool is_known;
	uint32_t uid;
};

enum caller_fault {
	CALLER_OK,
	CALLER_MISSING,   /* no token was presented, and the peer is nobody by itself */
	CALLER_WRONG,     /* what was presented is nobody's, or not of this peer */
	CALLER_AMBIGUOUS, /* two callers have been given the same token */
	CALLER_TOO_MANY,  /* more credentials in one request than any client sends */
	CALLER_NOT_YET,   /* a caller's token has not been read: it could be that one */
	CALLER_FAULTS
};

/* Who is at the other end of fd, a connection of a Unix socket. */
struct caller_peer caller_peer_of(int fd);

/*
 * Finds the caller who sent r over a connection of peer: *out is its number in the plan. A caller
 * by token goes before one by uid alone, since an SDK sends some key even where none is due. The
 * plan has callers.
 */
enum caller_fault caller_find(const struct ingress *in, struct caller_peer peer,
			      const struct http_request *r, long *out);

/* What is wrong and what to do, for the agent. */
const char *caller_fault_text(enum caller_fault fault);

/* The name for log and /status; empty when it is not known who calls. */
struct span caller_name(const struct ingress *in, long caller);

/* Whether the caller's own rules let it name model, and call operation. */
bool caller_may_name(const struct ingress *in, long caller, struct span model);
bool caller_may_call(const struct ingress *in, long caller, enum operation operation);
/* Whether its calls must name a model, since only some are allowed. */
bool caller_has_models(const struct ingress *in, long caller);
/* Whether what its calls use is counted against limits of its own. */
bool caller_counts_tokens(const struct ingress *in, long caller);

/* Whether each caller with a token can be known by it … */
bool caller_tokens_are_known(const struct ingress *in);
/* … or never will, by the store's word. */
bool caller_tokens_are_settled(const struct ingress *in);

#endif
