/* SPDX-License-Identifier: Apache-2.0 */
/* How the parts of a decision say no. */
#ifndef INGRESS_DECIDE_REFUSE_H
#define INGRESS_DECIDE_REFUSE_H

#include "ingress/decide.h"

/* Keeps the sentence for the answer; returns v. */
enum verdict decide_refuse(struct decision *d, enum verdict v, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
