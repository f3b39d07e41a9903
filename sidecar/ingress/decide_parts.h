/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a decision have in common: how to say no, the target's part, and usage's. */
#ifndef INGRESS_DECIDE_PARTS_H
#define INGRESS_DECIDE_PARTS_H

#include "ingress/decide.h"
#include "ingress/scan.h"

/* Keeps the sentence for the answer; returns v. */
enum verdict decide_refuse(struct decision *d, enum verdict v, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether d's target takes the operation and has what its calls prove themselves with. */
enum verdict decide_target_serves(const struct ingress *in, struct decision *d);

/* What would keep the usage of a call from being known, where its caller's tokens are counted. */
enum verdict decide_counted(const struct ingress *in, const struct scan *s, struct decision *d);
/* Has a stream of chat tell its usage, where the target's configuration wants that of each. */
void decide_usage(const struct ingress *in, struct span body, const struct scan *s,
		  struct decision *d);

#endif
