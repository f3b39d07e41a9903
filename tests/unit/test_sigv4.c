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

static bool
says(const struct vector *v, const char *member)
{
	return memmem(v->context.ptr, v->context.len, member, strlen(member)) != NULL;
}

static void
check(const struct vector *v, const char *name)
{
	struct sigv4_header headers[HEADERS_MAX];
	struct sigv4_request r = {.headers = headers};
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
	if (says(v, "\"sign_body\": true"))
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
		if (!says(&v, "\"normalize\": false")) {
			check(&v, entry->d_name);
			n++;
		}
		vector_free(&v);
	}
	closedir(dir);
	assert_int_equal(n, 20); /* all that are here */
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
		{"", "", "/", "", "an empty path"},
		{"/a/../../b", "", "/b", "", "more dots than segments"},
		{"/a/.", "", "/a", "", "no slash where there was none"},
		{"/a/b/../", "", "/a/", "", "and one where there was"},
		{"/...", "", "/...", "", "three dots are a name"},
		{"/\xc3\xa9", "", "/%C3%A9", "", "raw bytes"},
		{"/", "a-b=1&a=2", "/", "a=2&a-b=1", "by name, not by line: '-' is before '='"},
		{"/", "a=2&a=1", "/", "a=1&a=2", "one name: by value"},
		{"/", "a=%7e%2f", "/", "a=~%2F", "decoded and encoded again"},
		{"/", "a=b=c", "/", "a=b%3Dc", "the first = divides"},
		{"/", "&a=1&&", "/", "a=1", "empty members"},
		{"/", "a=%&b=%4&c=%zz", "/", "a=%25&b=%254&c=%25zz", "what is no triplet"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sigv4_header host = {SPAN("Host"), SPAN("example")};
		struct sigv4_request r = {.method = SPAN("POST"),
					  .path = span_of(cases[i].path),
					  .query = span_of(cases[i].query),
					  .headers = &host,
					  .nheaders = 1,
					  .payload_hash = SPAN("UNSIGNED-PAYLOAD")};
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

/*
 * The signatures are botocore 1.43.11's (botocore.auth.SigV4Auth over an AWSRequest of these
 * parts, its clock at 2026-11-21T05:52:02Z).
 */
static const struct row {
	const char *what, *method, *region, *path, *query, *token, *signature;
} rows[] = {
	{"a versioned model id", "POST", "us-east-1", "/model/amazon.nova-lite-v1%3A0/converse", "",
	 "", "f1fa802d85b5add022499e4dbfee793fb3b22436ba19e52aed0dd74dc750639d"},
	{"an ARN, with a session token", "POST", "us-west-2",
	 "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile"
	 "%2Fabc123def456/converse",
	 "", "tok/en+1==", "c4a6254d777847313afe6d7ad5709cba7eee41f73b697a56c37b9b16dc4d4b90"},
	{"a raw colon", "POST", "us-east-1", "/model/amazon.nova-lite-v1:0/invoke", "", "",
	 "0fac46c6742e99e8dc9fb720dcf4159da895fb5d203f000c7fede90e7d581caa"},
	{"an unsorted query", "GET", "us-east-1", "/async-invoke", "maxResults=5&b=2&a=%2F&flag=",
	 "", "bee06ad8eafe8f508ff4b23f8e2236977e7ebb4259c31090b01913df2aa08dfd"},
};

static void
add_header(struct sigv4_request *r, struct sigv4_header *headers, struct span name,
	   struct span value)
{
	headers[r->nheaders++] = (struct sigv4_header){name, value};
}

static void
sign_row(const struct row *row, struct buf *out)
{
	bool post = strcmp(row->method, "POST") == 0;
	char host[128], hash[SIGV4_HEX_LEN + 1];
	struct sigv4_header headers[4];
	struct sigv4_request r = {.method = span_of(row->method),
				  .path = span_of(row->path),
				  .query = span_of(row->query),
				  .headers = headers,
				  .payload_hash = {hash, SIGV4_HEX_LEN}};
	struct sigv4_scope scope = {SPAN("AKIDEXAMPLE"), span_of(row->region), SPAN("bedrock"),
				    SPAN("20261121T055202Z")};
	unsigned char key[SIGV4_KEY_LEN];

	snprintf(host, sizeof(host), "bedrock-runtime.%s.amazonaws.com", row->region);
	/* in no order, in any case */
	add_header(&r, headers, SPAN("X-Amz-Date"), scope.amz_date);
	if (post)
		add_header(&r, headers, SPAN("Content-Type"), SPAN("application/json"));
	if (row->token[0] != '\0')
		add_header(&r, headers, SPAN("X-Amz-Security-Token"), span_of(row->token));
	add_header(&r, headers, SPAN("host"), span_of(host));
	assert_int_equal(sigv4_hash(span_of(post ? "{\"messages\":[]}" : ""), hash), 0);
	assert_int_equal(sigv4_key(SPAN("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), &scope, key),
			 0);
	assert_int_equal(sigv4_authorization(&r, &scope, key, out), 0);
}

static void
as_botocore_signs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out;

		buf_init(&out, 4096);
		sign_row(&rows[i], &out);
		if (!span_ends(buf_span(&out), span_of(rows[i].signature)))
			fail_msg("%s: %.*s", rows[i].what, (int)out.len, out.ptr);
		buf_free(&out);
	}
}

/* Sorting whole lines instead, as libcurl 7.88 does, lets "x-a:" and "x-a-b:" change places. */
static void
headers_sort_by_name(void **state)
{
	struct sigv4_header headers[] = {
		{SPAN("X-A-B"), SPAN("2")},
		{SPAN("x-a"), SPAN("  1 \t 1  ")},
		{SPAN("X-EMPTY"), SPAN("")},
		{SPAN("X-A"), SPAN("0")},
	};
	struct sigv4_request r = {.method = SPAN("GET"),
				  .path = SPAN("/"),
				  .headers = headers,
				  .nheaders = COUNT(headers),
				  .payload_hash = SPAN("h")};
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	assert_int_equal(sigv4_canonical(&r, &out), 0);
	assert_true(span_is(buf_span(&out), "GET\n/\n\nx-a:1 1,0\nx-a-b:2\nx-empty:\n\n"
					    "x-a;x-a-b;x-empty\nh"));
	buf_free(&out);
}

static void
refuses_what_it_cannot_hold(void **state)
{
	static struct sigv4_header headers[65];
	static char many[257];
	struct sigv4_request r = {.method = SPAN("GET"),
				  .path = SPAN("/"),
				  .headers = headers,
				  .payload_hash = SPAN("h")};
	struct sigv4_scope scope = {SPAN("AKID"), SPAN("us-east-1"), SPAN("s"), SPAN("20261121")};
	unsigned char key[SIGV4_KEY_LEN];
	struct buf out, small;

	(void)state;
	buf_init(&out, 65536);
	buf_init(&small, 8);
	for (size_t i = 0; i < COUNT(headers); i++)
		headers[i] = (struct sigv4_header){SPAN("x"), SPAN("y")};
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = i % 2 == 0 ? 'a' : '&';
	r.nheaders = 65;
	assert_int_equal(sigv4_canonical(&r, &out), -1); /* headers */
	r.nheaders = 1;
	assert_int_equal(sigv4_canonical(&r, &small), -1); /* room */
	r.query = (struct span){many, sizeof(many)};
	assert_int_equal(sigv4_canonical(&r, &out), -1); /* members of a query */
	r.query = SPAN("");
	assert_int_equal(sigv4_string_to_sign(&r, &scope, &out), -1); /* a date without time */
	assert_int_equal(sigv4_key(SPAN(""), &scope, key), -1);
	assert_int_equal(sigv4_key((struct span){many, 256}, &scope, key), 0);
	assert_int_equal(sigv4_key((struct span){many, 257}, &scope, key), -1);
	buf_free(&out);
	buf_free(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(paths_that_the_suite_lacks),
		cmocka_unit_test(as_botocore_signs),
		cmocka_unit_test(headers_sort_by_name),
		cmocka_unit_test(refuses_what_it_cannot_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
