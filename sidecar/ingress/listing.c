/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	list  = "{" *( member "," ) DQUOTE "data" DQUOTE ":" "[" *entry "]" *( "," member ) "}"
 *	entry = "{" *( member "," ) DQUOTE "id" DQUOTE ":" string *( "," member ) "}"
 *
 * The document is checked as a whole first (scan_json), so that the walk over it needs no more
 * than to find where values end.
 */
#include <stdlib.h>
#include <string.h>

#include "ingress/listing.h"

#include "ingress/decide.h"
#include "ingress/scan.h"
#include "ingress/walk.h"

enum { ID_MAX = 2048 };

static const char no_list[] =
	"The upstream's answer is not a list of models ({\"data\": [{\"id\": …}]}), so that it "
	"cannot be held against `models`; the operator must check the default target's `apiBase`.";

/* The one member of that name. False: there is none, or two (readers differ on which counts). */
static bool
find_member(struct span object, const char *wanted, struct span *out)
{
	struct span name, value, found = {NULL, 0};
	char text[16];
	size_t at = 1, len;

	if (object.len == 0 || object.ptr[0] != '{')
		return false;
	while (walk_item(object, &at, true, &name, &value)) {
		if (!scan_string_text(name, text, sizeof(text) - 1, &len) ||
		    !span_is((struct span){text, len}, wanted))
			continue;
		if (found.ptr != NULL)
			return false;
		found = value;
	}
	if (found.ptr != NULL)
		*out = found;
	return found.ptr != NULL;
}

/* ---- the new list ---- */

struct listing {
	const struct ingress *in;
	long caller;
	uint16_t target;
	struct buf *out;
	bool *listed; /* by rule: its exact name stands in the list */
	bool any;
	int bad;
};

static void
add(struct listing *l, struct span s)
{
	l->bad |= buf_add_span(l->out, s);
}

/* entry with name in the place of id, which is a view into it. */
static void
add_entry(struct listing *l, struct span entry, struct span id, struct span name)
{
	size_t at = (size_t)(id.ptr - entry.ptr);

	add(l, l->any ? SPAN(",") : SPAN(""));
	l->any = true;
	add(l, span_cut(entry, 0, at));
	l->bad |= buf_add_json(l->out, name);
	add(l, span_cut(entry, at + id.len, entry.len));
}

/*
 * Whether the rule by itself makes sent of name. The upstream may list a hundred thousand names,
 * few of which lead to a rule: asking all rules about each would take minutes.
 */
static bool
leads_to(const struct model_rule *r, struct span name, struct span sent)
{
	return span_eq(model_sent(r, name), sent) && model_pick(r, 1, name) == 0;
}

/* The entry under the one name by which rule leads to it, if it does. */
static void
add_by_rule(struct listing *l, size_t rule, struct span entry, struct span id, struct span sent)
{
	const struct model_rule *r = &l->in->plan.models[rule];
	bool prefix = span_ends(r->match, SPAN("*"));
	char text[2 * ID_MAX + 1];
	struct span name = r->match;

	if (prefix) {
		size_t n = r->strip_prefix.len < ID_MAX ? r->strip_prefix.len : ID_MAX;

		if (n > 0)
			memcpy(text, r->strip_prefix.ptr, n);
		memcpy(text + n, sent.ptr, sent.len);
		name = (struct span){text, n + sent.len};
	}
	if (!leads_to(r, name, sent) && !(prefix && leads_to(r, sent, sent)))
		return;
	if (prefix && !decide_may_list(l->in, l->caller, name, l->target, sent))
		name = sent;
	if (model_pick(l->in->plan.models, l->in->plan.nmodels, name) != (long)rule ||
	    !decide_may_list(l->in, l->caller, name, l->target, sent))
		return;
	l->listed[rule] = !prefix;
	add_entry(l, entry, id, name);
}

static void
add_by_rules(struct listing *l, struct span entry)
{
	char text[ID_MAX + 1];
	struct span id, sent = {text, 0};

	if (!find_member(entry, "id", &id) || id.ptr[0] != '"' ||
	    !scan_string_text(id, text, ID_MAX, &sent.len))
		return; /* nobody could ask for it */
	if (!l->in->plan.has_models && decide_may_list(l->in, l->caller, sent, l->target, sent))
		add_entry(l, entry, id, sent);
	for (size_t i = 0; i < l->in->plan.nmodels; i++)
		if (l->in->plan.models[i].target == l->target)
			add_by_rule(l, i, entry, id, sent);
}

/* What the operator named outright can be called, whether or not the upstream lists it. */
static void
add_named(struct listing *l)
{
	const struct ingress_plan *p = &l->in->plan;

	for (size_t i = 0; i < p->nmodels; i++) {
		const struct model_rule *r = &p->models[i];

		if (l->listed[i] || span_ends(r->match, SPAN("*")) ||
		    model_pick(p->models, p->nmodels, r->match) != (long)i ||
		    !decide_may_list(l->in, l->caller, r->match, r->target,
				     model_sent(r, r->match)))
			continue;
		add(l, l->any ? SPAN(",{\"id\":") : SPAN("{\"id\":"));
		l->any = true;
		l->bad |= buf_add_json(l->out, r->match);
		add(l, SPAN(",\"object\":\"model\",\"created\":0,\"owned_by\":"));
		l->bad |= buf_add_json(l->out, p->targets[r->target].name);
		add(l, SPAN("}"));
	}
}

const char *
listing_filter(const struct ingress *in, long caller, uint16_t target, struct span document,
	       struct buf *out)
{
	static struct scan checked;
	struct listing l = {.in = in, .caller = caller, .target = target, .out = out};
	struct span data, name, entry, top;
	size_t at, n = 0;

	if (scan_json(&checked, document, NULL, NULL) != SCAN_OK)
		return no_list;
	at = walk_blanks(document, 0);
	top = span_cut(document, at, walk_value(document, at));
	if (!find_member(top, "data", &data) || data.ptr[0] != '[')
		return no_list;
	l.listed = calloc(in->plan.nmodels + 1, sizeof(*l.listed));
	if (l.listed == NULL)
		abort();
	add(&l, span_cut(document, 0, (size_t)(data.ptr - document.ptr) + 1));
	at = 1;
	while (l.bad == 0 && walk_item(data, &at, false, &name, &entry)) {
		if (++n > LISTING_ENTRIES_MAX)
			l.bad = -1;
		else
			add_by_rules(&l, entry);
	}
	add_named(&l);
	add(&l, span_cut(document, (size_t)(data.ptr - document.ptr) + data.len - 1, document.len));
	free(l.listed);
	return l.bad == 0 ? NULL : "The list of models is too long to be held against `models`.";
}
