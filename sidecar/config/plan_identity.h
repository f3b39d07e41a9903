/* SPDX-License-Identifier: Apache-2.0 */
/* Who sidekey is to AWS: where its keys come from, and the roles that are assumed with them. */
#ifndef CONFIG_PLAN_IDENTITY_H
#define CONFIG_PLAN_IDENTITY_H

#include "config/plan.h"

enum identity_source {
	IDENTITY_FROM_NOTHING,
	IDENTITY_FROM_ENVIRONMENT,  /* AWS_ACCESS_KEY_ID and its companions */
	IDENTITY_FROM_WEB_IDENTITY, /* STS, for the token in token_file */
	IDENTITY_FROM_CONTAINER,    /* GET of path at at */
	IDENTITY_FROM_KEYS,         /* those that stand in profile's section */
	IDENTITY_FROM_SSO,          /* IAM Identity Center, by the cached sign-in */
	IDENTITY_FROM_INSTANCE,     /* IMDSv2 at at */
	IDENTITY_SOURCES
};

/* "webIdentity" …: for check and log. */
const char *identity_source_name(enum identity_source s);

enum { IDENTITY_ROLES_MAX = 8 };

struct plan_role { /* one that is assumed */
	struct span arn, session_name;
	struct span external_id;   /* of a profile: as it stands there; or empty */
	uint16_t external_id_slot; /* of the configuration, or PLAN_NONE */
	uint32_t duration_s;       /* 0: what STS takes when nothing is said */
	struct span policy;        /* narrows the session; or empty */
};

struct plan_identity {
	struct span name;        /* "aws", or "targets.NAME.aws" */
	uint8_t source;          /* enum identity_source */
	struct span in_vain;     /* of the profile, for check and the log; not for the keeper */
	struct span tried;       /* what decided for the source: looked for, found or not */
	struct plan_endpoint at; /* of the container endpoint, IMDS or the sign-in's portal */
	struct span path;        /* of the container endpoint, with its query */
	struct span token_file;  /* web identity; container, or empty */
	struct plan_role web;    /* the role of web identity */
	struct span profile, config_file, credentials_file; /* keys of a profile */
	struct span sso_cache, sso_account, sso_role;       /* the cached sign-in's file */
	struct plan_role *roles;                            /* on top, one after the other */
	size_t nroles;
	struct plan_endpoint sts; /* where a role is assumed */
	struct span region;       /* in which STS is called */
};

extern const struct pack_type plan_identity_type;

#endif
