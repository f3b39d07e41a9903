/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics: what was counted, in Prometheus' text format 0.0.4. */
#ifndef INGRESS_EXPOSE_H
#define INGRESS_EXPOSE_H

#include "base/buf.h"
#include "ingress/ingress.h"

#define EXPOSE_TYPE "text/plain; version=0.0.4; charset=utf-8"

void expose_metrics(const struct ingress *in, struct buf *b);

#endif
