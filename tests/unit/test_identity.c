/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/arn.h"
#include "config/plan_identity.h"
#include "plans.h"

#define KEY  STORE(ARN "k-AbCdEf")
#define ROLE "arn:aws:iam::123456789012:role/"

/* Without the switch, what is not configured would be asked of the instance. */
#define OFF "AWS_EC2_METADATA_DISABLED=true"

static const char *const nothing[] = {OFF, NULL};
static const char *const bare[] = {NULL};
static const char *const keys[] = {"AWS_ACCESS_KEY_ID=a",      "AWS_SECRET_ACCESS_KEY=b",
				   "AWS_SESSION_TOKEN=c",      "AWS_WEB_IDENTITY_TOKEN_FILE=/t/w",
				   "AWS_ROLE_ARN=" ROLE "web", NULL};
static const char *const web[] = {"AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/t/w",
				  "AWS_ROLE_ARN=" ROLE "web",
				  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x", NULL};
static const char *const ecs[] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x",
				  "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://evil", NULL};
static const char *const eks[] = {
	"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials?a=b",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/var/run/t/token",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN=x", NULL};
static const char *const eks_v6[] = {
	"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://[fd00:ec2::23]/v1/credentials", NULL};
static const char *const https[] = {"AWS_CONTAINER_CREDENTIALS_FULL_URI=https://h:8443/c", NULL};
static const char *const imds_v6[] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6", NULL};
static const char *const no_file[] = {"AWS_CONFIG_FILE=/dev/null", NULL}; /* as for SDKs */
static const char *const imds_near[] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1338/",
					NULL};

static void
test_sources(void **state)
{
	static const struct {
		const char *text;
		const char *const *env;
		enum identity_source source;
		const char *host, *path, *tried;
		size_t nread_dirs, nnames, nports, nenv;
	} cases[] = {
		{KEY, nothing, IDENTITY_FROM_NOTHING, "", "", "AWS_EC2_METADATA_DISABLED", 0, 1, 1,
		 0},
		{KEY, bare, IDENTITY_FROM_INSTANCE, "169.254.169.254", "",
		 "AWS_ACCESS_KEY_ID is not", 0, 1, 2, 0},
		{KEY, keys, IDENTITY_FROM_ENVIRONMENT, "", "", "AWS_ACCESS_KEY_ID is set", 0, 1, 1,
		 3},
		{KEY, web, IDENTITY_FROM_WEB_IDENTITY, "", "", "TOKEN_FILE is set", 1, 2, 1, 0},
		{KEY, ecs, IDENTITY_FROM_CONTAINER, "169.254.170.2", "/v2/x", "RELATIVE_URI", 0, 1,
		 2, 0},
		{KEY, eks, IDENTITY_FROM_CONTAINER, "169.254.170.23", "/v1/credentials?a=b",
		 "FULL_URI", 1, 1, 2, 1},
		{KEY, eks_v6, IDENTITY_FROM_CONTAINER, "fd00:ec2::23", "/v1/credentials",
		 "FULL_URI", 0, 1, 2, 0},
		{KEY, https, IDENTITY_FROM_CONTAINER, "h", "/c", "FULL_URI", 0, 2, 2, 0},
		{KEY, no_file, IDENTITY_FROM_INSTANCE, "169.254.169.254", "", "left", 0, 1, 2, 0},
		{KEY, imds_v6, IDENTITY_FROM_INSTANCE, "fd00:ec2::254", "", "left", 0, 1, 2, 0},
		{KEY, imds_near, IDENTITY_FROM_INSTANCE, "127.0.0.1", "", "left", 0, 1, 2, 0},
		/* What is asked for is taken, though another would come first. */
		{KEY "aws: {credentials: webIdentity}", keys, IDENTITY_FROM_WEB_IDENTITY, "", "",
		 "aws.credentials asks for it", 1, 2, 1, 0},
		{KEY "aws: {credentials: container}", web, IDENTITY_FROM_CONTAINER, "169.254.170.2",
		 "/v2/x", "aws.credentials", 0, 1, 2, 0},
		{KEY "aws: {credentials: instance}", keys, IDENTITY_FROM_INSTANCE,
		 "169.254.169.254", "", "aws.credentials", 0, 1, 2, 0},
		{KEY "aws: {credentials: environment}", ecs, IDENTITY_FROM_NOTHING, "", "",
		 "AWS_ACCESS_KEY_ID is not set", 0, 1, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;
		const struct keeper_plan *k = &f.p.keeper;
		const struct plan_identity *id;

		assert_int_equal(open_fixture(&f, cases[i].text, cases[i].env), 0);
		id = &k->identities[0];
		if (id->source != cases[i].source)
			fail_msg("case %zu: %s", i, identity_source_name(id->source));
		assert_int_equal(plans_lack_identity(&f.p),
				 cases[i].source == IDENTITY_FROM_NOTHING);
		assert_text(id->at.host, cases[i].host);
		assert_text(id->path, cases[i].path);
		assert_non_null(strstr(id->tried.ptr, cases[i].tried));
		assert_int_equal(k->nread_dirs, cases[i].nread_dirs);
		assert_int_equal(k->nnames, cases[i].nnames);
		assert_int_equal(k->nports, cases[i].nports);
		assert_int_equal(f.p.nenv_names, cases[i].nenv);
		close_fixture(&f);
	}
}

/* Half of something is an error that names the other half, never the next source. */
static void
test_halves(void **state)
{
	static const struct {
		const char *text, *env[3], *path;
	} cases[] = {
		{KEY, {"AWS_ACCESS_KEY_ID=a"}, "AWS_SECRET_ACCESS_KEY"},
		{KEY, {"AWS_SECRET_ACCESS_KEY=a"}, "AWS_ACCESS_KEY_ID"},
		{KEY, {"AWS_ROLE_ARN=" ROLE "web"}, "AWS_WEB_IDENTITY_TOKEN_FILE"},
		{KEY, {"AWS_WEB_IDENTITY_TOKEN_FILE=/t/w"}, "AWS_ROLE_ARN"},
		{KEY,
		 {"AWS_WEB_IDENTITY_TOKEN_FILE=t", "AWS_ROLE_ARN=" ROLE "web"},
		 "AWS_WEB_IDENTITY_TOKEN_FILE"},
		{KEY, {"AWS_WEB_IDENTITY_TOKEN_FILE=/t/w", "AWS_ROLE_ARN=web"}, "AWS_ROLE_ARN"},
		{KEY,
		 {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://10.0.0.1/c"},
		 "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
		{KEY,
		 {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.169.254/c"},
		 "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
		{KEY,
		 {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.2.evil.example/c"},
		 "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
		{KEY,
		 {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=@evil.example/c"},
		 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"},
		{KEY,
		 {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://[::1]/c",
		  "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=t"},
		 "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"},
		{KEY,
		 {"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://10.0.0.1"},
		 "AWS_EC2_METADATA_SERVICE_ENDPOINT"},
		{KEY,
		 {"AWS_EC2_METADATA_SERVICE_ENDPOINT=https://imds.example"},
		 "AWS_EC2_METADATA_SERVICE_ENDPOINT"},
		{KEY,
		 {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv5"},
		 "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"},
		{KEY "aws: {credentials: instance}", {OFF}, "AWS_EC2_METADATA_DISABLED"},
		{KEY "aws: {assumeRole: {roleArn: '" ROLE "r'}}",
		 {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://[::1]/c", "AWS_REGION=x@evil"},
		 "AWS_REGION"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *env[] = {cases[i].env[0], cases[i].env[1], NULL};
		struct fixture f;

		if (open_fixture(&f, cases[i].text, env) != -1)
			fail_msg("case %zu is taken", i);
		assert_int_equal(f.faults.n, 1);
		assert_string_equal(f.faults.items[0].path, cases[i].path);
		close_fixture(&f);
	}
}

static void
test_roles(void **state)
{
	static const char text[] =
		KEY "aws:\n"
		    "  region: eu-west-1\n"
		    "  assumeRole: {roleArn: '" ROLE "top', externalId: env:EXT, duration: 30m,"
		    " narrow: true}\n";
	static const char *const env[] = {"AWS_WEB_IDENTITY_TOKEN_FILE=/t/w",
					  "AWS_ROLE_ARN=" ROLE "web", "AWS_ROLE_SESSION_NAME=me.1",
					  "AWS_REGION=us-west-2", NULL};
	struct fixture f;
	const struct keeper_plan *k = &f.p.keeper;
	const struct plan_identity *id;

	(void)state;
	assert_int_equal(open_fixture(&f, text, env), 0);
	id = &k->identities[0];
	assert_text(id->web.arn, ROLE "web");
	assert_text(id->web.session_name, "me.1");
	assert_int_equal(id->web.policy.len, 0);
	assert_int_equal(id->nroles, 1);
	assert_text(id->roles[0].arn, ROLE "top");
	assert_text(id->roles[0].session_name, "me.1");
	assert_int_equal(id->roles[0].duration_s, 1800);
	assert_non_null(strstr(id->roles[0].policy.ptr, "secret:k-AbCdEf"));
	assert_text(id->region, "eu-west-1");
	assert_text(id->sts.host, "sts.eu-west-1.amazonaws.com");
	assert_true(has_text(f.p.resolver.keeper_names, f.p.resolver.nkeeper_names,
			     "sts.eu-west-1.amazonaws.com"));
	assert_int_equal(id->roles[0].external_id_slot, 1);
	assert_true(k->slots[1].is_private);
	assert_text(k->slots[1].name, "aws.assumeRole.externalId");
	assert_true(has_text(f.p.env_names, f.p.nenv_names, "EXT"));
	assert_int_equal(f.p.ingress.targets[0].nslots, 1); /* readiness does not wait for it */
	close_fixture(&f);
}

/* In a task of ECS a session that nobody named tells which task it is of. */
static void
test_session_of_a_task(void **state)
{
	static const struct {
		const char *address, *session;
	} cases[] = {
		{"http://169.254.170.2/v4/cd189a933e5849daa93386466019ab50-2495160603",
		 "sidekey-cd189a933e5849daa93386466019ab50-2495160603"},
		{"http://169.254.170.2/v4/0206b271-b33f-47ab-86c6-a0ba208a70a9",
		 "sidekey-0206b271-b33f-47ab-86c6-a0ba208a70a9"},
		{"http://169.254.170.2/v4/", "sidekey"},
		{"x", "sidekey"},
		{"", "sidekey"},
		{"/no blanks", "sidekey"},
		{"/0123456789012345678901234567890123456789012345678901234567", "sidekey"},
	};
	static const char text[] = KEY "aws: {assumeRole: {roleArn: '" ROLE "top'}}\n";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char at[128];
		const char *const env[] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x", at,
					   "AWS_REGION=us-east-1", NULL};
		const char *const named[] = {env[0], at, env[2], "AWS_ROLE_SESSION_NAME=me", NULL};
		struct fixture f;

		snprintf(at, sizeof(at), "ECS_CONTAINER_METADATA_URI_V4=%s", cases[i].address);
		assert_int_equal(open_fixture(&f, text, env), 0);
		assert_text(f.p.keeper.identities[0].roles[0].session_name, cases[i].session);
		close_fixture(&f);
		assert_int_equal(open_fixture(&f, text, named), 0);
		assert_text(f.p.keeper.identities[0].roles[0].session_name, "me");
		close_fixture(&f);
	}
}

/* Without any other region, STS is called in the first secret's; a bad session name is left. */
static void
test_region_of_the_secret(void **state)
{
	static const char *const env[] = {"AWS_WEB_IDENTITY_TOKEN_FILE=/t/w",
					  "AWS_ROLE_ARN=" ROLE "web",
					  "AWS_ROLE_SESSION_NAME=no blanks", NULL};
	static const char *const at[] = {"AWS_WEB_IDENTITY_TOKEN_FILE=/t/w",
					 "AWS_ROLE_ARN=" ROLE "web",
					 "AWS_ENDPOINT_URL_STS=http://127.0.0.1:99",
					 "AWS_ENDPOINT_URL=https://all.example", NULL};
	static const char *const fips[] = {"AWS_WEB_IDENTITY_TOKEN_FILE=/t/w",
					   "AWS_ROLE_ARN=" ROLE "web", "AWS_USE_FIPS_ENDPOINT=true",
					   NULL};
	struct fixture f;
	const struct plan_identity *id;

	(void)state;
	assert_int_equal(open_fixture(&f, KEY, env), 0);
	id = &f.p.keeper.identities[0];
	assert_text(id->sts.host, "sts.us-east-1.amazonaws.com");
	assert_text(id->web.session_name, "sidekey");
	close_fixture(&f);
	assert_int_equal(open_fixture(&f, KEY, at), 0);
	id = &f.p.keeper.identities[0];
	assert_text(id->sts.host, "127.0.0.1");
	assert_int_equal(id->sts.port, 99);
	assert_text(f.p.keeper.slots[0].at.host, "all.example");
	close_fixture(&f);
	assert_int_equal(open_fixture(&f, KEY, fips), 0);
	assert_text(f.p.keeper.identities[0].sts.host, "sts-fips.us-east-1.amazonaws.com");
	assert_text(f.p.keeper.slots[0].at.host, "secretsmanager-fips.us-east-1.amazonaws.com");
	close_fixture(&f);
}

static void
test_targets(void **state)
{
	static const char text[] =
		"targets:\n"
		"  a: {apiBase: https://h, apiKey: '" ARN "k-AbCdEf', aws: {}}\n"
		"  b: {apiBase: https://h, apiKey: none, aws: {assumeRole: {roleArn: '" ROLE
		"b'}}}\n"
		"  c: {apiBase: https://h, apiKey: none, aws: {assumeRole: {roleArn: '" ROLE
		"b'}}}\n"
		"  d: {apiBase: https://h, apiKey: none, aws: {credentials: environment}}\n"
		"  e: {apiBase: https://h, apiKey: none, aws: {region: eu-west-1}}\n"
		"aws: {credentials: container, assumeRole: {roleArn: '" ROLE
		"all', narrow: true}}\n"
		"defaultTarget: a\n";
	static const uint16_t want[] = {0, 1, 1, 2, 3};
	static const char *const env[] = {"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b",
					  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x", NULL};
	struct fixture f;
	const struct keeper_plan *k = &f.p.keeper;

	(void)state;
	assert_int_equal(open_fixture(&f, text, env), 0);
	assert_int_equal(k->nidentities, 4);
	for (size_t i = 0; i < COUNT(want); i++)
		assert_int_equal(k->targets[i].identity, want[i]);
	assert_text(k->identities[0].name, "aws");
	assert_text(k->identities[1].name, "targets.b.aws");
	assert_int_equal(k->identities[1].source, IDENTITY_FROM_CONTAINER);
	assert_int_equal(k->identities[1].nroles, 1);
	assert_text(k->identities[1].roles[0].arn, ROLE "b");
	assert_int_equal(k->identities[2].source, IDENTITY_FROM_ENVIRONMENT);
	assert_text(k->identities[2].roles[0].arn, ROLE "all");
	assert_true(k->identities[0].roles[0].policy.len > 0);
	assert_int_equal(k->identities[2].roles[0].policy.len, 0); /* its calls read no secret */
	assert_text(k->identities[3].sts.host, "sts.eu-west-1.amazonaws.com");
	close_fixture(&f);
}

/* A target may need an identity where no store does. */
static void
test_target_alone(void **state)
{
	static const char text[] = "targets: {a: {apiBase: https://h, apiKey: env:K, aws: {region: "
				   "us-east-1, assumeRole: {roleArn: '" ROLE "r'}}}}\n";
	struct fixture f;

	(void)state;
	assert_int_equal(open_fixture(&f, text, keys), 0);
	assert_int_equal(f.p.keeper.identities[0].source, IDENTITY_FROM_NOTHING);
	assert_int_equal(f.p.keeper.identities[1].source, IDENTITY_FROM_ENVIRONMENT);
	assert_int_equal(f.p.keeper.targets[0].identity, 1);
	assert_false(plans_lack_identity(&f.p));
	close_fixture(&f);
}

/* ---- profiles ---- */

struct home {
	char dir[64], config[128], credentials[128], home_row[128];
	char config_row[160], credentials_row[192];
};

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
make_home(struct home *h, const char *config, const char *credentials)
{
	snprintf(h->dir, sizeof(h->dir), "/tmp/sidekey-test-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	snprintf(h->config, sizeof(h->config), "%s/config", h->dir);
	snprintf(h->credentials, sizeof(h->credentials), "%s/credentials", h->dir);
	snprintf(h->home_row, sizeof(h->home_row), "HOME=%s", h->dir);
	snprintf(h->config_row, sizeof(h->config_row), "AWS_CONFIG_FILE=%s", h->config);
	snprintf(h->credentials_row, sizeof(h->credentials_row), "AWS_SHARED_CREDENTIALS_FILE=%s",
		 h->credentials);
	write_file(h->config, config);
	write_file(h->credentials, credentials);
}

static void
remove_home(const struct home *h)
{
	unlink(h->config);
	unlink(h->credentials);
	rmdir(h->dir);
}

static const char profiles[] =
	"[default]\nregion = eu-central-1\n"
	"[profile chain]\nrole_arn = " ROLE "two\nsource_profile = middle\nexternal_id = ext-1\n"
	"role_session_name = chained\nregion = eu-west-3\n"
	"[profile middle]\nrole_arn = " ROLE "one\nsource_profile = base\n"
	"[profile loop]\nrole_arn = " ROLE "l\nsource_profile = pool\n"
	"[profile pool]\nrole_arn = " ROLE "p\nsource_profile = loop\n"
	"[profile named]\nrole_arn = " ROLE "n\ncredential_source = EcsContainer\n"
	"[profile web]\nrole_arn = " ROLE "w\nweb_identity_token_file = /t/w\n"
	"[profile run]\ncredential_process = /bin/false\n"
	"[sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = us-west-2\n"
	"[profile sign-in]\nsso_session = corp\nsso_account_id = 123456789012\n"
	"sso_role_name = Reader\n";
static const char secrets[] = "[base]\naws_access_key_id = AKIABASE\n"
			      "aws_secret_access_key = the-base-key-itself\n";

static void
test_profiles(void **state)
{
	static const struct {
		const char *text, *name, *extra;
		enum identity_source source;
		size_t nroles;
		const char *sts, *session;
	} cases[] = {
		{KEY, "base", OFF, IDENTITY_FROM_KEYS, 0, "", NULL},
		{KEY, "chain", OFF, IDENTITY_FROM_KEYS, 2, "sts.eu-west-3.amazonaws.com",
		 "chained"},
		{KEY "aws: {profile: base}", "loop", OFF, IDENTITY_FROM_KEYS, 0, "", NULL},
		{KEY, "web", OFF, IDENTITY_FROM_WEB_IDENTITY, 0, "sts.us-east-1.amazonaws.com",
		 NULL},
		{KEY, "sign-in", OFF, IDENTITY_FROM_SSO, 0, "", NULL},
		{KEY "aws: {credentials: profile}", "named",
		 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x", IDENTITY_FROM_CONTAINER, 1,
		 "sts.us-east-1.amazonaws.com", "sidekey"},
		{KEY, NULL, OFF, IDENTITY_FROM_NOTHING, 0, "", NULL}, /* [default] says a region */
	};
	struct home h;

	(void)state;
	make_home(&h, profiles, secrets);
	for (size_t i = 0; i < COUNT(cases); i++) {
		char name[64] = "X=";
		const char *env[] = {
			h.config_row, h.credentials_row, h.home_row, cases[i].extra, name, NULL};
		struct fixture f;
		const struct plan_identity *id;

		if (cases[i].name != NULL)
			snprintf(name, sizeof(name), "AWS_PROFILE=%s", cases[i].name);
		assert_int_equal(open_fixture(&f, cases[i].text, env), 0);
		id = &f.p.keeper.identities[0];
		if (id->source != cases[i].source)
			fail_msg("case %zu: %s", i, identity_source_name(id->source));
		assert_int_equal(id->nroles, cases[i].nroles);
		assert_text(id->sts.host, cases[i].sts);
		if (cases[i].session != NULL)
			assert_text(id->roles[id->nroles - 1].session_name, cases[i].session);
		if (id->source == IDENTITY_FROM_KEYS) {
			assert_text(id->profile, "base");
			assert_true(has_text(f.p.keeper.read_dirs, f.p.keeper.nread_dirs, h.dir));
		}
		close_fixture(&f);
	}
	remove_home(&h);
}

/* The order of the roles, their external id, and where the sign-in is kept. */
static void
test_what_profiles_say(void **state)
{
	struct home h;
	const char *chain[] = {NULL, NULL, NULL, "AWS_PROFILE=chain", NULL};
	const char *sign_in[] = {NULL, NULL, NULL, "AWS_PROFILE=sign-in", NULL};
	struct fixture f;
	const struct plan_identity *id;

	(void)state;
	make_home(&h, profiles, secrets);
	chain[0] = sign_in[0] = h.config_row;
	chain[1] = sign_in[1] = h.credentials_row;
	chain[2] = sign_in[2] = h.home_row;
	assert_int_equal(open_fixture(&f, KEY, chain), 0);
	id = &f.p.keeper.identities[0];
	assert_text(id->roles[0].arn, ROLE "one");
	assert_text(id->roles[1].arn, ROLE "two");
	assert_text(id->roles[1].external_id, "ext-1");
	assert_int_equal(id->roles[1].external_id_slot, PLAN_NONE);
	close_fixture(&f);
	assert_int_equal(open_fixture(&f, KEY, sign_in), 0);
	id = &f.p.keeper.identities[0];
	assert_text(id->at.host, "portal.sso.us-west-2.amazonaws.com");
	assert_text(id->sso_account, "123456789012");
	assert_text(id->sso_role, "Reader");
	assert_true(span_starts(id->sso_cache, span_of(h.dir)));
	assert_non_null(strstr(id->sso_cache.ptr, "/.aws/sso/cache/"));
	assert_true(span_ends(id->sso_cache, SPAN(".json")));
	close_fixture(&f);
	remove_home(&h);
}

/* What check and the log warn of: the SDKs would do as it says. */
static void
test_what_is_said_in_vain(void **state)
{
	static const char config[] = "[default]\nuse_fips_endpoint = true\nservices = s\n"
				     "aws_access_key_id = A\naws_secret_access_key = b\n";
	static const char ignore[] = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true";
	static const char heeds[] = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false";
	static const char id[] = "AWS_ACCESS_KEY_ID=a", secret[] = "AWS_SECRET_ACCESS_KEY=b";
	static const struct {
		const char *text, *env[2], *says;
	} cases[] = {
		{KEY, {OFF, OFF}, "heed: use_fips_endpoint (set AWS_USE_FIPS_ENDPOINT), services"},
		{KEY, {OFF, "AWS_USE_FIPS_ENDPOINT=false"}, "heed: services (set aws.endpoints)"},
		{KEY, {"AWS_USE_FIPS_ENDPOINT=true", ignore}, NULL},
		{KEY, {"AWS_USE_FIPS_ENDPOINT=true", "AWS_ENDPOINT_URL=https://v.example"}, NULL},
		{KEY, {"AWS_USE_FIPS_ENDPOINT=true", heeds}, "heed: services"},
		{KEY, {id, secret}, NULL},
		{KEY "aws: {profile: x}", {id, secret}, "say credentials: profile"},
		{KEY "aws: {profile: x, credentials: environment}", {id, secret}, NULL},
	};
	struct home h;

	(void)state;
	make_home(&h, config, "");
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *env[] = {h.config_row,    h.credentials_row, h.home_row,
				     cases[i].env[0], cases[i].env[1],   NULL};
		struct fixture f;
		struct span said;

		assert_int_equal(open_fixture(&f, cases[i].text, env), 0);
		said = f.p.keeper.identities[0].in_vain;
		if (cases[i].says == NULL ? said.len > 0 : !span_has(said, span_of(cases[i].says)))
			fail_msg("case %zu: %.*s", i, (int)said.len, said.ptr);
		close_fixture(&f);
	}
	remove_home(&h);
}

static void
test_bad_profiles(void **state)
{
	static const struct {
		const char *text, *name, *path;
	} cases[] = {
		{KEY, "AWS_PROFILE=nowhere", "profile nowhere"},
		{KEY, "AWS_PROFILE=loop", "profile "},
		{KEY, "AWS_PROFILE=run", "profile run"},
		{KEY, "AWS_DEFAULT_PROFILE=run", "profile run"},
		{KEY, "AWS_PROFILE=named", "profile named"}, /* there is no container */
		{KEY "aws: {profile: default}", "X=", "profile default"},
		{KEY "aws: {credentials: profile}", "X=", "profile default"},
	};
	struct home h;

	(void)state;
	make_home(&h, profiles, secrets);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *env[] = {h.config_row, h.credentials_row, h.home_row, cases[i].name,
				     NULL};
		struct fixture f;

		if (open_fixture(&f, cases[i].text, env) != -1)
			fail_msg("case %zu is taken", i);
		assert_int_equal(f.faults.n, 1);
		assert_memory_equal(f.faults.items[0].path, cases[i].path, strlen(cases[i].path));
		assert_string_equal(f.faults.items[0].file, h.config);
		close_fixture(&f);
	}
	remove_home(&h);
}

/* Whoever can write the files could send us to another account. */
static void
test_foreign_files(void **state)
{
	struct home h;
	const char *env[] = {h.config_row, h.credentials_row, h.home_row, "AWS_PROFILE=base", NULL};
	struct fixture f;

	(void)state;
	make_home(&h, profiles, secrets);
	assert_int_equal(chmod(h.credentials, 0622), 0);
	assert_int_equal(open_fixture(&f, KEY, env), -1);
	assert_string_equal(f.faults.items[0].file, h.credentials);
	close_fixture(&f);
	assert_int_equal(chmod(h.credentials, 0644), 0); /* others may read it: theirs to settle */
	assert_int_equal(open_fixture(&f, KEY, env), 0);
	close_fixture(&f);
	remove_home(&h);
}

/* No key of a profile is in what the keeper is given: it reads the file itself. */
static void
test_no_key_in_the_plan(void **state)
{
	struct home h;
	const char *env[] = {h.config_row, h.credentials_row, h.home_row, "AWS_PROFILE=chain",
			     NULL};
	struct fixture f;
	struct buf packed;

	(void)state;
	make_home(&h, profiles, secrets);
	assert_int_equal(open_fixture(&f, KEY, env), 0);
	buf_init(&packed, 1 << 20);
	assert_int_equal(pack_write(&keeper_plan_type, &f.p.keeper, &packed), 0);
	assert_null(memmem(packed.ptr, packed.len, "the-base-key-itself", 19));
	assert_non_null(memmem(packed.ptr, packed.len, ROLE "two", sizeof(ROLE "two") - 1));
	buf_free(&packed);
	close_fixture(&f);
	remove_home(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_session_of_a_task),
		cmocka_unit_test(test_region_of_the_secret),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_target_alone),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_what_profiles_say),
		cmocka_unit_test(test_what_is_said_in_vain),
		cmocka_unit_test(test_bad_profiles),
		cmocka_unit_test(test_foreign_files),
		cmocka_unit_test(test_no_key_in_the_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
