/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration (design.md section 3) as an immutable value. Every key stands in
 * the table of schema.c; what a role may know of it is compiled by project.c.
 * Spans are views into memory of the config, each with a NUL behind it.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "aws/service.h"
#include "config/expand.h"
#include "config/fault.h"
#include "config/values.h"
#include "policy/access/operations.h"

struct config_target {
	struct span name;
	uint8_t provider;     /* enum provider */
	struct span api_base; /* a valid URL; empty: Bedrock's own, in region */
	struct span api_key;  /* a reference, or "none"; empty: calls are signed */
	bool allow_plaintext;
	struct config_pairs headers; /* values are templates (template.h) */
	struct config_access access;
	struct config_tls tls;
	struct config_timeouts timeouts;
	uint32_t operations; /* bits of enum operation; where none are named, the default ones */
	struct config_pairs query; /* not yet percent-encoded */
	bool redact;
	bool include_usage;
	uint8_t required;   /* enum config_choice */
	uint8_t auth;       /* enum config_auth */
	struct span region; /* of Bedrock, or empty */
	/*
	 * Bedrock's agents and knowledge bases are at a host of their own, so that a target that
	 * may call them is two: "NAME", and "NAME.agents" behind all that stand in the file.
	 */
	bool is_agents;
	uint16_t agents; /* of the other: where that is among the targets; 0: there is none */
	struct config_identity aws; /* its own, where it differs from the stores' */
	/*
	 * Each deployment is a target too, "NAME.DEPLOYMENT", behind all others (deployment.h); the
	 * one that has them is called by its name alone, and is nowhere itself.
	 */
	struct config_deployments deployments;
	uint16_t first; /* where they are among the targets, once they are; 0: none */
	bool is_deployment;
	bool has_own_key;
	struct span file_name; /* of a deployment: the name of the target in the file */
};

struct config_targets {
	struct config_target *items;
	size_t n;
};

struct config_model {
	struct span match, target, strip_prefix, send_as;
};

struct config_models {
	struct config_model *items; /* NULL: no such list; an empty one allows no model */
	size_t n;
};

struct config_callers {
	struct config_caller *items;
	size_t n;
};

struct config_default {
	struct span all;                /* one target for every dialect, or empty */
	struct span dialects[DIALECTS]; /* or one for each; empty: not named */
};

struct config_aws {
	struct config_identity identity; /* the stores', and every target's that has none */
	struct span endpoints[SERVICES]; /* URLs, or empty */
};

enum config_sandbox { /* bits of sandbox.require, in the table's order */
		      CONFIG_REQUIRE_LANDLOCK = 1,
		      CONFIG_REQUIRE_LANDLOCK_NET = 2,
		      CONFIG_REQUIRE_SECRET_PAGES = 4,
};

struct config_sandbox_keys {
	uint32_t require;
};

struct config_log {
	uint8_t format; /* enum log_format */
	uint8_t level;  /* enum log_level */
};

struct config {
	struct config_listeners listen, admin;
	bool unsafe_listen;
	struct span admin_token;   /* a reference, sha256:HEX, or empty */
	struct config_texts hosts; /* lower-case */
	struct config_sandbox_keys sandbox;
	struct config_targets targets; /* at least one */
	struct config_models models;
	struct config_default default_target;
	struct config_texts denied_fields;
	struct config_callers callers; /* none: whoever reaches the listener */
	struct config_aws aws;
	struct config_secrets secrets;
	struct config_limits limits;
	struct config_log log;
	bool trusts_once;   /* a run of `exec`, whose command may write the files of `tls.ca` */
	const char *source; /* the file's path, "SIDEKEY_CONFIG_CONTENT" or "environment" */
	struct pool pool;   /* owns all of it */
};

enum { CONFIG_PATH_MAX = 4096 };

struct config_source {
	const char *path; /* -c FILE, or NULL: look for it (design.md section 3) */
	struct environment env;
};

/*
 * Reads and checks a configuration. Returns 0 and a config in *out, to be freed with
 * config_free; or -1 with at least one fault, *out untouched. A relative path of
 * -c counts from the working directory; nothing is ever looked for there.
 */
int config_read(const struct config_source *source, struct config **out,
		struct config_faults *faults);

/*
 * The file that config_read reads: source's path or one that is put into found. NULL when the
 * environment holds the configuration itself, or there is none.
 */
const char *config_find(const struct config_source *source, char found[static CONFIG_PATH_MAX]);

/* As config_read, from a text; name stands in the faults. */
int config_read_text(struct span text, const char *name, const struct environment *env,
		     struct config **out, struct config_faults *faults);

void config_free(struct config *c);

/* Whether t stands in the file, and may be named there; the others are made of these. */
bool config_target_is_named(const struct config_target *t);
/* The target of that name, or -1. */
long config_target_find(const struct config *c, struct span name);

/* The environment of this process (getenv), as a source for config_read and project. */
struct environment config_own_environment(void);

#endif
