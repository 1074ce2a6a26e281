# SPDX-License-Identifier: BSD-2-Clause
#
# The whole build of Weft: one plain file, every source named.
#
#	make			build/weftd, build/weft, build/weft-load, man pages; needs no root
#	make check		every test; the last line counts them
#	sudo make demo		two tenants with the same addresses, on this machine
#	make unit | vectors | race | verifier | net | interop | fuzz | lint | format | bench |
#	     scale | clean
#	make install PREFIX=/usr/local DESTDIR=
#
# core/ is compiled twice: by clang for BPF (build/bpf), and by the host's compiler (build/obj). The
# include path that finds target.h is the only difference. All C is compiled in three flavours, each
# with its own folder of objects and one archive per layer:
#	build/obj	what is installed
#	build/test	with ASan and UBSan, for tests/unit, tests/golden and tests/vectors
#	build/fuzz	by clang with libFuzzer, for tests/fuzz
# A test links only the layers it may use, so that a fault in one layer does not hide the tests of
# those below it. A new source file is added to the list of its folder here, a test to its layer's.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

# ---- sources -------------------------------------------------------------------------------------

BASE := $(addprefix base/, \
	addr.c addr_text.c alloc.c buf.c checksum.c clock.c cursor.c dns.c dns_answer.c error.c ethtool.c file.c \
	json.c list.c log.c loop.c loop_timer.c map.c netlink.c netlink_address.c netlink_link.c netlink_monitor.c netlink_qdisc.c netlink_htb.c \
	netns.c netns_watch.c suggest.c tap.c)

STORE := $(addprefix store/, \
	store.c store_etcd.c store_etcd_commit.c store_etcd_http.c store_etcd_json.c \
	store_etcd_stream.c store_etcd_transfer.c store_etcd_watch.c store_lease.c store_memory.c \
	store_sqlite.c store_sqlite_holder.c store_sqlite_open.c store_watch.c)

MODEL := $(addprefix model/, \
	check.c check_dhcp.c check_host.c check_port.c check_routes.c check_rules.c check_tunnel.c check_vpc.c \
	check_wire.c check_router.c check_direct.c check_host_stack.c plan_direct.c \
	classifier.c diff.c dirty.c dirty_tunnels.c draft.c draft_change.c draft_load.c draft_store.c \
	draft_write.c \
	encapsulation.c filter.c intent.c intent_hosts.c mac.c mtu.c object.c object_compare.c outline.c patches.c plan.c \
	plan_tunnel.c plan_device.c plan_quality.c plan_services.c plan_wire.c planner.c planner_tunnels.c rows.c \
	services.c text_flow_log.c text_mirror.c text_rate.c text_dhcp.c text_dns.c text_host.c text_port.c \
	text_read.c text_rules.c text_segment.c text_write.c)

CORE := $(addprefix core/, \
	pipeline.c parse.c flow.c way.c loop.c multicast.c membership.c multicast_route.c guard.c punt.c service.c neighbour.c bridge.c route.c fragment.c policy.c \
	icmp.c deliver.c arrive.c tunnel_parse.c tunnel_pop.c tunnel_inner.c tunnel_push.c tags.c \
	tunnel_sum.c tcp_mss.c central.c rate.c watch.c mirror.c flow_log.c wire.c hold.c direct.c)

TARGET_BPF := $(addprefix target/bpf/, \
	tables.bpf.c port.bpf.c punt.bpf.c mirror.bpf.c segments.bpf.c underlay.bpf.c sweep.bpf.c)

TARGET_NATIVE := $(addprefix target/native/, \
	table.c target.c)

DATAPATH := $(addprefix datapath/, \
	datapath.c dummy.c kernel.c kernel_attach.c kernel_load.c kernel_probe.c \
	kernel_flows.c kernel_table.c trace.c)

# agent/main.c is apart: tests link everything but it.
AGENT := $(addprefix agent/, \
	isolate.c names.c notify.c options.c reconcile.c reconcile_host.c reconcile_ids.c \
	reconcile_news.c reconcile_vpcs.c reconcile_watch.c recover.c slots.c tables.c \
	upkeep.c) \
	$(addprefix agent/api/, \
	api_flow_logs.c api.c api_apply.c api_capture.c api_cluster.c api_flows.c api_multicast.c api_objects.c api_plain.c \
	api_status.c api_trace.c api_trace_follow.c http.c http_listen.c openapi.c question.c) \
	$(addprefix agent/cluster/, \
	cache.c certificate.c claims.c cluster.c cluster_config.c cluster_join.c \
	cluster_keepalive.c cluster_paths.c cluster_router.c cluster_setup.c cluster_store.c etcd.c \
	join_server.c path_probe.c tls_client.c) \
	$(addprefix agent/devices/, \
	adoption.c device.c device_adopt.c device_link.c device_netns.c device_rate.c device_tap.c \
	device_tunnel.c device_veth.c device_watch.c gateways.c keepalive.c loops.c mirrors.c moves.c ovsdb.c own_device.c port_note.c port_request.c ports.c \
	segmenter.c shares.c stack.c tunnel_numbers.c underlay.c uplink.c) \
	$(addprefix agent/observe/, \
	capture.c drops.c events.c listeners.c metrics.c pcapng.c probe.c problems.c queues.c trace_leg.c \
	trace_remote.c \
	flow_file.c flow_log.c flow_marks.c flow_reading.c measured.c flow_record.c \
	ipfix.c ipfix_session.c) \
	$(addprefix agent/services/, \
	dhcp.c dhcp4.c dhcp4_message.c dhcp4_relay.c dhcp6_relay.c dhcp_outside.c dhcp_relay.c dhcp6.c dns_cache.c dns_forward.c dns_server.c dns_zone.c \
	hold.c hold_packet.c leaving.c metadata.c metadata_tree.c places.c proving.c punt.c punt_packet.c querier.c ra.c services.c)

CLIENT := $(addprefix client/, \
	capture.c client.c events.c http.c yaml.c yaml_emit.c)

# cli/main.c is apart, like agent/main.c.
CLI := $(addprefix cli/, \
	acl.c apply.c capture.c completion.c counters.c drops.c flow_log.c flows.c group.c help.c host.c \
	host_setup.c lab.c lab_exec.c \
	lab_file.c lab_host.c lab_processes.c lab_registry.c lab_store.c lab_tag.c lab_underlay.c lab_up.c \
	lab_wait.c lab_wires.c manual.c \
	multicast.c nouns.c object.c packet.c parse.c port.c report.c route.c rule.c run.c status.c \
	subnet.c table.c trace.c tunnel.c vpc.c)

BENCH := $(addprefix bench/, \
	load.c load_client.c load_server.c)
BENCH_PIPELINE := $(addprefix bench/, \
	pipeline.c)

# Unit tests, tests/unit/test_NAME.c, by the layer they test (and the layers below it).
TESTS_BASE     := addr alloc buf checksum clock cursor dns error ethtool file json list log loop map netlink netns \
		  suggest tap
TESTS_STORE    := store store_sqlite store_etcd store_etcd_access
TESTS_MODEL    := model_intent model_text model_check model_draft model_store plan plan_random \
		  plan_hosts plan_hosts_random model_hosts model_wires \
		  classifier diff filter mac rate
TESTS_CORE     := tunnel # and the vectors
TESTS_DATAPATH := datapath_dummy kernel
TESTS_AGENT    := hold metadata places dhcp dns_cache dns_forward certificate path_probe reconcile_news agent_capture agent_events agent_http agent_options agent_probe agent_question \
		  agent_slots moves reconcile \
		  device device_adopt api
TESTS_CLIENT   := client yaml
TESTS_CLI      := cli lab

# tests/golden/NAME.c (model), tests/vectors/*.c (one runner for both targets), tests/fuzz/NAME.c.
TESTS_GOLDEN         := golden
VECTORS_SOURCES      := $(addprefix tests/vectors/, \
			run.c hit.c rows.c punt.c services.c tables.c frame.c outer.c hosts.c watch.c mirrors.c logs.c world.c native.c kernel.c)
VECTORS              := $(wildcard tests/vectors/*.vec)
RACE_SOURCES         := $(addprefix tests/race/,native.c kernel.c order.c)
FUZZ                 := dhcp pipeline yaml model dns dns_answer

# Folder of seeds for a fuzz target, where it has one: FUZZ_SEEDS_NAME.
FUZZ_SEEDS_pipeline := build/fuzz/seeds/pipeline
FUZZ_SEEDS_yaml     := examples
FUZZ_SEEDS_dns      := build/fuzz/seeds/dns
FUZZ_SEEDS_dns_answer := build/fuzz/seeds/dns_answer
FUZZ_SEEDS_model    := tests/golden/model
FUZZ_SECONDS        ?= 5

MAN := docs/man/weft.1 docs/man/weftd.8 docs/man/weft.yaml.5

# ---- tools and flags -----------------------------------------------------------------------------

CC      := gcc
CLANG   := clang
BPFTOOL := $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Wvla \
	    -Wformat=2 -Wundef -Wwrite-strings -Wpointer-arith
ifeq ($(CI),true)
WARNINGS += -Werror
endif

LIBRARIES := libbpf libelf zlib libmnl sqlite3 libmicrohttpd jansson yaml-0.1 libcap libcurl gnutls
LIBS      := $(shell pkg-config --libs $(LIBRARIES) 2>/dev/null) -lpthread
LIBRARY_CFLAGS := $(shell pkg-config --cflags $(LIBRARIES) 2>/dev/null)

INCLUDES := -I. -Itarget/native -Ibuild
CFLAGS   ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DWEFT_VERSION='"$(VERSION)"' $(WARNINGS) $(INCLUDES) \
	     $(LIBRARY_CFLAGS) -MMD -MP

BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -std=gnu11 -Wall $(filter -Werror,$(WARNINGS)) \
	      -I. -Itarget/bpf -I/usr/include/$(MULTIARCH) -MMD -MP

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZER   := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined

ifeq ($(V),1)
say =
Q =
else
say = @printf '  %-8s %s\n' '$(1)' '$@'
Q = @
endif

# ---- what is built -------------------------------------------------------------------------------

PROGRAMS := build/weftd build/weft build/weft-load build/weft-machine build/weft-bench-pipeline \
	    build/tap-echo

.PHONY: all
all: $(PROGRAMS) $(MAN:docs/man/%=build/man/%)

# A sentence and the apt-get line, before the compiler complains about what is missing.
build/.deps: tools/deps
	@mkdir -p $(@D)
	@tools/deps check build
	@touch $@

build/bpf/%.o: %.c | build/.deps
	$(call say,BPF)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

build/weft.bpf.o: $(patsubst %.c,build/bpf/%.o,$(TARGET_BPF) $(CORE))
	$(call say,LINK)
	$(Q)$(BPFTOOL) gen object $@ $^

build/weft.skel.h: build/weft.bpf.o
	$(call say,SKEL)
	$(Q)$(BPFTOOL) gen skeleton $< name weft > $@

# $(1) folder of the flavour, $(2) compiler, $(3) its flags
define flavour
$(1)/%.o: %.c | build/.deps
	$$(call say,CC)
	@mkdir -p $$(@D)
	$$(Q)$(2) $$(ALL_CFLAGS) $(3) -c $$< -o $$@

# The skeleton is generated; after the first build the dependency files know who includes it.
$(patsubst %.c,$(1)/%.o,$(DATAPATH)): | build/weft.skel.h

$(1)/base.a: $(patsubst %.c,$(1)/%.o,$(BASE))
$(1)/store.a: $(patsubst %.c,$(1)/%.o,$(STORE))
$(1)/model.a: $(patsubst %.c,$(1)/%.o,$(MODEL))
$(1)/core.a: $(patsubst %.c,$(1)/%.o,$(CORE) $(TARGET_NATIVE))
$(1)/datapath.a: $(patsubst %.c,$(1)/%.o,$(DATAPATH))
$(1)/agent.a: $(patsubst %.c,$(1)/%.o,$(AGENT))
$(1)/client.a: $(patsubst %.c,$(1)/%.o,$(CLIENT))
$(1)/cli.a: $(patsubst %.c,$(1)/%.o,$(CLI))
$(1)/%.a:
	$$(call say,AR)
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
endef

$(eval $(call flavour,build/obj,$$(CC),$$(CFLAGS)))
$(eval $(call flavour,build/test,$$(CC),-O1 -g $$(SANITIZE)))
$(eval $(call flavour,build/fuzz,$$(CLANG),-O1 -g $$(FUZZER)))

# agent/api/openapi.c takes in the document as it is.
build/obj/agent/api/openapi.o build/test/agent/api/openapi.o build/fuzz/agent/api/openapi.o: agent/api/openapi.json

# The archives each layer may use, lowest last, for a folder of objects.
layers_BASE     = $(1)/base.a
layers_STORE    = $(1)/store.a $(1)/base.a
layers_MODEL    = $(1)/model.a $(1)/base.a
layers_CORE     = $(1)/core.a $(1)/base.a
layers_DATAPATH = $(1)/datapath.a $(1)/core.a $(1)/base.a
layers_AGENT    = $(1)/agent.a $(1)/model.a $(1)/store.a $(1)/datapath.a $(1)/core.a $(1)/base.a
layers_CLIENT   = $(1)/client.a $(1)/model.a $(1)/base.a
layers_CLI      = $(1)/cli.a $(1)/client.a $(1)/model.a $(1)/base.a

build/weftd: build/obj/agent/main.o $(call layers_AGENT,build/obj)
build/weft: build/obj/cli/main.o $(call layers_CLI,build/obj)
build/tap-echo: build/obj/examples/tap-echo.o
build/weft-load: $(patsubst %.c,build/obj/%.o,$(BENCH))
build/weft-machine: $(patsubst %.c,build/obj/%.o,bench/machine.c) build/obj/base.a
build/weft-bench-pipeline: $(patsubst %.c,build/obj/%.o,$(BENCH_PIPELINE)) \
	| build/bpf/bench/pipeline.bpf.o
$(PROGRAMS):
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -o $@

build/man/%: docs/man/%
	@mkdir -p $(@D)
	@sed 's/@VERSION@/$(VERSION)/' $< > $@

# The list of commands comes from the command's own tables.
build/man/weft.1: docs/man/weft.1 build/weft
	$(call say,MAN)
	@mkdir -p $(@D)
	@build/weft help --mdoc > $@.commands
	@sed -e 's/@VERSION@/$(VERSION)/' -e '/@COMMANDS@/{' -e 'r $@.commands' -e 'd' -e '}' $< > $@
	@rm -f $@.commands

# ---- tests ---------------------------------------------------------------------------------------

# $(1) layer, $(2) programs
define test_rule
$(2): %: %.o $(call layers_$(1),build/test)
	$$(call say,LD)
	$$(Q)$$(CC) -g $$(SANITIZE) $$< $$(filter %.a,$$^) -lcmocka $$(LIBS) -o $$@
endef

UNIT_LAYERS := BASE STORE MODEL CORE DATAPATH AGENT CLIENT CLI
$(foreach layer,$(UNIT_LAYERS),$(eval \
	UNIT_$(layer) := $(TESTS_$(layer):%=build/test/tests/unit/test_%)))
UNIT_TESTS    := $(foreach layer,$(UNIT_LAYERS),$(UNIT_$(layer)))
GOLDEN_TESTS  := $(TESTS_GOLDEN:%=build/test/tests/golden/%)
VECTORS_RUNNER := build/test/tests/vectors/run
empty :=
VECTORS_ARGUMENTS := $(subst $(empty) $(empty),:,$(VECTORS))
VECTORS_NATIVE := $(VECTORS_RUNNER):$(VECTORS_ARGUMENTS)
VECTORS_KERNEL := $(VECTORS_RUNNER):--kernel:$(VECTORS_ARGUMENTS)

$(foreach layer,$(UNIT_LAYERS),$(if $(UNIT_$(layer)), \
	$(eval $(call test_rule,$(layer),$(UNIT_$(layer))))))
$(eval $(call test_rule,MODEL,$(GOLDEN_TESTS)))

$(patsubst %.c,build/test/%.o,$(VECTORS_SOURCES)): | build/weft.skel.h
$(VECTORS_RUNNER): $(patsubst %.c,build/test/%.o,$(VECTORS_SOURCES)) build/test/model.a build/test/core.a \
		build/test/base.a
	$(call say,LD)
	$(Q)$(CC) -g $(SANITIZE) $^ $(LIBS) -o $@

# Several CPUs at the flow table; the world and the frames are those of the vectors.
# Tens of thousands of runs: without sanitizers, which look at the same code elsewhere.
RACE_TESTS := build/obj/tests/race/native build/obj/tests/race/kernel
$(patsubst %.c,build/obj/%.o,$(RACE_SOURCES)): | build/weft.skel.h
build/obj/tests/race/native: build/obj/tests/race/order.o
$(RACE_TESTS): %: %.o $(patsubst %.c,build/obj/%.o,tests/vectors/world.c tests/vectors/hosts.c \
		tests/vectors/frame.c) \
		build/obj/model.a build/obj/core.a build/obj/base.a
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -lcmocka $(LIBS) -o $@

# A fuzz target may use every layer; archives are searched, so that it takes only what it calls.
FUZZ_TESTS := $(FUZZ:%=build/fuzz/tests/fuzz/%)
FUZZ_ARCHIVES := $(call layers_AGENT,build/fuzz) build/fuzz/client.a
$(filter %/pipeline,$(FUZZ_TESTS)): build/fuzz/tests/vectors/world.o \
		build/fuzz/tests/vectors/hosts.o | build/fuzz/seeds/pipeline
build/fuzz/seeds/pipeline: $(VECTORS_RUNNER) $(VECTORS)
	@mkdir -p $@
	$(Q)$(VECTORS_RUNNER) --seeds $@ $(VECTORS) >build/fuzz/seeds/log
	@touch $@
# A question for one address; for everything, with EDNS; and for the name of an address.
$(filter %/dns,$(FUZZ_TESTS)): | build/fuzz/seeds/dns
build/fuzz/seeds/dns:
	@mkdir -p $@
	@printf '\0\7\1\0\0\1\0\0\0\0\0\0\4web1\4blue\10internal\0\0\1\0\1' > $@/address
	@printf '\0\7\1\0\0\1\0\0\0\0\0\1\4many\4blue\10internal\0\0\377\0\1\0\0\51\20\0\0\0\200\0\0\0' \
		> $@/any
	@printf '\0\7\1\0\0\1\0\0\0\0\0\0\00211\0011\0010\00210\7in-addr\4arpa\0\0\14\0\1' > $@/reverse
# An address; and no such name, with the SOA.
$(filter %/dns_answer,$(FUZZ_TESTS)): | build/fuzz/seeds/dns_answer
build/fuzz/seeds/dns_answer:
	@mkdir -p $@
	@printf '\0\7\201\200\0\1\0\1\0\0\0\0\3web\0\0\1\0\1\300\14\0\1\0\1\0\0\0\74\0\4\1\2\3\4' \
		> $@/address
	@printf '\0\7\201\203\0\1\0\0\0\1\0\0\3web\0\0\1\0\1\300\14\0\6\0\1\0\0\0\74\0\30\300\14\300\14aaaabbbbccccdddd\0\0\0\36' \
		> $@/nothing
$(FUZZ_TESTS): %: %.o $(FUZZ_ARCHIVES)
	$(call say,LD)
	$(Q)$(CLANG) -g -fsanitize=fuzzer,address,undefined $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(LIBS) -o $@

# The vectors and the loading of each program, without sanitizers, for the kernel in a small guest.
VERIFIER_RUNNER := build/obj/tests/vectors/run
VERIFIER_LOADER := build/obj/tests/interop/verifier
$(patsubst %.c,build/obj/%.o,$(VECTORS_SOURCES) tests/interop/verifier.c): | build/weft.skel.h
$(VERIFIER_RUNNER): $(patsubst %.c,build/obj/%.o,$(VECTORS_SOURCES)) build/obj/model.a build/obj/core.a \
		build/obj/base.a
$(VERIFIER_LOADER): build/obj/tests/interop/verifier.o
$(VERIFIER_RUNNER) $(VERIFIER_LOADER):
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed $^ $(LIBS) -o $@

# Rows of two hosts written by hand, for tests/net/test_underlay.py.
build/test-underlay: build/obj/tests/net/underlay.o $(call layers_AGENT,build/obj)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -o $@

# Those that take longest come first, and those whose statements need nothing of one another are cut in parts.
NET_TESTS := $(wildcard tests/net/test_*.py)
NET_LONG  := $(foreach name,multicast_hosts wires dissect,tests/net/test_$(name).py) \
	     $(foreach part,1/4 2/4 3/4 4/4,tests/net/test_guide.py:$(part)) \
	     $(foreach name,central router_host join multicast_ping cluster path_mtu hosts,tests/net/test_$(name).py) \
	     $(foreach part,1/2 2/2,tests/net/test_examples.py:$(part)) \
	     $(foreach name,multicast_bridge capture hold underlay,tests/net/test_$(name).py)
NET_RUNS  := $(NET_LONG) $(filter-out $(foreach run,$(NET_LONG),$(firstword $(subst :, ,$(run)))),$(NET_TESTS))

# tests/run runs programs that speak TAP and ends with "N passed, N failed, N skipped".
.PHONY: deps check check-all unit vectors race verifier net interop fuzz test-programs
deps:
	@tools/deps install build test lint bench

check:
	@tools/deps install build test
	@$(MAKE) --no-print-directory -j$$(nproc) check-all

test-programs: all build/test-underlay $(UNIT_TESTS) $(GOLDEN_TESTS) $(VECTORS_RUNNER) $(RACE_TESTS) $(FUZZ_TESTS)

check-all: test-programs
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run \
		--suite unit $(UNIT_TESTS) $(GOLDEN_TESTS) $(VECTORS_NATIVE) \
		--suite kernel $(VECTORS_KERNEL) $(RACE_TESTS) \
		--suite net $(NET_RUNS) \
		--suite fuzz $(FUZZ_RUNS)

unit: $(UNIT_TESTS) $(GOLDEN_TESTS) $(VECTORS_RUNNER)
	@tests/run --suite unit $(UNIT_TESTS) $(GOLDEN_TESTS) $(VECTORS_NATIVE)

vectors: $(VECTORS_RUNNER)
	@tests/run --suite vectors $(VECTORS_NATIVE) $(VECTORS_KERNEL)

race: $(RACE_TESTS)
	@tests/run --suite race $(RACE_TESTS)

# In Linux 6.1, whatever kernel this machine has; needs no root.
verifier: $(VERIFIER_LOADER) $(VERIFIER_RUNNER)
	@tools/deps install verifier
	@tests/interop/kernel61.sh $^

# make net T=neighbour runs tests/net/test_neighbour.py alone.
net: all build/test-underlay
	@tests/run --suite net $(if $(T),tests/net/test_$(T).py,$(NET_RUNS))

# Against what others wrote: the kernel's vxlan, Open vSwitch, Linux 6.1 in a guest, systemd. T as for net.
interop: all
	@tools/deps install interop
	@tests/interop/run $(T)

# make fuzz T=pipeline FUZZ_SECONDS=600 runs one target for longer.
FUZZ_RUNS = $(foreach program,$(if $(T),build/fuzz/tests/fuzz/$(T),$(FUZZ_TESTS)), \
	    tests/run-fuzz:$(program):$(FUZZ_SEEDS_$(notdir $(program))))
fuzz: $(if $(T),build/fuzz/tests/fuzz/$(T),$(FUZZ_TESTS))
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run --suite fuzz $(FUZZ_RUNS)

# ---- the rest ------------------------------------------------------------------------------------

.PHONY: lint format demo bench scale install clean
lint:
	@tools/lint

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

demo:
	@tools/deps install build demo
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@tools/demo

# make bench BENCH_OPTIONS=--quick; bench/run --help lists the options.
bench: all
	@tools/deps install build bench
	@bench/run $(BENCH_OPTIONS)

# make scale SCALE_OPTIONS="--agents 20 --ports 1000"; tests/scale/run --help lists the options.
scale: all
	@tools/deps install build net
	@tests/scale/run $(SCALE_OPTIONS)

install: all
	install -D -m 755 build/weft $(DESTDIR)$(PREFIX)/bin/weft
	install -D -m 755 build/weftd $(DESTDIR)$(PREFIX)/sbin/weftd
	set -e; for page in $(notdir $(MAN)); do \
		install -D -m 644 build/man/$$page \
			$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page; \
	done
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions
	build/weft completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/weft
	build/weft completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_weft
	sed 's|@PREFIX@|$(PREFIX)|' packaging/weftd.service \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/weftd.service
	install -m 644 packaging/weft-bpffs.service $(DESTDIR)$(PREFIX)/lib/systemd/system/

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
