/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of names: header fields, members of a body. */
#ifndef POLICY_ACCESS_NAMES_H
#define POLICY_ACCESS_NAMES_H

#include "base/span.h"

/*
 * Whether name is in list, ASCII letters folded. The n entries are in lower case and not empty;
 * one that ends in '*' stands for every name that begins with what is before it.
 */
bool names_have(const char *const *list, size_t n, struct span name);

#define NAMES_HAVE(list, name) names_have((list), sizeof(list) / sizeof((list)[0]), (name))

#endif
