/* SPDX-License-Identifier: Apache-2.0 */
/* The listeners of a generation, and which Host values each of them answers to. */
#ifndef CONFIG_LISTENERS_H
#define CONFIG_LISTENERS_H

#include "config/project.h"

/* Fills in p->listeners and p->ingress.listeners, from p's pool. */
void listeners_project(const struct config *c, struct plans *p);

#endif
