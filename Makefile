# SPDX-License-Identifier: Apache-2.0
#
#   make              build/sidekey
#   make help         everything else
#
# CC=clang and SAN=address,undefined build into folders of their own, so that
# changing between them neither mixes objects nor builds again what is there.

ifeq ($(origin CC),default)
CC := gcc
endif
SAN     :=
WERROR  :=
LIBCURL :=
STRIP   := strip
PREFIX  := /usr/local
DESTDIR :=
SECONDS := 60
MINUTES := 10
ROUNDS  := 7

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

# Where things go: build for gcc, build/clang, build/san-address-undefined, build/clang-san-...
comma    := ,
compiler := $(notdir $(firstword $(CC)))
flavour  := $(filter-out gcc cc,$(compiler)) $(if $(SAN),san-$(subst $(comma),-,$(SAN)))
flavour  := $(subst $() $(),-,$(strip $(flavour)))
B        := build$(if $(flavour),/$(flavour))
PROGRAM  := $(B)/sidekey
HOOKED   := $(B)/sidekey-test
LIBRARY  := $(B)/libsidekey.a
# Beside the test build; it knows the registers of amd64 alone.
FAILCALL := $(if $(findstring x86_64,$(shell $(CC) -dumpmachine)),$(B)/failcall)

SOURCES := $(sort $(shell find sidecar policy -name '*.c'))
OBJECTS := $(SOURCES:%.c=$(B)/obj/%.o)
HOOKS   := $(SOURCES:%.c=$(B)/obj-test/%.o) $(B)/obj-test/tests/torture/failalloc.o
FAILING := $(foreach name,malloc calloc realloc fork execveat _exit seccomp_init seccomp_release, \
	-Wl,--wrap=$(name))
UNITS   := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(wildcard tests/unit/*.c)))
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
REPLAYS := $(FUZZERS:build/fuzz/%=$(B)/replay/%)
BENCHES := $(B)/bench/load $(B)/bench/upstream
VERSION := $(shell sed -n 's/^\#\# \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)

# The compiler is asked once for each optional flag; the answers are kept.
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wformat=2 -Wimplicit-fallthrough \
	-Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wwrite-strings
OPTIONAL := -Wtrampolines -Wbidi-chars=any -fstrict-flex-arrays=3 -fstack-clash-protection \
	-fcf-protection=full -mbranch-protection=standard -ftrivial-auto-var-init=zero \
	-fzero-init-padding-bits=all -fzero-call-used-regs=used-gpr \
	-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
LINKER   := -Wl,-z,nodlopen -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now -Wl,-z,separate-code \
	-Wl,--as-needed
# A static glibc makes the linker warn of getaddrinfo and dlopen in libcrypto and libcurl, which
# never call them here, and of getaddrinfo in the resolver, which asks files and DNS alone.
QUIET    := grep -v -e 'in statically linked applications requires at runtime' -e ': in function '

PROBED := build/probed-$(compiler).mk
ifneq ($(filter-out clean help deps deps-lint deps-image,$(or $(MAKECMDGOALS),all)),)
ifeq ($(wildcard $(PROBED)),)
can = $(shell echo 'int main(void) { return 0; }' | \
	$(CC) -Werror $(1) -x c - -o /dev/null >/dev/null 2>&1 && echo '$(1)')
$(shell mkdir -p build && { \
	echo 'OPTIONAL := $(foreach flag,$(OPTIONAL),$(call can,$(flag)))'; \
	echo 'LINKER := $(foreach flag,$(LINKER),$(call can,$(flag)))'; } >$(PROBED))
endif
include $(PROBED)
endif

HARDEN := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 \
	$(filter-out -W%,$(OPTIONAL))

# gcc sees the whole program, libcurl too, when it links: about a tenth less CPU a call. The
# objects hold ordinary code as well, so that the many unit tests link quickly.
LTO := $(if $(SAN)$(filter-out gcc cc,$(compiler)),,-flto=auto -ffat-lto-objects)

# libcurl: our own build of Debian's source, kept outside build/; LIBCURL=system for a packager.
# It prints each header a byte at a time, through a pointer: -O3 makes a tenth less CPU a call of it.
CURL_FLAGS := $(if $(SAN),-O2,-O3) $(HARDEN) $(LTO)
CURL_ID    := $(shell { cat deploy/libcurl.sh; echo '$(CC) $(CURL_FLAGS)'; } | sha256sum | cut -c1-8)
CURL_DIR   := .cache/libcurl-7.88.1-$(CURL_ID)
CURL_A     := $(CURL_DIR)/lib/libcurl.a
ifeq ($(LIBCURL),system)
CURL_MADE :=
CURL_INC  := -DSIDEKEY_SYSTEM_LIBCURL
CURL_LIB  := -lcurl
else
CURL_MADE := $(CURL_DIR)/revision
CURL_INC  := -isystem $(CURL_DIR)/include
CURL_LIB  := $(CURL_A)
endif

# FORTIFY and the sanitizers wrap the same functions, and the sanitizers see more.
ifneq ($(SAN),)
HARDEN := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# What `make coverage` builds; counters.c says how the roles' counters leave their boxes.
ifneq ($(COVERAGE),)
HARDEN   := -DSIDEKEY_COVERAGE -fprofile-instr-generate -fcoverage-mapping \
	-mllvm -runtime-counter-relocation -Wno-unused-command-line-argument
COUNTERS := $(B)/counters.o
endif

# Static, except under a sanitizer or with the system's libcurl; unit tests never are (cmocka).
DYNAMIC := -pie
SHAPE   := $(if $(SAN)$(filter system,$(LIBCURL)),$(DYNAMIC),-static-pie)
LIBS    := $(COUNTERS) $(CURL_LIB) -lssl -lcrypto -ljansson -lyaml -lseccomp -lcap

override CPPFLAGS += -Isidecar -I. $(CURL_INC) -D_GNU_SOURCE -DSIDEKEY_VERSION='"$(VERSION)"' \
	$(if $(filter $(DYNAMIC),$(SHAPE)),-DSIDEKEY_DYNAMIC)
# -O3 over the whole program makes 3 % less CPU a call than -O2.
CFLAGS  := $(if $(SAN),-O2,-O3) -g
# No path of this machine gets into the program, nor into the identifier that the linker makes.
ALL_C    = -std=gnu17 $(CFLAGS) -ffile-prefix-map=$(CURDIR)=. -fPIE $(WARNINGS) \
	$(filter -W%,$(OPTIONAL)) $(if $(WERROR),-Werror) $(HARDEN) $(LTO)
ALL_LD   = $(LDFLAGS) $(LINKER)

.PHONY: all hooked library libcurl deps deps-lint deps-image deps-bench demo test unit units e2e \
	box lint format arm64 fuzz fuzzers replay replays bench benchers soak torture docs image dist \
	install uninstall clean help compile-flags syscalls coverage

all: $(PROGRAM)
hooked: $(HOOKED) $(FAILCALL)
library: $(LIBRARY)
libcurl: $(CURL_MADE)

$(PROGRAM): $(OBJECTS) | $(COUNTERS)
	@echo "  LINK    $@"
	@$(CC) $(ALL_C) $(SHAPE) $^ $(LIBS) $(ALL_LD) -Wl,-Map=$@.map -o $@ 2>$@.log || \
		{ cat $@.log; exit 1; }
	@$(QUIET) $@.log >&2 || true

# The same program with the hooks through which tests try forbidden things from inside a role.
$(HOOKED): $(HOOKS) | $(COUNTERS)
	@echo "  LINK    $@"
	@$(CC) $(ALL_C) -fno-lto $(SHAPE) $^ $(LIBS) $(ALL_LD) $(FAILING) -o $@ 2>$@.log || { cat $@.log; exit 1; }
	@$(QUIET) $@.log >&2 || true

$(B)/failcall: tests/torture/failcall.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) -D_GNU_SOURCE -std=gnu17 $(CFLAGS) $(WARNINGS) $(if $(WERROR),-Werror) $< -lseccomp -o $@

$(LIBRARY): $(filter-out %/main.o,$(OBJECTS)) | $(COUNTERS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(B)/obj/%.o: %.c Makefile $(CURL_MADE)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CPPFLAGS) $(ALL_C) -MMD -MP -c $< -o $@

$(B)/obj-test/%.o: %.c Makefile $(CURL_MADE)
	@mkdir -p $(@D)
	@echo "  CC      $< (test hooks)"
	@$(CC) $(CPPFLAGS) -DSIDEKEY_TEST_HOOKS $(ALL_C) -MMD -MP -c $< -o $@

$(B)/unit/%: tests/unit/%.c $(LIBRARY) Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CPPFLAGS) -Itests/unit $(ALL_C) $(DYNAMIC) -MMD -MP $< $(LIBRARY) \
		$(LIBS) -lcmocka $(ALL_LD) -fno-lto -o $@

# libcurl's clock is the loop's.
$(B)/unit/test_dial: LDFLAGS += -Wl,-u,loop_clock_gettime

# It counts the bytes that are compared.
$(B)/unit/test_redact: LDFLAGS += -Wl,--wrap=guise_at

# Counters that count themselves would move while they are being moved.
$(B)/counters.o: tests/coverage/counters.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) -std=gnu17 $(CFLAGS) -fPIE $(WARNINGS) -c $< -o $@

$(CURL_DIR)/revision:
	@CC='$(CC)' CFLAGS='$(CURL_FLAGS)' deploy/libcurl.sh $(CURL_DIR)

# Its assembly takes in the page's files, of which -MMD does not know.
$(B)/obj/sidecar/ingress/page.o $(B)/obj-test/sidecar/ingress/page.o: \
	$(wildcard sidecar/ingress/page/*)
# Names that assembly defines are lost when the program is cut up for optimization, and so are
# the arguments of the test hooks' constructors.
$(B)/obj/sidecar/ingress/page.o $(HOOKS): LTO :=

-include $(OBJECTS:.o=.d) $(HOOKS:.o=.d) $(UNITS:=.d) $(REPLAYS:=.d) $(BENCHES:=.d)

## deps: install what is missing to build and test (Debian 12; asks apt only then)
deps:
	@deploy/deps.sh build test
deps-lint:
	@deploy/deps.sh lint
deps-bench:
	@deploy/deps.sh bench
deps-image:
	@deploy/deps.sh image || echo "deps: the tests of the image will be skipped" >&2

## demo: build, then show an OpenAI SDK without a secret calling a demanding upstream
demo:
	@deploy/deps.sh build demo
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@.cache/venv/bin/python tests/demo/demo.py

## test: everything that must hold; the last line counts it
test: deps deps-lint deps-image
	@.cache/venv/bin/python tests/run.py

## unit: build and run the unit tests
units: $(UNITS)
unit: $(UNITS)
	@python3 tests/run.py unit $(B)

## arm64: cross-build with Debian's libraries of arm64, and run its unit tests in an emulator
arm64:
	@deploy/deps.sh image
	@deploy/cross.sh arm64 --no-print-directory -j$$(nproc) all units
	@SIDEKEY_EMULATOR="qemu-aarch64-static -L $$(deploy/cross.sh --sysroot arm64)" \
		python3 tests/run.py unit build/aarch64-linux-gnu-gcc

## e2e: run the end-to-end tests (K=expression chooses some)
e2e: $(PROGRAM) $(HOOKED) $(FAILCALL)
	@SIDEKEY=$(abspath $(PROGRAM)) SIDEKEY_TEST=$(abspath $(HOOKED)) \
		.cache/venv/bin/python -m pytest $(if $(K),-k '$(K)') tests/e2e

## box: run the sandbox tests alone, from inside each role
box: $(PROGRAM) $(HOOKED)
	@SIDEKEY=$(abspath $(PROGRAM)) SIDEKEY_TEST=$(abspath $(HOOKED)) \
		.cache/venv/bin/python -m pytest tests/box

## lint: hold the tree to its house rules
lint: deps-lint
	@tests/lint/run.sh

## format: let clang-format rewrite the C sources
format:
	@find sidecar policy tests -path tests/node -prune -o -name '*.[ch]' -print | \
		xargs -r clang-format -i

# For the checks that compile a file by themselves.
compile-flags: | $(CURL_MADE)
	@echo '$(subst ',,$(CPPFLAGS)) $(filter-out -W%,$(ALL_C))' $(WARNINGS)

# Without these, most of a fuzz target's time goes to marking large blocks.
FUZZ_ASAN := quarantine_size_mb=16:clear_shadow_mmap_threshold=1073741824

## fuzz: run each fuzz target for SECONDS, with clang
fuzz:
	@deploy/deps.sh build fuzz
	@$(MAKE) --no-print-directory CC=clang SAN=address,undefined,fuzzer-no-link fuzzers
	@for f in $(FUZZERS); do \
		echo "$${f##*/}" && mkdir -p build/fuzz/corpus/$${f##*/} && \
		ASAN_OPTIONS=$(FUZZ_ASAN) \
		$$f -max_total_time=$(SECONDS) -artifact_prefix=build/fuzz/ -close_fd_mask=2 \
			build/fuzz/corpus/$${f##*/} tests/fuzz/$${f##*/} || exit 1; \
	done
build/fuzz/fuzz_config $(B)/replay/fuzz_config: LDFLAGS += -Wl,--wrap=pool_init
fuzzers: $(FUZZERS)
build/fuzz/%: tests/fuzz/%.c $(wildcard tests/fuzz/*.h) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CPPFLAGS) $(ALL_C) -fsanitize=fuzzer $< $(LIBRARY) $(LIBS) $(ALL_LD) -o $@

## replay: give each fuzz target the inputs of its folder in tests/fuzz (needs no clang)
replays: $(REPLAYS)
replay: $(REPLAYS)
	@python3 tests/run.py replay $(B)
$(B)/replay/%: tests/fuzz/%.c tests/fuzz/replay.c $(LIBRARY) Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CPPFLAGS) $(ALL_C) $(DYNAMIC) -MMD -MP $< tests/fuzz/replay.c $(LIBRARY) \
		$(LIBS) $(ALL_LD) -fno-lto -o $@

## bench: beside nginx and HAProxy on this machine, ROUNDS rounds of SECONDS a measurement
bench: SECONDS := 1
bench: deps deps-bench all benchers
	@.cache/venv/bin/python tests/bench/run.py --rounds $(ROUNDS) --seconds $(SECONDS)

# The upstream and the load generator of bench, which must not be what is measured.
benchers: $(BENCHES)
$(B)/bench/%: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CPPFLAGS) $(ALL_C) $(DYNAMIC) -MMD -MP $< $(ALL_LD) -o $@

## soak: mixed traffic, faults, rotations, reloads for MINUTES, into tests/soak/report.md (as root)
soak: deps all
	@.cache/venv/bin/python tests/soak/run.py $(MINUTES)

## torture: every system call and every allocation fails in turn, in each process (an hour and more)
torture: deps all hooked
	@SIDEKEY=$(abspath $(PROGRAM)) SIDEKEY_TEST=$(abspath $(HOOKED)) SIDEKEY_TORTURE_LIVES=0 \
		.cache/venv/bin/python -m pytest -rA tests/torture

## syscalls: the lists of policy/box beside what strace sees in the whole suite (as root)
syscalls: deps all hooked
	@.cache/venv/bin/python tests/box/syscalls.py

## coverage: lines and branches that the tests reach, into tests/coverage/report.md (as root)
coverage: deps
	@deploy/deps.sh coverage
	@$(MAKE) --no-print-directory -j$$(nproc) CC=clang B=build/coverage COVERAGE=1 \
		all hooked units replays
	@.cache/venv/bin/python tests/coverage/run.py

## docs: write what is made of the program's table of keys: the JSON Schema, docs/configuration.md
docs: $(PROGRAM)
	@$(PROGRAM) check --schema >deploy/sidekey.schema.json
	@deploy/reference.py <deploy/sidekey.schema.json >docs/configuration.md

## image: build the container image (docker, podman or buildah)
image:
	@deploy/image.sh sidekey:$(VERSION)

# What the image holds, and its bill of materials; the Dockerfile calls this.
DIST := $(B)/dist
dist: all
	@install -d $(DIST)/root
	$(STRIP) -o $(DIST)/sidekey $(PROGRAM)
	deploy/sbom.sh $(PROGRAM).map $(DIST)/sidekey $(VERSION) >$(DIST)/sidekey.spdx.json
	install -m 0111 $(DIST)/sidekey $(DIST)/root/sidekey
	install -D -m 0444 /etc/ssl/certs/ca-certificates.crt \
		$(DIST)/root/etc/ssl/certs/ca-certificates.crt

# What is installed beside the program, and where: SOURCE=PLACE, below DESTDIR and PREFIX. The
# texts name /usr/bin or /usr/local, which becomes PREFIX.
TEXTS := deploy/man/sidekey.1=share/man/man1/sidekey.1 \
	deploy/completions/sidekey.bash=share/bash-completion/completions/sidekey \
	deploy/completions/_sidekey=share/zsh/site-functions/_sidekey \
	deploy/completions/sidekey.fish=share/fish/vendor_completions.d/sidekey.fish \
	deploy/systemd/sidekey.service=lib/systemd/system/sidekey.service \
	deploy/systemd/sidekey.sysusers=lib/sysusers.d/sidekey.conf \
	deploy/sidekey.schema.json=share/sidekey/sidekey.schema.json
SYSCONFDIR := /etc

## install: the program (mode 0111), man page, completions, unit, schema (PREFIX, DESTDIR); as root
install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -s --strip-program=$(STRIP) -m 0111 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/sidekey
	@for text in $(TEXTS); do \
		to=$(DESTDIR)$(PREFIX)/$${text#*=} && install -d $${to%/*} && \
		sed 's,/usr/bin/sidekey,$(PREFIX)/bin/sidekey,; s,/usr/local/,$(PREFIX)/,' \
			$${text%=*} >$(B)/installed && \
		echo "install -m 0644 $${text%=*} $$to" && \
		install -m 0644 $(B)/installed $$to || exit 1; \
	done
	install -d -m 0755 $(DESTDIR)$(SYSCONFDIR)/sidekey
	install -d -m 0700 $(DESTDIR)$(SYSCONFDIR)/sidekey/credentials

## uninstall: what install has put there, but for a configuration and its credentials
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/sidekey \
		$(foreach text,$(TEXTS),$(DESTDIR)$(PREFIX)/$(lastword $(subst =, ,$(text))))
	-rmdir $(DESTDIR)$(PREFIX)/share/sidekey $(DESTDIR)$(SYSCONFDIR)/sidekey/credentials \
		$(DESTDIR)$(SYSCONFDIR)/sidekey 2>/dev/null

## clean: remove build/ (.cache/ keeps libcurl and the test packages)
clean:
	rm -rf build

help:
	@sed -n 's/^## /  make /p' Makefile
	@echo "  CC=clang  SAN=address,undefined  WERROR=1  LIBCURL=system  PREFIX=/usr/local  DESTDIR="
