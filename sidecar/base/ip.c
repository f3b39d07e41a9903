/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "base/ip.h"

int
ip_parse(struct span text, unsigned char bytes[static 16])
{
	char s[INET6_ADDRSTRLEN];

	if (span_has(text, SPAN("\0")) || !span_cstr(text, s, sizeof(s)))
		return 0;
	if (inet_pton(AF_INET, s, bytes) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, s, bytes) == 1 ? AF_INET6 : 0;
}
