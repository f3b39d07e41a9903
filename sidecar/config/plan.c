/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <unistd.h>

#include "box/spawn.h"
#include "config/plan_egress.h"
#include "config/plan_identity.h"
#include "config/plan_ingress.h"
#include "policy/access/operations.h"

enum {
	PLAN_BYTES_MAX = 8 * 1024 * 1024,
	TEXT_MAX = 4 * 4096,   /* a configured text, percent-encoded at most */
	NAME_MAX_BYTES = 1024, /* a slot's: target, section and header; a host's is less */
	TARGETS_MAX = PLAN_TARGETS_MAX,
	DEPLOYMENTS_MAX = 16,
	LIST_MAX = 0xfffe, /* numbers stay below PLAN_NONE */
	HEADERS_MAX = 40,
	PORTS_MAX = 1024,
};

#define U16(s, f) PACK_FIELD_U16(s, f, 0xffff)
#define U32(s, f) PACK_FIELD_U32(s, f, 0xffffffff)
#define ENDPOINT(s, f)                                                                             \
	PACK_FIELD_SPAN(s, f.host, NAME_MAX_BYTES), U16(s, f.port), PACK_FIELD_BOOL(s, f.https),   \
		U16(s, f.resolve)
#define LOG_FIELDS(s)        PACK_FIELD_U8(s, log_format, 1), PACK_FIELD_U8(s, log_level, 3)
#define TEXTS(s, f, max)     PACK_FIELD_LIST(s, f, n##f, max, text_type)
#define NUMBERS(s, f, max)   PACK_FIELD_LIST(s, f, n##f, max, number_type)
#define TYPE(name, s, table) static const struct pack_type name = PACK_TYPE(s, table)

static const struct pack_field text_fields[] = {PACK_FIELD_SPAN(plan_text, text, TEXT_MAX)};
TYPE(text_type, plan_text, text_fields);

static const struct pack_field number_fields[] = {U16(plan_number, number)};
TYPE(number_type, plan_number, number_fields);

/* ---- resolver ---- */

static const struct pack_field resolver_fields[] = {
	LOG_FIELDS(resolver_plan),
	TEXTS(resolver_plan, keeper_names, LIST_MAX),
	TEXTS(resolver_plan, egress_names, LIST_MAX),
};

const struct pack_type resolver_plan_type = PACK_TYPE(resolver_plan, resolver_fields);

/* ---- keeper ---- */

static const struct pack_field keeper_slot_fields[] = {
	PACK_FIELD_SPAN(keeper_slot, name, NAME_MAX_BYTES),
	PACK_FIELD_SPAN(keeper_slot, reference, TEXT_MAX),
	ENDPOINT(keeper_slot, at),
	ENDPOINT(keeper_slot, behind),
	PACK_FIELD_BOOL(keeper_slot, is_private),
	PACK_FIELD_BOOL(keeper_slot, is_token),
	PACK_FIELD_BOOL(keeper_slot, once),
	U16(keeper_slot, least),
};
TYPE(keeper_slot_type, keeper_slot, keeper_slot_fields);

static const struct pack_field keeper_target_fields[] = {
	PACK_FIELD_SPAN(keeper_target, name, NAME_MAX_BYTES),
	U16(keeper_target, ca),
	U16(keeper_target, cert),
	U16(keeper_target, key),
	PACK_FIELD_BOOL(keeper_target, system_ca),
	PACK_FIELD_BOOL(keeper_target, is_signed),
	U16(keeper_target, identity),
	PACK_FIELD_SPAN(keeper_target, region, NAME_MAX_BYTES),
	PACK_FIELD_SPAN(keeper_target, service, NAME_MAX_BYTES),
	NUMBERS(keeper_target, slots, LIST_MAX),
};
TYPE(keeper_target_type, keeper_target, keeper_target_fields);

static const struct pack_field keeper_fields[] = {
	LOG_FIELDS(keeper_plan),
	PACK_FIELD_BOOL(keeper_plan, require_landlock),
	PACK_FIELD_BOOL(keeper_plan, require_landlock_net),
	PACK_FIELD_BOOL(keeper_plan, require_secret_pages),
	PACK_FIELD_LIST(keeper_plan, slots, nslots, LIST_MAX, keeper_slot_type),
	PACK_FIELD_LIST(keeper_plan, targets, ntargets, TARGETS_MAX, keeper_target_type),
	U16(keeper_plan, nnames),
	TEXTS(keeper_plan, read_dirs, LIST_MAX),
	NUMBERS(keeper_plan, ports, PORTS_MAX),
	PACK_FIELD_LIST(keeper_plan, identities, nidentities, TARGETS_MAX + 1, plan_identity_type),
	PACK_FIELD_U64(keeper_plan, ttl_ms),
	PACK_FIELD_U64(keeper_plan, max_stale_ms),
	PACK_FIELD_U64(keeper_plan, failure_ttl_ms),
	PACK_FIELD_BOOL(keeper_plan, report),
};

const struct pack_type keeper_plan_type = PACK_TYPE(keeper_plan, keeper_fields);

/* ---- egress ---- */

static const struct pack_field part_fields[] = {
	PACK_FIELD_SPAN(egress_part, literal, TEXT_MAX),
	U16(egress_part, slot),
};
TYPE(part_type, egress_part, part_fields);

static const struct pack_field header_fields[] = {
	PACK_FIELD_SPAN(egress_header, name, NAME_MAX_BYTES),
	PACK_FIELD_LIST(egress_header, parts, nparts, LIST_MAX, part_type),
	PACK_FIELD_BOOL(egress_header, optional),
};
TYPE(header_type, egress_header, header_fields);

static const struct pack_field query_fields[] = {
	PACK_FIELD_SPAN(egress_query, name, NAME_MAX_BYTES),
	PACK_FIELD_SPAN(egress_query, value, TEXT_MAX),
};
TYPE(query_type, egress_query, query_fields);

static const struct pack_field deployment_fields[] = {
	U16(egress_deployment, target),
	PACK_FIELD_U8(egress_deployment, weight, 100),
};
TYPE(deployment_type, egress_deployment, deployment_fields);

static const struct pack_field egress_target_fields[] = {
	PACK_FIELD_SPAN(egress_target, name, NAME_MAX_BYTES),
	PACK_FIELD_LIST(egress_target, deployments, ndeployments, DEPLOYMENTS_MAX, deployment_type),
	PACK_FIELD_BOOL(egress_target, is_deployment),
	PACK_FIELD_U8(egress_target, provider, PROVIDERS - 1),
	PACK_FIELD_BOOL(egress_target, https),
	PACK_FIELD_SPAN(egress_target, host, NAME_MAX_BYTES),
	U16(egress_target, port),
	PACK_FIELD_SPAN(egress_target, authority, NAME_MAX_BYTES),
	PACK_FIELD_SPAN(egress_target, base_path, TEXT_MAX),
	PACK_FIELD_SPAN(egress_target, server_name, NAME_MAX_BYTES),
	U16(egress_target, resolve),
	U32(egress_target, operations),
	PACK_FIELD_LIST(egress_target, headers, nheaders, HEADERS_MAX, header_type),
	PACK_FIELD_LIST(egress_target, query, nquery, HEADERS_MAX, query_type),
	PACK_FIELD_BOOL(egress_target, is_signed),
	PACK_FIELD_SPAN(egress_target, region, NAME_MAX_BYTES),
	PACK_FIELD_SPAN(egress_target, service, NAME_MAX_BYTES),
	PACK_FIELD_BOOL(egress_target, has_tls_client),
	PACK_FIELD_BOOL(egress_target, access),
	PACK_FIELD_BOOL(egress_target, redact),
	PACK_FIELD_U64(egress_target, connect_ms),
	PACK_FIELD_U64(egress_target, first_byte_ms),
	PACK_FIELD_U64(egress_target, idle_ms),
	PACK_FIELD_U64(egress_target, pool_idle_ms),
};
TYPE(egress_target_type, egress_target, egress_target_fields);

static const struct pack_field egress_fields[] = {
	LOG_FIELDS(egress_plan),
	PACK_FIELD_BOOL(egress_plan, require_landlock),
	PACK_FIELD_BOOL(egress_plan, require_landlock_net),
	PACK_FIELD_BOOL(egress_plan, require_secret_pages),
	PACK_FIELD_LIST(egress_plan, targets, ntargets, TARGETS_MAX, egress_target_type),
	U16(egress_plan, nslots),
	NUMBERS(egress_plan, ports, PORTS_MAX),
	PACK_FIELD_U64(egress_plan, body_bytes),
	PACK_FIELD_U64(egress_plan, upload_bytes),
	PACK_FIELD_U64(egress_plan, buffer_total),
	U32(egress_plan, connections),
	PACK_FIELD_BOOL(egress_plan, report),
};

const struct pack_type egress_plan_type = PACK_TYPE(egress_plan, egress_fields);

/* ---- ingress ---- */

static const struct pack_field listener_fields[] = {
	U16(ingress_listener, fd),
	PACK_FIELD_BOOL(ingress_listener, is_unix),
	PACK_FIELD_BOOL(ingress_listener, is_admin),
	PACK_FIELD_BOOL(ingress_listener, any_ip_host),
	PACK_FIELD_SPAN(ingress_listener, name, NAME_MAX_BYTES),
	TEXTS(ingress_listener, hosts, 256),
};
TYPE(listener_type, ingress_listener, listener_fields);

static const struct pack_field ingress_slot_fields[] = {
	PACK_FIELD_SPAN(ingress_slot, name, NAME_MAX_BYTES),
};
TYPE(ingress_slot_type, ingress_slot, ingress_slot_fields);

static const struct pack_field ingress_target_fields[] = {
	PACK_FIELD_SPAN(ingress_target, name, NAME_MAX_BYTES),
	PACK_FIELD_U8(ingress_target, provider, PROVIDERS - 1),
	PACK_FIELD_BOOL(ingress_target, classic),
	U32(ingress_target, operations),
	U16(ingress_target, agents),
	PACK_FIELD_BOOL(ingress_target, required),
	PACK_FIELD_BOOL(ingress_target, include_usage),
	PACK_FIELD_BOOL(ingress_target, is_signed),
	PACK_FIELD_BOOL(ingress_target, is_deployment),
	U16(ingress_target, deployment_of),
	NUMBERS(ingress_target, deployments, DEPLOYMENTS_MAX),
	NUMBERS(ingress_target, slots, LIST_MAX),
};
TYPE(ingress_target_type, ingress_target, ingress_target_fields);

static const struct pack_field model_fields[] = {
	PACK_FIELD_SPAN(model_rule, match, NAME_MAX_BYTES),
	U16(model_rule, target),
	PACK_FIELD_SPAN(model_rule, strip_prefix, NAME_MAX_BYTES),
	PACK_FIELD_SPAN(model_rule, send_as, NAME_MAX_BYTES),
};
TYPE(model_type, model_rule, model_fields);

static const struct pack_field uid_fields[] = {U32(plan_uid, uid)};
TYPE(uid_type, plan_uid, uid_fields);

static const struct pack_field caller_fields[] = {
	PACK_FIELD_SPAN(ingress_caller, name, NAME_MAX_BYTES),
	U16(ingress_caller, token.slot),
	PACK_FIELD_SPAN(ingress_caller, token.digest, 32),
	PACK_FIELD_LIST(ingress_caller, uids, nuids, LIST_MAX, uid_type),
	PACK_FIELD_BOOL(ingress_caller, has_models),
	TEXTS(ingress_caller, models, LIST_MAX),
	U32(ingress_caller, operations),
	PACK_FIELD_U64(ingress_caller, limits.requests_per_minute),
	PACK_FIELD_U64(ingress_caller, limits.tokens_per_minute),
	PACK_FIELD_U64(ingress_caller, limits.concurrent_requests),
	PACK_FIELD_U64(ingress_caller, limits.budget_tokens),
	PACK_FIELD_U64(ingress_caller, limits.budget_ms),
};
TYPE(caller_type, ingress_caller, caller_fields);

static const struct pack_field ingress_fields[] = {
	LOG_FIELDS(ingress_plan),
	PACK_FIELD_BOOL(ingress_plan, require_landlock),
	PACK_FIELD_BOOL(ingress_plan, require_landlock_net),
	U32(ingress_plan, generation),
	PACK_FIELD_BOOL(ingress_plan, started),
	PACK_FIELD_BOOL(ingress_plan, restart_needed),
	PACK_FIELD_LIST(ingress_plan, listeners, nlisteners, 64, listener_type),
	PACK_FIELD_LIST(ingress_plan, targets, ntargets, TARGETS_MAX, ingress_target_type),
	PACK_FIELD_LIST(ingress_plan, slots, nslots, LIST_MAX, ingress_slot_type),
	U16(ingress_plan, admin_token.slot),
	PACK_FIELD_SPAN(ingress_plan, admin_token.digest, 32),
	PACK_FIELD_LIST(ingress_plan, callers, ncallers, LIST_MAX, caller_type),
	PACK_FIELD_BOOL(ingress_plan, has_models),
	PACK_FIELD_LIST(ingress_plan, models, nmodels, 4096, model_type),
	NUMBERS(ingress_plan, default_targets, DIALECTS),
	TEXTS(ingress_plan, denied_fields, 256),
	PACK_FIELD_U64(ingress_plan, header_bytes),
	PACK_FIELD_U64(ingress_plan, body_bytes),
	PACK_FIELD_U64(ingress_plan, upload_bytes),
	PACK_FIELD_U64(ingress_plan, buffer_total),
	U32(ingress_plan, connections),
	PACK_FIELD_U64(ingress_plan, header_timeout_ms),
	PACK_FIELD_U64(ingress_plan, keep_alive_ms),
	PACK_FIELD_U64(ingress_plan, ttl_ms),
	PACK_FIELD_U64(ingress_plan, max_stale_ms),
};

const struct pack_type ingress_plan_type = PACK_TYPE(ingress_plan, ingress_fields);

int
plan_receive(const struct pack_type *type, void *plan)
{
	struct buf text;
	struct pool pool;

	buf_init(&text, PLAN_BYTES_MAX);
	if (spawn_unseal(SPAWN_PROJECTION, &text) != 0) {
		buf_free(&text);
		return -1;
	}
	close(SPAWN_PROJECTION);
	/* The text stays: spans point into it. Items are at most eight times as large as packed. */
	pool_init(&pool, 8 * text.len + 64 * 1024);
	return pack_read(type, buf_span(&text), &pool, plan);
}
