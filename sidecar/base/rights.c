/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rights.h"

void
rights_let(int sock, bool let)
{
	const int on = let;

	(void)setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &on, sizeof(on));
}
