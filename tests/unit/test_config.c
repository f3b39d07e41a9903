/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "config/config.h"
#include "config/jsonschema.h"
#include "config/source.h"
#include "printed.h"
#include "unit.h"
#include "variables.h"

#define ARN    "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
#define ROLE   "arn:aws:iam::123456789012:role/r"
#define SECRET "sk-S3CR3T-value-that-must-not-show"
#define ONE    "targets: {a: {apiBase: 'https://h/v1', apiKey: env:K"

static const char *const rows[] = {
	"OPENAI_API_KEY=" SECRET, "HOST=gw.example.com", "YES=true", "NUM=77", "EMPTY=", NULL,
};

static struct config *
read_good(const char *text)
{
	struct environment env = environment(rows);
	struct config_faults faults;
	struct config *c = NULL;

	fault_init(&faults);
	if (config_read_text(span_of(text), "t", &env, &c, &faults) != 0)
		fail_msg("%s\n%s", text, printed(&faults));
	assert_int_equal(faults.n, 0);
	fault_free(&faults);
	return c;
}

static void
test_defaults(void **state)
{
	struct config *c = read_good(ONE "}}");
	const struct config_target *t = c->targets.items;

	(void)state;
	assert_int_equal(c->listen.n, 1);
	assert_int_equal(c->listen.items[0].port, 7717);
	assert_true(c->listen.items[0].is_loopback);
	assert_int_equal(c->admin.items[0].port, 7718);
	assert_false(c->unsafe_listen);
	assert_int_equal(t->provider, PROVIDER_OPENAI_COMPATIBLE);
	assert_int_equal(t->operations, operations_default(PROVIDER_OPENAI_COMPATIBLE));
	assert_int_equal(t->timeouts.connect_ms, 5000);
	assert_int_equal(t->timeouts.first_byte_ms, 600000);
	assert_int_equal(t->timeouts.pool_idle_ms, 50000);
	assert_int_equal(t->required, CHOICE_UNSET);
	assert_true(t->redact);
	assert_null(c->models.items);
	assert_int_equal(c->secrets.ttl_ms, 300000);
	assert_int_equal(c->secrets.max_stale_ms, 86400000);
	assert_int_equal(c->limits.header_bytes, 65536);
	assert_int_equal(c->limits.body_bytes, 32 << 20);
	assert_int_equal(c->limits.buffer_total, 256 << 20);
	assert_int_equal(c->limits.connections, 1024);
	assert_int_equal(c->limits.drain_ms, 25000);
	assert_int_equal(c->log.format, 0);
	assert_int_equal(c->log.level, 2);
	assert_string_equal(c->source, "t");
	config_free(c);
}

static void
test_full(void **state)
{
	struct config *c = read_good(
		"listen: ['[::1]:80', unix:/run/a.sock, {unix: /b, mode: '0660', group: 5}]\n"
		"unsafeListen: true\nhosts: [SideKey, 10.0.0.1]\nadmin: [0.0.0.0:1]\n"
		"sandbox: {require: [landlock, secretPages]}\n"
		"targets:\n  x:\n    provider: azure\n    apiBase: https://${HOST}\n"
		"    apiKey: '" ARN "k-AbCdEf:k::'\n    required: ${YES}\n"
		"    headers: {A: 'b ${env:C} d', E: \"${file:/f?}\"}\n"
		"    cloudflareAccess: {clientId: env:I, clientSecret: env:S, header: X-Acc}\n"
		"    tls: {ca: /ca, clientCert: env:P, clientKey: file:/k, serverName: n}\n"
		"    operations: [chat, embeddings]\n    query: {api-version: 2024-10-21}\n"
		"models: []\ndefaultTarget: {azure: x}\naws: {credentials: container, "
		"region: eu-west-1, endpoints: {secretsmanager: 'http://127.0.0.1:5000'}}\n"
		"limits: {connections: '${NUM}', headerBytes: 8192}\nlog: {format: text, level: "
		"debug}\n");
	const struct config_target *t = c->targets.items;

	(void)state;
	assert_true(span_is(c->listen.items[0].host, "::1"));
	assert_true(span_is(c->listen.items[2].text, "unix:/b"));
	assert_int_equal(c->listen.items[1].mode, 0600);
	assert_int_equal(c->listen.items[1].group, -1);
	assert_int_equal(c->listen.items[2].mode, 0660);
	assert_int_equal(c->listen.items[2].group, 5);
	assert_true(span_is(c->hosts.items[0], "sidekey"));
	assert_int_equal(c->sandbox.require, CONFIG_REQUIRE_LANDLOCK | CONFIG_REQUIRE_SECRET_PAGES);
	assert_true(span_is(t->api_base, "https://gw.example.com"));
	assert_int_equal(t->required, CHOICE_YES);
	assert_int_equal(t->headers.n, 2);
	assert_true(span_is(t->headers.items[0].value, "b ${env:C} d"));
	assert_true(span_is(t->tls.ca, "file:/ca"));
	assert_true(span_is(t->tls.client_cert, "env:P"));
	assert_int_equal(t->operations, 1U << OPERATION_CHAT | 1U << OPERATION_EMBEDDINGS);
	assert_true(span_is(t->query.items[0].value, "2024-10-21"));
	assert_non_null(c->models.items);
	assert_int_equal(c->models.n, 0);
	assert_true(span_is(c->default_target.dialects[DIALECT_AZURE], "x"));
	assert_int_equal(c->limits.connections, 77);
	assert_int_equal(c->limits.header_bytes, 8192);
	assert_int_equal(config_target_find(c, SPAN("x")), 0);
	assert_int_equal(config_target_find(c, SPAN("y")), -1);
	config_free(c);
}

/* What must stand in the faults, each with its place. */
static const struct {
	const char *text, *fault;
} bad[] = {
	{"x: 1", "t:1:1: x: unknown key"},
	{"{apiKey:" SECRET "}", "t:1:2: apiKey: unknown key (a blank is due behind the colon)"},
	{"{apiKey:'" SECRET "'}", "t:1:2: apiKey: unknown key (a blank is due behind the colon)"},
	{"{x: 1, " SECRET "}", "t:1:8: …: unknown key"},
	{"{" SECRET ": 1, " SECRET ": 2}", "…: this key stands here a second time"},
	{"{a=" SECRET ": [&x 1]}", "t:1:41: a[0]: anchors are not used here"},
	{ONE ", headers: {Authorization:Bearer " SECRET "}}}",
	 "targets.a.headers.Authorization: a text is due (a blank is due behind the colon)"},
	{ONE "}, a: {}}", "targets.a: this key stands here a second time"},
	{"{}", "t:1:1: targets: is missing"},
	{"[1]", "t:1:1: a map of keys is due"},
	{"targets: {}", "targets: 0 entries; 1 to 256"},
	{"targets: {a: {}}", "t:1:14: targets.a.apiBase: is missing"},
	{"targets: {a: {}}", "targets.a.apiKey: is missing"},
	{"targets: {a b: {}}", "t:1:11: targets.a b: a name is due"},
	{"targets: {a: 1}", "targets.a: a map of keys is due"},
	{"targets: {a: {apiBase: https://h, apiKey: " SECRET "}}", "t:1:43: targets.a.apiKey: "},
	{"targets: {a: {apiBase: https://h, apiKey: '${OPENAI_API_KEY}'}}", "env:OPENAI_API_KEY)"},
	{"targets: {a: {apiBase: https://h, apiKey: '${NOT_SET}'}}", "(write env:NOT_SET)"},
	{"targets: {a: {apiBase: https://h, apiKey: os.environ/NAME}}", "(write env:NAME)"},
	{"targets: {a: {apiBase: https://h, apiKey: '${env:NAME}'}}", "(write it without the ${"},
	{"targets: {a: {apiBase: https://h, apiKey: /run/key}}", "(write file: before a path)"},
	{"targets: {a: {apiBase: https://h, apiKeyArn: env:K}}", "(did you mean apiKey?)"},
	{"targets: {a: {base_url: https://h, apiKey: env:K}}", "(did you mean apiBase?)"},
	{"targets: {a: {api_base: https://h, apiKey: env:K}}", "(did you mean apiBase?)"},
	{"targets: {a: {apiBase: https://h, apiKey: 'arn:aws:bedrock-agentcore:us-east-1:"
	 "123456789012:credential-provider/x'}}",
	 "token-vault/default/apikeycredentialprovider"},
	{"targets: {a: {apiBase: https://h, apiKey: env:1}}", "targets.a.apiKey: "},
	{"targets: {a: {apiBase: https://h, apiKey: 5}}", "a text is due"},
	{"targets: {a: {apiBase: https://h, apiKey: 5.5e-3}}", "a text is due"},
	{"targets: {a: {apiBase: https://h, apiKey: 1E9}}", "a text is due"},
	{"targets: {a: {apiBase: https://h, apiKey: 1e}}", "a reference is due"},
	{"targets: {a: {apiBase: {x: 1}, apiKey: none}}", "a single value is due, not a map"},
	{"targets: {a: {apiBase: [x], apiKey: none}}", "a single value is due, not a list"},
	{"targets: {a: {apiBase: ftp://h, apiKey: none}}", "https://"},
	{"targets: {a: {apiBase: 'https://u:p@h', apiKey: none}}", "user or password"},
	{"targets: {a: {apiBase: 'https://h?q', apiKey: none}}", "query or fragment"},
	{"targets: {a: {apiBase: 'https://h#f', apiKey: none}}", "query or fragment"},
	{"targets: {a: {apiBase: 'https://h:0', apiKey: none}}", "no valid port"},
	{"targets: {a: {apiBase: 'https://h:65536', apiKey: none}}", "no valid port"},
	{"targets: {a: {apiBase: 'https://127.1', apiKey: none}}", "no valid host"},
	{"targets: {a: {apiBase: 'https://h/../x', apiKey: none}}", "not plain"},
	{"targets: {a: {apiBase: 'https:///x', apiKey: none}}", "no valid host"},
	{"targets: {a: {apiBase: 'http://127.0.0.1:1', apiKey: none}}", "plain http is refused"},
	{"targets: {a: {apiBase: 'http://h', allowPlaintext: true, apiKey: none, tls: {ca: /c}}}",
	 "no effect on an apiBase of plain http"},
	{ONE ", tls: {clientCert: /c}}}", "targets.a.tls.clientKey: is missing: clientCert and"},
	{ONE ", tls: {clientKey: /c}}}", "targets.a.tls.clientCert: is missing: clientCert and"},
	{ONE ", tls: {ca: c}}}", "targets.a.tls.ca: an absolute path or a reference"},
	{ONE ", tls: {clientKey: '${OPENAI_API_KEY}'}}}",
	 "never a secret (write env:OPENAI_API_KEY)"},
	{ONE ", tls: {clientCert: /c, clientKey: env:K}}}",
	 "targets.a.tls.clientKey: the same reference makes a header"},
	{ONE ", tls: {ca: file:/k}}, b: {apiBase: https://h, apiKey: none, headers: {A: 'x "
	     "${file:/k?}'}}}",
	 "targets.a.tls.ca: the same reference makes a header"},
	{ONE ", tls: {ca: /k}, cloudflareAccess: {clientId: file:/k, clientSecret: env:S}}}",
	 "targets.a.tls.ca: the same reference makes a header"},
	{ONE ", cloudflareAccess: {clientId: env:I, clientSecret: env:S, header: Host}}}",
	 "cloudflareAccess.header: the name of a header that can be set here is due"},
	{ONE ", cloudflareAccess: {clientId: env:I, clientSecret: env:S, header: Content-Length}}}",
	 "cloudflareAccess.header: the name of a header that can be set here is due"},
	{ONE ", tls: {serverName: '[::1]'}}}",
	 "serverName: a host name or an IPv4 address is due, without a port"},
	{ONE ", cloudflareAccess: {clientId: env:I}}}",
	 "cloudflareAccess.clientSecret: is missing"},
	{ONE ", cloudflareAccess: {clientId: env:I, clientSecret: env:S, header: Authorization}}}",
	 "apiKey sets this header already"},
	{ONE ", cloudflareAccess: {clientId: env:I, clientSecret: env:S}, headers: "
	     "{cf-access-client-id: x}}}",
	 "two settings for one header"},
	{ONE ", headers: {authorization: x}}}", "headers.authorization: two settings for one"},
	{ONE ", provider: anthropic, headers: {X-API-Key: x}}}", "two settings for one header"},
	{ONE ", provider: azure, headers: {Api-Key: x}}}", "two settings for one header"},
	{ONE ", headers: {X-A: x, x-a: y}}}", "two settings for one header"},
	{ONE ", headers: {Host: x}}}", "not a header that can be set here"},
	{ONE ", headers: {Content-Length: '1'}}}", "not a header that can be set here"},
	{ONE ", headers: {'a b': x}}}", "not a header that can be set here"},
	{ONE ", headers: {A: true}}}", "a text is due (write it in quotes"},
	{ONE ", headers: {A: '${env:}'}}}", "targets.a.headers.A: "},
	{ONE ", headers: {A: 'x${env:B'}}}", "lacks its closing brace"},
	{ONE ", headers: {A: \"x\\ny\"}}}", "control character"},
	{ONE ", headers: {A: ' x'}}}", "cannot be a header's value"},
	{ONE ", headers: {A: ''}}}", "cannot be a header's value"},
	{ONE ", query: {'a=b': x}}}", "the name of a query member"},
	{ONE ", operations: [chat, chatt]}}", "operations[1]: not one of"},
	{ONE ", operations: []}}", "must not be empty"},
	{ONE ", provider: openai, operations: [converse]}}", "not an operation of provider openai"},
	{"targets: {a: {provider: openai, auth: sigv4}}", "targets.a.apiBase: is missing"},
	{"targets: {a: {apiBase: https://h}}", "targets.a.apiKey: is missing"},
	{"targets: {a: {provider: bedrock, auth: apiKey}}", "targets.a.apiKey: is missing"},
	{ONE ", provider: bedrock, auth: sigv4}}", "apiKey: stands beside auth: sigv4"},
	{"targets: {a: {provider: litellm, apiBase: https://h, auth: sigv4}}",
	 "targets.a.auth: sigv4 is for Bedrock"},
	{"targets: {a: {provider: bedrock, region: us-west-2, "
	 "apiBase: https://bedrock-runtime.us-east-1.amazonaws.com}}",
	 "region: is not the region of apiBase's host"},
	{"targets: {a: {provider: bedrock, headers: {Authorization: x}}}",
	 "two settings for one header (the signature stands in it)"},
	{"targets: {a: {provider: bedrock, apiKey: env:K, operations: [agents]}}",
	 "agents and knowledgeBases are at a host of their own, where calls must be signed"},
	{"targets: {a: {provider: bedrock, apiBase: https://h, operations: [knowledgeBases]}}",
	 "(leave apiBase and apiKey out; aws.endpoints may name that host"},
	{"targets: {a: {provider: bedrock, apiBase: 'http://h'}}", "plain http is refused"},
	{ONE ", provider: openia}}", "did you mean openai?"},
	{ONE ", timeouts: {connect: 5}}}", "a duration such as"},
	{ONE ", timeouts: {connect: 1h}}}", "out of bounds: 100ms to 5m"},
	{ONE ", allowPlaintext: 'true'}}", "true or false is due"},
	{ONE ", allowPlaintext: yes}}", "true or false is due"},
	{ONE ", region: us-east-1}}", "targets.a.region: has no effect"},
	{ONE ", aws: {endpoints: {}}}}", "targets.a.aws.endpoints: unknown key"},
	{ONE ", aws: {assumeRole: {roleArn: '" ROLE "', narrow: true}}}}",
	 "targets.a.aws.assumeRole.narrow: a target's calls"},
	{ONE ", aws: {assumeRole: {roleArn: '" ROLE "', externalId: '" ARN "k-AbCdEf'}}}}",
	 "targets.a.aws.assumeRole.externalId: an ARN is read with the identity"},
	{ONE "}}\ncallers: []", "t:2:10: callers: 0 entries; 1 to 1024 are allowed"},
	{ONE "}}\ncallers: [{name: a}]", "t:2:11: callers[0]: says neither token nor uids"},
	{ONE "}}\ncallers: [{name: a, uids: ['1']}]", "callers[0].uids[0]: the number of a user"},
	{ONE "}}\ndeniedFields: x", "t:2:15: deniedFields: a list is due"},
	{ONE "}}\nadminToken: sha256:12", "adminToken: sha256: and 64 hexadecimal digits"},
	{ONE "}}\nadminToken: not-a-reference", "t:2:13: adminToken: "},
	{ONE "}}\naws: {profile: ''}", "aws.profile: must not be empty"},
	{ONE "}}\naws: {assumeRole: {roleArn: x}}", "the ARN of a role is due"},
	{ONE "}}\naws: {assumeRole: {roleArn: 'arn:aws:iam::123456789012:user/u'}}",
	 "the ARN of a role is due"},
	{ONE "}}\naws: {assumeRole: {roleArn: 'arn:moon:iam::123456789012:role/r'}}",
	 "the ARN of a role is due"},
	{ONE "}}\naws: {assumeRole: {externalId: env:E}}", "aws.assumeRole.roleArn: is missing"},
	{ONE "}}\naws: {assumeRole: {roleArn: '" ROLE "', externalId: literal}}",
	 "aws.assumeRole.externalId: "},
	{ONE "}}\naws: {assumeRole: {roleArn: '" ROLE "', externalId: '" ARN "k-AbCdEf'}}",
	 "aws.assumeRole.externalId: an ARN is read with the identity"},
	{ONE "}}\naws: {assumeRole: {roleArn: '" ROLE "', sessionName: 'a b'}}",
	 "a session's name is due"},
	{ONE "}}\naws: {assumeRole: {roleArn: '" ROLE "', duration: 5m}}",
	 "out of bounds: 15m to 12h"},
	{ONE "}}\nsecrets: {ttl: 2d}", "out of bounds: 1s to 1d"},
	{ONE "}}\nlimits: {drain: 2h}", "out of bounds: 0s to 1h"},
	{ONE "}}\nlimits: {headerBytes: 64}", "out of bounds: 1KiB to 1MiB"},
	{ONE "}}\naws: {credentials: imds}", "aws.credentials: not one of: auto"},
	{ONE "}}\naws: {endpoints: {sts: 'http://10.0.0.1'}}", "aws.endpoints.sts: must be https"},
	{ONE "}}\naws: {region: us}", "a region such as"},
	{ONE "}}\naws: {endpoints: {secretsmanager: 'http://10.0.0.1'}}", "loopback only"},
	{ONE "}}\naws: {endpoints: {secretsmanager: 'https://h/x'}}", "must not have a path"},
	{ONE "}}\naws: {endpoints: {ssm: 'http://169.254.1.1'}}",
	 "aws.endpoints.ssm: must be https"},
	{ONE "}}\naws: {endpoints: {agentcore: 'https://h'}}",
	 "aws.endpoints.agentcore: unknown key"},
	{ONE "}}\naws: {endpoints: {agentcoreControl: 'https://h/x'}}",
	 "aws.endpoints.agentcoreControl: must not have a path"},
	{ONE "}}\nmodels: [{match: 'a*b', target: a}]", "models[0].match: a model's name"},
	{ONE "}}\nmodels: [{match: a, target: b}]",
	 "models[0].target: no such target; there are: a"},
	{ONE "}}\nmodels: [{match: a}]", "models[0].target: is missing"},
	{ONE "}}\nmodels: [{match: a, target: a, stripPrefix: b, sendAs: c}]", "one of the two"},
	{ONE "}}\ndefaultTarget: b", "t:2:16: defaultTarget: no such target"},
	{ONE "}}\ndefaultTarget: {openai: b}", "defaultTarget.openai: no such target"},
	{ONE "}}\ndefaultTarget: {opena: a}", "not a dialect"},
	{ONE "}}\ndefaultTarget: {bedrock: a}", "does not speak it"},
	{ONE "}}\nlisten: [0.0.0.0:7717]", "t:2:10: listen[0]: beyond loopback"},
	{ONE "}}\nlisten: ['[::]:7717']", "beyond loopback"},
	{ONE "}}\nlisten: []", "a list of 1 to 16 listeners"},
	{ONE "}}\nlisten: ['7717']", "an IP address with a port"},
	{ONE "}}\nlisten: ['::1:7717']", "an IP address with a port"},
	{ONE "}}\nlisten: [127.0.0.1]", "an IP address with a port"},
	{ONE "}}\nlisten: ['example.com:1']", "an IP address with a port"},
	{ONE "}}\nlisten: [unix:run/a]", "an IP address with a port"},
	{ONE "}}\nlisten: [{unix: /a, mode: 660}]", "listen[0].mode: a text is due"},
	{ONE "}}\nlisten: [{mode: '0660'}]", "listen[0].unix: is missing"},
	{ONE "}}\nlisten: [127.0.0.1:1, 127.0.0.1:1]", "listen[1]: this listener stands here a"},
	{ONE "}}\nlisten: [127.0.0.1:1]\nadmin: [127.0.0.1:1]", "admin[0]: `listen` has the same"},
	{ONE "}}\nlisten: [127.0.0.1:7718]",
	 "admin[0]: `listen` has the same (unless they are set, `listen` is 127.0.0.1:7717 and"},
	{"targets: {a: {apiBase: https://h, apiKey: 'arn:aws:ssm:us-east-1:12345:parameter/x'}}",
	 "(one of arn:aws:secretsmanager:REGION:123456789012:secret:NAME, arn:aws:ssm:"},
	{ONE ", query: {key: " SECRET "}}}", "targets.a.query.key: a secret does not belong here"},
	{ONE "}}\nlimits: {bodyBytes: 512MiB}", "limits.bufferTotal: is less than twice bodyBytes"},
	{ONE "}}\nlimits: {connections: 0}", "out of bounds: 1 to 65536"},
	{ONE "}}\nlimits: {connections: '5'}", "a whole number is due"},
	{ONE "}}\nlimits: {headerBytes: 64K}", "a size such as"},
	{ONE "}}\nsecrets: {ttl: 12h, maxStale: 1h}", "secrets.maxStale: is less than ttl"},
	{ONE "}}\nlog: {level: trace}", "log.level: not one of: error warn info debug"},
	{ONE "}}\nlogs: {}", "logs: unknown key (did you mean log?)"},
	{ONE "}}\nhosts: ['a:1']", "hosts[0]: a host name"},
	{ONE "}}\nhosts: a", "hosts: a list is due"},
	{ONE "}}\nsandbox: {require: [lock]}", "not one of: landlock landlockNet secretPages"},
	{ONE "}}\nlog: {level: '${NOT_SET}'}", "the variable NOT_SET is not set"},
	/* what is no YAML, and what to do */
	{"a: " ARN "x-AbCdEf:k::\n",
	 "t:1:68: mapping values are not allowed in this context (a value "
	 "with :: at its end, such as an ARN, needs quotes"},
	{"a: 1\nb: {k: " ARN "x-AbCdEf:k::}\n", "found unexpected ':' (a value with :: at its end"},
	{"a: 1\n b: 2\n",
	 "t:2:3: mapping values are not allowed in this context (indent this line"},
	{"a: " SECRET ": c\n", "(indent this line as its neighbours are; a value with a colon"},
	{"a: {A: Bearer ${env:X}}\n", "(within { } a value with ${…} needs quotes"},
	{"a:\n\tb: 1\n", "t:2:1: found character that cannot start any token (indent with blanks"},
	{"a: @x\n", "(a value that begins with @, % or ` needs quotes)"},
	{"a: [{match: *, target: a}]\n", "(a value that begins with * needs quotes)"},
	{"a:\n  b: 1\n c: 2\n", "did not find expected key (indent this line as its neighbours"},
	{"a:\n  - b\n  c: 2\n", "did not find expected '-' indicator (indent this line as its"},
	{"a: \"b\nc: d\n", "unexpected end of stream (a quote further up is not closed)"},
	{"a: [x\n", "t:2:1: did not find expected ',' or ']'\n"},
};

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct environment env = environment(rows);
		struct config_faults faults;
		struct config *c = NULL;
		char *text;

		fault_init(&faults);
		if (config_read_text(span_of(bad[i].text), "t", &env, &c, &faults) == 0)
			fail_msg("accepted: %s", bad[i].text);
		assert_null(c);
		text = printed(&faults);
		if (strstr(text, bad[i].fault) == NULL)
			fail_msg("%s\nwant: %s\ngot: %s", bad[i].text, bad[i].fault, text);
		if (strstr(text, SECRET) != NULL)
			fail_msg("the secret is echoed: %s", text);
		free(text);
		fault_free(&faults);
	}
}

static void
test_all_at_once(void **state)
{
	struct environment env = environment(rows);
	struct config_faults faults;
	struct config *c = NULL;
	struct buf text;

	(void)state;
	fault_init(&faults);
	assert_int_equal(config_read_text(SPAN("b: 1\na: 2\n" ONE ", x: 1, y: 2}}\n"), "t", &env,
					  &c, &faults),
			 -1);
	assert_int_equal(faults.n, 4);
	for (size_t i = 1; i < faults.n; i++)
		assert_true(faults.items[i].line >= faults.items[i - 1].line);
	fault_free(&faults);

	fault_init(&faults);
	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < 1000; i++)
		buf_addf(&text, "k%u: 1\n", i);
	assert_int_equal(config_read_text(buf_span(&text), "t", &env, &c, &faults), -1);
	assert_int_equal(faults.n, FAULTS_MAX);
	assert_true(faults.more);
	buf_free(&text);
	fault_free(&faults);
}

/* What is too long for a role's plan is a fault of its own, and no start that fails. */
static void
test_too_long(void **state)
{
	static const struct {
		const char *before, *after, *fault;
	} long_ones[] = {
		{"targets: {a: {apiKey: none, apiBase: https://h/", "}}",
		 "targets.a.apiBase: too long"},
		{ONE ", query: {q: ", "}}}", "targets.a.query.q: too long (4096 bytes at most)"},
	};
	struct environment env = environment(rows);

	(void)state;
	for (size_t i = 0; i < COUNT(long_ones); i++) {
		struct config_faults faults;
		struct config *c = NULL;
		struct buf text;
		char *shown;

		fault_init(&faults);
		buf_init(&text, 1 << 20);
		buf_addf(&text, "%sv%05000u%s", long_ones[i].before, 0, long_ones[i].after);
		assert_int_equal(config_read_text(buf_span(&text), "t", &env, &c, &faults), -1);
		shown = printed(&faults);
		assert_non_null(strstr(shown, long_ones[i].fault));
		free(shown);
		buf_free(&text);
		fault_free(&faults);
	}
}

/* Keys as a file's text may have them; also a name of a file, which is bytes. */
static void
test_printed_for_a_terminal(void **state)
{
	struct environment env = environment(rows);
	struct config_faults faults;
	struct config *c = NULL;
	char *text;

	(void)state;
	fault_init(&faults);
	assert_int_equal(
		config_read_text(SPAN("\"\\e[2J\\x9b31m\\u202e\\u2028é€\": 1\n" ONE "}}\n"),
				 "a\x1b\x9b\xc2\x9b\x7fé", &env, &c, &faults),
		-1);
	text = printed(&faults);
	assert_ptr_equal(strstr(text, "a????é:1:1: ?[2J?31m??é€: "), text);
	for (const char *p = text; *p != '\0'; p++)
		assert_true(*p != '\x1b' && *p != '\x7f');
	free(text);
	fault_free(&faults);
}

/* ---- where it is ---- */

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	assert_int_equal(chmod(path, mode), 0);
}

static int
read_source(const char *path, const char *const *env, struct config **out, char **text)
{
	struct config_source source = {path, environment(env)};
	struct config_faults faults;
	int result;

	fault_init(&faults);
	result = config_read(&source, out, &faults);
	*text = printed(&faults);
	fault_free(&faults);
	return result;
}

static void
check_source(const char *path, const char *const *env, const char *source, const char *fault)
{
	struct config *c = NULL;
	char *text;
	int result = read_source(path, env, &c, &text);

	if (result != (source != NULL ? 0 : -1))
		fail_msg("%s", text);
	if (source != NULL)
		assert_string_equal(c->source, source);
	else if (strstr(text, fault) == NULL)
		fail_msg("want: %s\ngot: %s", fault, text);
	if (strstr(text, SECRET) != NULL)
		fail_msg("the secret is echoed: %s", text);
	config_free(c);
	free(text);
}

static void
test_files(void **state)
{
	char dir[] = "/tmp/sidekey-config-XXXXXX", file[64], link[64], named[96], xdg[96], sub[64];
	const char *const by_name[] = {named, "SIDEKEY_CONFIG_CONTENT=x: 1", NULL};
	const char *const by_xdg[] = {xdg, NULL};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/sidekey", dir);
	assert_int_equal(mkdir(file, 0700), 0);
	snprintf(file, sizeof(file), "%s/sidekey/sidekey.yaml", dir);
	snprintf(sub, sizeof(sub), "%s/sidekey", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	snprintf(named, sizeof(named), "SIDEKEY_CONFIG=%s", file);
	snprintf(xdg, sizeof(xdg), "XDG_CONFIG_HOME=%s", dir);
	write_file(file, ONE "}}\n", 0600);
	assert_int_equal(symlink(file, link), 0);
	check_source(file, NULL, file, NULL);
	check_source(link, NULL, link, NULL);
	check_source(NULL, by_name, file, NULL);
	if (access("/etc/sidekey/sidekey.yaml", F_OK) != 0)
		check_source(NULL, by_xdg, file, NULL);
	assert_int_equal(chmod(file, 0620), 0);
	check_source(file, NULL, NULL, "another user owns it or may write it");
	check_source(link, NULL, NULL, "another user owns it or may write it");
	assert_int_equal(chmod(file, 0602), 0);
	check_source(file, NULL, NULL, "(own it or let root own it, and chmod go-w)");
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(chmod(sub, 0777), 0);
	check_source(file, NULL, NULL, "this directory or link");
	check_source(link, NULL, NULL, "this directory or link");
	assert_int_equal(chmod(sub, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(file, 12345, 0), 0);
		check_source(file, NULL, NULL, "another user owns it");
	}
	check_source(dir, NULL, NULL, "is not a regular file");
	check_source("/nonexistent/x.yaml", NULL, NULL,
		     "/nonexistent/x.yaml: there is no such file");
	unlink(file);
	unlink(link);
	rmdir(sub);
	rmdir(dir);
}

static void
test_environment(void **state)
{
	static const char *const content[] = {"SIDEKEY_CONFIG_CONTENT=" ONE "}}", NULL};
	static const char *const base[] = {"SIDEKEY_API_BASE=https://h/v1", "SIDEKEY_API_KEY=env:K",
					   "SIDEKEY_PROVIDER=litellm", NULL};
	static const char *const literal[] = {"SIDEKEY_API_BASE=https://h/v1",
					      "SIDEKEY_API_KEY=" SECRET, NULL};
	static const char *const keyless[] = {"SIDEKEY_API_BASE=https://h/v1", NULL};
	static const char *const broken[] = {"SIDEKEY_API_BASE=https://h/\"}, x: {\n",
					     "SIDEKEY_API_KEY=none", NULL};
	static const char *const openai[] = {"OPENAI_API_KEY=" SECRET, NULL};
	static const char *const nothing[] = {NULL};
	struct config *c = NULL;
	char *text;

	(void)state;
	check_source(NULL, content, "SIDEKEY_CONFIG_CONTENT", NULL);
	if (access("/etc/sidekey/sidekey.yaml", F_OK) == 0)
		skip();
	check_source(NULL, literal, NULL, "environment: SIDEKEY_API_KEY: ");
	check_source(NULL, keyless, NULL, "environment: SIDEKEY_API_KEY: is missing");
	check_source(NULL, broken, NULL, "environment: SIDEKEY_API_BASE: ");
	check_source(NULL, nothing, NULL, "there is no configuration");
	assert_int_equal(read_source(NULL, base, &c, &text), 0);
	free(text);
	assert_int_equal(c->targets.items[0].provider, PROVIDER_LITELLM);
	assert_true(span_is(c->targets.items[0].name, "default"));
	assert_string_equal(c->source, "environment");
	config_free(c);
	assert_int_equal(read_source(NULL, openai, &c, &text), 0);
	free(text);
	assert_true(span_is(c->targets.items[0].api_key, "env:OPENAI_API_KEY"));
	assert_true(span_is(c->targets.items[0].api_base, "https://api.openai.com/v1"));
	config_free(c);
}

static void
test_jsonschema(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, JSONSCHEMA_MAX);
	assert_int_equal(jsonschema_write(&out), 0);
	assert_true(out.len > 4096);
	buf_free(&out);
	buf_init(&out, 64);
	assert_int_equal(jsonschema_write(&out), -1);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),   cmocka_unit_test(test_full),
		cmocka_unit_test(test_bad),        cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_too_long),   cmocka_unit_test(test_printed_for_a_terminal),
		cmocka_unit_test(test_files),      cmocka_unit_test(test_environment),
		cmocka_unit_test(test_jsonschema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
