/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AWS CLI's shared config and credentials files: what a profile says an identity is
 * (https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html; reference/aws.md 4.3). Read
 * as botocore reads them. Pure: who asks brings the texts, and nothing that they name is opened.
 */
#ifndef AWS_PROFILE_H
#define AWS_PROFILE_H

#include <stdint.h>

#include "base/span.h"

/* Where the first keys come from. */
enum profile_source {
	PROFILE_KEYS,        /* long-lived or pasted ones in a section of the files */
	PROFILE_ENVIRONMENT, /* credential_source = Environment, and its siblings */
	PROFILE_CONTAINER,
	PROFILE_INSTANCE,
	PROFILE_WEB_IDENTITY,
	PROFILE_SSO, /* IAM Identity Center, by the sign-in that the AWS CLI keeps */
};

/* role_arn upon role_arn: AWS itself sets no bound, and nobody needs more. */
enum { PROFILE_ROLES_MAX = 5 };

/* What a profile may say of where AWS is, which only the SDKs heed. */
enum profile_place {
	PROFILE_FIPS,       /* use_fips_endpoint = true */
	PROFILE_DUAL_STACK, /* use_dualstack_endpoint = true */
	PROFILE_ENDPOINT,   /* endpoint_url */
	PROFILE_SERVICES,   /* services, which names a section of endpoints */
	PROFILE_PLACES,
};

/* The key's name in the files. */
const char *profile_place_name(enum profile_place p);

struct profile_role {
	struct span arn, external_id, session_name; /* the last two may be empty */
	uint32_t duration_s;                        /* 0: not said */
};

/* Views into the two texts and the name that was asked for. */
struct profile_chain {
	enum profile_source source;
	struct span keys_profile; /* PROFILE_KEYS: whose section holds them (profile_keys) */
	struct span token_file;   /* PROFILE_WEB_IDENTITY, with the role it is good for */
	struct profile_role web_role;
	struct span sso_session; /* PROFILE_SSO; empty: the form without [sso-session] */
	struct span sso_start_url, sso_region, sso_account, sso_role;
	struct profile_role roles[PROFILE_ROLES_MAX]; /* then assumed, in this order */
	size_t nroles;
	struct span region;          /* of the profile that was asked for; may be empty */
	bool places[PROFILE_PLACES]; /* which of these it says */
};

enum profile_fault {
	PROFILE_OK,
	PROFILE_MALFORMED,  /* a line that is none, a section or key twice, a value of two lines */
	PROFILE_UNKNOWN,    /* no such profile, or no such [sso-session] */
	PROFILE_LOOP,       /* source_profile leads back */
	PROFILE_TOO_DEEP,   /* more than PROFILE_ROLES_MAX roles */
	PROFILE_INCOMPLETE, /* role_arn without a source, a key without its secret, … */
	PROFILE_PROCESS,    /* credential_process: no program is ever run */
	PROFILE_LOGIN,      /* login_session: aws login keeps it in a form of its own */
	PROFILE_MFA,        /* mfa_serial: there is nobody to ask */
	PROFILE_NOTHING,    /* the profile says nothing of an identity */
};

/*
 * Follows the profile called name to where its identity starts. Either text may be empty (no such
 * file). The credentials file wins over config, setting by setting, but a key, its secret and its
 * token are of one file. In the profile that was asked for a role counts first, then web
 * identity, SSO and keys; in one that is a source, its keys come before its role. On a fault *out
 * is left alone, and *culprit is the profile at fault; for PROFILE_MALFORMED it may be the header
 * of the section that the line stands in, empty before the first. Never a value.
 */
enum profile_fault profile_find(struct span config, struct span credentials, struct span name,
				struct profile_chain *out, struct span *culprit);
/* One sentence that never echoes the texts. */
const char *profile_fault_text(enum profile_fault f);

struct profile_keys {
	struct span key_id, secret, token; /* the last may be empty */
};

/*
 * The keys in name's sections (views). False, and *out left alone, when the pair is not complete
 * or a value could not stand in a header.
 */
bool profile_keys(struct span config, struct span credentials, struct span name,
		  struct profile_keys *out);

#endif
