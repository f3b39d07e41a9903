/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "policy/box/boxes.h"

#include "box/spawn.h"

/* No file, no listener, no name: TLS material comes as memory, addresses from the resolver. */
static const struct box_call calls[] = {
	WHEN("fcntl", "the keeper's CA bundle must be sealed", EQ32(1, F_GET_SEALS)),
	ANY("newfstatat", "its size"),
	WHEN("read", "the bell of the trunk, and not a terminal", EQ32(0, SPAWN_TRUNK + 1)),
	ANY("pread64", "the keeper's CA bundle, a sealed memfd"),
};

static const struct box *const includes[] = {&common_box, &client_box, &patient_box, NULL};

const struct box egress_box = {"egress", BOX_CALLS(calls), includes, .dials = true};
