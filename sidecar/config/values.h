/* SPDX-License-Identifier: Apache-2.0 */
/* The smaller values that a configuration is made of. */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include <stdint.h>

#include "base/span.h"

struct config_texts {
	struct span *items;
	size_t n;
};

struct config_uids {
	uint32_t *items;
	size_t n;
};

struct config_pair {
	struct span name, value;
};

struct config_pairs {
	struct config_pair *items;
	size_t n;
};

struct config_listener {
	bool is_unix;
	bool is_loopback;
	struct span text; /* "127.0.0.1:7717" or "unix:/run/…": for the log */
	struct span host; /* an IP literal without brackets */
	uint16_t port;
	struct span path; /* of the Unix socket */
	uint32_t mode;    /* default 0600 */
	int64_t group;    /* -1: as it comes */
};

struct config_listeners {
	struct config_listener *items;
	size_t n;
};

enum config_choice { CHOICE_UNSET, CHOICE_NO, CHOICE_YES };

struct config_access {                        /* Cloudflare Access; empty when there is none */
	struct span client_id, client_secret; /* references */
	struct span header;                   /* the single-header mode's, or empty */
};

struct config_tls { /* references, a bare path having become file:PATH; empty when not given */
	struct span ca, client_cert, client_key;
	struct span server_name;
};

struct config_timeouts {
	uint64_t connect_ms, first_byte_ms, idle_ms, pool_idle_ms;
};

enum config_auth { /* targets.NAME.auth, in the order of the words */
		   CONFIG_AUTH_UNSET,
		   CONFIG_AUTH_API_KEY,
		   CONFIG_AUTH_SIGV4,
};

enum config_credentials { /* aws.credentials, in the order of the words */
			  CONFIG_CREDENTIALS_UNSET,
			  CONFIG_CREDENTIALS_AUTO,
			  CONFIG_CREDENTIALS_ENVIRONMENT,
			  CONFIG_CREDENTIALS_CONTAINER,
			  CONFIG_CREDENTIALS_WEB_IDENTITY,
			  CONFIG_CREDENTIALS_PROFILE,
			  CONFIG_CREDENTIALS_INSTANCE,
};

struct config_role { /* arn empty: none is assumed */
	struct span arn, session_name;
	struct span external_id; /* a reference, or empty */
	uint64_t duration_ms;    /* 0: not said */
	bool narrow;
};

struct config_identity {     /* what is not said is 0 or empty */
	uint8_t credentials; /* enum config_credentials */
	struct span profile, region;
	struct config_role role;
};

struct config_deployment { /* one of the places that a target's calls are spread over */
	struct span name;  /* where none is given: its region, or d1, d2 … */
	struct span api_base, region;
	struct span api_key; /* empty: the target's */
	uint64_t weight;
};

struct config_deployments {
	struct config_deployment *items;
	size_t n;
};

struct config_budget { /* of no tokens when there is none */
	uint64_t tokens, period_ms;
};

struct config_caller {
	struct span name;
	struct span token;          /* a reference, sha256:HEX, or empty */
	struct config_uids uids;    /* of this or a token there is at least one */
	struct config_texts models; /* none: any */
	uint32_t operations;        /* bits of enum operation; 0: any */
	uint64_t requests_per_minute, tokens_per_minute, concurrent_requests; /* 0: no limit */
	struct config_budget budget;
};

struct config_secrets {
	uint64_t ttl_ms, max_stale_ms, failure_ttl_ms;
};

struct config_limits {
	uint64_t header_bytes, body_bytes, upload_bytes, buffer_total, connections;
	uint64_t header_timeout_ms, keep_alive_ms, drain_ms;
};

#endif
