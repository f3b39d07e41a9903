/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of events: framing, the last word, and how they end. */
#include "tests/unit/metering.h"

#define USAGE(in, out) "\"usage\":{\"prompt_tokens\":" in ",\"completion_tokens\":" out "}"
#define CHUNK          "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n"
#define LAST           "data: {\"choices\":[]," USAGE("1", "2") "}\n\n"
#define DONE           "data: [DONE]\n\n"

#define CHAT           DIALECT_OPENAI, "/chat/completions"
#define RESPONSES      DIALECT_OPENAI, "/responses"
#define MESSAGES       DIALECT_ANTHROPIC, "/v1/messages"

#define START                                                                                      \
	"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":"          \
	"{\"input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":1}}}\n\n"
#define DELTA(out)                                                                                 \
	"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":"          \
	"{\"output_tokens\":" out "}}\n\n"
#define STOP "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
#define RESPONSE(type, usage)                                                                      \
	"event: " type "\ndata: {\"type\":\"" type "\",\"response\":{\"usage\":" usage "}}\n\n"
#define ZEROS "{\"input_tokens\":0,\"output_tokens\":0,\"total_tokens\":0}"
#define THREE "{\"input_tokens\":1,\"output_tokens\":2,\"total_tokens\":3}"

static const struct row {
	enum dialect dialect;
	const char *path, *text;
	bool broken, known;
	uint64_t input, output;
	const char *why;
} rows[] = {
	{CHAT, CHUNK LAST DONE, false, true, 1, 2, "as OpenAI does it"},
	{CHAT, CHUNK LAST, false, true, 1, 2, "without its mark"},
	{CHAT, LAST CHUNK DONE, false, true, 1, 2, "null takes nothing back"},
	{CHAT, LAST "data: {" USAGE("3", "4") "}\n\n" DONE, false, true, 3, 4, "the last wins"},
	{CHAT, CHUNK LAST DONE, true, true, 1, 2, "the agent left after the mark"},
	{CHAT, CHUNK DONE, false, false, 0, 0, "never said"},
	{CHAT, "", false, false, 0, 0, "an empty stream"},
	{CHAT, CHUNK LAST, true, false, 1, 2, "broken off: the count may have grown"},
	{CHAT, "data: {\"choices\":[{" USAGE("1", "2") "}]}\n\n" DONE, false, false, 0, 0,
	 "in a choice"},
	{CHAT, "data: {\"x_groq\":{" USAGE("1", "2") "}}\n\n" DONE, false, false, 0, 0,
	 "in an object of the server's own"},
	{CHAT, "data: {" USAGE("-1", "2") "}\n\n" LAST DONE, false, false, 0, 0, "a bad count"},
	{CHAT, "data: {" USAGE("1", "2") "\n\n" DONE, false, false, 0, 0, "half a document"},
	{CHAT, "data: ping\n\n" LAST DONE, false, true, 1, 2, "data that is no JSON"},

	{CHAT, "data:{" USAGE("1", "2") "}\n\n", false, true, 1, 2, "no space"},
	{CHAT, "data: {" USAGE("1", "2") "}\r\n\r\n", false, true, 1, 2, "CRLF"},
	{CHAT, "data: {" USAGE("1", "2") "}\r\r", false, true, 1, 2, "CR"},
	{CHAT, "data: {" USAGE("1", "2") "}\r\n\ndata: [DONE]\r\r", true, true, 1, 2, "mixed"},
	{CHAT, "data: {\r\ndata:\r\ndata: " USAGE("1", "2") "\r\ndata: }\r\n\r\n", false, true, 1,
	 2, "several lines"},
	{CHAT, ": note\n\nid: 7\ndata: {" USAGE("1", "2") "}\nretry: 5\n\n", false, true, 1, 2,
	 "comments and other fields"},
	{CHAT, "data: {" USAGE("1", "2") "}\n", false, true, 1, 2, "no blank line at the end"},
	{CHAT, "data: {" USAGE("1", "2") "}", false, true, 1, 2, "no line end at all"},
	{CHAT, "data: {" USAGE("1", "2") "}\ndata: x\n\n", false, false, 0, 0,
	 "a second line that spoils it"},
	{CHAT, "data: {" USAGE("1", "2") "}\n\ndata: [DONE]x\n\n", true, false, 1, 2,
	 "not quite the mark"},
	{CHAT, "data: {" USAGE("1", "2") "}\n\ndata: [DO\ndata: NE]\n\n", true, false, 1, 2,
	 "a mark of two lines"},
	{CHAT, "Data: {" USAGE("1", "2") "}\n\ndatax: {" USAGE("1", "2") "}\n\n data: {}\n\n",
	 false, false, 0, 0, "names that are not data"},

	{RESPONSES,
	 RESPONSE("response.created", "null") "data: {\"type\":\"response.output_text.delta\","
					      "\"delta\":\"x\"}\n\n" RESPONSE("response.completed",
									      THREE),
	 false, true, 1, 2, "as OpenAI does it"},
	{RESPONSES, RESPONSE("response.incomplete", THREE), true, true, 1, 2,
	 "the agent left after the last event"},
	{RESPONSES, RESPONSE("response.done", THREE), true, true, 1, 2, "as some gateways end"},
	{RESPONSES, RESPONSE("response.failed", "null"), false, false, 0, 0, "failed"},
	{RESPONSES, LAST, false, false, 0, 0, "where Responses do not have it"},
	{RESPONSES, RESPONSE("response.created", ZEROS), true, false, 0, 0,
	 "zeros to begin with, and the agent left"},
	{RESPONSES, RESPONSE("response.in_progress", THREE), false, false, 1, 2,
	 "said on the way, and never in the end"},
	{RESPONSES, RESPONSE("response.created", ZEROS) RESPONSE("response.completed", THREE), true,
	 true, 1, 2, "zeros to begin with"},
	{RESPONSES, RESPONSE("response.completed.x", THREE), true, false, 1, 2,
	 "not quite its name"},
	{RESPONSES, RESPONSE("response.complete", THREE), true, false, 1, 2, "nor this"},
	{RESPONSES, "data: {\"response\":{\"usage\":" THREE "}}\n\n", true, false, 1, 2, "no name"},

	{MESSAGES, START DELTA("7") "data: {\"type\":\"message_stop\"}\n\n", false, true, 15, 7,
	 "as Anthropic does it"},
	{MESSAGES, START DELTA("7") DELTA("9"), false, true, 15, 9, "cumulative"},
	{MESSAGES, START DELTA("7") DELTA("9") STOP, true, true, 15, 9,
	 "the agent left after the last event"},
	{MESSAGES, START DELTA("7"), true, false, 15, 7, "after a delta: there may be another"},
	{MESSAGES, START STOP, true, false, 15, 1, "no delta"},
	{MESSAGES, START DELTA("7") "data: {\"type\":\"message_stop\"}\n", true, false, 15, 7,
	 "the last event was not whole"},
	{MESSAGES, START DELTA("7") "data: {\"type\":\"message_stops\"}\n\n", true, false, 15, 7,
	 "not quite its name"},
	{MESSAGES, START DELTA("7") "data: {\"type\":\"message_st\"}\n\n", true, false, 15, 7,
	 "nor this"},
	{MESSAGES, START DELTA("7") "data: {\"x\":{\"type\":\"message_stop\"}}\n\n", true, false,
	 15, 7, "in an object"},
	{MESSAGES, START DELTA("7") "event: message_stop\ndata: {}\n\n", true, false, 15, 7,
	 "the event's own name, which is not looked at"},
	{MESSAGES, START, false, false, 15, 1, "ended on the first guess"},
	{MESSAGES, START, true, false, 15, 1, "broken off on the first guess"},
	{MESSAGES, DELTA("7"), false, false, 0, 7, "the input was never said"},
	{MESSAGES,
	 "data: {\"type\":\"content_block_delta\",\"delta\":{\"partial_json\":\"{\\\"usage\\\":"
	 "{\\\"input_tokens\\\":1,\\\"output_tokens\\\":2}}\"},\"x\":{\"usage\":{"
	 "\"input_tokens\":1,\"output_tokens\":2}}}\n\n",
	 false, false, 0, 0, "in the arguments of a tool"},
};

static void
streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		struct answer a = {r->dialect, r->path, SSE_TYPE "; charset=utf-8",
				   span_of(r->text), r->broken};
		struct usage u = {0};
		enum meter_result result = metering(&a, &u);

		if (result != (r->known ? METER_KNOWN : METER_UNKNOWN) || u.input != r->input ||
		    u.output != r->output)
			fail_msg("%s: %d %llu/%llu: %s", r->why, result,
				 (unsigned long long)u.input, (unsigned long long)u.output,
				 r->text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
