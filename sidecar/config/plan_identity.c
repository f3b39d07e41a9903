/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "config/plan_identity.h"

enum {
	PATH_MAX_BYTES = 4096,
	NAME_MAX_BYTES = 1024,
	ARN_MAX = 2048,
	TRIED_MAX = 1024,
	POLICY_MAX = 2048, /* STS's own bound */
};

#define TEXT(s, f, max) PACK_FIELD_SPAN(s, f, max)
#define ENDPOINT(f)                                                                                \
	TEXT(plan_identity, f.host, NAME_MAX_BYTES),                                               \
		PACK_FIELD_U16(plan_identity, f.port, 0xffff),                                     \
		PACK_FIELD_BOOL(plan_identity, f.https),                                           \
		PACK_FIELD_U16(plan_identity, f.resolve, 0xffff)
#define ROLE(s, f)                                                                                 \
	TEXT(s, f arn, ARN_MAX), TEXT(s, f session_name, NAME_MAX_BYTES),                          \
		TEXT(s, f external_id, ARN_MAX), PACK_FIELD_U16(s, f external_id_slot, 0xffff),    \
		PACK_FIELD_U32(s, f duration_s, 0xffffffff), TEXT(s, f policy, POLICY_MAX)

static const struct pack_field role_fields[] = {ROLE(plan_role, )};

static const struct pack_type role_type = PACK_TYPE(plan_role, role_fields);

static const struct pack_field identity_fields[] = {
	TEXT(plan_identity, name, NAME_MAX_BYTES),
	PACK_FIELD_U8(plan_identity, source, IDENTITY_SOURCES - 1),
	TEXT(plan_identity, tried, TRIED_MAX),
	ENDPOINT(at),
	TEXT(plan_identity, path, PATH_MAX_BYTES),
	TEXT(plan_identity, token_file, PATH_MAX_BYTES),
	ROLE(plan_identity, web.),
	TEXT(plan_identity, profile, NAME_MAX_BYTES),
	TEXT(plan_identity, config_file, PATH_MAX_BYTES),
	TEXT(plan_identity, credentials_file, PATH_MAX_BYTES),
	TEXT(plan_identity, sso_cache, PATH_MAX_BYTES),
	TEXT(plan_identity, sso_account, NAME_MAX_BYTES),
	TEXT(plan_identity, sso_role, NAME_MAX_BYTES),
	PACK_FIELD_LIST(plan_identity, roles, nroles, IDENTITY_ROLES_MAX, role_type),
	ENDPOINT(sts),
	TEXT(plan_identity, region, NAME_MAX_BYTES),
};

const struct pack_type plan_identity_type = PACK_TYPE(plan_identity, identity_fields);

const char *
identity_source_name(enum identity_source s)
{
	static const char *const names[IDENTITY_SOURCES] = {
		[IDENTITY_FROM_NOTHING] = "none",
		[IDENTITY_FROM_ENVIRONMENT] = "environment",
		[IDENTITY_FROM_WEB_IDENTITY] = "webIdentity",
		[IDENTITY_FROM_CONTAINER] = "container",
		[IDENTITY_FROM_KEYS] = "profile",
		[IDENTITY_FROM_SSO] = "sso",
		[IDENTITY_FROM_INSTANCE] = "instance",
	};

	return names[s];
}
