/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the configuration to what each role may know of it: numbers slots, targets and
 * host names, and finds the stores and the cloud identity that the environment names.
 */
#ifndef CONFIG_PROJECT_H
#define CONFIG_PROJECT_H

#include "config/config.h"
#include "config/plan_egress.h"
#include "config/plan_ingress.h"

/* A socket that the parent opens; ingress has it at SPAWN_FIRST_LISTENER + index. */
struct plan_listener {
	bool is_unix;
	bool is_admin;
	struct span name; /* for the log */
	struct span host; /* TCP: an IP literal without brackets, with a NUL behind it */
	uint16_t port;
	struct span path; /* Unix, with a NUL behind it */
	uint32_t mode;
	int64_t group; /* -1: as it comes */
};

struct plans {
	struct resolver_plan resolver;
	struct keeper_plan keeper;
	struct egress_plan egress;
	struct ingress_plan ingress;     /* generation to restart_needed are the caller's to set */
	struct plan_listener *listeners; /* as in ingress.listeners */
	size_t nlisteners;
	struct plan_text *env_names; /* variables for MSG_ENV, NUL behind each; some may be unset */
	size_t nenv_names;
	struct pool pool;
};

/*
 * Compiles c. The plans point into c and into their own pool: keep c for as long. Returns
 * 0, or -1 with faults (an endpoint or container URI in the environment that must
 * not be used, half an identity, too much of something); *out is then untouched.
 * No identity at all is not a fault: its source is then IDENTITY_FROM_NOTHING.
 */
int project(const struct config *c, const struct environment *env, struct plans *out,
	    struct config_faults *faults);
/* The same for `check --resolve`: the roles tell the parent what they find. */
int project_report(const struct config *c, const struct environment *env, struct plans *out,
		   struct config_faults *faults);
void plans_free(struct plans *p);

/* Whether some slot or target needs an AWS identity, and there is none. */
bool plans_lack_identity(const struct plans *p);

#endif
