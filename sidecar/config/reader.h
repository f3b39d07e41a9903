/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read a configuration share: where values go, and where faults go. */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/config.h"
#include "config/schema.h"
#include "config/yaml.h"

struct reader {
	const struct environment *env;
	struct config_faults *faults;
	struct pool *pool; /* the config's */
};

/* The path of a key, from the inside out, as the recursion holds it. */
struct path {
	const struct path *up; /* NULL: at the top */
	struct span key;       /* empty: index counts */
	size_t index;
};

enum { PATH_TEXT_MAX = 512 };

/* A fault at item, or at its key, under path. */
void reader_fault(struct reader *r, const struct yaml_item *item, const struct path *path,
		  const char *hint, const char *format, ...) __attribute__((format(printf, 5, 6)));
void reader_fault_key(struct reader *r, const struct yaml_item *item, const struct path *path,
		      const char *hint, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* At the member key of item where there is one, else at item; under path either way. */
void reader_fault_member(struct reader *r, const struct yaml_item *item, const struct path *path,
			 const char *key, const char *hint, const char *message);

/* A scalar with its variables replaced. */
struct scalar {
	struct span text;   /* in the config's pool */
	struct span raw;    /* as it stands in the file */
	bool is_expanded;   /* the two differ */
	bool is_plain_text; /* not something that YAML takes for null, a boolean or a number */
};

/* False, with a fault, when item is no scalar or a variable is not there. */
bool reader_scalar(struct reader *r, const struct yaml_item *item, const struct path *path,
		   struct scalar *out);
/* The same, and a text is due: nothing that YAML takes for another type, and no control byte. */
bool reader_text(struct reader *r, const struct yaml_item *item, const struct path *path,
		 struct scalar *out);

/* Zeroed memory of the config's for what stands at item, or NULL with a fault. */
void *reader_room(struct reader *r, const struct yaml_item *item, const struct path *path,
		  size_t size);

/* Reads item as key says into the section's struct at obj (value.c, for the scalar types). */
void value_read(struct reader *r, const struct yaml_item *item, const struct path *path,
		const struct schema_key *key, void *obj);
/* Takes the key's default, as the table writes it. */
void value_default(const struct schema_key *key, void *obj);

/* Reads the map item as a section into the struct at obj. item NULL: the defaults. (read.c) */
void section_read(struct reader *r, const struct yaml_item *item, const struct path *path,
		  const struct schema *schema, void *obj);

/* Reads one listener: ADDRESS:PORT, unix:PATH or the map form. (listener.c) */
void listener_read(struct reader *r, const struct yaml_item *item, const struct path *path,
		   struct config_listener *out);
/* ADDRESS:PORT, localhost:PORT or unix:PATH, as views. False: none of them. */
bool listener_parse(struct span text, struct config_listener *out);

/* A reference where one is due: false with a fault and its hint. (reference.c) */
bool reference_check(struct reader *r, const struct yaml_item *item, const struct path *path,
		     const struct scalar *value);

/* The same where a bare absolute path is taken, too, and has been made a reference. */
bool reference_check_path(struct reader *r, const struct yaml_item *item, const struct path *path,
			  const struct scalar *value);

/* A header's value without a secret in clear, under its name: false with a fault. (literal.c) */
bool literal_check(struct reader *r, const struct yaml_item *item, const struct path *path,
		   const struct scalar *value);

/* The key of schema that was probably meant, or NULL. (nearest.c) */
const char *nearest_key(const struct schema *schema, struct span written);
/* The word that was probably meant, or NULL. */
const char *nearest_word(schema_word *word, struct span written);

/* Callers have names and tokens of their own, and a way to be known. (caller_rules.c) */
void caller_rules_check(struct reader *r, const struct yaml_item *root, const struct config *c);

/* What no single key shows: names that must exist, pairs, conflicts. (rules.c) */
void rules_check(struct reader *r, const struct yaml_item *root, struct config *c);

#endif
