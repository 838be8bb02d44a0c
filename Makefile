# The extension, built by PostgreSQL's extension makefile (PGXS):
#
#   make && make install              PG_CONFIG=/path/to/pg_config selects another server
#   make installcheck                 against the running server that PGPORT and so on name
#   make installcheck TAP_TESTS=      of these the SQL and isolation tests only; see test/README.md
#   make WERROR=                      warnings do not stop the build (for packagers)
#   make PRECOMPILED=                 every file reads the server's headers itself; g++ reads them once for all by default: a third less to compute
#   make dist                         the release zip of what is committed, learned_index-<version>.zip (no server)
#
# Building in another directory works as for any PGXS extension: make -f /path/to/Makefile.
# The core library's unit tests, fuzzers and micro-benchmarks are built by CMakeLists.txt.

here := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
# PGXS would find this out itself, but loses it where the server was configured in its source directory.
ifneq ($(abspath $(here)),$(CURDIR))
VPATH := $(here)
endif

EXTENSION = learned_index
MODULE_big = learned_index
# Every version's script stays: a new installation runs the first one and the updates after it.
DATA := $(patsubst $(here)/%,%,$(sort $(wildcard $(here)/src/sql/*.sql)))
SOURCES := $(sort $(wildcard $(here)/src/core/*/*.cpp $(here)/src/am/*.cpp $(here)/src/am/*/*.cpp))
OBJS := $(patsubst $(here)/%.cpp,%.o,$(SOURCES))

# No bitcode for the JIT compiler: it could only inline the SQL-callable functions of an index access
# method, and clang would become a build dependency.
override with_llvm := no

# Code that an ereport may jump over keeps no C++ run-time state, so that of C++'s run-time nothing is
# needed: the library is linked by the C compiler and does not depend on libstdc++.
WERROR ?= -Werror
# (MORE_CXXFLAGS: the caller's, behind all others.)
PG_CXXFLAGS = -std=c++20 -fno-exceptions -fno-rtti -fno-threadsafe-statics -fvisibility=hidden \
	-fvisibility-inlines-hidden -Wall -Wextra $(WERROR) -Wno-register $(COMPILER_CXXFLAGS) $(PLACELESS) -MD -MP $(MORE_CXXFLAGS)
PG_CPPFLAGS = -I$(here)/src

# Errors name the source file they are from: the same bytes, wherever it was built.
PLACELESS = -ffile-prefix-map=$(abspath $(here))/= -ffile-prefix-map=$(CURDIR)=.

# The server's flags were chosen for the compiler that built the server; clang does not know all of gcc's.
COMPILER_CXXFLAGS = $(if $(findstring clang,$(shell $(CXX) --version)),\
	-Wno-unknown-warning-option -Wno-unused-command-line-argument -Wno-deprecated-volatile,-fno-gnu-unique)

# pg_regress: every sql/*.sql. TAP and isolation tests only where there are some.
REGRESS := $(sort $(basename $(notdir $(wildcard $(here)/sql/*.sql))))
REGRESS_OPTS = --inputdir=$(here)
ISOLATION := $(sort $(basename $(notdir $(wildcard $(here)/test/isolation/specs/*.spec))))
ISOLATION_OPTS = --inputdir=$(here)/test/isolation
ifneq ($(wildcard $(here)/test/t/*.pl),)
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl
endif

EXTRA_CLEAN = $(OBJS:.o=.d) .build-flags $(addprefix precompiled/server.hpp, .gch .d) precompiled/server.hpp

# A release needs no server.
ifneq ($(MAKECMDGOALS),dist)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) not found: install the server's development package (Debian: postgresql-server-dev-15) \
or set PG_CONFIG)
endif
include $(PGXS)

# In another directory only sources are looked for beside the Makefile, never the products of a build there.
override srcdir := $(here)
override VPATH :=
vpath %.cpp $(here)
vpath %.control $(here)

# The server's headers are not ours to warn about.
override CPPFLAGS := $(patsubst -I$(includedir_server),-isystem $(includedir_server),\
	$(patsubst -I$(includedir_internal),-isystem $(includedir_internal),$(CPPFLAGS)))

# Another compiler, other flags, another server's headers or other source files: everything is compiled anew.
build_flags := $(CXX) $(CXXFLAGS) $(CPPFLAGS) $(shell $(PG_CONFIG) --version) $(OBJS)
ifneq ($(file <.build-flags),$(build_flags))
.PHONY: .build-flags
endif
.build-flags:
	@mkdir -p $(sort $(dir $(OBJS)))
	$(file >$@,$(build_flags))

$(OBJS): .build-flags

# What server.hpp includes takes g++ longer than most files that want it. (clang reads it for each file, so that none relies on what is
# included for it here.)
ifeq ($(origin PRECOMPILED),undefined)
PRECOMPILED := $(if $(findstring clang,$(shell $(CXX) --version)),,precompiled/server.hpp)
endif
ifneq ($(PRECOMPILED),)
SERVER_OBJS := $(filter-out src/core/%,$(OBJS))
$(SERVER_OBJS): private CXXFLAGS += -include $(PRECOMPILED)
$(SERVER_OBJS): $(PRECOMPILED).gch

$(PRECOMPILED).gch: .build-flags
	@mkdir -p $(@D)
	@echo '#include "am/server/server.hpp"' >$(PRECOMPILED)
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -x c++-header -MF $(PRECOMPILED).d -o $@ $(PRECOMPILED)
endif

-include $(OBJS:.o=.d) $(addsuffix .d,$(PRECOMPILED))

endif # of what needs a server

.PHONY: dist
dist:
	@$(here)/scripts/dist.sh '$(CURDIR)'
