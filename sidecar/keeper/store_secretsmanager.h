/* SPDX-License-Identifier: Apache-2.0 */
/* Asking Secrets Manager, also on behalf of a store whose keys are secrets there. */
#ifndef KEEPER_STORE_SECRETSMANAGER_H
#define KEEPER_STORE_SECRETSMANAGER_H

#include "aws/secretsmanager.h"
#include "keeper/store_aws.h"

/* Asks for the version that secret names; answered and denied as in struct store_question. */
void store_secret_ask(struct document *d, const struct reference *secret,
		      const struct plan_endpoint *at,
		      void (*answered)(struct document *d, struct span body),
		      bool (*denied)(struct document *d));

/* Reads the answer; secretsmanager_free it. False: it is of no use, and d has failed. */
bool store_secret_read(struct document *d, struct span body, struct secretsmanager_value *out);

#endif
