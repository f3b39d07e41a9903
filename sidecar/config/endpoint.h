/* SPDX-License-Identifier: Apache-2.0 */
/* Where a cloud credential may be sent (reference/aws.md 1.7, 4.4). Pure. */
#ifndef CONFIG_ENDPOINT_H
#define CONFIG_ENDPOINT_H

#include "config/url.h"

/* NULL and *out; or what is wrong with text as a store's endpoint. Does not echo it. */
const char *endpoint_check_store(struct span text, struct url *out);

/* The same for AWS_CONTAINER_CREDENTIALS_FULL_URI: plain http only to the known local addresses. */
const char *endpoint_check_container(struct span text, struct url *out);

/* The same for AWS_EC2_METADATA_SERVICE_ENDPOINT: loopback, or the service's own addresses. */
const char *endpoint_check_instance(struct span text, struct url *out);

#endif
