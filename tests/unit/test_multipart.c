/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "ingress/decide.h"
#include "ingress/ingress.h"

static bool
denies(const void *arg, struct span name)
{
	(void)arg;
	return span_is(name, "api_base") || span_is(name, "models");
}

static void
feed(struct multipart *m, struct span in, size_t first, size_t step)
{
	multipart_init(m, SPAN("XyZ"), denies, NULL);
	(void)multipart_feed(m, span_cut(in, 0, first));
	for (size_t at = first, n; at < in.len; at += n) {
		n = step < in.len - at ? step : in.len - at;
		(void)multipart_feed(m, span_cut(in, at, at + n));
	}
	(void)multipart_end(m);
}

#define PART(disposition) "--XyZ\r\nContent-Disposition: " disposition "\r\n\r\n"
#define FIELD(name)       PART("form-data; name=\"" name "\"")
#define MODEL(value)      FIELD("model") value "\r\n"
#define MEDIUM(rest)      "--XyZ\r\nContent-Disposition: form-data; name=\"file\"\r\n" rest
#define AS(rest)          "--XyZ\r\nContent-Disposition: form-data; name=\"model\"\r\n" rest
#define END               "--XyZ--\r\n"

struct row {
	const char *in;
	enum multipart_fault fault;
	const char *model; /* NULL: none is known */
	const char *why;
};

static const struct row good[] = {
	{MODEL("m") END, MULTIPART_OK, "m", "a model alone"},
	{MODEL("m") "--XyZ--", MULTIPART_OK, "m", "without the last line end"},
	{MODEL("") END, MULTIPART_OK, "", "an empty value"},
	{FIELD("file") "\r\n" END, MULTIPART_OK, NULL, "no model"},
	{PART("form-data; name=\"file\"; filename=\"a.wav\"") "x\r\n" MODEL("m") END, MULTIPART_OK,
	 "m", "a model behind a file"},
	{FIELD("file") "\n--Xy\r\n--Xy\r\n\r\n-"
		       "-\r\n" MODEL("m") END,
	 MULTIPART_OK, "m", "what begins like the delimiter"},
	{FIELD("File") "m\r\n" END, MULTIPART_OK, NULL, "a folded name"},
	{FIELD("metadata[model]") "x\r\n" FIELD("image[]") "\r\n" MODEL("m") END, MULTIPART_OK, "m",
	 "members of other fields"},
	{PART("Form-Data ; NAME=\"f\" ; FileName=\"a b;c=d\"") "\r\n" END, MULTIPART_OK, NULL,
	 "blanks, cases, semicolons"},
	{PART("form-data; name=\"f\"; filename=\"\xc3\xa4\"; filename*=utf-8''%C3%A4") "\r\n" END,
	 MULTIPART_OK, NULL, "aiohttp's second name of a file"},
	{AS("Content-Type: text/plain; charset=utf-8\r\nContent-Length: 1\r\n\r\nm\r\n") END,
	 MULTIPART_OK, "m", "okhttp's length, .NET's type"},
	{MEDIUM("content-transfer-encoding: binary\r\n\r\nm\r\n") END, MULTIPART_OK, NULL,
	 "an encoding that is none"},
};

/* Each is read in two ways by two servers in use, or is not multipart at all. */
static const struct row bad[] = {
	{"", MULTIPART_SHORT, NULL, "nothing"},
	{"--XyZ--\r\n", MULTIPART_DELIMITER, NULL, "no part"},
	{"\r\n" MODEL("m") END, MULTIPART_START, NULL, "an empty line before it"},
	{"preamble\r\n" MODEL("m") END, MULTIPART_START, NULL, "a preamble"},
	{"--XyA\r\n", MULTIPART_START, NULL, "another boundary"},
	{"--XyZ \r\n", MULTIPART_DELIMITER, NULL, "padding"},
	{"--XyZ\n", MULTIPART_DELIMITER, NULL, "a bare LF behind the delimiter (Werkzeug)"},
	{"--XyZa\r\n", MULTIPART_DELIMITER, NULL, "a longer word"},
	{"--XyZ-a", MULTIPART_DELIMITER, NULL, "one dash"},
	{MODEL("m") "--XyZ--\r\nx", MULTIPART_EPILOGUE, "m", "an epilogue"},
	{MODEL("m") "--XyZ--x", MULTIPART_EPILOGUE, "m", "an epilogue at once"},
	{MODEL("m") END MODEL("n") END, MULTIPART_EPILOGUE, "m", "another form behind it"},
	{MODEL("m"), MULTIPART_SHORT, NULL, "cut off behind a part"},
	{MODEL("m") "--XyZ", MULTIPART_SHORT, "m", "cut off behind a delimiter"},
	{MODEL("m") "--XyZ-", MULTIPART_SHORT, "m", "cut off in the last delimiter"},
	{FIELD("file") "a\n--XyZ\n" MODEL("m") END, MULTIPART_DELIMITER, NULL,
	 "a delimiter behind a bare LF (Go, Werkzeug)"},
	{FIELD("file") "a\r--XyZ\r\n" END, MULTIPART_DELIMITER, NULL, "behind a bare CR"},
	{FIELD("file") "a--XyZ\r\n" END, MULTIPART_DELIMITER, NULL, "in the middle of a line"},
	{FIELD("file") "a\r\n--XyZ x\r\n" END, MULTIPART_DELIMITER, NULL,
	 "with something behind it"},
	{FIELD("file") END, MULTIPART_DELIMITER, NULL, "no line end before it (Go takes it)"},
	{"--XyZ\r\n\r\nx\r\n" END, MULTIPART_HEAD, NULL, "a part without a head"},
	{"--XyZ\r\nContent-Type: text/plain\r\n\r\nx\r\n" END, MULTIPART_HEAD, NULL, "no name"},
	{"--XyZ\r\nContent-Disposition: form-data;\r\n name=\"model\"\r\n\r\nm\r\n" END,
	 MULTIPART_HEAD, NULL, "a folded line"},
	{"--XyZ\r\nContent-Disposition : form-data; name=\"a\"\r\n\r\n\r\n" END, MULTIPART_HEAD,
	 NULL, "a blank before the colon"},
	{"--XyZ\nContent-Disposition: form-data; name=\"a\"\n\nm", MULTIPART_DELIMITER, NULL,
	 "bare LFs"},
	{"--XyZ\r\nContent-Disposition: form-data; name=\"a\"\n\r\n\r\n" END, MULTIPART_HEAD, NULL,
	 "one bare LF"},
	{"--XyZ\r\nContent-Disposition: form-data; name=\"a\"\rb\r\n\r\n" END, MULTIPART_HEAD, NULL,
	 "a bare CR"},
	{MEDIUM("Content-Disposition: form-data; name=\"model\"\r\n\r\nx\r\n") END, MULTIPART_HEAD,
	 NULL, "two dispositions"},
	{MEDIUM("X-Name: model\r\n\r\nx\r\n") END, MULTIPART_HEAD, NULL, "a field of its own"},
	{MEDIUM("X: --XyZ\r\n\r\nx\r\n") END, MULTIPART_DELIMITER, NULL, "a delimiter in a head"},
	{MEDIUM("Content-Type: Multipart/mixed; boundary=c\r\n\r\nx\r\n") END, MULTIPART_HEAD, NULL,
	 "parts within a part"},
	{MEDIUM("Content-Transfer-Encoding: base64\r\n\r\nbQ==\r\n") END, MULTIPART_HEAD, NULL,
	 "base64 (python-multipart undoes it)"},
	{MEDIUM("Content-Length: 3\r\n\r\nab\r\n") END, MULTIPART_LENGTH, NULL, "a wrong length"},
	{PART("attachment; name=\"a\"") "\r\n" END, MULTIPART_HEAD, NULL, "not form-data"},
	{PART("form-data; name=a") "\r\n" END, MULTIPART_HEAD, NULL, "an unquoted name"},
	{PART("form-data; name=\"a\"; name=\"model\"") "\r\n" END, MULTIPART_HEAD, NULL,
	 "two names (Go refuses, others take the first or the last)"},
	{PART("form-data; name*=utf-8''model") "\r\n" END, MULTIPART_HEAD, NULL, "name*"},
	{PART("form-data; name=\"a\"; name*=utf-8''model") "\r\n" END, MULTIPART_HEAD, NULL,
	 "name and name*"},
	{PART("form-data; filename=\"x\"; name=\"a\"") "\r\n" END, MULTIPART_HEAD, NULL,
	 "the name not first"},
	{PART("form-data; name=\"a\"; filename=\"x; name=model\"") "\r\n" END, MULTIPART_HEAD, NULL,
	 "a name within a file's name"},
	{PART("form-data; name=\"a\"; filename=\"x\\\"; name=\"model\"") "\r\n" END, MULTIPART_HEAD,
	 NULL, "an escaped quote"},
	{PART("form-data; name=\"a\"; filename=\"x\"; filename=\"y\"") "\r\n" END, MULTIPART_HEAD,
	 NULL, "two names of a file"},
	{PART("form-data; name=\"a\"; filename=\"\xff\"") "\r\n" END, MULTIPART_HEAD, NULL,
	 "a file's name that is not UTF-8"},
	{PART("form-data; name=\"a\"; size=\"1\"") "\r\n" END, MULTIPART_HEAD, NULL,
	 "another parameter"},
	{PART("form-data; name=\"a") "\r\n" END, MULTIPART_HEAD, NULL, "an open quote"},
	{PART("form-data; name=\"a\"x") "\r\n" END, MULTIPART_HEAD, NULL, "behind a quote"},
	{FIELD("mod%65l") "m\r\n" END, MULTIPART_HEAD, NULL, "a percent-encoded name"},
	{FIELD("mod\\el") "m\r\n" END, MULTIPART_HEAD, NULL, "an escape in a name"},
	{FIELD(" model") "m\r\n" END, MULTIPART_HEAD, NULL, "a blank, which PHP takes away"},
	{FIELD("api.base") "m\r\n" END, MULTIPART_HEAD, NULL, "a dot, which PHP makes _"},
	{FIELD("\xc2\xa0model") "m\r\n" END, MULTIPART_HEAD, NULL, "not ASCII"},
	{FIELD("") "m\r\n" END, MULTIPART_HEAD, NULL, "no name at all"},
	{FIELD("a[") "m\r\n" END, MULTIPART_HEAD, NULL, "an open bracket"},
	{FIELD("a]") "m\r\n" END, MULTIPART_HEAD, NULL, "a bracket that was not open"},
	{FIELD("a[b]c") "m\r\n" END, MULTIPART_HEAD, NULL, "something behind brackets"},
	{FIELD("_charset_") "utf-16\r\n" END, MULTIPART_HEAD, NULL, "another charset for all"},
	{MODEL("m") MODEL("m") END, MULTIPART_MODEL_TWICE, "m", "two models"},
	{MODEL("m") FIELD("MODEL") "n\r\n" END, MULTIPART_MODEL_TWICE, "m", "two, one folded"},
	{FIELD("Model") "m\r\n" END, MULTIPART_MODEL_SPELLING, NULL, "a model to some alone"},
	{FIELD("MODEL") "m\r\n" MODEL("m") END, MULTIPART_MODEL_SPELLING, NULL, "the first one"},
	{FIELD("model[]") "m\r\n" END, MULTIPART_MODEL_TYPE, NULL, "a list of models"},
	{PART("form-data; name=\"model\"; filename=\"\"") "m\r\n" END, MULTIPART_MODEL_TYPE, NULL,
	 "a model that is a file"},
	{AS("Content-Type: application/json\r\n\r\n\"m\"\r\n") END, MULTIPART_MODEL_TYPE, NULL,
	 "a model in JSON"},
	{AS("Content-Type: text/plain; charset=utf-7\r\n\r\nm\r\n") END, MULTIPART_MODEL_TYPE, NULL,
	 "a model in another charset"},
	{MODEL("a\r\nb") END, MULTIPART_MODEL_TYPE, NULL, "a model of two lines"},
	{MODEL("\xff") END, MULTIPART_MODEL_TYPE, NULL, "a model that is not UTF-8"},
	{FIELD("Api_Base") "x\r\n" END, MULTIPART_DENIED_FIELD, NULL, "a denied field"},
	{FIELD("models[0]") "x\r\n" END, MULTIPART_DENIED_FIELD, NULL, "a member of a denied one"},
	{PART("form-data; name=\"api_base\"; filename=\"a\"") "x\r\n" END, MULTIPART_DENIED_FIELD,
	 NULL, "a denied field that is a file"},
	{FIELD("file") "x\r\n" FIELD("api_base") "x\r\n" END, MULTIPART_DENIED_FIELD, NULL,
	 "a denied field behind a file"},
};

static void
check_row(const struct row *r, struct span in, size_t first, size_t step)
{
	static struct multipart m;

	feed(&m, in, first, step);
	if (m.fault != r->fault || m.has_model != (r->model != NULL))
		print_error("%s, %zu and then %zu at a time\n", r->why, first, step);
	assert_int_equal(m.fault, r->fault);
	assert_int_equal(m.has_model, r->model != NULL);
	if (r->model != NULL)
		assert_string_equal(m.model, r->model);
	if (m.fault != MULTIPART_OK)
		assert_non_null(multipart_fault_text(&m));
}

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct span in = span_of(rows[i].in);

		check_row(&rows[i], in, 0, 1);
		for (size_t first = 0; first <= in.len; first++)
			check_row(&rows[i], in, first, SIZE_MAX);
	}
}

static void
test_forms(void **state)
{
	(void)state;
	check_rows(good, sizeof(good) / sizeof(good[0]));
}

static void
test_no_forms(void **state)
{
	(void)state;
	check_rows(bad, sizeof(bad) / sizeof(bad[0]));
}

static void
test_places(void **state)
{
	const char *form = FIELD("file") "\r\n" MODEL("gpt") END;
	static struct multipart m;

	(void)state;
	feed(&m, span_of(form), 0, SIZE_MAX);
	assert_memory_equal(form + m.model_at, "gpt", 3);
	assert_int_equal(m.at, strlen(form));
	assert_int_equal(m.closing_len, 4);
	assert_int_equal(m.parts, 2);
}

/* Where there are rules for models, a file names none: in front of it or behind it. */
static void
test_files_name_no_model(void **state)
{
	static const char *const forms[] = {
		FIELD("purpose") "batch\r\n" MODEL("m") FIELD("file") "x\r\n" END,
		FIELD("purpose") "batch\r\n" FIELD("file") "x\r\n" MODEL("m") END,
		FIELD("file") "--Xy\r\n\r\n" FIELD("MODEL[]") "m\r\n" END,
	};
	const struct route files = {.operation = OPERATION_FILES}, audio = {.operation = 0};
	struct ingress in = {.plan.has_models = true}, free = {.plan.has_models = false};
	struct decision d = {.route = &files}, other = {.route = &audio};
	static struct multipart m;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct span form = span_of(forms[i]);

		for (size_t first = 0; first <= form.len; first++) {
			multipart_init(&m, SPAN("XyZ"), decide_form_denies(&in, &d), &in);
			(void)multipart_feed(&m, span_cut(form, 0, first));
			(void)multipart_feed(&m, span_cut(form, first, form.len));
			assert_int_equal(multipart_end(&m), MULTIPART_DENIED_FIELD);
			assert_string_equal(m.current.name, "model");
			assert_int_equal(decide_form_fault(&m, &d), VERDICT_FIELD_NOT_ALLOWED);
			assert_non_null(strstr(d.why, "no model in particular"));
		}
	}
	multipart_init(&m, SPAN("XyZ"), decide_form_denies(&free, &d), &free);
	assert_int_equal(multipart_feed(&m, span_of(forms[0])), MULTIPART_OK);
	multipart_init(&m, SPAN("XyZ"), decide_form_denies(&in, &other), &in);
	assert_int_equal(multipart_feed(&m, span_of(forms[0])), MULTIPART_OK);
}

static enum multipart_fault
fault_of(struct buf *b)
{
	static struct multipart m;
	enum multipart_fault whole;

	feed(&m, buf_span(b), 0, SIZE_MAX);
	whole = m.fault;
	feed(&m, buf_span(b), 0, 1);
	assert_int_equal(whole, m.fault);
	buf_free(b);
	return whole;
}

static enum multipart_fault
with_model_of(size_t len)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	(void)buf_add_str(&b, FIELD("model"));
	for (size_t i = 0; i < len; i++)
		(void)buf_add_char(&b, 'm');
	(void)buf_add_str(&b, "\r\n" END);
	return fault_of(&b);
}

static enum multipart_fault
with_parts(size_t n)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < n; i++)
		(void)buf_add_str(&b, FIELD("a") "\r\n");
	(void)buf_add_str(&b, END);
	return fault_of(&b);
}

static enum multipart_fault
with_filename_of(size_t len)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	(void)buf_add_str(&b, "--XyZ\r\nContent-Disposition: form-data; name=\"f\"; filename=\"");
	for (size_t i = 0; i < len; i++)
		(void)buf_add_char(&b, 'f');
	(void)buf_add_str(&b, "\"\r\n\r\n\r\n" END);
	return fault_of(&b);
}

static void
test_bounds(void **state)
{
	(void)state;
	assert_int_equal(with_model_of(MULTIPART_MODEL_MAX), MULTIPART_OK);
	assert_int_equal(with_model_of(MULTIPART_MODEL_MAX + 1), MULTIPART_MODEL_TYPE);
	assert_int_equal(with_model_of(100000), MULTIPART_MODEL_TYPE);
	assert_int_equal(with_parts(MULTIPART_PARTS_MAX), MULTIPART_OK);
	assert_int_equal(with_parts(MULTIPART_PARTS_MAX + 1), MULTIPART_TOO_LARGE);
	assert_int_equal(with_filename_of(1024), MULTIPART_OK);
	assert_int_equal(with_filename_of(MULTIPART_LINE_MAX), MULTIPART_TOO_LARGE);
}

#define C70 "0123456789012345678901234567890123456789012345678901234567890123456789"

static const struct {
	const char *type;
	const char *boundary; /* NULL: refused */
} types[] = {
	{"multipart/form-data; boundary=abc", "abc"},
	{"Multipart/Form-Data;BOUNDARY=\"a:b=c/d\"", "a:b=c/d"},
	{"multipart/form-data; boundary=abc; charset=UTF-8", "abc"},
	{"multipart/form-data; boundary=" C70, C70},
	{"multipart/form-data; boundary=" C70 "x", NULL},
	{"multipart/form-data", NULL},
	{"multipart/form-data; boundary=", NULL},
	{"multipart/form-data; boundary=\"\"", NULL},
	{"multipart/form-data; boundary=abc; boundary=abc", NULL},
	{"multipart/form-data; boundary=abc; boundary*=utf-8''x", NULL},
	{"multipart/form-data; boundary*=utf-8''x", NULL},
	{"multipart/form-data; boundary=abc; charset=utf-16", NULL},
	{"multipart/form-data; boundary=a b", NULL},
	{"multipart/form-data; boundary=a:b", NULL},
	{"multipart/form-data; boundary=\"a b\"", NULL},
	{"multipart/form-data; boundary=\"a\\b\"", NULL},
	{"multipart/form-data; boundary=\"abc", NULL},
	{"multipart/form-data; boundary=abc, multipart/form-data; boundary=d", NULL},
	{"multipart/form-data boundary=abc", NULL},
	{"multipart/form-data; boundary=abc;", NULL},
	{"multipart/mixed; boundary=abc", NULL},
	{"application/json", NULL},
};

static void
test_boundaries(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct span found = SPAN("");
		bool is = part_boundary(span_of(types[i].type), &found);

		if (is != (types[i].boundary != NULL))
			print_error("%s\n", types[i].type);
		assert_int_equal(is, types[i].boundary != NULL);
		if (is)
			assert_true(span_is(found, types[i].boundary));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),      cmocka_unit_test(test_no_forms),
		cmocka_unit_test(test_places),     cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_boundaries), cmocka_unit_test(test_files_name_no_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
