/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a source of another format holds, read with distrust: a text of it is copied into the draft
 * only where it is of the form that is due there and is no secret.
 */
#ifndef CLI_INIT_SOURCE_H
#define CLI_INIT_SOURCE_H

#include "cli/init_draft.h"

/* A place in the source: a member of map, and how it is called in a note. */
struct source_place {
	struct draft *draft;
	const struct yaml_item *map; /* of which it is, or may be, a member */
	const char *path;            /* of the map; may be empty */
};

/* The member, or NULL when it is absent or YAML's null. */
const struct yaml_item *source_member(const struct yaml_item *map, const char *key);

/* The text of the member; empty when it is none. */
struct span source_text(const struct yaml_item *map, const char *key);

/* The member's path, as "model_list[0].litellm_params.api_key". */
void source_path(const struct source_place *in, const char *key, char out[static DRAFT_PATH_MAX]);

/* A note about the member, or about the map where there is none. */
void source_note(const struct source_place *in, const char *key, const char *message,
		 const char *hint);

/* key where it may be shown (up to 64 letters, digits and _ . -, no key by its looks), else "?". */
const char *source_name(struct draft *d, struct span key);

/* By its front, or by its mixture of letters and digits, more likely a secret than a word. */
bool source_is_secret(struct span text);

/*
 * A text that may be copied into a configuration: 1 to 512 printable characters, no variable of
 * ours, and nothing that begins like a key.
 */
bool source_may_be_copied(struct span text);

/* A variable's name, where text is os.environ/NAME or ${NAME}. */
bool source_is_variable(struct span text, struct span *name);

/* ${NAME:-FALLBACK}, where that may be copied. */
bool source_has_default(struct span text, struct span *name, struct span *fallback);

/*
 * The member as a reference, or "none" where it says so; empty when it is absent. A literal secret
 * becomes env:NEW_FALLBACK (NEW_FALLBACK_2 where that stands for another already), with a note;
 * the older form of AgentCore's ARNs becomes the one that is in use.
 */
struct span source_reference(const struct source_place *in, const char *key, const char *fallback);

/* The same of a text that is in no member. at: where it is, for notes. */
struct span source_secret(struct draft *d, struct span text, const struct yaml_item *at,
			  const char *path, const char *fallback);

/*
 * The member as a URL, or as a variable that holds one, into t's api_base and allow_plaintext; a
 * trailing slash is cut. fallback where it is absent; 0, or -1 with a note when there is none that
 * can be used.
 */
int source_base(const struct source_place *in, const char *key, const char *fallback,
		struct draft_target *t);

/*
 * The member where it is of that form, or a variable, which then has fallback as its default;
 * empty, with a note, where it is something else.
 */
struct span source_value(const struct source_place *in, const char *key,
			 bool (*is_good)(struct span), const char *fallback);

#endif
