/* SPDX-License-Identifier: Apache-2.0 */
/* What ingress may know: listeners, names, rules, limits; nothing secret. */
#ifndef CONFIG_PLAN_INGRESS_H
#define CONFIG_PLAN_INGRESS_H

#include "config/plan.h"
#include "policy/access/models.h"

struct ingress_listener {
	uint16_t fd; /* where the descriptor is */
	bool is_unix;
	bool is_admin;
	bool any_ip_host;        /* beyond loopback: any IP-literal Host is accepted (admin) */
	struct span name;        /* "127.0.0.1:7717": for the log */
	struct plan_text *hosts; /* Host values it accepts, lower-case, with port */
	size_t nhosts;
};

struct ingress_slot {
	struct span name;
};

struct ingress_target {
	struct span name;
	uint8_t provider;
	bool classic; /* Azure, where a deployment stands in the path (paths.h) */
	uint32_t operations;
	uint16_t agents; /* the target for those operations of Bedrock; 0: none */
	bool required;
	bool include_usage;
	bool is_signed; /* its calls are, each with the whole body */
	bool is_deployment;
	uint16_t deployment_of;          /* of which target */
	struct plan_number *deployments; /* its own; one that is usable is enough */
	size_t ndeployments;
	struct plan_number *slots; /* that its calls need */
	size_t nslots;
};

/* What a caller must present: known by its SHA-256. Neither: there is no such token. */
struct ingress_token {
	uint16_t slot;      /* whose digest the keeper sends, or PLAN_NONE */
	struct span digest; /* 32 bytes from the configuration, or empty */
};

/* 0: no such limit. */
struct caller_limits {
	uint64_t requests_per_minute, tokens_per_minute, concurrent_requests;
	uint64_t budget_tokens, budget_ms; /* so many in that time */
};

struct plan_uid {
	uint32_t uid;
};

/* Who may call, and what: a token, a peer on a Unix socket, or both. */
struct ingress_caller {
	struct span name;
	struct ingress_token token;
	struct plan_uid *uids; /* none: whoever has the token */
	size_t nuids;
	bool has_models;
	struct plan_text *models; /* that it may name, as in `models.match` */
	size_t nmodels;
	uint32_t operations; /* that it may call */
	struct caller_limits limits;
};

struct ingress_plan {
	uint8_t log_format, log_level;
	bool require_landlock, require_landlock_net;
	uint32_t generation;
	bool started;        /* an earlier generation has been ready */
	bool restart_needed; /* the file has other listeners by now than are open */
	struct ingress_listener *listeners;
	size_t nlisteners;
	struct ingress_target *targets;
	size_t ntargets;
	struct ingress_slot *slots;
	size_t nslots;
	struct ingress_token admin_token; /* of /status beyond the admin Unix socket */
	struct ingress_caller *callers;   /* none: whoever reaches the listener */
	size_t ncallers;
	bool has_models;
	struct model_rule *models;
	size_t nmodels;
	struct plan_number *default_targets; /* by enum dialect; PLAN_NONE: none */
	size_t ndefault_targets;
	struct plan_text *denied_fields;
	size_t ndenied_fields;
	uint64_t header_bytes, body_bytes, upload_bytes, buffer_total;
	uint32_t connections;
	uint64_t header_timeout_ms, keep_alive_ms;
	uint64_t ttl_ms, max_stale_ms; /* of secrets: to tell how old is old */
};

extern const struct pack_type ingress_plan_type;

#endif
