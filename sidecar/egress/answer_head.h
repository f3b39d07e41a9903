/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an answer, taken apart. */
#ifndef EGRESS_ANSWER_HEAD_H
#define EGRESS_ANSWER_HEAD_H

#include "box/frame.h"

/*
 * Splits lines, the status line and those behind it (RFC 9112 sections 4 and 5), into head's status
 * and fields, of which there is room for HTTP_FIELDS_MAX: views. 0, or -1: they are none, or too
 * many, or so long that to search them would keep other calls waiting.
 */
int answer_head_split(struct span lines, struct frame_head *head);

#endif
