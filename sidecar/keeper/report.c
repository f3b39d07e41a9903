/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/report.h"

#include "aws/sigv4.h"

enum { FINGERPRINT_LEN = 12 };

void
report_slot(struct channel *parent, const struct slot *s)
{
	struct span value = slot_value(s);
	char hash[SIGV4_HEX_LEN + 1] = "";
	struct msg_report_slot m = {
		.slot = s->number,
		.state = (uint8_t)s->state,
		.length = (uint32_t)value.len,
		.created_s = s->created_s,
		.version_id = span_of(s->version_id),
		.error_type = span_of(s->error_type),
	};

	if (value.ptr != NULL && sigv4_hash(value, hash) == 0)
		m.fingerprint = (struct span){hash, FINGERPRINT_LEN};
	(void)channel_send(parent, MSG_REPORT_SLOT, &m, -1);
}
