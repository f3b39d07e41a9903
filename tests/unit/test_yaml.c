/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "config/yaml.h"
#include "unit.h"

struct fixture {
	struct pool pool;
	struct yaml_fault fault;
};

static struct yaml_item *
read_text(struct fixture *f, struct span text)
{
	pool_init(&f->pool, yaml_pool_size(text.len));
	f->fault = (struct yaml_fault){0};
	return yaml_read(text, &f->pool, &f->fault);
}

static void
test_tree(void **state)
{
	struct fixture f;
	struct yaml_item *root = read_text(&f, SPAN("a: 1\nb:\n  - x\n  - \"y\"\nc: {d: ''}\n")),
			 *b;

	(void)state;
	assert_non_null(root);
	assert_int_equal(root->kind, YAML_MAP);
	assert_int_equal(root->n, 3);
	b = yaml_member(root, SPAN("b"));
	assert_int_equal(b->kind, YAML_LIST);
	assert_int_equal(b->n, 2);
	assert_int_equal(b->key_line, 2);
	assert_int_equal(b->first->line, 3);
	assert_int_equal(b->first->column, 5);
	assert_false(b->first->quoted);
	assert_true(b->first->next->quoted);
	assert_true(span_is(b->first->next->text, "y"));
	b = yaml_member(yaml_member(root, SPAN("c")), SPAN("d"));
	assert_int_equal(b->text.len, 0);
	assert_true(b->quoted);
	assert_null(yaml_member(root, SPAN("z")));
	assert_null(yaml_member(NULL, SPAN("z")));
	assert_null(yaml_member(b, SPAN("z")));
	pool_free(&f.pool);
}

static void
test_json(void **state)
{
	struct fixture f;
	struct yaml_item *root =
		read_text(&f, SPAN("\xef\xbb\xbf{\"a\": [\"\\u0041\\n\", null, {\"b\": true}]}"));

	(void)state;
	assert_non_null(root);
	assert_true(span_is(yaml_member(root, SPAN("a"))->first->text, "A\n"));
	pool_free(&f.pool);
}

static const struct {
	const char *text;
	unsigned line, column;
	const char *message; /* a part of it; NULL: libyaml's own */
} refused[] = {
	{"", 0, 0, "empty"},
	{"# nothing\n", 0, 0, "empty"},
	{"a: 1\na: 2\n", 2, 1, "second time"},
	{"{a: 1, b: 2, \"a\": 3}", 1, 14, "second time"},
	{"x: {k: 1,\n  k: 2}\n", 2, 3, "second time"},
	{"a: &x 1\n", 1, 4, "anchors"},
	{"a: &x {b: 1}\n", 1, 4, "anchors"},
	{"a: [*x]\n", 1, 5, "aliases"},
	{"a: !!str 1\n", 1, 4, "tags"},
	{"a: !local [1]\n", 1, 4, "tags"},
	{"&k a: 1\n", 1, 1, "anchors"},
	{"a: 1\n---\nb: 2\n", 2, 1, "one document"},
	{"? [a]\n: 1\n", 1, 3, "plain text"},
	{"? {a: 1}\n: 1\n", 1, 3, "plain text"},
	{"a: [1\n", 2, 1, NULL},
	{"a: b: c\n", 1, 5, NULL},
	{"\tx: 1\n", 1, 1, NULL},
	{"a: \"\\q\"\n", 1, 4, NULL},
	{"a: \x01\n", 1, 4, "control characters"},
	{"a: 1\nb:\n  - \xc3\xbc\xff\n", 3, 6, "invalid leading UTF-8 octet"},
	{"a: 1\r\n# gr\xc3(\n", 2, 6, "invalid trailing UTF-8 octet"},
	{"a: 1\n# gr\xfc\xdf"
	 "e\n",
	 2, 5, "invalid leading UTF-8 octet"},
	{"\xef\xbb\xbf\xff\n", 1, 1, "invalid leading UTF-8 octet"},
	{"a: \xff", 1, 4, "invalid leading UTF-8 octet"},
};

/* What is read and refused has a path; what is no YAML has none. */
static const struct {
	const char *text, *path;
} placed[] = {
	{"a: 1\na: 2\n", "a"},
	{"targets: {m: {x: 1}, m: {x: 2}}", "targets.m"},
	{"models: [{a: 1}, {match: x, match: y}]", "models[1].match"},
	{"a: [[1], [{b: {c: 1, c: 2}}]]", "a[1][0].b.c"},
	{"a: {b: &x 1}", "a.b"},
	{"a: [1, *x]", "a[1]"},
	{"a: [!t {b: 1}]", "a[0]"},
	{"a: {? [b] : 1}", "a"},
	{"a: 1\n---\nb: 2\n", ""},
	{"a: b: c\n", ""},
	{"", ""},
};

static void
test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(placed); i++) {
		struct fixture f;

		if (read_text(&f, span_of(placed[i].text)) != NULL)
			fail_msg("accepted: %s", placed[i].text);
		if (strcmp(f.fault.path, placed[i].path) != 0)
			fail_msg("%s: %s, not %s", placed[i].text, f.fault.path, placed[i].path);
		pool_free(&f.pool);
	}
}

static void
repeat(struct buf *out, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_add_str(out, text);
}

/* Keys may be as long as the file. */
static void
test_long_path(void **state)
{
	struct fixture f;
	struct buf b;

	(void)state;
	buf_init(&b, YAML_BYTES_MAX);
	for (size_t i = 0; i < YAML_DEPTH_MAX - 1; i++)
		buf_addf(&b, "{%0100zu: ", i);
	buf_add_str(&b, "{x: 1, x: 2");
	repeat(&b, "}", YAML_DEPTH_MAX);
	assert_null(read_text(&f, buf_span(&b)));
	assert_non_null(strstr(f.fault.message, "second time"));
	assert_in_range(strlen(f.fault.path), 80, YAML_PATH_MAX - 1);
	pool_free(&f.pool);
	buf_free(&b);
}

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct fixture f;

		if (read_text(&f, span_of(refused[i].text)) != NULL)
			fail_msg("accepted: %s", refused[i].text);
		assert_non_null(f.fault.message);
		if (refused[i].message != NULL) {
			if (strstr(f.fault.message, refused[i].message) == NULL)
				fail_msg("%s: %s", refused[i].text, f.fault.message);
			if (f.fault.line != refused[i].line || f.fault.column != refused[i].column)
				fail_msg("%s: at %u:%u", refused[i].text, f.fault.line,
					 f.fault.column);
		}
		pool_free(&f.pool);
	}
}

/* A byte order mark cannot make the text UTF-16. */
static void
test_utf16(void **state)
{
	struct fixture f;

	(void)state;
	assert_null(read_text(&f, (struct span){"\xff\xfe"
						"a\0:\0 \0b\0",
						10}));
	pool_free(&f.pool);
}

static void
check_bound(const char *before, const char *text, size_t times, const char *message)
{
	struct fixture f;
	struct buf b;
	struct yaml_item *root;

	buf_init(&b, 4 * YAML_BYTES_MAX);
	buf_add_str(&b, before);
	repeat(&b, text, times);
	root = read_text(&f, buf_span(&b));
	if (message == NULL) {
		assert_non_null(root);
	} else {
		assert_null(root);
		if (strstr(f.fault.message, message) == NULL)
			fail_msg("%s", f.fault.message);
	}
	pool_free(&f.pool);
	buf_free(&b);
}

static void
test_bounds(void **state)
{
	(void)state;
	check_bound("", "[", 32, "did not find expected"); /* broken, but not too deep */
	check_bound("", "[", 33, "nested too deeply");
	check_bound("", "- ", 33, "nested too deeply");
	check_bound("", "[", 500000, "nested too deeply");
	check_bound("a: 1\n", "#", YAML_BYTES_MAX - 5, NULL);
	check_bound("a: 1\n", "#", YAML_BYTES_MAX - 4, "too large");
	check_bound("", "- a\n", YAML_NODES_MAX - 1, NULL);
	check_bound("", "- a\n", YAML_NODES_MAX, "too many values");
}

/* A map of many keys is searched for a second one in less than quadratic time. */
static void
test_many_keys(void **state)
{
	struct fixture f;
	struct buf b;

	(void)state;
	buf_init(&b, 4 * YAML_BYTES_MAX);
	for (unsigned i = 0; i < 90000; i++)
		buf_addf(&b, "k%u: 1\n", i);
	assert_non_null(read_text(&f, buf_span(&b)));
	pool_free(&f.pool);
	buf_add_str(&b, "k7: 2\n");
	assert_null(read_text(&f, buf_span(&b)));
	assert_int_equal(f.fault.line, 90001);
	pool_free(&f.pool);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),    cmocka_unit_test(test_json),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_utf16),
		cmocka_unit_test(test_bounds),  cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_paths),   cmocka_unit_test(test_long_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
