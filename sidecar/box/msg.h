/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message between processes: one struct and one row each (who sends it to whom is in
 * msg.c's table).
 */
#ifndef BOX_MSG_H
#define BOX_MSG_H

#include "base/pack.h"

enum { MSG_BYTES_MAX = 72 * 1024, MSG_VALUE_MAX = 64 * 1024 };

enum msg_type {
	MSG_NONE,
	MSG_ENV,         /* parent → keeper: one start-up variable (value is secret) */
	MSG_ENV_END,     /* parent → keeper: that was all */
	MSG_READY,       /* role → parent: boxed and at work */
	MSG_DRAIN,       /* parent → ingress: take no new call, end when the last is done */
	MSG_DRAINED,     /* ingress → parent */
	MSG_REFRESH,     /* parent → keeper: fetch every slot now (SIGUSR1) */
	MSG_RESOLVE,     /* keeper, egress → resolver: look this name up again */
	MSG_ADDRESSES,   /* resolver → keeper, egress */
	MSG_SECRET,      /* keeper → egress: a slot's value */
	MSG_SECRET_GONE, /* keeper → egress: drop it */
	MSG_TLS,      /* keeper → egress: a target's TLS material (CA bundle as a sealed memfd) */
	MSG_SLOT,     /* keeper → ingress: a slot's state */
	MSG_TARGET,   /* egress → ingress: a target's state */
	MSG_ALIVE,    /* resolver → keeper; keeper, egress → ingress: once a second */
	MSG_ACCEPT,   /* parent → ingress: take connections from now on */
	MSG_RETIRE,   /* parent → ingress: a newer generation takes them; finish those in hand */
	MSG_STANDING, /* ingress → parent: whether its calls would be served */
	MSG_DIGEST,   /* keeper → ingress: the SHA-256 of a slot that is a token */
	MSG_REFUSED,  /* egress → keeper: a target refused the versions that I used: look again */
	MSG_LOOKED,   /* keeper → egress: I have; what was new has gone before this */
	MSG_SIGNING,  /* keeper → egress: a key to sign a target's calls with (msg_signing.h) */
	MSG_REDACTED, /* egress → ingress: a secret was in an answer, and was overwritten */
	MSG_DEPLOYMENT, /* egress → ingress: one failed a call, or is well again (msg_answer.h) */
	MSG_REPORT_IDENTITY, /* keeper → parent, for check --resolve */
	MSG_REPORT_SLOT,     /* keeper → parent, for check --resolve */
	MSG_REPORT_TARGET,   /* egress → parent, for check --resolve */
	MSG_TYPES
};

struct msg_empty {
	uint8_t nothing;
};

struct msg_alive {
	uint8_t secret_pages; /* enum secret_pages: what the role got */
	bool resolver;        /* the keeper has heard of it since it said so last */
};

struct msg_env {
	struct span name, value;
};

struct msg_ready {
	uint32_t landlock_abi;
	bool landlock_net, landlock_scope;
	uint8_t secret_pages; /* enum secret_pages */
	uint32_t seccomp_calls;
};

struct msg_drain {
	uint64_t ms;
};

struct msg_standing {
	bool ready;   /* every required target can be called */
	bool settled; /* of no target is more to be expected by waiting */
};

struct msg_resolve {
	uint16_t name; /* index into the channel's names in the resolver's projection */
};

struct msg_address {
	bool v6;
	struct span bytes; /* 4 or 16 */
};

struct msg_addresses {
	uint16_t name;
	struct msg_address *addresses; /* at most 3; none: the name does not resolve now */
	size_t naddresses;
};

struct msg_secret {
	uint16_t slot;
	uint32_t version; /* counts up with each changed value */
	struct span value;
};

struct msg_secret_gone {
	uint16_t slot;
};

/*
 * The descriptor that travels along is the CA bundle (PEM), when has_ca. Without one there is
 * nothing to use any more, as with MSG_SECRET_GONE.
 */
struct msg_tls {
	uint16_t target;
	uint32_t version;
	bool has_ca;
	uint8_t fault;    /* enum tls_fault: what there is now is no good; what was before may be */
	struct span cert; /* PEM chain, or empty */
	struct span key;  /* PEM, or empty */
};

struct msg_target {
	uint16_t target;
	bool usable;
	bool resolved;
	uint8_t signing;             /* enum signing_state */
	struct span error_type;      /* why there is nothing to sign with; else empty */
	uint8_t tls;                 /* enum tls_fault of the material that came last */
	uint64_t certificate_expiry; /* seconds since 1970; 0: no client certificate */
};

/* The table's row. */
struct msg_row {
	const struct pack_type *type;
	bool may_carry_fd;
};

const struct msg_row *msg_row(enum msg_type t);

#endif
