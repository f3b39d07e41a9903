/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/answer_head.h"

#include "base/num.h"

enum {
	STATUS_LINE_MIN = 12,       /* "HTTP/1.1 200" */
	NAMES_BYTES_MAX = 8 * 1024, /* of all fields: a hundred of 40 bytes are half of it */
};

/* Whether what is searched again and again is so short that this costs next to nothing. */
static bool
is_searchable(const struct frame_head *head)
{
	size_t names = 0;      /* for secrets, at every byte (guise_is_in_name) */
	size_t connection = 0; /* for each field (http_is_nominated) */

	for (size_t i = 0; i < head->nfields; i++) {
		names += head->fields[i].name.len;
		if (span_iis(head->fields[i].name, "connection"))
			connection += head->fields[i].value.len;
	}
	return names <= NAMES_BYTES_MAX && connection <= HTTP_CONNECTION_MAX;
}

int
answer_head_split(struct span lines, struct frame_head *head)
{
	size_t at = span_find(lines, 0, '\n');
	struct span status = span_cut(lines, 0, at);
	uint64_t code;

	if (status.len < STATUS_LINE_MIN ||
	    num_u64(span_cut(status, 9, STATUS_LINE_MIN), 999, &code) != 0)
		return -1;
	head->status = (uint16_t)code;
	while (at < lines.len) {
		size_t end = span_find(lines, at + 1, '\n');
		struct span line = span_cut(lines, at + 1, end);
		size_t colon = span_find(line, 0, ':');

		at = end;
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (line.len == 0)
			continue;
		if (colon >= line.len || colon > HTTP_NAME_MAX || head->nfields == HTTP_FIELDS_MAX)
			return -1;
		head->fields[head->nfields++] = (struct http_field){
			span_cut(line, 0, colon), span_trim(span_cut(line, colon + 1, line.len))};
	}
	return is_searchable(head) ? 0 : -1;
}
