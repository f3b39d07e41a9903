/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration in the making, for `sidekey init`: the targets and model rules that a source of
 * another format (init_litellm.c, init_harness.c, init_blueprint.c) or the environment
 * (init_environment.c) speaks of, and sentences about what could not be carried over. No literal
 * secret ever stands in it.
 */
#ifndef CLI_INIT_DRAFT_H
#define CLI_INIT_DRAFT_H

#include "config/expand.h"
#include "config/fault.h"
#include "config/yaml.h"
#include "policy/access/operations.h"

enum {
	DRAFT_TARGETS_MAX = 128,
	DRAFT_RULES_MAX = 4096, /* as many as `models` takes */
	DRAFT_PLACES_MAX = 512, /* targets and their deployments, as many as a plan takes */
	DRAFT_DEPLOYMENTS_MAX = 16,
	DRAFT_PAIRS_MAX = 16,
	DRAFT_LITERALS_MAX = 4096,
	DRAFT_PATH_MAX = 192,
};

struct draft_pair {
	struct span name, value;
};

/* One of the places that a target's calls are spread over. */
struct draft_deployment {
	struct span name; /* empty: its region, or d1, d2 and so on */
	struct span api_base, region;
	struct span api_key; /* empty: the target's */
	uint64_t weight;     /* 0: not said */
};

struct draft_target {
	struct span name;
	enum provider provider;
	struct span api_base; /* empty: Bedrock's own, in region */
	bool allow_plaintext;
	struct span api_key; /* a reference or "none"; empty: calls are signed */
	bool sigv4;          /* another provider's interface of Bedrock, whose calls are signed */
	struct span region, profile, role, session, external_id; /* of Bedrock, or empty */
	struct span access_id, access_secret; /* Cloudflare Access: references, or empty */
	struct draft_pair headers[DRAFT_PAIRS_MAX], query[DRAFT_PAIRS_MAX];
	size_t nheaders, nquery;
	uint64_t first_byte_s; /* 0: not said */
	/* None, or several, which then have the place (init_deployments.h). */
	struct draft_deployment deployments[DRAFT_DEPLOYMENTS_MAX];
	size_t ndeployments;
};

struct draft_rule {
	struct span match, strip_prefix, send_as; /* of the last two one at most */
	size_t target;
};

/* A secret of the source, which is not copied, and the name that stands in its place. */
struct draft_literal {
	struct span value; /* a view of the source */
	struct span reference;
};

struct draft {
	const char *made_from; /* "a LiteLLM config.yaml": for the file's first line */
	struct environment env;
	struct draft_target targets[DRAFT_TARGETS_MAX];
	size_t ntargets;
	struct draft_rule rules[DRAFT_RULES_MAX];
	size_t nrules;
	bool any_model; /* a name is not known: no rules, so that every model is let through */
	struct draft_literal literals[DRAFT_LITERALS_MAX];
	size_t nliterals;
	struct config_faults notes; /* what was not carried over, each with its place */
	struct pool pool;           /* the texts that are in no source */
};

/* out of memory ends the process. source_len: of the text that it is made from. */
struct draft *draft_new(struct environment env, const char *file, size_t source_len);
void draft_free(struct draft *d);

/*
 * What was not carried over, or was changed, and what to do about it: at item (NULL: the source as
 * a whole), under path. The same message with the same hint is said once, where it is met first.
 * None of the texts holds anything of the source but what source_name let through.
 */
void draft_note(struct draft *d, const struct yaml_item *item, const char *path,
		const char *message, const char *hint);

/* A text of the draft's own. */
struct span draft_text(struct draft *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The index of a target that is the same but for its name; else t is added, named wanted, or
 * wanted-2 and so on. -1, with a note, when there are too many.
 */
long draft_target(struct draft *d, const struct draft_target *t, const char *wanted);

/* False, and nothing done, when a rule for that name is there, or there are too many. */
bool draft_rule(struct draft *d, const struct draft_rule *rule);

/* The rule for exactly that name, or NULL. */
const struct draft_rule *draft_rule_find(const struct draft *d, struct span match);

/* Exact names first, then prefixes, the longest first: the first match wins. */
void draft_sort(struct draft *d);

#endif
