/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For `check --resolve`: one request without any secret to a target's base path, to see who answers
 * there, over which TLS, and whether our client certificate is accepted.
 */
#ifndef EGRESS_PROBE_H
#define EGRESS_PROBE_H

#include "box/channel.h"
#include "egress/target.h"

struct probe;

/* Waits for t to have its addresses and TLS material, and reports (MSG_REPORT_TARGET) once. */
struct probe *probe_new(struct loop *l, struct target *t, uint16_t number, struct channel *parent);

/* Something of t is new: begins when nothing is missing any more. */
void probe_look(struct probe *p);

#endif
