# BTF files that are compiled in: NT_BTF_BUNDLE is a folder with ARCH/RELEASE.btf, as made by
# "nettrace btf make". Each is packed by gzip (without name and time: the same bytes each time).

set(NT_BTF_BUNDLE "" CACHE PATH "folder of ARCH/RELEASE.btf to compile in")

# nt_btf_bundle(FOLDER NAME): generated/NAME.c with nt_btf_bundle[], NT_BTF_BUNDLE_SOURCE its path
function(nt_btf_bundle folder name)
	set(files "")
	if(folder)
		get_filename_component(folder ${folder} ABSOLUTE BASE_DIR ${CMAKE_SOURCE_DIR})
		file(GLOB files CONFIGURE_DEPENDS ${folder}/*/*.btf)
		if(NOT files)
			message(FATAL_ERROR "NT_BTF_BUNDLE: no ARCH/RELEASE.btf in ${folder}")
		endif()
		list(SORT files)
	endif()
	set(blobs "")
	set(rows "")
	set(packed "")
	set(n 0)
	file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated/${name})
	foreach(file ${files})
		get_filename_component(dir ${file} DIRECTORY)
		get_filename_component(arch ${dir} NAME)
		get_filename_component(release ${file} NAME_WLE)
		set(gz ${CMAKE_BINARY_DIR}/generated/${name}/${arch}-${release}.gz)
		add_custom_command(OUTPUT ${gz} COMMAND sh -c "gzip -9nc '${file}' > '${gz}'"
			DEPENDS ${file} VERBATIM)
		list(APPEND packed ${gz})
		file(SIZE ${file} size)
		string(APPEND blobs "BLOB(${n}, \"${name}/${arch}-${release}.gz\")\n")
		string(APPEND rows "\t{ \"${arch}\", \"${release}\", blob_${n}, blob_end_${n}, ${size} },\n")
		math(EXPR n "${n} + 1")
	endforeach()
	set(source ${CMAKE_BINARY_DIR}/generated/${name}.c)
	file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[/* Generated: BTF of kernels, packed. */
#include "nettrace/btf.h"

#define BLOB(n, file) \
	extern const uint8_t blob_##n[], blob_end_##n[]; \
	__asm__(".pushsection .rodata\n" \
		"blob_" #n ": .incbin \"" file "\"\n" \
		"blob_end_" #n ":\n" \
		".popsection\n");
@blobs@
const struct nt_btf_packed nt_btf_bundle[] = {
@rows@	{ 0 }
};
const size_t nt_n_btf_bundle = @n@;
]])
	set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${packed}"
		COMPILE_OPTIONS "-Wa,-I${CMAKE_BINARY_DIR}/generated")
	set(NT_BTF_BUNDLE_SOURCE ${source} PARENT_SCOPE)
endfunction()
