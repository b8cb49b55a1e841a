# Toolchain for aarch64 on a Debian machine of another architecture: "cmake --preset aarch64".
# "tests/packages aarch64" installs the cross compiler and unpacks the static arm64 libraries into
# the cache; libraries installed as a foreign architecture (libbpf-dev:arm64, ...) do as well.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_STRIP aarch64-linux-gnu-strip)

if(DEFINED ENV{NETTRACE_LAB_CACHE})
	set(nt_arm64_libs $ENV{NETTRACE_LAB_CACHE}/arm64/libs)
else()
	set(nt_arm64_libs ${CMAKE_CURRENT_LIST_DIR}/../.cache/lab/arm64/libs)
endif()
get_filename_component(nt_arm64_libs ${nt_arm64_libs} ABSOLUTE)

# Programs are the build machine's. Their headers are those of the libraries that are linked.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_LIBRARY_PATH ${nt_arm64_libs}/usr/lib/aarch64-linux-gnu /usr/lib/aarch64-linux-gnu)
if(EXISTS ${nt_arm64_libs})
	set(CMAKE_C_FLAGS_INIT "-isystem ${nt_arm64_libs}/usr/include")
endif()
