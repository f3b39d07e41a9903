/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer says of the deployment that gave it: whether it is to be left alone for a while,
 * and whether the call was certainly not executed there, so that another may have it (reference
 * llm.md 2.3, aws.md 6.2). Pure.
 */
#ifndef EGRESS_THROTTLE_H
#define EGRESS_THROTTLE_H

#include "box/frame.h"

/* Whether an answer of that status is a failure of the deployment: 429 and every 5xx. */
bool throttle_is_failure(unsigned status);

enum throttle {
	THROTTLE_NO,    /* the call may have been executed, or would be refused elsewhere too */
	THROTTLE_YES,   /* it was not executed */
	THROTTLE_MAYBE, /* the body tells: throttle_by_body */
};

/* By the head alone. aws: it is of AWS, which names its errors. */
enum throttle throttle_by_head(const struct frame_head *head, bool aws);
/* The same, of one that was MAYBE, with its body. */
bool throttle_by_body(const struct frame_head *head, bool aws, struct span body);

/*
 * How long the answer asks to be left alone, in ms, by retry-after-ms or Retry-After (seconds, or
 * a date; RFC 9110 section 10.2.3); 0: it does not say. now_s: seconds since 1970.
 */
uint64_t throttle_retry_ms(const struct frame_head *head, uint64_t now_s);

#endif
