/* SPDX-License-Identifier: Apache-2.0 */
/* What `check --resolve` learnt, and its two forms: a table for people, JSON for programs. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stdio.h>

#include "box/msg.h"
#include "config/project.h"

struct report;

/* An empty report on plans, which must outlive it. */
struct report *report_new(const struct plans *plans);
void report_free(struct report *r);

/* Takes one MSG_REPORT_…; the texts are copied. What is not of the plans is dropped. */
void report_take(struct report *r, enum msg_type type, const void *obj);
/* Whether everything has been told. */
bool report_is_whole(const struct report *r);

/* Prints it. 0, or 1 when something failed or was never told. */
int report_print(const struct report *r, bool json, FILE *out);

#endif
