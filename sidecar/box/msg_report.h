/* SPDX-License-Identifier: Apache-2.0 */
/* What keeper and egress tell the parent for `check --resolve`: never a secret. */
#ifndef BOX_MSG_REPORT_H
#define BOX_MSG_REPORT_H

#include "box/msg_slot.h"

struct msg_report_identity {
	uint16_t identity;
	bool good;             /* there are keys, and nobody has refused them */
	struct span principal; /* its ARN, or empty: it is not known */
	struct span why;       /* why it is not */
};

struct msg_report_slot {
	uint16_t slot;
	uint8_t state; /* enum slot_state */
	uint32_t length;
	uint64_t created_s; /* of the version, as the store says; 0: it does not */
	struct span version_id;
	struct span fingerprint; /* the first digits of its SHA-256 */
	struct span error_type;
};

struct msg_report_target {
	uint16_t target;
	uint8_t verdict; /* enum verdict */
	uint32_t status; /* of the answer to a request without secrets; 0: none came */
	struct span why;
	struct span tls, subject, issuer; /* empty without TLS */
	uint64_t expires_s;
	uint32_t chain;
	bool asked; /* the server asked for a client certificate */
};

#endif
