/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which header fields cross the sidecar: an allow-list for requests, a deny-list for answers
 * (design section 5).
 */
#ifndef POLICY_ACCESS_HEADERS_H
#define POLICY_ACCESS_HEADERS_H

#include "base/span.h"

/*
 * Whether a request field of that name (any case) may go upstream: content-type, accept,
 * accept-language, user-agent, x-stainless-*, anthropic-version, anthropic-beta, openai-beta, …
 * (reference/llm.md D3).
 * Everything else, and every credential, forwarding, cookie, hop-by-hop and gateway-steering
 * field, does not.
 */
bool header_request_passes(struct span name);

/*
 * Whether an answer's field may reach the agent: not hop-by-hop, set-cookie, location,
 * www-authenticate, alt-svc, internal addresses … (D4).
 */
bool header_response_passes(struct span name);

/*
 * Whether an operator may configure a header of that name: a token, and none that
 * frames the message or is set by us (host, content-length, transfer-encoding, connection, expect,
 * te, trailer, upgrade …).
 */
bool header_may_configure(struct span name);

/* Whether a header of that name (any case), of those that may be configured, is a credential. */
bool header_is_credential(struct span name);

#endif
