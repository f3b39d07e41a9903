/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"
#include "config/config.h"
#include "config/form.h"
#include "config/url.h"

enum {
	SECOND = 1000,
	MINUTE = 60 * SECOND,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
	KIB = 1024,
	MIB = 1024 * KIB,
	GIB = 1024 * MIB,
};

#define KEYS(table) (table), sizeof(table) / sizeof((table)[0])

/* Rows of a table, not code: more of them are seen at once than clang-format would show. */
/* clang-format off */

static const struct schema_key listener_rows[] = {
	{.name = "unix", .type = SCHEMA_TEXT, .required = true, .max = SOCKET_PATH_MAX,
	    .form = &form_path, .offset = offsetof(struct listener_keys, path),
	    .help = "Path of the Unix socket."},
	{.name = "mode", .type = SCHEMA_TEXT, .fallback = "0600", .max = 4, .form = &form_mode,
	    .offset = offsetof(struct listener_keys, mode),
	    .help = "Who may connect, as an octal mode in quotes."},
	{.name = "group", .type = SCHEMA_INTEGER, .max = INT32_MAX,
	    .offset = offsetof(struct listener_keys, group),
	    .help = "Group id that the socket is given to."},
};

const struct schema schema_listener = {sizeof(struct listener_keys), KEYS(listener_rows)};

static const struct schema_key sandbox_rows[] = {
	{.name = "require", .type = SCHEMA_WORDS, .word = form_word_sandbox,
	    .offset = offsetof(struct config_sandbox_keys, require),
	    .help = "Protections that must be there; without them sidekey does not start."},
};

static const struct schema sandbox_schema = {sizeof(struct config_sandbox_keys),
					     KEYS(sandbox_rows)};

static const struct schema_key access_rows[] = {
	{.name = "clientId", .type = SCHEMA_REFERENCE, .required = true,
	    .offset = offsetof(struct config_access, client_id),
	    .help = "Where the service token's Client ID is."},
	{.name = "clientSecret", .type = SCHEMA_REFERENCE, .required = true,
	    .offset = offsetof(struct config_access, client_secret),
	    .help = "Where the service token's Client Secret is."},
	{.name = "header", .type = SCHEMA_TEXT, .max = 128, .form = &form_header,
	    .offset = offsetof(struct config_access, header),
	    .help = "Send both in this one header, as the application is set to read them."},
};

static const struct schema access_schema = {sizeof(struct config_access), KEYS(access_rows)};

static const struct schema_key tls_rows[] = {
	{.name = "ca", .type = SCHEMA_MATERIAL, .offset = offsetof(struct config_tls, ca),
	    .help = "Certificates to trust (PEM): a path or a reference. Default: the system's."},
	{.name = "clientCert", .type = SCHEMA_MATERIAL,
	    .offset = offsetof(struct config_tls, client_cert),
	    .help = "Certificate chain to present (PEM): a path or a reference."},
	{.name = "clientKey", .type = SCHEMA_MATERIAL,
	    .offset = offsetof(struct config_tls, client_key),
	    .help = "Its private key (PEM): a path or a reference."},
	{.name = "serverName", .type = SCHEMA_TEXT, .max = URL_HOST_MAX, .form = &form_server,
	    .offset = offsetof(struct config_tls, server_name),
	    .help = "Name for SNI and verification. Default: apiBase's host."},
};

static const struct schema tls_schema = {sizeof(struct config_tls), KEYS(tls_rows)};

static const struct schema_key timeout_rows[] = {
	{.name = "connect", .type = SCHEMA_DURATION, .fallback = "5s", .min = 100,
	    .max = 5 * MINUTE, .offset = offsetof(struct config_timeouts, connect_ms),
	    .help = "For the connection and its TLS handshake."},
	{.name = "firstByte", .type = SCHEMA_DURATION, .fallback = "600s", .min = 100, .max = DAY,
	    .offset = offsetof(struct config_timeouts, first_byte_ms),
	    .help = "From the request's end to the answer's first byte; and while none of the "
		    "request is taken."},
	{.name = "idle", .type = SCHEMA_DURATION, .fallback = "600s", .min = 100, .max = DAY,
	    .offset = offsetof(struct config_timeouts, idle_ms),
	    .help = "Between two pieces of an answer."},
	{.name = "poolIdle", .type = SCHEMA_DURATION, .fallback = "50s", .min = 100, .max = HOUR,
	    .offset = offsetof(struct config_timeouts, pool_idle_ms),
	    .help = "How long an unused connection is kept."},
};

static const struct schema timeout_schema = {sizeof(struct config_timeouts), KEYS(timeout_rows)};

static const struct schema_key role_rows[] = {
	{.name = "roleArn", .type = SCHEMA_TEXT, .required = true, .max = 2048,
	    .form = &form_role, .offset = offsetof(struct config_role, arn),
	    .help = "The role to assume."},
	{.name = "externalId", .type = SCHEMA_REFERENCE,
	    .offset = offsetof(struct config_role, external_id),
	    .help = "Where the external id is that the role asks for: env:NAME or file:/path."},
	{.name = "sessionName", .type = SCHEMA_TEXT, .max = 64, .form = &form_session,
	    .offset = offsetof(struct config_role, session_name),
	    .help = "Name of the session. Default: AWS_ROLE_SESSION_NAME, else sidekey, in a "
		    "task of ECS sidekey-ID."},
	{.name = "duration", .type = SCHEMA_DURATION, .min = 15 * MINUTE, .max = 12 * HOUR,
	    .offset = offsetof(struct config_role, duration_ms),
	    .help = "How long a session lasts. Default: an hour, the most that a role may "
		    "ask for that is assumed by another."},
	{.name = "narrow", .type = SCHEMA_BOOL, .fallback = "false",
	    .offset = offsetof(struct config_role, narrow),
	    .help = "Narrow the session to the secrets that are configured here."},
};

static const struct schema role_schema = {sizeof(struct config_role), KEYS(role_rows)};

/* The words' index is kept plus one: 0 says that none was given. */
#define IDENTITY_ROWS(s, f) \
	{.name = "credentials", .type = SCHEMA_WORD, .word = form_word_credentials, .min = 1, \
	    .offset = offsetof(struct s, f credentials), \
	    .help = "Where the identity comes from. Default: auto, the first that is there."}, \
	{.name = "profile", .type = SCHEMA_TEXT, .min = 1, .max = 128, \
	    .offset = offsetof(struct s, f profile), \
	    .help = "Profile of the shared files. Default: AWS_PROFILE, else default."}, \
	{.name = "region", .type = SCHEMA_TEXT, .max = 32, .form = &form_region, \
	    .offset = offsetof(struct s, f region), \
	    .help = "Region where no ARN says one."}, \
	{.name = "assumeRole", .type = SCHEMA_SECTION, .of = &role_schema, \
	    .offset = offsetof(struct s, f role), \
	    .help = "A role to assume with that identity."}

static const struct schema_key target_aws_rows[] = {IDENTITY_ROWS(config_identity, )};

static const struct schema target_aws_schema = {sizeof(struct config_identity),
						KEYS(target_aws_rows)};

static const struct schema_key deployment_rows[] = {
	{.name = "name", .type = SCHEMA_TEXT, .max = 64, .form = &form_name,
	    .offset = offsetof(struct config_deployment, name),
	    .help = "For the log and /status. Default: its region, else d1, d2 and so on."},
	{.name = "apiBase", .type = SCHEMA_URL,
	    .offset = offsetof(struct config_deployment, api_base),
	    .help = "Its URL, as a target's apiBase."},
	{.name = "region", .type = SCHEMA_TEXT, .max = 32, .form = &form_region,
	    .offset = offsetof(struct config_deployment, region),
	    .help = "Its region, of a bedrock target."},
	{.name = "weight", .type = SCHEMA_INTEGER, .fallback = "1", .min = 1, .max = 100,
	    .offset = offsetof(struct config_deployment, weight),
	    .help = "Its share of the calls, among the weights of all."},
	{.name = "apiKey", .type = SCHEMA_REFERENCE, .word = form_word_none,
	    .offset = offsetof(struct config_deployment, api_key),
	    .help = "Where its own API key is. Default: the target's."},
};

static const struct schema deployment_schema = {sizeof(struct config_deployment),
						KEYS(deployment_rows)};

static const struct schema_key target_rows[] = {
	{.name = "provider", .type = SCHEMA_WORD, .fallback = "openaiCompatible",
	    .word = form_word_provider,
	    .offset = offsetof(struct config_target, provider),
	    .help = "What answers there: where the key goes, and which operations there are."},
	{.name = "apiBase", .type = SCHEMA_URL, .offset = offsetof(struct config_target, api_base),
	    .help = "URL that the operations' paths are put behind. Default of a bedrock target: "
		    "AWS's own host in its region."},
	{.name = "allowPlaintext", .type = SCHEMA_BOOL, .fallback = "false",
	    .offset = offsetof(struct config_target, allow_plaintext),
	    .help = "Allow an apiBase of plain http, loopback included."},
	{.name = "apiKey", .type = SCHEMA_REFERENCE, .word = form_word_none,
	    .offset = offsetof(struct config_target, api_key),
	    .help = "Where the API key is: arn:…, env:NAME, file:/path, or none."},
	{.name = "headers", .type = SCHEMA_TEMPLATES, .max = 32,
	    .offset = offsetof(struct config_target, headers),
	    .help = "Headers to add; a value may hold references: ${arn:…} ${env:NAME} "
		    "${file:/path}, with ? before } for an optional one. A secret in clear is "
		    "refused."},
	{.name = "cloudflareAccess", .type = SCHEMA_SECTION, .of = &access_schema,
	    .offset = offsetof(struct config_target, access),
	    .help = "Service token of the Cloudflare Access application in front."},
	{.name = "tls", .type = SCHEMA_SECTION, .of = &tls_schema,
	    .offset = offsetof(struct config_target, tls),
	    .help = "Trust, client certificate and server name."},
	{.name = "timeouts", .type = SCHEMA_SECTION, .of = &timeout_schema,
	    .offset = offsetof(struct config_target, timeouts), .help = "How long to wait."},
	{.name = "operations", .type = SCHEMA_WORDS, .min = 1, .word = form_word_operation,
	    .offset = offsetof(struct config_target, operations),
	    .help = "What may be called. Default: the provider's safe set."},
	{.name = "query", .type = SCHEMA_PAIRS, .max = 16,
	    .offset = offsetof(struct config_target, query),
	    .help = "Fixed query members, such as api-version."},
	{.name = "redact", .type = SCHEMA_BOOL, .fallback = "true",
	    .offset = offsetof(struct config_target, redact),
	    .help = "Overwrite secrets that come back in an answer."},
	{.name = "includeUsage", .type = SCHEMA_BOOL, .fallback = "false",
	    .offset = offsetof(struct config_target, include_usage),
	    .help = "Ask for usage in streams that did not."},
	{.name = "required", .type = SCHEMA_CHOICE,
	    .offset = offsetof(struct config_target, required),
	    .help = "Whether /readyz waits for it. Default: true for default targets."},
	{.name = "region", .type = SCHEMA_TEXT, .max = 32, .form = &form_region,
	    .offset = offsetof(struct config_target, region),
	    .help = "Region of a bedrock target. Default: apiBase's host's, else aws.region."},
	{.name = "auth", .type = SCHEMA_WORD, .word = form_word_auth, .min = 1,
	    .offset = offsetof(struct config_target, auth),
	    .help = "How a bedrock target proves who is calling. Default: apiKey where there is "
		    "one, else sigv4."},
	{.name = "aws", .type = SCHEMA_SECTION, .of = &target_aws_schema,
	    .offset = offsetof(struct config_target, aws),
	    .help = "This target's own cloud identity; what is not said is as in aws."},
	{.name = "deployments", .type = SCHEMA_ROWS, .min = 2, .max = 16, .of = &deployment_schema,
	    .offset = offsetof(struct config_target, deployments),
	    .help = "Several apiBases or regions that its calls are spread over, in place of "
		    "apiBase or region."},
};

static const struct schema target_schema = {sizeof(struct config_target), KEYS(target_rows)};

static const struct schema_key model_rows[] = {
	{.name = "match", .type = SCHEMA_TEXT, .required = true, .min = 1, .max = 512,
	    .form = &form_match, .offset = offsetof(struct config_model, match),
	    .help = "A model's name, or a prefix that ends in *."},
	{.name = "target", .type = SCHEMA_TEXT, .required = true, .max = 64,
	    .form = &form_name, .offset = offsetof(struct config_model, target),
	    .help = "The target that its calls go to."},
	{.name = "stripPrefix", .type = SCHEMA_TEXT, .min = 1, .max = 512,
	    .offset = offsetof(struct config_model, strip_prefix),
	    .help = "Cut off the front of the name before it is sent."},
	{.name = "sendAs", .type = SCHEMA_TEXT, .min = 1, .max = 512,
	    .offset = offsetof(struct config_model, send_as),
	    .help = "Sent in place of the name."},
};

static const struct schema model_schema = {sizeof(struct config_model), KEYS(model_rows)};

static const struct schema_key budget_rows[] = {
	{.name = "tokens", .type = SCHEMA_INTEGER, .min = 1, .max = INT64_MAX, .required = true,
	    .offset = offsetof(struct config_budget, tokens), .help = "Tokens that may be spent."},
	{.name = "period", .type = SCHEMA_DURATION, .min = SECOND, .max = 31 * (uint64_t)DAY,
	    .required = true, .offset = offsetof(struct config_budget, period_ms),
	    .help = "In which time, from the first spend on."},
};

static const struct schema budget_schema = {sizeof(struct config_budget), KEYS(budget_rows)};

static const struct schema_key caller_rows[] = {
	{.name = "name", .type = SCHEMA_TEXT, .required = true, .max = 64,
	    .form = &form_name, .offset = offsetof(struct config_caller, name),
	    .help = "For the log. Its limits are kept under it through reloads."},
	{.name = "token", .type = SCHEMA_TOKEN, .offset = offsetof(struct config_caller, token),
	    .help = "What the caller must present: a reference, or sha256:HEX."},
	{.name = "uids", .type = SCHEMA_UIDS, .min = 1, .max = 256,
	    .offset = offsetof(struct config_caller, uids),
	    .help = "Users that it may be, on a Unix socket."},
	{.name = "models", .type = SCHEMA_TEXTS, .min = 1, .max = 1024, .form = &form_match,
	    .offset = offsetof(struct config_caller, models),
	    .help = "Models that it may name; a prefix ends in *. Default: any."},
	{.name = "operations", .type = SCHEMA_WORDS, .min = 1, .word = form_word_operation,
	    .offset = offsetof(struct config_caller, operations),
	    .help = "What it may call, of what the target allows. Default: all of that."},
	{.name = "requestsPerMinute", .type = SCHEMA_INTEGER, .min = 1, .max = UINT32_MAX,
	    .offset = offsetof(struct config_caller, requests_per_minute),
	    .help = "Calls in any minute."},
	{.name = "tokensPerMinute", .type = SCHEMA_INTEGER, .min = 1, .max = UINT32_MAX,
	    .offset = offsetof(struct config_caller, tokens_per_minute),
	    .help = "Tokens in any minute; calls under way may overdraw."},
	{.name = "concurrentRequests", .type = SCHEMA_INTEGER, .min = 1, .max = UINT32_MAX,
	    .offset = offsetof(struct config_caller, concurrent_requests),
	    .help = "Calls at a time."},
	{.name = "tokenBudget", .type = SCHEMA_SECTION, .of = &budget_schema,
	    .offset = offsetof(struct config_caller, budget),
	    .help = "Tokens in a longer time."},
};

static const struct schema caller_schema = {sizeof(struct config_caller), KEYS(caller_rows)};

#define ENDPOINT_ROW(key, service, what) \
	{.name = key, .type = SCHEMA_URL, .offset = (service) * sizeof(struct span), \
	    .help = "URL of the endpoint of " what ", such as a VPC endpoint's."}

static const struct schema_key endpoint_rows[] = {
	ENDPOINT_ROW("secretsmanager", SERVICE_SECRETSMANAGER, "Secrets Manager"),
	ENDPOINT_ROW("ssm", SERVICE_SSM, "SSM"),
	ENDPOINT_ROW("sts", SERVICE_STS, "STS"),
	ENDPOINT_ROW("sso", SERVICE_SSO, "IAM Identity Center's portal"),
	ENDPOINT_ROW("bedrockRuntime", SERVICE_BEDROCK_RUNTIME, "Bedrock"),
	ENDPOINT_ROW("bedrockAgentRuntime", SERVICE_BEDROCK_AGENT_RUNTIME, "Bedrock's agents"),
	{.name = "bedrockMantle", .type = SCHEMA_URL,
	    .offset = SERVICE_BEDROCK_MANTLE * sizeof(struct span),
	    .help = "URL of an endpoint of bedrock-mantle, such as a VPC endpoint's: an apiBase "
	            "with its host and port is signed for that service."},
	ENDPOINT_ROW("agentcoreControl", SERVICE_AGENTCORE_CONTROL, "AgentCore's control plane"),
};

const struct schema schema_endpoints = {SERVICES * sizeof(struct span), KEYS(endpoint_rows)};

static const struct schema_key aws_rows[] = {
	IDENTITY_ROWS(config_aws, identity.),
	{.name = "endpoints", .type = SCHEMA_SECTION, .of = &schema_endpoints,
	    .offset = offsetof(struct config_aws, endpoints),
	    .help = "Endpoints of the services."},
};

static const struct schema aws_schema = {sizeof(struct config_aws), KEYS(aws_rows)};

static const struct schema_key secrets_rows[] = {
	{.name = "ttl", .type = SCHEMA_DURATION, .fallback = "300s", .min = SECOND, .max = DAY,
	    .offset = offsetof(struct config_secrets, ttl_ms),
	    .help = "Age at which a secret is fetched again."},
	{.name = "maxStale", .type = SCHEMA_DURATION, .fallback = "24h", .min = SECOND,
	    .max = 30 * (uint64_t)DAY, .offset = offsetof(struct config_secrets, max_stale_ms),
	    .help = "How long a secret is used when its store cannot be reached."},
	{.name = "failureTtl", .type = SCHEMA_DURATION, .fallback = "10s", .min = SECOND,
	    .max = HOUR, .offset = offsetof(struct config_secrets, failure_ttl_ms),
	    .help = "How long a secret is not asked for again when that has failed. A file is "
	            "looked at every 2 s all the same."},
};

static const struct schema secrets_schema = {sizeof(struct config_secrets), KEYS(secrets_rows)};

static const struct schema_key limit_rows[] = {
	{.name = "headerBytes", .type = SCHEMA_SIZE, .fallback = "64KiB", .min = KIB,
	    .max = MIB, .offset = offsetof(struct config_limits, header_bytes),
	    .help = "Largest request head."},
	{.name = "bodyBytes", .type = SCHEMA_SIZE, .fallback = "32MiB", .min = 1, .max = GIB,
	    .offset = offsetof(struct config_limits, body_bytes),
	    .help = "Largest request body."},
	{.name = "uploadBytes", .type = SCHEMA_SIZE, .fallback = "512MiB", .min = KIB,
	    .max = 64 * (uint64_t)GIB, .offset = offsetof(struct config_limits, upload_bytes),
	    .help = "Largest multipart upload, which passes without being kept."},
	{.name = "bufferTotal", .type = SCHEMA_SIZE, .fallback = "256MiB", .min = 256 * KIB,
	    .max = 64 * (uint64_t)GIB, .offset = offsetof(struct config_limits, buffer_total),
	    .help = "Memory for the bodies of all calls together. Of several callers "
	            "each has half at most."},
	{.name = "connections", .type = SCHEMA_INTEGER, .fallback = "1024", .min = 1,
	    .max = 65536, .offset = offsetof(struct config_limits, connections),
	    .help = "Connections of agents at a time. Beyond it an idle one makes room."},
	{.name = "headerTimeout", .type = SCHEMA_DURATION, .fallback = "10s", .min = 100,
	    .max = 10 * MINUTE, .offset = offsetof(struct config_limits, header_timeout_ms),
	    .help = "For a request's head to arrive."},
	{.name = "keepAlive", .type = SCHEMA_DURATION, .fallback = "75s", .min = 100, .max = HOUR,
	    .offset = offsetof(struct config_limits, keep_alive_ms),
	    .help = "How long a connection may wait for its next request."},
	{.name = "drain", .type = SCHEMA_DURATION, .fallback = "25s", .max = HOUR,
	    .offset = offsetof(struct config_limits, drain_ms),
	    .help = "For calls to end after SIGTERM."},
};

static const struct schema limit_schema = {sizeof(struct config_limits), KEYS(limit_rows)};

static const struct schema_key log_rows[] = {
	{.name = "format", .type = SCHEMA_WORD, .fallback = "json", .word = form_word_log_format,
	    .offset = offsetof(struct config_log, format), .help = "How the log is written."},
	{.name = "level", .type = SCHEMA_WORD, .fallback = "info", .word = form_word_log_level,
	    .offset = offsetof(struct config_log, level), .help = "The least that is written."},
};

static const struct schema log_schema = {sizeof(struct config_log), KEYS(log_rows)};

static const struct schema_key root_rows[] = {
	{.name = "listen", .type = SCHEMA_LISTENERS, .fallback = "127.0.0.1:7717", .min = 1,
	    .max = 16, .of = &schema_listener, .offset = offsetof(struct config, listen),
	    .help = "Where agents call: ADDRESS:PORT, unix:PATH, or {unix, mode, group}."},
	{.name = "unsafeListen", .type = SCHEMA_BOOL, .fallback = "false",
	    .offset = offsetof(struct config, unsafe_listen),
	    .help = "Allow listen beyond loopback: whoever reaches it can use the keys."},
	{.name = "hosts", .type = SCHEMA_TEXTS, .max = 64, .form = &form_host,
	    .offset = offsetof(struct config, hosts),
	    .help = "Further names accepted in Host, without port."},
	{.name = "admin", .type = SCHEMA_LISTENERS, .fallback = "127.0.0.1:7718", .max = 16,
	    .of = &schema_listener, .offset = offsetof(struct config, admin),
	    .help = "Where /healthz, /readyz and /metrics are, and on a Unix socket /status."},
	{.name = "adminToken", .type = SCHEMA_TOKEN, .offset = offsetof(struct config, admin_token),
	    .help = "Token for /status on a TCP admin port: a reference, or sha256:HEX."},
	{.name = "sandbox", .type = SCHEMA_SECTION, .of = &sandbox_schema,
	    .offset = offsetof(struct config, sandbox), .help = "Protections of sidekey itself."},
	{.name = "targets", .type = SCHEMA_NAMED, .required = true, .min = 1, .max = 256,
	    .of = &target_schema, .offset = offsetof(struct config, targets),
	    .help = "The upstreams, by name."},
	{.name = "models", .type = SCHEMA_ROWS, .max = 4096, .of = &model_schema,
	    .offset = offsetof(struct config, models),
	    .help = "Which model goes where; the first match wins, and no match is refused."},
	{.name = "defaultTarget", .type = SCHEMA_DEFAULT_TARGET,
	    .offset = offsetof(struct config, default_target),
	    .help = "Target of calls that name no model: a name, or a map by dialect."},
	{.name = "deniedFields", .type = SCHEMA_TEXTS, .max = 256,
	    .offset = offsetof(struct config, denied_fields),
	    .help = "Further members of bodies, and names in queries, to refuse, in any case."},
	{.name = "callers", .type = SCHEMA_ROWS, .min = 1, .max = 1024, .of = &caller_schema,
	    .offset = offsetof(struct config, callers),
	    .help = "Who may call, and how much. Default: whoever reaches the listener."},
	{.name = "aws", .type = SCHEMA_SECTION, .of = &aws_schema,
	    .offset = offsetof(struct config, aws),
	    .help = "The cloud identity and its endpoints."},
	{.name = "secrets", .type = SCHEMA_SECTION, .of = &secrets_schema,
	    .offset = offsetof(struct config, secrets), .help = "How long secrets are kept."},
	{.name = "limits", .type = SCHEMA_SECTION, .of = &limit_schema,
	    .offset = offsetof(struct config, limits), .help = "Bounds on what agents send."},
	{.name = "log", .type = SCHEMA_SECTION, .of = &log_schema,
	    .offset = offsetof(struct config, log), .help = "The log on standard error."},
};

const struct schema schema_root = {sizeof(struct config), KEYS(root_rows)};

/* clang-format on */

const struct schema_key *
schema_find(const struct schema *s, struct span name)
{
	for (size_t i = 0; i < s->n; i++)
		if (span_is(name, s->keys[i].name))
			return &s->keys[i];
	return NULL;
}

long
schema_word_find(schema_word *word, struct span text)
{
	for (unsigned i = 0; word(i) != NULL; i++)
		if (span_is(text, word(i)))
			return (long)i;
	return -1;
}
