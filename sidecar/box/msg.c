/* SPDX-License-Identifier: Apache-2.0 */
#include "box/msg_answer.h"
#include "box/msg_report.h"
#include "box/msg_signing.h"
#include "box/msg_slot.h"
#include "box/tls_fault.h"

static const struct pack_field empty_fields[] = {
	PACK_FIELD_U8(msg_empty, nothing, 0),
};
static const struct pack_type empty_type = PACK_TYPE(msg_empty, empty_fields);

static const struct pack_field alive_fields[] = {
	PACK_FIELD_U8(msg_alive, secret_pages, 2),
	PACK_FIELD_BOOL(msg_alive, resolver),
};
static const struct pack_type alive_type = PACK_TYPE(msg_alive, alive_fields);

static const struct pack_field env_fields[] = {
	PACK_FIELD_SPAN(msg_env, name, 256),
	PACK_FIELD_SPAN(msg_env, value, MSG_VALUE_MAX),
};
static const struct pack_type env_type = PACK_TYPE(msg_env, env_fields);

static const struct pack_field ready_fields[] = {
	PACK_FIELD_U32(msg_ready, landlock_abi, 1000),  PACK_FIELD_BOOL(msg_ready, landlock_net),
	PACK_FIELD_BOOL(msg_ready, landlock_scope),     PACK_FIELD_U8(msg_ready, secret_pages, 2),
	PACK_FIELD_U32(msg_ready, seccomp_calls, 1000),
};
static const struct pack_type ready_type = PACK_TYPE(msg_ready, ready_fields);

static const struct pack_field drain_fields[] = {
	PACK_FIELD_U64(msg_drain, ms),
};
static const struct pack_type drain_type = PACK_TYPE(msg_drain, drain_fields);

static const struct pack_field standing_fields[] = {
	PACK_FIELD_BOOL(msg_standing, ready),
	PACK_FIELD_BOOL(msg_standing, settled),
};
static const struct pack_type standing_type = PACK_TYPE(msg_standing, standing_fields);

static const struct pack_field resolve_fields[] = {
	PACK_FIELD_U16(msg_resolve, name, UINT16_MAX),
};
static const struct pack_type resolve_type = PACK_TYPE(msg_resolve, resolve_fields);

static const struct pack_field address_fields[] = {
	PACK_FIELD_BOOL(msg_address, v6),
	PACK_FIELD_SPAN(msg_address, bytes, 16),
};
static const struct pack_type address_type = PACK_TYPE(msg_address, address_fields);

static const struct pack_field addresses_fields[] = {
	PACK_FIELD_U16(msg_addresses, name, UINT16_MAX),
	PACK_FIELD_LIST(msg_addresses, addresses, naddresses, 3, address_type),
};
static const struct pack_type addresses_type = PACK_TYPE(msg_addresses, addresses_fields);

static const struct pack_field secret_fields[] = {
	PACK_FIELD_U16(msg_secret, slot, UINT16_MAX),
	PACK_FIELD_U32(msg_secret, version, UINT32_MAX),
	PACK_FIELD_SPAN(msg_secret, value, MSG_VALUE_MAX),
};
static const struct pack_type secret_type = PACK_TYPE(msg_secret, secret_fields);

static const struct pack_field gone_fields[] = {
	PACK_FIELD_U16(msg_secret_gone, slot, UINT16_MAX),
};
static const struct pack_type gone_type = PACK_TYPE(msg_secret_gone, gone_fields);

static const struct pack_field tls_fields[] = {
	PACK_FIELD_U16(msg_tls, target, UINT16_MAX),
	PACK_FIELD_U32(msg_tls, version, UINT32_MAX),
	PACK_FIELD_BOOL(msg_tls, has_ca),
	PACK_FIELD_U8(msg_tls, fault, TLS_FAULTS - 1),
	PACK_FIELD_SPAN(msg_tls, cert, MSG_VALUE_MAX),
	PACK_FIELD_SPAN(msg_tls, key, MSG_VALUE_MAX),
};
static const struct pack_type tls_type = PACK_TYPE(msg_tls, tls_fields);

static const struct pack_field slot_fields[] = {
	PACK_FIELD_U16(msg_slot, slot, UINT16_MAX),
	PACK_FIELD_U8(msg_slot, state, SLOT_STATES - 1),
	PACK_FIELD_U32(msg_slot, version, UINT32_MAX),
	PACK_FIELD_U64(msg_slot, fetched_ms),
	PACK_FIELD_U64(msg_slot, next_ms),
	PACK_FIELD_SPAN(msg_slot, version_id, 256),
	PACK_FIELD_SPAN(msg_slot, error_type, 256),
	PACK_FIELD_SPAN(msg_slot, request_id, 128),
	PACK_FIELD_SPAN(msg_slot, principal, 256),
	PACK_FIELD_BOOL(msg_slot, denied),
	PACK_FIELD_U32(msg_slot, attempts, UINT32_MAX),
};
static const struct pack_type slot_type = PACK_TYPE(msg_slot, slot_fields);

static const struct pack_field digest_fields[] = {
	PACK_FIELD_U16(msg_digest, slot, UINT16_MAX),
	PACK_FIELD_SPAN(msg_digest, digest, 32),
};
static const struct pack_type digest_type = PACK_TYPE(msg_digest, digest_fields);

static const struct pack_field target_fields[] = {
	PACK_FIELD_U16(msg_target, target, UINT16_MAX),
	PACK_FIELD_BOOL(msg_target, usable),
	PACK_FIELD_BOOL(msg_target, resolved),
	PACK_FIELD_U8(msg_target, signing, SIGNING_STATES - 1),
	PACK_FIELD_SPAN(msg_target, error_type, SIGNING_ERROR_SIZE),
	PACK_FIELD_U8(msg_target, tls, TLS_FAULTS - 1),
	PACK_FIELD_U64(msg_target, certificate_expiry),
};
static const struct pack_type target_type = PACK_TYPE(msg_target, target_fields);

static const struct pack_field look_fields[] = {
	PACK_FIELD_U16(msg_look, target, UINT16_MAX),
};
static const struct pack_type look_type = PACK_TYPE(msg_look, look_fields);

static const struct pack_field signing_fields[] = {
	PACK_FIELD_U16(msg_signing, target, UINT16_MAX),
	PACK_FIELD_U32(msg_signing, version, UINT32_MAX),
	PACK_FIELD_SPAN(msg_signing, day, 8),
	PACK_FIELD_SPAN(msg_signing, key, 32),
	PACK_FIELD_SPAN(msg_signing, key_id, 128),
	PACK_FIELD_SPAN(msg_signing, token, 16 * 1024),
	PACK_FIELD_U64(msg_signing, now_s),
	PACK_FIELD_BOOL(msg_signing, denied),
	PACK_FIELD_SPAN(msg_signing, error_type, 256),
};
static const struct pack_type signing_type = PACK_TYPE(msg_signing, signing_fields);

static const struct pack_field refused_fields[] = {
	PACK_FIELD_U16(msg_refused, target, UINT16_MAX),
	PACK_FIELD_U32(msg_refused, version, UINT32_MAX),
	PACK_FIELD_U64(msg_refused, date_s),
};
static const struct pack_type refused_type = PACK_TYPE(msg_refused, refused_fields);

static const struct pack_field report_identity_fields[] = {
	PACK_FIELD_U16(msg_report_identity, identity, UINT16_MAX),
	PACK_FIELD_BOOL(msg_report_identity, good),
	PACK_FIELD_SPAN(msg_report_identity, principal, 2048),
	PACK_FIELD_SPAN(msg_report_identity, why, 2048),
};
static const struct pack_type report_identity_type =
	PACK_TYPE(msg_report_identity, report_identity_fields);

static const struct pack_field report_slot_fields[] = {
	PACK_FIELD_U16(msg_report_slot, slot, UINT16_MAX),
	PACK_FIELD_U8(msg_report_slot, state, SLOT_STATES - 1),
	PACK_FIELD_U32(msg_report_slot, length, UINT32_MAX),
	PACK_FIELD_U64(msg_report_slot, created_s),
	PACK_FIELD_SPAN(msg_report_slot, version_id, 256),
	PACK_FIELD_SPAN(msg_report_slot, fingerprint, 64),
	PACK_FIELD_SPAN(msg_report_slot, error_type, 256),
};
static const struct pack_type report_slot_type = PACK_TYPE(msg_report_slot, report_slot_fields);

static const struct pack_field report_target_fields[] = {
	PACK_FIELD_U16(msg_report_target, target, UINT16_MAX),
	PACK_FIELD_U8(msg_report_target, verdict, UINT8_MAX),
	PACK_FIELD_U32(msg_report_target, status, 999),
	PACK_FIELD_SPAN(msg_report_target, why, 256),
	PACK_FIELD_SPAN(msg_report_target, tls, 16),
	PACK_FIELD_SPAN(msg_report_target, subject, 128),
	PACK_FIELD_SPAN(msg_report_target, issuer, 128),
	PACK_FIELD_U64(msg_report_target, expires_s),
	PACK_FIELD_U32(msg_report_target, chain, 100),
	PACK_FIELD_BOOL(msg_report_target, asked),
};
static const struct pack_type report_target_type =
	PACK_TYPE(msg_report_target, report_target_fields);

static const struct pack_field redacted_fields[] = {
	PACK_FIELD_U16(msg_redacted, target, UINT16_MAX),
	PACK_FIELD_U16(msg_redacted, slot, UINT16_MAX),
	PACK_FIELD_U64(msg_redacted, matches),
};
static const struct pack_type redacted_type = PACK_TYPE(msg_redacted, redacted_fields);

static const struct pack_field deployment_fields[] = {
	PACK_FIELD_U16(msg_deployment, target, UINT16_MAX),
	PACK_FIELD_BOOL(msg_deployment, left),
	PACK_FIELD_U8(msg_deployment, verdict, 255),
	PACK_FIELD_U64(msg_deployment, cools_until_ms),
};
static const struct pack_type deployment_type = PACK_TYPE(msg_deployment, deployment_fields);

/* clang-format off */
static const struct msg_row rows[MSG_TYPES] = {
	[MSG_NONE] = {&empty_type, false},
	[MSG_ENV] = {&env_type, false},
	[MSG_ENV_END] = {&empty_type, false},
	[MSG_READY] = {&ready_type, false},
	[MSG_DRAIN] = {&drain_type, false},
	[MSG_DRAINED] = {&empty_type, false},
	[MSG_REFRESH] = {&empty_type, false},
	[MSG_RESOLVE] = {&resolve_type, false},
	[MSG_ADDRESSES] = {&addresses_type, false},
	[MSG_SECRET] = {&secret_type, false},
	[MSG_SECRET_GONE] = {&gone_type, false},
	[MSG_TLS] = {&tls_type, true},
	[MSG_SLOT] = {&slot_type, false},
	[MSG_TARGET] = {&target_type, false},
	[MSG_ALIVE] = {&alive_type, false},
	[MSG_REDACTED] = {&redacted_type, false},
	[MSG_DEPLOYMENT] = {&deployment_type, false},
	[MSG_REPORT_IDENTITY] = {&report_identity_type, false},
	[MSG_REPORT_SLOT] = {&report_slot_type, false},
	[MSG_REPORT_TARGET] = {&report_target_type, false},
	[MSG_ACCEPT] = {&empty_type, false},
	[MSG_RETIRE] = {&empty_type, false},
	[MSG_STANDING] = {&standing_type, false},
	[MSG_DIGEST] = {&digest_type, false},
	[MSG_REFUSED] = {&refused_type, false},
	[MSG_LOOKED] = {&look_type, false},
	[MSG_SIGNING] = {&signing_type, false},
};
/* clang-format on */

/* What is to be done differs with why a secret is missing; people read that in the error. */
static const char *const slot_states[SLOT_STATES] = {
	[SLOT_WAITING] = "missing", [SLOT_FRESH] = "fresh",     [SLOT_STALE] = "stale",
	[SLOT_MISSING] = "missing", [SLOT_REFUSED] = "missing",
};

const struct msg_row *
msg_row(enum msg_type t)
{
	return &rows[t];
}

const char *
slot_state_name(enum slot_state s)
{
	return slot_states[s];
}

bool
slot_state_is_usable(enum slot_state s)
{
	return s == SLOT_FRESH || s == SLOT_STALE;
}
