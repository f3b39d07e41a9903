/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/report.h"

#include "base/buf.h"
#include "box/msg_report.h"
#include "cli/printable.h"
#include "config/plan_identity.h"
#include "policy/access/verdict.h"

enum { TEXT_MAX = 1024, DETAIL_MAX = 4096, REPORT_MAX = 4 * 1024 * 1024, SOON_DAYS = 14 };

/* One line: the columns of the table, and the members of its JSON object. */
struct line {
	const char *kind;
	struct span name;
	bool told, good;
	struct buf detail;  /* for people */
	struct buf members; /* for programs: `,"name":value` each */
};

struct report {
	const struct plans *plans;
	struct line *lines; /* identities, then slots, then targets */
	size_t nidentities, n;
};

/* ---- what was told ---- */

static void
add_text(struct line *l, const char *member, struct span text)
{
	(void)buf_addf(&l->members, ",\"%s\":", member);
	(void)buf_add_json(&l->members, text);
}

static void
add_number(struct line *l, const char *member, uint64_t number)
{
	(void)buf_addf(&l->members, ",\"%s\":%llu", member, (unsigned long long)number);
}

/* "3 d" or "5 h" or "2 min": the largest unit that there is. */
static void
add_span_of_time(struct buf *out, uint64_t seconds)
{
	if (seconds >= 2 * 86400)
		(void)buf_addf(out, "%llu d", (unsigned long long)seconds / 86400);
	else if (seconds >= 2 * 3600)
		(void)buf_addf(out, "%llu h", (unsigned long long)seconds / 3600);
	else if (seconds >= 2 * 60)
		(void)buf_addf(out, "%llu min", (unsigned long long)seconds / 60);
	else
		(void)buf_addf(out, "%llu s", (unsigned long long)seconds);
}

static uint64_t
now_s(void)
{
	return (uint64_t)time(NULL);
}

static void
take_identity(struct line *l, const struct msg_report_identity *m)
{
	l->good = m->good;
	(void)buf_add_span(&l->detail, m->principal.len > 0 ? m->principal : m->why);
	add_text(l, "principal", m->principal);
	if (m->why.len > 0)
		add_text(l, "why", m->why);
}

static void
take_slot(struct line *l, const struct msg_report_slot *m)
{
	uint64_t now = now_s(),
		 age = now > m->created_s ? now - m->created_s : 0; /* of two clocks */

	l->good = m->state == SLOT_FRESH;
	add_text(l, "state", span_of(slot_state_name((enum slot_state)m->state)));
	if (!l->good) {
		(void)buf_addf(&l->detail, "%s: %.*s", slot_state_name((enum slot_state)m->state),
			       (int)m->error_type.len, m->error_type.ptr);
		add_text(l, "error_type", m->error_type);
		return;
	}
	if (m->version_id.len > 0)
		(void)buf_addf(&l->detail, "version %.*s, ", (int)m->version_id.len,
			       m->version_id.ptr);
	if (m->created_s > 0) {
		(void)buf_add_str(&l->detail, "age ");
		add_span_of_time(&l->detail, age);
		(void)buf_add_str(&l->detail, ", ");
		add_number(l, "age_seconds", age);
	}
	(void)buf_addf(&l->detail, "%u bytes, sha256 %.*s...", m->length, (int)m->fingerprint.len,
		       m->fingerprint.ptr);
	add_text(l, "version_id", m->version_id);
	add_number(l, "length", m->length);
	add_text(l, "fingerprint", m->fingerprint);
}

/* Who answered, until when, and what came of our certificate. */
static void
describe_tls(struct line *l, const struct msg_report_target *m, bool have_cert)
{
	uint64_t left = m->expires_s > now_s() ? m->expires_s - now_s() : 0;

	(void)buf_addf(&l->detail, "%.*s, %.*s, issued by %.*s (%u sent), expires in ",
		       (int)m->tls.len, m->tls.ptr, (int)m->subject.len, m->subject.ptr,
		       (int)m->issuer.len, m->issuer.ptr, m->chain);
	add_span_of_time(&l->detail, left);
	(void)buf_add_str(&l->detail, left < SOON_DAYS * 86400 ? " (soon!)" : "");
	if (have_cert)
		(void)buf_add_str(&l->detail, m->asked ? ", client certificate accepted"
						       : ", client certificate not asked for");
	(void)buf_add_str(&l->detail, "; ");
	add_text(l, "tls", m->tls);
	add_text(l, "subject", m->subject);
	add_text(l, "issuer", m->issuer);
	add_number(l, "expires", m->expires_s);
	add_number(l, "chain", m->chain);
	if (have_cert)
		add_text(l, "client_certificate",
			 m->asked ? SPAN("accepted") : SPAN("not asked for"));
}

static void
take_target(struct line *l, const struct msg_report_target *m, bool have_cert)
{
	l->good = m->verdict == VERDICT_OK;
	if (!l->good) {
		const char *code = m->verdict < VERDICTS ? verdict_row(m->verdict)->code : "";

		(void)buf_addf(&l->detail, "%s: %.*s", code, (int)m->why.len, m->why.ptr);
		add_text(l, "code", span_of(code));
		add_text(l, "why", m->why);
		return;
	}
	if (m->tls.len > 0)
		describe_tls(l, m, have_cert);
	(void)buf_addf(&l->detail, "it answers %u to a request without credentials", m->status);
	add_number(l, "status", m->status);
}

static struct line *
line_of(const struct report *r, size_t start, size_t n, size_t i)
{
	return i >= n || r->lines[start + i].told ? NULL : &r->lines[start + i];
}

void
report_take(struct report *r, enum msg_type type, const void *obj)
{
	size_t nslots = r->plans->keeper.nslots, ntargets = r->plans->egress.ntargets;
	struct line *l = NULL;

	if (type == MSG_REPORT_IDENTITY) {
		const struct msg_report_identity *m = obj;

		l = line_of(r, 0, r->nidentities, m->identity);
		if (l != NULL)
			take_identity(l, m);
	} else if (type == MSG_REPORT_SLOT) {
		const struct msg_report_slot *m = obj;

		l = line_of(r, r->nidentities, nslots, m->slot);
		if (l != NULL)
			take_slot(l, m);
	} else if (type == MSG_REPORT_TARGET) {
		const struct msg_report_target *m = obj;

		l = line_of(r, r->nidentities + nslots, ntargets, m->target);
		if (l != NULL)
			take_target(l, m, r->plans->egress.targets[m->target].has_tls_client);
	}
	if (l != NULL)
		l->told = true;
}

bool
report_is_whole(const struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!r->lines[i].told)
			return false;
	return true;
}

/* ---- printing ---- */

static int
print_json(const struct report *r, bool good, FILE *out)
{
	struct buf b;
	int bad;

	buf_init(&b, REPORT_MAX);
	(void)buf_addf(&b, "{\"ok\":%s,\"checks\":[", good ? "true" : "false");
	for (size_t i = 0; i < r->n; i++) {
		const struct line *l = &r->lines[i];

		(void)buf_addf(&b, "%s\n{\"kind\":\"%s\",\"name\":", i > 0 ? "," : "", l->kind);
		(void)buf_add_json(&b, l->name);
		(void)buf_addf(&b, ",\"ok\":%s", l->good ? "true" : "false");
		(void)buf_add_span(&b, buf_span(&l->members));
		(void)buf_add_char(&b, '}');
	}
	(void)buf_add_str(&b, "\n]}\n");
	bad = fwrite(b.ptr, 1, b.len, out) == b.len ? 0 : -1;
	buf_free(&b);
	return bad;
}

static int
print_table(const struct report *r, FILE *out)
{
	int width = 0;

	for (size_t i = 0; i < r->n; i++)
		if ((int)r->lines[i].name.len > width)
			width = (int)r->lines[i].name.len;
	for (size_t i = 0; i < r->n; i++) {
		const struct line *l = &r->lines[i];
		const char *detail = l->told ? "" : "nothing was heard of it in time";

		if (l->good && l->detail.len == 0)
			continue;
		fprintf(out, "  %-6s  %-8s  ", l->good ? "ok" : "FAILED", l->kind);
		printable_put(l->name, out);
		fprintf(out, "%*s  ", width - (int)l->name.len, "");
		printable_put(buf_span(&l->detail), out); /* a store's words are among it */
		fprintf(out, "%s\n", detail);
	}
	return 0;
}

int
report_print(const struct report *r, bool json, FILE *out)
{
	bool good = true;
	int bad;

	for (size_t i = 0; i < r->n; i++)
		good = good && r->lines[i].told && r->lines[i].good;
	bad = json ? print_json(r, good, out) : print_table(r, out);
	return good && bad == 0 && fflush(out) == 0 ? 0 : 1;
}

/* ---- life ---- */

static void
add_line(struct report *r, const char *kind, struct span name)
{
	struct line *l = &r->lines[r->n++];

	*l = (struct line){.kind = kind, .name = name};
	buf_init(&l->detail, DETAIL_MAX);
	buf_init(&l->members, 2 * DETAIL_MAX);
}

struct report *
report_new(const struct plans *plans)
{
	struct report *r = calloc(1, sizeof(*r));
	size_t most = plans->keeper.nslots + 2 * plans->egress.ntargets + 2;

	if (r == NULL)
		abort();
	r->plans = plans;
	r->lines = calloc(most, sizeof(*r->lines));
	if (r->lines == NULL)
		abort();
	for (size_t i = 0; i < plans->keeper.nidentities; i++)
		add_line(r, "identity", plans->keeper.identities[i].name);
	r->nidentities = r->n;
	for (size_t i = 0; i < r->n; i++) /* what nothing needs is not asked */
		r->lines[i].told = r->lines[i].good = plans->keeper.identities[i].tried.len == 0;
	for (size_t i = 0; i < plans->keeper.nslots; i++)
		add_line(r, "secret", plans->keeper.slots[i].name);
	for (size_t i = 0; i < plans->egress.ntargets; i++) {
		add_line(r, "target", plans->egress.targets[i].name);
		if (plans->egress.targets[i].ndeployments > 0) /* which have lines of their own */
			r->lines[r->n - 1].told = r->lines[r->n - 1].good = true;
	}
	return r;
}

void
report_free(struct report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		buf_free(&r->lines[i].detail);
		buf_free(&r->lines[i].members);
	}
	free(r->lines);
	free(r);
}
