/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets that egress holds, in secret pages: the value of each slot, and for each
 * target its secret header lines, composed once for each set of versions and lent to
 * libcurl in place. One of the few files that see secret bytes.
 */
#ifndef EGRESS_VAULT_H
#define EGRESS_VAULT_H

#include "config/plan_egress.h"
#include "egress/redact.h"

struct vault;

/* The composed header lines of one target: "Name: value", NUL-terminated. Counted references. */
struct header_set;

/* A vault for plan, which must outlive it. */
struct vault *vault_new(const struct egress_plan *plan);

/*
 * Takes a copy of value for slot. 0, or -1 when slot is none, or the secret pages are full, which
 * the log says, once. In full pages a value that is no longer takes the place of the one before,
 * unless a call has lines of that; else the one before stays in use.
 */
int vault_put(struct vault *v, uint16_t slot, uint32_t version, struct span value);
void vault_drop(struct vault *v, uint16_t slot);

/*
 * The lines of target with a reference for the caller, or NULL when a secret it needs is not
 * here.
 */
struct header_set *vault_headers(struct vault *v, size_t target);
void header_set_release(struct header_set *s);
/* Whether any secret is in the lines at all. */
bool header_set_has_secret(const struct header_set *s);
/* What finds the secrets of these lines in an answer; NULL: the target does not redact. */
const struct redactor *header_set_redactor(const struct header_set *s);
/* The slot of the ith secret that it finds. */
uint16_t header_set_slot(const struct header_set *s, size_t i);
/* Whether a slot that the lines were composed of has a newer version now. */
bool vault_is_newer(const struct vault *v, const struct header_set *s);
/* Whether target's lines are composed of slot. */
bool vault_uses(const struct vault *v, size_t target, uint16_t slot);
size_t header_set_count(const struct header_set *s);
/* The i-th line, valid while the reference is held. */
const char *header_set_line(const struct header_set *s, size_t i);

#endif
