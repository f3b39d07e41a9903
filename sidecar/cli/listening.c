/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listening.h"

#include "base/num.h"

/* Columns: number, local address, remote address, state, queues, timer, retransmits, uid, … */
enum { LOCAL = 1, STATE = 3, UID = 7, TCP_STATE_LISTEN = 0x0a };

static struct span
column(struct span line, unsigned n)
{
	size_t at = 0, end = 0;

	do {
		for (at = end; at < line.len && line.ptr[at] == ' ';)
			at++;
		end = span_find(line, at, ' ');
	} while (n-- > 0);
	return span_cut(line, at, end);
}

static bool
is_match(struct span line, uint16_t port)
{
	struct span local = column(line, LOCAL);
	uint64_t state, number;
	size_t colon = span_find(local, 0, ':');

	return num_hex(column(line, STATE), UINT8_MAX, &state) == 0 && state == TCP_STATE_LISTEN &&
	       num_hex(span_cut(local, colon + 1, local.len), UINT16_MAX, &number) == 0 &&
	       number == port;
}

bool
listening_uid(struct span table, uint16_t port, uint32_t *uid)
{
	uint64_t number;

	for (size_t at = 0; at < table.len;) {
		size_t end = span_find(table, at, '\n');
		struct span line = span_cut(table, at, end);

		if (is_match(line, port) && num_u64(column(line, UID), UINT32_MAX, &number) == 0) {
			*uid = (uint32_t)number;
			return true;
		}
		at = end + 1;
	}
	return false;
}
