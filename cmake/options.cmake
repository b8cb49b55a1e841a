# Build types, warnings, reproducibility, and the libraries of the static executable.

if(NOT CMAKE_BUILD_TYPE)
	set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or Sanitize" FORCE)
endif()
option(NT_TESTS "build the tests" ON)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_FLAGS_RELEASE "-O2")
set(CMAKE_C_FLAGS_DEBUG "-Og -g3")
set(CMAKE_C_FLAGS_SANITIZE "-O1 -g3 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer")
set(CMAKE_EXE_LINKER_FLAGS_SANITIZE "-fsanitize=address,undefined")

add_library(nettrace_options INTERFACE)
target_compile_definitions(nettrace_options INTERFACE _GNU_SOURCE)
target_compile_options(nettrace_options INTERFACE
	-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
	-Wno-format-truncation
	-ffunction-sections -fdata-sections
	# The same bytes wherever the tree lies.
	-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=build)
target_link_options(nettrace_options INTERFACE -Wl,--gc-sections -Wl,--build-id=none)

# glibc, static: Debian's libbpf, libelf, zlib and libpcap archives are built against it (there
# are none for musl), and nothing in the program needs NSS or a second file at run time. The
# sanitizers cannot be linked statically.
if(CMAKE_BUILD_TYPE STREQUAL "Sanitize")
	set(NT_STATIC_LINK "")
else()
	set(NT_STATIC_LINK -static)
endif()

function(nt_archive name var)
	find_library(${var} NAMES lib${name}.a REQUIRED)
	set(${var} ${${var}} PARENT_SCOPE)
endfunction()
nt_archive(bpf NT_LIBBPF)
nt_archive(elf NT_LIBELF)
nt_archive(z NT_LIBZ)
nt_archive(pcap NT_LIBPCAP)
add_library(nettrace_libs INTERFACE)
target_link_libraries(nettrace_libs INTERFACE ${NT_LIBBPF} ${NT_LIBELF} ${NT_LIBZ} ${NT_LIBPCAP})

# Version and source revision; "unknown" outside of a git checkout.
if(NOT NT_REVISION)
	execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} rev-parse --short=12 HEAD
	OUTPUT_VARIABLE NT_REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT NT_REVISION)
	set(NT_REVISION unknown)
endif()
configure_file(cmake/version.h.in ${CMAKE_BINARY_DIR}/generated/nettrace/version.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/.git/logs/HEAD)
