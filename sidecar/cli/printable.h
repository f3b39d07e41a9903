/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody else wrote, on its way to a terminal, which obeys escape sequences: any byte that
 * is not a plain ASCII character becomes a question mark.
 */
#ifndef CLI_PRINTABLE_H
#define CLI_PRINTABLE_H

#include <stdio.h>

#include "base/span.h"

/* to: text.len bytes, without a NUL behind them; may be where text is. */
void printable_copy(char *to, struct span text);
void printable_put(struct span text, FILE *out);

#endif
