/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a decision have in common: how to say no, and the target's part. */
#ifndef INGRESS_DECIDE_PARTS_H
#define INGRESS_DECIDE_PARTS_H

#include "ingress/decide.h"

/* Keeps the sentence for the answer; returns v. */
enum verdict decide_refuse(struct decision *d, enum verdict v, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether d's target takes the operation and has what its calls prove themselves with. */
enum verdict decide_target_serves(const struct ingress *in, struct decision *d);

#endif
