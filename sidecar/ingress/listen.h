/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting on the listeners that ingress inherits. */
#ifndef INGRESS_LISTEN_H
#define INGRESS_LISTEN_H

#include "ingress/ingress.h"

struct listener;

/*
 * Starts on every listener of in's plan. Their descriptors are the parent's, shared with other
 * generations.
 */
struct listener *listen_start(struct ingress *in);
void listen_stop(struct listener *all);

#endif
