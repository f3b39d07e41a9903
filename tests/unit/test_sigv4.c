/* SPDX-License-Identifier: Apache-2.0 */
/* AWS's published vectors (tests/vectors/sigv4), and forms that they lack. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/sigv4.h"
#include "base/json.h"

enum { HEADERS_MAX = 16 };

struct vector {
	struct buf context, request, canonical, to_sign, signature;
	struct json *doc;
	struct span key_id, secret, token, region, service;
	char date[17];
};

static struct buf
read_file(const char *folder, const char *name, const char *file)
{
	char path[1024];
	struct buf b;
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "%s/%s/%s", folder, name, file);
	buf_init(&b, 1 << 20);
	f = fopen(path, "r");
	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		assert_int_equal(buf_add_char(&b, (char)c), 0);
	fclose(f);
	return b;
}

static void
vector_read(struct vector *v, const char *folder, const char *name)
{
	const struct json *credentials;
	struct span when;
	size_t n = 0;

	*v = (struct vector){0};
	v->context = read_file(folder, name, "context.json");
	v->request = read_file(folder, name, "request.txt");
	v->canonical = read_file(folder, name, "header-canonical-request.txt");
	v->to_sign = read_file(folder, name, "header-string-to-sign.txt");
	v->signature = read_file(folder, name, "header-signature.txt");
	v->doc = json_doc_parse(buf_span(&v->context));
	assert_non_null(v->doc);
	credentials = json_doc_get(v->doc, "credentials");
	assert_true(json_doc_string(credentials, "access_key_id", &v->key_id));
	assert_true(json_doc_string(credentials, "secret_access_key", &v->secret));
	(void)json_doc_string(credentials, "token", &v->token);
	assert_true(json_doc_string(v->doc, "region", &v->region));
	assert_true(json_doc_string(v->doc, "service", &v->service));
	assert_true(json_doc_string(v->doc, "timestamp", &when));
	for (size_t i = 0; i < when.len; i++)
		if (when.ptr[i] != '-' && when.ptr[i] != ':')
			v->date[n++] = when.ptr[i];
}

static void
vector_free(struct vector *v)
{
	json_doc_free(v->doc);
	buf_free(&v->context);
	buf_free(&v->request);
	buf_free(&v->canonical);
	buf_free(&v->to_sign);
	buf_free(&v->signature);
}

/* The lines of the raw request as a request; returns its body. */
static struct span
take_apart(struct span raw, struct sigv4_request *r, struct sigv4_header *headers)
{
	size_t at = span_find(raw, 0, '\n'), sp;
	struct span line = span_cut(raw, 0, at), target;

	r->method = span_cut(line, 0, span_find(line, 0, ' '));
	sp = line.len - sizeof("HTTP/1.1");
	target = span_cut(line, r->method.len + 1, sp);
	r->path = span_cut(target, 0, span_find(target, 0, '?'));
	r->query = span_cut(target, r->path.len + 1, target.len);
	while (at < raw.len) {
		size_t end = span_find(raw, at + 1, '\n');
		size_t colon;

		line = span_cut(raw, at + 1, end);
		at = end;
		if (line.len == 0)
			return span_cut(raw, at + 1, raw.len);
		colon = span_find(line, 0, ':');
		headers[r->nheaders++] = (struct sigv4_header){span_cut(line, 0, colon),
							       span_cut(line, colon + 1, line.len)};
	}
	return (struct span){"", 0};
}

static void
check(const struct vector *v, const char *name)
{
	struct sigv4_header headers[HEADERS_MAX];
	struct sigv4_request r = {.headers = headers, .normalize = true};
	struct sigv4_scope scope = {v->key_id, v->region, v->service, {v->date, 16}};
	char hash[SIGV4_HEX_LEN + 1];
	unsigned char key[SIGV4_KEY_LEN];
	struct buf out;
	struct span body = take_apart(buf_span(&v->request), &r, headers);

	assert_int_equal(sigv4_hash(body, hash), 0);
	r.payload_hash = (struct span){hash, SIGV4_HEX_LEN};
	headers[r.nheaders++] = (struct sigv4_header){SPAN("X-Amz-Date"), {v->date, 16}};
	if (v->token.len > 0)
		headers[r.nheaders++] =
			(struct sigv4_header){SPAN("X-Amz-Security-Token"), v->token};
	if (strstr(v->context.ptr, "\"sign_body\": true") != NULL)
		headers[r.nheaders++] =
			(struct sigv4_header){SPAN("x-amz-content-sha256"), r.payload_hash};
	buf_init(&out, 1 << 16);
	assert_int_equal(sigv4_canonical(&r, &out), 0);
	if (!span_eq(buf_span(&out), buf_span(&v->canonical)))
		fail_msg("%s: canonical request:\n%.*s", name, (int)out.len, out.ptr);
	buf_keep(&out, 0);
	assert_int_equal(sigv4_string_to_sign(&r, &scope, &out), 0);
	assert_true(span_eq(buf_span(&out), buf_span(&v->to_sign)));
	buf_keep(&out, 0);
	assert_int_equal(sigv4_key(v->secret, &scope, key), 0);
	assert_int_equal(sigv4_authorization(&r, &scope, key, &out), 0);
	assert_true(span_ends(buf_span(&out), buf_span(&v->signature)));
	buf_free(&out);
}

static void
published_vectors(void **state)
{
	const char *folder = getenv("SIDEKEY_VECTORS");
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	(void)state;
	if (folder == NULL)
		folder = "tests/vectors/sigv4";
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		struct vector v;

		if (strchr(entry->d_name, '-') == NULL)
			continue; /* LICENSE, NOTICE, . and .. */
		vector_read(&v, folder, entry->d_name);
		if (strstr(v.context.ptr, "\"normalize\": false") == NULL) {
			check(&v, entry->d_name);
			n++;
		}
		vector_free(&v);
	}
	closedir(dir);
	assert_true(n >= 18);
}

/* The canonical forms of reference aws.md 5.1, for which the suite has no case. */
static void
paths_that_the_suite_lacks(void **state)
{
	static const struct {
		const char *path, *query, *canonical_uri, *canonical_query, *why;
	} cases[] = {
		{"/model/amazon.nova-lite-v1%3A0/converse", "",
		 "/model/amazon.nova-lite-v1%253A0/converse", "",
		 "an encoded colon is encoded again"},
		{"/model/a%2Fb/converse", "", "/model/a%252Fb/converse", "",
		 "an encoded slash too"},
		{"/model/a:b/converse", "", "/model/a%3Ab/converse", "", "a raw colon once"},
		{"/a~b_c-d.e", "", "/a~b_c-d.e", "", "unreserved bytes stay"},
		{"/", "b=2&a=1", "/", "a=1&b=2", "an unsorted query is sorted"},
		{"/", "a", "/", "a=", "a member without ="},
		{"//x//y/", "", "/x/y/", "", "repeated slashes"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sigv4_header host = {SPAN("Host"), SPAN("example")};
		struct sigv4_request r = {.method = SPAN("POST"),
					  .path = span_of(cases[i].path),
					  .query = span_of(cases[i].query),
					  .headers = &host,
					  .nheaders = 1,
					  .payload_hash = SPAN("UNSIGNED-PAYLOAD"),
					  .normalize = true};
		char want[512];
		struct buf out;

		snprintf(want, sizeof(want), "POST\n%s\n%s\nhost:example\n\nhost\nUNSIGNED-PAYLOAD",
			 cases[i].canonical_uri, cases[i].canonical_query);
		buf_init(&out, 4096);
		assert_int_equal(sigv4_canonical(&r, &out), 0);
		if (!span_is(buf_span(&out), want))
			fail_msg("%s: %.*s", cases[i].why, (int)out.len, out.ptr);
		buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(paths_that_the_suite_lacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
