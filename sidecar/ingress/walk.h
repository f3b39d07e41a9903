/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over JSON that scan_json has found good: it needs no more than where values end. */
#ifndef INGRESS_WALK_H
#define INGRESS_WALK_H

#include "base/span.h"

/* Behind the blanks at at. */
size_t walk_blanks(struct span s, size_t at);
/* Behind the value at at. */
size_t walk_value(struct span s, size_t at);

/*
 * The next item of the object or array whose first item *at was set behind the opening of; *at is
 * then behind it. A member's name stays in its quotes; an array's items have none.
 */
bool walk_item(struct span s, size_t *at, bool object, struct span *name, struct span *value);

#endif
