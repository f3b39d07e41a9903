/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of every key: its type, place in struct config, default, bounds, one line of help. It
 * drives the parser (read.c), `sidekey check`, the JSON Schema (jsonschema.c) and the reference
 * page.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdint.h>

#include "base/span.h"

/* What stands in the file, and what it becomes in the section's struct. */
enum schema_type {
	SCHEMA_BOOL,      /* bool */
	SCHEMA_CHOICE,    /* uint8_t, enum config_choice: a boolean that knows if it was given */
	SCHEMA_INTEGER,   /* uint64_t */
	SCHEMA_DURATION,  /* uint64_t, milliseconds */
	SCHEMA_SIZE,      /* uint64_t, bytes */
	SCHEMA_WORD,      /* uint8_t, the word's index plus min: 0 can then say "not given" */
	SCHEMA_WORDS,     /* uint32_t, a bit for each word of a list */
	SCHEMA_TEXT,      /* struct span */
	SCHEMA_TEXTS,     /* struct config_texts */
	SCHEMA_UIDS,      /* struct config_uids */
	SCHEMA_REFERENCE, /* struct span; or the row's words */
	SCHEMA_TOKEN,     /* struct span: a reference, or sha256: and the digest of the token */
	SCHEMA_MATERIAL,  /* struct span: a reference; a bare absolute path becomes one */
	SCHEMA_URL,       /* struct span */
	SCHEMA_TEMPLATES, /* struct config_pairs: headers, values with references inside */
	SCHEMA_PAIRS,     /* struct config_pairs: names and plain texts */
	SCHEMA_SECTION,   /* the struct of another table, in place */
	SCHEMA_NAMED, /* struct schema_list: a map of sections, whose structs begin with the name */
	SCHEMA_ROWS,  /* struct schema_list: a list of sections */
	SCHEMA_LISTENERS,      /* struct config_listeners */
	SCHEMA_DEFAULT_TARGET, /* struct config_default */
	SCHEMA_TYPES
};

/* The shape of config_targets, config_models: what NAMED and ROWS write. */
struct schema_list {
	void *items;
	size_t n;
};

/* The form of a text: the same rule as a predicate and as a pattern of JSON Schema. */
struct schema_form {
	bool (*is_good)(struct span s);
	const char *pattern;
	const char *due; /* "a name of …": what the fault says */
};

/* The name of word i, or NULL behind the last. */
typedef const char *schema_word(unsigned i);

struct schema;

struct schema_key {
	const char *name;
	enum schema_type type;
	bool required;
	size_t offset;        /* in the section's struct */
	const char *fallback; /* the default, as it would be written; NULL: none */
	/* Of a number, a duration in ms, a size in bytes, a text's length, a list's count. */
	uint64_t min, max;
	const struct schema_form *form; /* of TEXT and of the items of TEXTS; NULL: any */
	schema_word *word;              /* WORD, WORDS, and what else REFERENCE takes */
	const struct schema *of;        /* SECTION, NAMED, ROWS, and the map form of LISTENERS */
	const char *help;
};

struct schema {
	size_t size; /* of the struct */
	const struct schema_key *keys;
	size_t n;
};

extern const struct schema schema_root;
extern const struct schema schema_endpoints; /* of aws.endpoints: a URL for each enum service */
extern const struct schema schema_listener;  /* the map form of a listener: struct listener_keys */

enum { SOCKET_PATH_MAX = 107 }; /* sun_path of sockaddr_un, less its NUL */

struct listener_keys {
	struct span path, mode;
	uint64_t group;
};

/* The row of that name, or NULL. */
const struct schema_key *schema_find(const struct schema *s, struct span name);
/* The word's index, or -1. */
long schema_word_find(schema_word *word, struct span text);

#endif
