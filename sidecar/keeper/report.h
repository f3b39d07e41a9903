/* SPDX-License-Identifier: Apache-2.0 */
/* For `check --resolve`: what became of a slot's first fetch, without its value. */
#ifndef KEEPER_REPORT_H
#define KEEPER_REPORT_H

#include "box/channel.h"
#include "keeper/slot.h"

/* Tells the parent of s (MSG_REPORT_SLOT): length and fingerprint in place of the value. */
void report_slot(struct channel *parent, const struct slot *s);

#endif
