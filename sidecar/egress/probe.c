/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "egress/probe.h"

#include "box/msg_report.h"

enum { WAIT_MS = 12 * 1000, LINES = 4 };

struct probe {
	struct loop *loop;
	struct target *target;
	uint16_t number;
	struct channel *parent;
	struct transfer *transfer;
	struct transfer_report report;
	struct timer timer;
	char host[1100], path[1100];
	const char *lines[LINES];
	bool done;
};

static void
tell(struct probe *p, enum verdict v)
{
	const struct tls_peer *peer = &p->report.peer;
	struct msg_report_target m = {
		.target = p->number,
		.verdict = (uint8_t)v,
		.status = p->report.status,
		.why = span_of(p->report.error),
		.tls = span_of(peer->version),
		.subject = span_of(peer->subject),
		.issuer = span_of(peer->issuer),
		.expires_s = peer->expires_s,
		.chain = peer->chain,
		.asked = peer->asked,
	};

	p->done = true;
	timer_stop(p->loop, &p->timer);
	(void)channel_send(p->parent, MSG_REPORT_TARGET, &m, -1);
}

static enum verdict
on_head(void *arg, const struct frame_head *head)
{
	struct probe *p = arg;

	p->report.status = head->status;
	return VERDICT_OVERLOADED; /* ends it: who answers is all that was asked */
}

static bool
on_data(void *arg, struct span piece)
{
	(void)arg;
	(void)piece;
	return true;
}

static void
on_done(void *arg, enum verdict v, bool sent)
{
	struct probe *p = arg;

	(void)sent;
	p->transfer = NULL;
	if (p->report.status != 0) {
		p->report.error[0] = '\0';
		v = VERDICT_OK;
	}
	tell(p, v);
}

static void
too_late(struct timer *t)
{
	struct probe *p = ev_owner(t, struct probe, timer);
	const char *why = "it does not answer";

	if (p->transfer == NULL && !target_is_resolved(p->target))
		why = "its name does not resolve";
	else if (p->transfer == NULL)
		why = "its TLS material is not there; see the secrets above";
	transfer_cancel(p->transfer);
	p->transfer = NULL;
	snprintf(p->report.error, sizeof(p->report.error), "%s", why);
	tell(p, VERDICT_UPSTREAM_UNREACHABLE);
}

struct probe *
probe_new(struct loop *l, struct target *t, uint16_t number, struct channel *parent)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (p == NULL)
		abort();
	*p = (struct probe){.loop = l, .target = t, .number = number, .parent = parent};
	snprintf(p->host, sizeof(p->host), "Host: %.*s", (int)t->plan->authority.len,
		 t->plan->authority.ptr);
	snprintf(p->path, sizeof(p->path), "%.*s",
		 t->plan->base_path.len > 0 ? (int)t->plan->base_path.len : 1,
		 t->plan->base_path.len > 0 ? t->plan->base_path.ptr : "/");
	p->timer.fn = too_late;
	timer_set(l, &p->timer, WAIT_MS);
	return p;
}

void
probe_look(struct probe *p)
{
	static const struct transfer_events events = {on_head, on_data, NULL, on_done};
	struct transfer_request r = {
		.method = SPAN("GET"), .target = p->path, .lines = p->lines, .report = &p->report};

	if (p->done || p->transfer != NULL)
		return;
	if (p->target->lane == NULL && p->target->tls_fault != TLS_FAULT_NONE) {
		snprintf(p->report.error, sizeof(p->report.error), "%s",
			 tls_fault_why(p->target->tls_fault));
		tell(p, VERDICT_UPSTREAM_UNTRUSTED);
		return;
	}
	if (p->target->lane == NULL || !target_is_resolved(p->target))
		return;
	p->lines[r.nlines++] = p->host;
	p->lines[r.nlines++] = "Accept: */*";
	p->transfer = transfer_start(p->target->lane, &r, &events, p);
	if (p->transfer == NULL)
		tell(p, VERDICT_OVERLOADED);
}
