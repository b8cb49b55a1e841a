# BPF objects: compile, strip the DWARF (620 kB -> 10 kB), link (bpftool leaves out relocations of BTF, which
# nobody reads: a fifth of what is packed), embed by a skeleton; and the registry of tools.

find_program(NT_CLANG NAMES clang REQUIRED)
find_program(NT_LLVM_STRIP NAMES llvm-strip llvm-strip-14 REQUIRED)
find_program(NT_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
	set(NT_BPF_ARCH arm64)
else()
	set(NT_BPF_ARCH x86)
endif()
# <asm/types.h>: Debian's cross packages have a folder of their own.
set(NT_ASM_HEADERS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
if(CMAKE_CROSSCOMPILING)
	set(NT_ASM_HEADERS /usr/${CMAKE_LIBRARY_ARCHITECTURE}/include)
endif()

set(NT_BPF_FLAGS -g -O2 -target bpf -mcpu=v2 -D__TARGET_ARCH_${NT_BPF_ARCH}
	-Wall -Wextra -Werror -Wno-unused-parameter -Wno-unused-function
	-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -fdebug-compilation-dir=.	# BTF keeps source paths
	-I${CMAKE_SOURCE_DIR}/include -I${CMAKE_SOURCE_DIR}/bpf
	-isystem ${NT_ASM_HEADERS})
# v2: kernels before 5.1 know neither 32-bit jumps nor the rest of v3.

add_custom_target(nettrace_skeletons)
set(NT_TOOLS "")
set(NT_TOOL_SOURCES "")

# nt_bpf_object(NAME SOURCE): build/bpf/NAME.bpf.o, the same packed (.gz), and generated/NAME.skel.h
function(nt_bpf_object name source)
	set(dir ${CMAKE_BINARY_DIR}/bpf)
	set(object ${dir}/${name}.bpf.o)
	set(skeleton ${CMAKE_BINARY_DIR}/generated/${name}.skel.h)
	file(MAKE_DIRECTORY ${dir} ${CMAKE_BINARY_DIR}/generated)
	add_custom_command(OUTPUT ${object}
		COMMAND ${NT_CLANG} ${NT_BPF_FLAGS} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}.tmp
		COMMAND ${NT_LLVM_STRIP} -g ${object}.tmp
		COMMAND ${NT_BPFTOOL} gen object ${object} ${object}.tmp
		DEPENDS ${source} DEPFILE ${object}.d VERBATIM)
	add_custom_command(OUTPUT ${skeleton}
		COMMAND sh -c "'${NT_BPFTOOL}' gen skeleton '${object}' name '${name}' > '${skeleton}'"
		DEPENDS ${object} VERBATIM)
	add_custom_command(OUTPUT ${object}.gz COMMAND sh -c "gzip -9nc '${object}' > '${object}.gz'"
		DEPENDS ${object} VERBATIM)
	add_custom_target(skeleton_${name} DEPENDS ${skeleton} ${object}.gz)
	add_dependencies(nettrace_skeletons skeleton_${name})
endfunction()

# nt_tool(GROUP NAME [NO_BPF | OBJECT name]). NO_BPF: the tool has no programs. OBJECT: it loads those of
# bpf/tools/GROUP/name.bpf.c, as other tools may; without it, of NAME.bpf.c.
function(nt_tool group name)
	cmake_parse_arguments(PARSE_ARGV 2 arg NO_BPF OBJECT "")
	if(arg_NO_BPF)
		set(NT_OBJECT_${name} NONE PARENT_SCOPE)
	elseif(arg_OBJECT)
		set(NT_OBJECT_${name} ${arg_OBJECT} PARENT_SCOPE)
	else()
		set(arg_OBJECT ${name})
		set(NT_OBJECT_${name} ${name} PARENT_SCOPE)
	endif()
	if(arg_OBJECT AND NOT TARGET skeleton_${arg_OBJECT})
		nt_bpf_object(${arg_OBJECT} ${CMAKE_SOURCE_DIR}/bpf/tools/${group}/${arg_OBJECT}.bpf.c)
	endif()
	set(NT_TOOLS ${NT_TOOLS} ${name} PARENT_SCOPE)
	set(NT_TOOL_SOURCES ${NT_TOOL_SOURCES} src/tools/${group}/${name}.c PARENT_SCOPE)
endfunction()

# generated/registry.c: nt_tools[], sorted by name, and their packed objects (a sixth of the size)
function(nt_registry)
	list(SORT NT_TOOLS)
	set(includes "")
	set(rows "")
	set(objects "")
	set(packed "")
	foreach(name ${NT_TOOLS})
		set(object ${NT_OBJECT_${name}})
		string(APPEND includes "extern const struct nt_tool nt_tool_${name};\n")
		if(object STREQUAL NONE)
			string(APPEND rows "\t{ .tool = &nt_tool_${name} },\n")
			continue()
		endif()
		if(NOT object IN_LIST objects)
			list(APPEND objects ${object})
			string(APPEND includes "BLOB(${object})\n")
			list(APPEND packed ${CMAKE_BINARY_DIR}/bpf/${object}.bpf.o.gz)
		endif()
		string(APPEND rows "\t{ &nt_tool_${name}, blob_${object}, blob_end_${object} },\n")
	endforeach()
	set(file ${CMAKE_BINARY_DIR}/generated/registry.c)
	file(CONFIGURE OUTPUT ${file} @ONLY CONTENT [[/* Generated: every tool and its BPF object. */
#include "nettrace/tool.h"

#define BLOB(name) \
	extern const uint8_t blob_##name[], blob_end_##name[]; \
	__asm__(".pushsection .rodata\n" \
		"blob_" #name ": .incbin \"" #name ".bpf.o.gz\"\n" \
		"blob_end_" #name ":\n" \
		".popsection\n");
@includes@
const struct nt_tool_entry nt_tools[] = {
@rows@};
const size_t nt_n_tools = sizeof(nt_tools) / sizeof(nt_tools[0]);
]])
	set_source_files_properties(${file} PROPERTIES OBJECT_DEPENDS "${packed}"
		COMPILE_OPTIONS "-Wa,-I${CMAKE_BINARY_DIR}/bpf")
	set(NT_REGISTRY ${file} PARENT_SCOPE)
endfunction()
