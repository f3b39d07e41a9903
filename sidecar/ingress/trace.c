/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	traceparent = version "-" trace-id "-" parent-id "-" trace-flags
 *	version     = 2HEXDIGLC   ; not ff; beyond 00, "-" and more may follow
 *	trace-id    = 32HEXDIGLC  ; not all zero
 *	parent-id   = 16HEXDIGLC  ; not all zero
 *	trace-flags = 2HEXDIGLC
 */
#include <string.h>

#include "ingress/trace.h"

#include "base/ascii.h"

enum { VERSION_00_LEN = 55, TRACE_AT = 3, PARENT_AT = 36, PARENT_LEN = 16 };

static bool
is_zero(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != '0')
			return false;
	return true;
}

bool
trace_id(struct span traceparent, char out[static TRACE_ID_LEN + 1])
{
	static const char form[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
	struct span t = traceparent, id = span_cut(t, TRACE_AT, TRACE_AT + TRACE_ID_LEN);

	if (t.len < VERSION_00_LEN || span_starts(t, SPAN("ff")))
		return false;
	for (size_t i = 0; i < VERSION_00_LEN; i++) {
		char c = t.ptr[i];
		bool hex = ascii_is_hex(c) && !ascii_is_upper(c);

		if (form[i] == 'h' ? !hex : c != '-')
			return false;
	}
	if (t.len > VERSION_00_LEN && (span_starts(t, SPAN("00")) || t.ptr[VERSION_00_LEN] != '-'))
		return false;
	if (is_zero(id) || is_zero(span_cut(t, PARENT_AT, PARENT_AT + PARENT_LEN)))
		return false;
	memcpy(out, id.ptr, TRACE_ID_LEN);
	out[TRACE_ID_LEN] = '\0';
	return true;
}
