/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that compile the plans share: numbering, and memory that lasts like the plans. */
#ifndef CONFIG_PROJECTOR_H
#define CONFIG_PROJECTOR_H

#include "config/project.h"

enum {
	SLOTS_MAX = 4096,
	NAMES_MAX = SLOTS_MAX,
	PORTS_MAX = 1024,
	PROJECT_TEXT_MAX = 16 * 1024,
	/* Of the configuration's texts, 16 MiB with their variables, query is three times as long
	 * when encoded; the lists above are fixed. */
	PLANS_POOL = 80 * 1024 * 1024,
};

struct projector {
	const struct config *c;
	const struct environment *env;
	struct config_faults *faults;
	struct plans *p;
	bool too_many; /* slots, names or ports */
	bool failed;   /* a fault was added */
	/* The target that is being compiled. */
	const struct config_target *target;
	struct keeper_target *keeper;
	struct egress_target *egress;
	struct ingress_target *ingress;
};

/* The variable's text; empty when it is not set. */
struct span projector_variable(struct projector *pr, const char *name);
/* Adds a fault about a variable of the environment; one of a kind is enough. */
void projector_refuse(struct projector *pr, const char *name, const char *message);

/* Zeroed memory of the plans', which is enough for every configuration that could be read. */
void *projector_room(struct projector *pr, size_t size);
/* Copies there: of text, which is then freed; of s in lower case. */
struct span projector_take(struct projector *pr, struct buf *text);
struct span projector_lower(struct projector *pr, struct span s);
/* A text there, of at most PROJECT_TEXT_MAX bytes: what is longer is cut. */
struct span projector_format(struct projector *pr, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The index of text in the list of NAMES_MAX, where it is put when it is new. */
uint16_t projector_text(struct projector *pr, struct plan_text *list, size_t *n, struct span text);
/* Puts number into the list of max, once. */
void projector_number(struct projector *pr, struct plan_number *list, size_t *n, size_t max,
		      uint16_t number);
/* The index of a host among the names to resolve; PLAN_NONE for an address. */
uint16_t projector_host(struct projector *pr, struct plan_text *list, size_t *n, struct span host);
/* Lets the keeper read the directory of the file path. */
void projector_directory(struct projector *pr, struct span path);

/*
 * The number of the slot for a reference of the target that is being compiled. A reference that
 * stands twice has one slot, named after its first place (target, section, key), and is
 * optional only when it is so everywhere.
 */
uint16_t projector_slot(struct projector *pr, struct span reference, bool optional,
			const char *section, struct span key);

/* The number of the slot for a reference that the keeper alone uses; name as in the log. */
uint16_t projector_private_slot(struct projector *pr, struct span reference, struct span name);

/* The same for a token, which never shares a slot with a value that is sent; its name is given. */
uint16_t projector_token(struct projector *pr, struct span reference, struct span name);

/*
 * A token as it is configured (a reference, sha256:HEX, or empty: none) as ingress compares it.
 * name: of its slot. (token.c)
 */
void token_project(struct projector *pr, struct span configured, struct span name,
		   struct ingress_token *out);

/* Compiles the callers for ingress, and the slots of their tokens. (caller.c) */
void caller_project_all(struct projector *pr);

/* Compiles the configuration's target i for keeper, egress and ingress. (target.c) */
void target_project(struct projector *pr, size_t i);

#endif
