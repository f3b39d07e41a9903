/* SPDX-License-Identifier: Apache-2.0 */
/* What egress may know: targets, header templates by slot number, limits; no reference. */
#ifndef CONFIG_PLAN_EGRESS_H
#define CONFIG_PLAN_EGRESS_H

#include "config/plan.h"

/* Bytes: shorter secrets would be found everywhere in an answer. */
enum { REDACT_LENGTH_MIN = 12 };

struct egress_part { /* of a header's value */
	struct span literal;
	uint16_t slot; /* PLAN_NONE: the literal */
};

struct egress_header {
	struct span name;
	struct egress_part *parts;
	size_t nparts;
	bool optional; /* a missing secret leaves the header out */
};

struct egress_query {
	struct span name, value; /* as sent: percent-encoded */
};

struct egress_deployment {
	uint16_t target; /* its number */
	uint8_t weight;
};

struct egress_target {
	struct span name;
	struct egress_deployment *deployments; /* over which its calls are spread; none: itself */
	size_t ndeployments;
	bool is_deployment; /* of another target: never called by its own number */
	uint8_t provider;   /* enum provider */
	bool https;
	struct span host; /* lower-case, without brackets */
	uint16_t port;
	struct span authority;   /* the Host header: apiBase's */
	struct span base_path;   /* "" or "/v1": no trailing slash */
	struct span server_name; /* SNI and verification; default host */
	uint16_t resolve;        /* index into egress_names, or PLAN_NONE for an IP literal */
	uint32_t operations;     /* bits of enum operation */
	struct egress_header *headers;
	size_t nheaders;
	struct egress_query *query;
	size_t nquery;
	bool is_signed; /* for AWS, with the keeper's key for region and service */
	struct span region, service;
	bool has_tls_client; /* a client certificate is due before the first connection */
	bool access;         /* Cloudflare Access is in front */
	bool redact;
	uint64_t connect_ms, first_byte_ms, idle_ms, pool_idle_ms;
};

struct egress_plan {
	uint8_t log_format, log_level;
	bool require_landlock, require_landlock_net, require_secret_pages;
	struct egress_target *targets;
	size_t ntargets;
	uint16_t nslots;
	struct plan_number *ports;
	size_t nports;
	uint64_t body_bytes, upload_bytes, buffer_total;
	uint32_t connections;
	bool report; /* check --resolve: probe each target and tell the parent */
};

extern const struct pack_type egress_plan_type;

#endif
