/* SPDX-License-Identifier: Apache-2.0 */
/* A draft as the text of a configuration, with its comments. */
#ifndef CLI_INIT_WRITE_H
#define CLI_INIT_WRITE_H

#include "base/buf.h"
#include "cli/init_draft.h"

/* More than any draft of a source of YAML_BYTES_MAX becomes: every name is written a few times. */
enum { WRITE_MAX = 64 * 1024 * 1024 };

/*
 * text (UTF-8) as a scalar that YAML reads as that text again, in a flow map too: plain where
 * nothing else can be read from it, else in double quotes, every byte beyond ASCII escaped.
 */
void write_scalar(struct buf *out, struct span text);

/* A target's members, indented, without its name. */
void write_target(struct buf *out, const struct draft_target *t);

/* The whole file. */
void write_draft(struct buf *out, const struct draft *d);

#endif
