/* SPDX-License-Identifier: Apache-2.0 */
/* Why a sidekey that runs cannot serve calls: which secret is missing, which target lacks what. */
#ifndef CLI_EXEC_WHY_H
#define CLI_EXEC_WHY_H

#include <stdio.h>

#include "base/span.h"

/* Prints a sentence for each, from what /readyz answers. */
void exec_why_print(struct span readyz, FILE *out);

#endif
