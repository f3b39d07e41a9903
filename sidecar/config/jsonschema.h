/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON Schema (draft 2020-12) of the configuration, for editors: deploy/sidekey.schema.json. */
#ifndef CONFIG_JSONSCHEMA_H
#define CONFIG_JSONSCHEMA_H

#include "base/buf.h"

enum { JSONSCHEMA_MAX = 1024 * 1024 };

/*
 * Appends it, made from the table of schema.c. It says no less than `sidekey check` about
 * keys, types, words and forms; it cannot say what depends on two keys. Wherever
 * a scalar is due, a text with `${…}` is accepted too. 0, or -1 (out is full).
 */
int jsonschema_write(struct buf *out);

#endif
