/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "config/endpoint.h"
#include "config/identity.h"

#define CONTAINER_HOST "http://169.254.170.2"

static const char *const environment_variables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
						    "AWS_SESSION_TOKEN",
						    "AWS_CREDENTIAL_EXPIRATION", NULL};
static const char *const container_variables[] = {"AWS_CONTAINER_AUTHORIZATION_TOKEN", NULL};
static const char *const no_variables[] = {NULL};

const char *const *
identity_variables(enum plan_credentials credentials)
{
	switch (credentials) {
	case CREDENTIALS_ENVIRONMENT:
		return environment_variables;
	case CREDENTIALS_CONTAINER:
		return container_variables;
	default:
		return no_variables;
	}
}

/* The variable's text; empty when it is not set. */
static struct span
variable(const struct environment *env, const char *name)
{
	return span_of(env->get(env->arg, name));
}

static bool
refuse(struct config_faults *faults, const char *name, const char *message)
{
	struct fault_place at = {0, 0, name};

	fault_in(faults, "environment");
	fault_add(faults, at, NULL, "%s", message);
	return false;
}

/* 1: there; 0: not; -1: half of it. */
static int
find_environment(const struct environment *env, struct config_faults *faults)
{
	bool id = variable(env, "AWS_ACCESS_KEY_ID").len > 0;
	bool key = variable(env, "AWS_SECRET_ACCESS_KEY").len > 0;

	if (id == key)
		return id;
	refuse(faults, id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID",
	       "is not set, though its other half is");
	return -1;
}

/* The relative form wins over the full one, as in the SDKs. 1, 0 or -1 as above. */
static int
find_container(const struct environment *env, struct pool *pool, struct span *uri,
	       struct config_faults *faults)
{
	const char *name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
	struct span relative = variable(env, name), full;
	const char *wrong;
	struct url url;
	struct buf text;

	if (relative.len == 0) {
		name = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
		full = variable(env, name);
		if (full.len == 0)
			return 0;
		*uri = pool_copy(pool, full);
	} else if (relative.ptr[0] != '/') {
		refuse(faults, name, "must start with /");
		return -1;
	} else {
		buf_init(&text, 8192);
		if (buf_add_str(&text, CONTAINER_HOST) == 0 && buf_add_span(&text, relative) == 0)
			*uri = pool_copy(pool, buf_span(&text));
		buf_free(&text);
	}
	wrong = endpoint_check_container(*uri, &url);
	if (wrong != NULL)
		refuse(faults, name, wrong);
	return wrong == NULL ? 1 : -1;
}

/* [\w+=,.@-]{2,64}: what STS takes. */
static bool
is_session_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool plain =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!plain && strchr("_+=,.@-", c) == NULL)
			return false;
	}
	return s.len >= 2 && s.len <= 64;
}

static bool
find_token_file(const struct environment *env, struct pool *pool, struct keeper_plan *plan,
		struct config_faults *faults)
{
	const char *name = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
	struct span path = variable(env, name);

	if (plan->credentials != CREDENTIALS_CONTAINER || path.len == 0)
		return true;
	if (path.ptr[0] != '/' || path.len < 2)
		return refuse(faults, name, "must be an absolute path");
	plan->container_token_file = pool_copy(pool, path);
	return true;
}

bool
identity_find(const struct config *c, const struct environment *env, struct pool *pool,
	      struct keeper_plan *plan, struct config_faults *faults)
{
	bool any = c->aws.credentials == CONFIG_CREDENTIALS_AUTO;
	struct span session = variable(env, "AWS_ROLE_SESSION_NAME");
	struct span uri = {NULL, 0};
	int found = 0;

	if (any || c->aws.credentials == CONFIG_CREDENTIALS_ENVIRONMENT)
		found = find_environment(env, faults);
	if (found > 0) {
		plan->credentials = CREDENTIALS_ENVIRONMENT;
	} else if (found == 0 && (any || c->aws.credentials == CONFIG_CREDENTIALS_CONTAINER)) {
		found = find_container(env, pool, &uri, faults);
		plan->credentials = found > 0 ? CREDENTIALS_CONTAINER : CREDENTIALS_NONE;
		plan->container_uri = uri;
	}
	plan->role_session_name =
		is_session_name(session) ? pool_copy(pool, session) : SPAN("sidekey");
	return found >= 0 && find_token_file(env, pool, plan, faults);
}
