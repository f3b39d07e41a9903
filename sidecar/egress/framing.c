/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/framing.h"

#include "base/num.h"

bool
framing_is_sound(const struct frame_head *head)
{
	bool has_length = false, has_coding = false;
	uint64_t length = 0, other;

	for (size_t i = 0; i < head->nfields; i++) {
		struct http_field field = head->fields[i];

		if (span_iis(field.name, "content-length")) {
			if (num_u64(field.value, INT64_MAX, &other) != 0 ||
			    (has_length && other != length))
				return false;
			length = other;
			has_length = true;
		} else if (span_iis(field.name, "transfer-encoding")) {
			if (has_coding || !span_iis(field.value, "chunked"))
				return false;
			has_coding = true;
		}
	}
	return !(has_length && has_coding) && !(head->status < 200 && (has_length || has_coding));
}
