/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Projections: what each role may know of the configuration, and nothing more.
 * Compiled from struct config by the parent (config/project.c), packed into a sealed
 * memfd, unpacked by the role. Slots, targets and names are numbered once;
 * the numbers mean the same in all projections of a generation.
 */
#ifndef CONFIG_PLAN_H
#define CONFIG_PLAN_H

#include "base/pack.h"

struct plan_text {
	struct span text;
};

struct plan_number {
	uint16_t number;
};

/* ---- resolver ---- */

struct resolver_plan {
	uint8_t log_format, log_level;
	struct plan_text *keeper_names; /* the names the keeper may ask for, by index */
	size_t nkeeper_names;
	struct plan_text *egress_names; /* the names egress may ask for */
	size_t negress_names;
};

/* ---- keeper ---- */

struct plan_endpoint {    /* of a service of the cloud */
	struct span host; /* lower-case, without brackets */
	uint16_t port;
	bool https;
	uint16_t resolve; /* index into keeper_names, or PLAN_NONE for an IP literal */
};

struct keeper_slot {
	struct span name;        /* "litellm.apiKey": for log, /readyz, metrics */
	struct span reference;   /* as in the configuration; parsed again with reference_parse */
	uint8_t kind;            /* enum reference_kind; not sent */
	struct plan_endpoint at; /* the store (ARN kinds); empty for env and file */
	struct plan_endpoint behind; /* AgentCore: Secrets Manager, where the key is */
	bool optional;               /* `?`: absence is not an error; not sent */
	bool is_private;             /* the keeper's own (an external id): egress never gets it */
	bool is_token;               /* ingress gets its digest, egress nothing */
	bool once;                   /* its first value holds as long as the process */
	uint16_t least;              /* bytes: a shorter value is refused */
};

struct keeper_target {
	struct span name;
	uint16_t ca, cert, key;    /* slots (file or reference) or PLAN_NONE */
	bool system_ca;            /* https and no tls.ca: the system's bundle */
	struct plan_number *slots; /* all that it uses, those of TLS among them */
	size_t nslots;
	bool is_signed;    /* its calls are, for AWS: by identity, for region and service */
	uint16_t identity; /* index into identities */
	struct span region, service;
};

struct plan_identity; /* plan_identity.h */

struct keeper_plan {
	uint8_t log_format, log_level;
	bool require_landlock, require_landlock_net, require_secret_pages;
	struct keeper_slot *slots;
	size_t nslots;
	struct keeper_target *targets;
	size_t ntargets;
	uint16_t nnames;             /* resolver_plan.nkeeper_names */
	struct plan_text *read_dirs; /* of file references, token and profile files */
	size_t nread_dirs;
	struct plan_number *ports; /* that it may dial */
	size_t nports;
	struct plan_identity *identities; /* the first is the stores' */
	size_t nidentities;
	uint64_t ttl_ms, max_stale_ms, failure_ttl_ms;
	bool report; /* check --resolve: tell the parent of each first fetch */
};

enum {
	PLAN_NONE = 0xffff,
	PLAN_TARGETS_MAX = 2 * 256, /* each of the file may have a second host, or deployments */
};

extern const struct pack_type resolver_plan_type, keeper_plan_type;

/*
 * Reads a role's projection from the descriptor SPAWN_PROJECTION, and closes that: spans and lists
 * live in a pool (taken for it, never freed: they last as long as the process). 0 or -1.
 */
int plan_receive(const struct pack_type *type, void *plan);

#endif
