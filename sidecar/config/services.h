/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the services of AWS are reached (reference/aws.md 1.7): at the configuration's endpoint,
 * else at the environment's, else at the host of the region.
 */
#ifndef CONFIG_SERVICES_H
#define CONFIG_SERVICES_H

#include "aws/service.h"
#include "config/projector.h"
#include "config/url.h"

/*
 * The endpoint of s in region, whose name and port the keeper may then use. False, with a fault,
 * when there is none or it must not be used.
 */
bool services_find(struct projector *pr, enum service s, struct span region,
		   struct plan_endpoint *out);

/* The same as a URL, which is told to nobody. */
bool services_url(struct projector *pr, enum service s, struct span region, struct url *out);

/* Whether url has the host and port of the endpoint that is named for s and no other service. */
bool services_is_at(struct projector *pr, enum service s, const struct url *url);

/* Whether an endpoint is named, of any of them, or it is said that none is to be. */
bool services_are_placed(struct projector *pr);

/* Takes a URL that has been checked as an endpoint, with its name and port. */
void services_take(struct projector *pr, const struct url *url, struct plan_endpoint *out);

#endif
