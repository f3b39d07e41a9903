/* SPDX-License-Identifier: Apache-2.0 */
/* How far our clock is from AWS's, learnt from the Date of a refusal for it. */
#ifndef KEEPER_SKEW_H
#define KEEPER_SKEW_H

#include <stdbool.h>
#include <stdint.h>

struct skew {
	int64_t offset_s; /* AWS's clock less ours */
};

/* AWS's time now, seconds since 1970. */
uint64_t skew_now_s(const struct skew *k);

/* Takes the Date of an answer (0: it had none); whether the offset moved by a minute or more. */
bool skew_learn(struct skew *k, uint64_t date_s);

#endif
