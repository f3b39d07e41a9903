/* SPDX-License-Identifier: Apache-2.0 */
/* AWS event streams: frames, their checksums, and the events that carry usage. */
#include "tests/unit/metering.h"

#include "base/buf.h"
#include "base/crc.h"

#define CONVERSE "/model/m/converse-stream"
#define INVOKE   "/model/m/invoke-with-response-stream"

#define METADATA                                                                                   \
	"{\"metrics\":{\"latencyMs\":1},\"usage\":{\"inputTokens\":10,\"outputTokens\":7,"         \
	"\"totalTokens\":22,\"cacheReadInputTokens\":5}}"

/* botocore accepts this one: a contentBlockDelta that says "hi". */
static const char sample[] =
	"\x00\x00\x00\x94\x00\x00\x00\x57\xb4\xab\x9a\xee\x0b:event-type\x07\x00\x11"
	"contentBlockDelta\x0d:content-type\x07\x00\x10"
	"application/json\x0d:message-type\x07\x00\x05"
	"event{\"contentBlockIndex\":0,\"delta\":{\"text\":\"hi\"}}\xde\x55\x69\x53";

enum { SAMPLE_LEN = 148 };

static void
add_u32(struct buf *b, size_t n)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		(void)buf_add_char(b, (char)(n >> shift & 0xff));
}

static void
add_header(struct buf *b, const char *name, char type, struct span value)
{
	(void)buf_add_char(b, (char)strlen(name));
	(void)buf_add_str(b, name);
	(void)buf_add_char(b, type);
	if (type == 7) {
		(void)buf_add_char(b, (char)(value.len >> 8));
		(void)buf_add_char(b, (char)(value.len & 0xff));
	}
	(void)buf_add_span(b, value);
}

static void
add_frame(struct buf *b, struct span headers, const char *payload)
{
	size_t start = b->len, plen = strlen(payload);

	add_u32(b, 16 + headers.len + plen);
	add_u32(b, headers.len);
	add_u32(b, crc_32(0, (struct span){b->ptr + start, 8}));
	(void)buf_add_span(b, headers);
	(void)buf_add_str(b, payload);
	add_u32(b, crc_32(0, (struct span){b->ptr + start, b->len - start}));
}

static void
add_event(struct buf *b, const char *type, const char *payload)
{
	struct buf h;

	buf_init(&h, 1024);
	add_header(&h, ":event-type", 7, span_of(type));
	add_header(&h, ":content-type", 7, SPAN("application/json"));
	add_header(&h, ":message-type", 7, SPAN("event"));
	add_frame(b, buf_span(&h), payload);
	buf_free(&h);
}

static enum meter_result
frames(const char *path, const struct buf *b, bool broken, struct usage *u)
{
	struct answer a = {DIALECT_BEDROCK, path, FRAMES_TYPE, buf_span(b), broken};

	*u = (struct usage){0};
	return metering(&a, u);
}

static void
start(struct buf *b)
{
	buf_init(b, 1 << 20);
	(void)buf_add(b, sample, SAMPLE_LEN);
}

static void
converse(void **state)
{
	struct usage u;
	struct buf b;

	(void)state;
	start(&b);
	assert_int_equal(frames(CONVERSE, &b, false, &u), METER_UNKNOWN);
	add_event(&b, "metadata", METADATA);
	assert_int_equal(frames(CONVERSE, &b, false, &u), METER_KNOWN);
	assert_int_equal(u.input, 15);
	assert_int_equal(u.output, 7);
	assert_int_equal(u.cache_read, 5);
	/* The agent may leave behind it; a byte before it is too early. */
	assert_int_equal(frames(CONVERSE, &b, true, &u), METER_KNOWN);
	b.len--;
	assert_int_equal(frames(CONVERSE, &b, false, &u), METER_UNKNOWN);
	buf_free(&b);
}

/* The same payload in any other frame is what somebody wrote, not what Bedrock counted. */
static void
other_frames(void **state)
{
	struct usage u;
	struct buf b, h;

	(void)state;
	start(&b);
	add_event(&b, "contentBlockDelta", METADATA);
	add_event(&b, "metadata2", METADATA);
	add_event(&b, "chunk", METADATA);
	add_event(&b, "", METADATA);
	add_event(&b, "metadata", "{\"x\":" METADATA "}");
	add_event(&b, "metadata", "[" METADATA "]");
	add_event(&b, "metadata", "");
	add_frame(&b, SPAN(""), METADATA);
	buf_init(&h, 4096);
	add_header(&h, ":message-type", 7, SPAN("exception"));
	add_header(&h, ":exception-type", 7, SPAN("metadata"));
	add_frame(&b, buf_span(&h), METADATA);
	h.len = 0; /* twice, and differently */
	add_header(&h, ":message-type", 7, SPAN("event"));
	add_header(&h, ":event-type", 7, SPAN("metadata"));
	add_header(&h, ":event-type", 7, SPAN("chunk"));
	add_frame(&b, buf_span(&h), METADATA);
	h.len = 0; /* a type that there is not */
	add_header(&h, ":message-type", 7, SPAN("event"));
	add_header(&h, ":event-type", 7, SPAN("metadata"));
	add_header(&h, "x", 10, SPAN(""));
	add_frame(&b, buf_span(&h), METADATA);
	h.len = 0; /* a value that is cut short */
	add_header(&h, ":message-type", 7, SPAN("event"));
	add_header(&h, ":event-type", 7, SPAN("metadata"));
	h.len--;
	add_frame(&b, buf_span(&h), METADATA);
	h.len = 0; /* more than is kept */
	add_header(&h, ":message-type", 7, SPAN("event"));
	add_header(&h, ":event-type", 7, SPAN("metadata"));
	while (h.len <= METER_FRAME_HEADERS_MAX)
		add_header(&h, "x", 0, SPAN(""));
	add_frame(&b, buf_span(&h), METADATA);
	assert_int_equal(frames(CONVERSE, &b, false, &u), METER_UNKNOWN);
	h.len = 0; /* none of them has put the meter out of step; all types of header pass */
	add_header(&h, "a", 0, SPAN(""));
	add_header(&h, "b", 1, SPAN(""));
	add_header(&h, "c", 2, SPAN("1"));
	add_header(&h, "d", 3, SPAN("12"));
	add_header(&h, "e", 4, SPAN("1234"));
	add_header(&h, "f", 5, SPAN("12345678"));
	add_header(&h, "g", 6,
		   SPAN("\0\3"
			"123"));
	add_header(&h, "h", 8, SPAN("12345678"));
	add_header(&h, "i", 9, SPAN("1234567812345678"));
	add_header(&h, ":message-type", 7, SPAN("event"));
	add_header(&h, ":event-type", 7, SPAN("metadata"));
	add_frame(&b, buf_span(&h), METADATA);
	assert_int_equal(frames(CONVERSE, &b, false, &u), METER_KNOWN);
	buf_free(&h);
	buf_free(&b);
}

/* Any one flipped bit, anywhere, and nothing is believed that came with it or behind it. */
static void
checksums(void **state)
{
	struct usage u;
	struct buf b;

	(void)state;
	start(&b);
	add_event(&b, "metadata", METADATA);
	for (size_t i = 0; i < b.len; i++) {
		struct answer a = {DIALECT_BEDROCK, CONVERSE, FRAMES_TYPE, buf_span(&b), false};

		b.ptr[i] ^= 4;
		assert_int_equal(metering_cut(&a, b.len, 1, &u), METER_UNKNOWN);
		b.ptr[i] ^= 4;
	}
	b.ptr[SAMPLE_LEN - 1] ^= 1;
	assert_int_equal(frames(CONVERSE, &b, false, &u), METER_UNKNOWN);
	b.ptr[SAMPLE_LEN - 1] ^= 1;
	/* Also when what is broken comes after. */
	(void)buf_add_str(&b, "{\"message\":\"not a frame\"}");
	assert_int_equal(frames(CONVERSE, &b, false, &u), METER_UNKNOWN);
	buf_free(&b);
}

/* Sizes that are sealed well, and yet none. */
static void
sizes(void **state)
{
	static const struct {
		uint32_t total, headers;
	} cases[] = {{15, 0},          {16, 1},         {0, 0},
		     {16, 0xffffffff}, {0xffffffff, 0}, {1 << 20, 131073}};
	struct usage u;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b;

		start(&b);
		b.len = 0;
		add_u32(&b, cases[i].total);
		add_u32(&b, cases[i].headers);
		add_u32(&b, crc_32(0, buf_span(&b)));
		add_u32(&b, crc_32(0, buf_span(&b)));
		add_event(&b, "metadata", METADATA);
		assert_int_equal(frames(CONVERSE, &b, false, &u), METER_UNKNOWN);
		buf_free(&b);
	}
}

/* Base64 of documents of all lengths modulo three; the padding `p` is Bedrock's own. */
static void
invoke(void **state)
{
	static const char *const chunks[] = {
		/* {"amazon-bedrock-invocationMetrics":{"inputTokenCount":10,"outputTokenCount":7}}
		   with no, one and two blanks behind it */
		"eyJhbWF6b24tYmVkcm9jay1pbnZvY2F0aW9uTWV0cmljcyI6eyJpbnB1dFRva2VuQ291bnQiOjEwLCJvdX"
		"RwdXRUb2tlbkNvdW50Ijo3fX0=",
		"eyJhbWF6b24tYmVkcm9jay1pbnZvY2F0aW9uTWV0cmljcyI6eyJpbnB1dFRva2VuQ291bnQiOjEwLCJvdX"
		"RwdXRUb2tlbkNvdW50Ijo3fX0g",
		"eyJhbWF6b24tYmVkcm9jay1pbnZvY2F0aW9uTWV0cmljcyI6eyJpbnB1dFRva2VuQ291bnQiOjEwLCJvdX"
		"RwdXRUb2tlbkNvdW50Ijo3fX0gIA==",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(chunks); i++) {
		struct usage u;
		struct buf b, p;

		start(&b);
		buf_init(&p, 4096);
		/* {"type":"content_block_delta"} says nothing */
		add_event(&b, "chunk", "{\"bytes\":\"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSJ9\"}");
		(void)buf_addf(&p, "{\"p\":\"abcdef\",\"bytes\":\"%s\"}", chunks[i]);
		(void)buf_add_char(&p, '\0');
		add_event(&b, "chunk", p.ptr);
		assert_int_equal(frames(INVOKE, &b, false, &u), METER_KNOWN);
		assert_int_equal(u.input, 10);
		assert_int_equal(u.output, 7);
		buf_free(&p);
		buf_free(&b);
	}
}

static void
invoke_otherwise(void **state)
{
	static const char *const payloads[] = {
		"{\"bytes\":\"\"}",
		"{\"bytes\":5}",
		"{\"bytes\":\"####\"}",
		"{\"bytes\":\"eyJh\\u0062WF6\"}",
		"{\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":1,"
		"\"outputTokenCount\":2}}",
		METADATA,
	};
	struct usage u;
	struct buf b;

	(void)state;
	start(&b);
	for (size_t i = 0; i < COUNT(payloads); i++)
		add_event(&b, "chunk", payloads[i]);
	add_event(&b, "metadata", METADATA);
	assert_int_equal(frames(INVOKE, &b, false, &u), METER_UNKNOWN);
	buf_free(&b);
}

static void
crc(void **state)
{
	(void)state;
	assert_int_equal(crc_32(0, SPAN("123456789")), 0xcbf43926); /* the catalogue's check */
	assert_int_equal(crc_32(crc_32(0, SPAN("1234")), SPAN("56789")), 0xcbf43926);
	assert_int_equal(crc_32(0, SPAN("")), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converse),  cmocka_unit_test(other_frames),
		cmocka_unit_test(checksums), cmocka_unit_test(sizes),
		cmocka_unit_test(invoke),    cmocka_unit_test(invoke_otherwise),
		cmocka_unit_test(crc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
