/* SPDX-License-Identifier: Apache-2.0 */
/* The trace that a call belongs to: W3C Trace Context, traceparent. Pure. */
#ifndef INGRESS_TRACE_H
#define INGRESS_TRACE_H

#include "base/span.h"

enum { TRACE_ID_LEN = 32 };

/* The trace id of a valid traceparent, with a NUL. False, and out left alone, when it is none. */
bool trace_id(struct span traceparent, char out[static TRACE_ID_LEN + 1]);

#endif
