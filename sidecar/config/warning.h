/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration may say and says in vain: good enough to run, and hardly what is meant. */
#ifndef CONFIG_WARNING_H
#define CONFIG_WARNING_H

#include "config/project.h"

/* path: of the key, such as "models[2]"; both texts are the callee's for the call alone. */
typedef void warning_fn(void *arg, const char *path, const char *message);

/* Calls tell for each; p is made of c. */
void warnings_tell(const struct config *c, const struct plans *p, warning_fn *tell, void *arg);

#endif
