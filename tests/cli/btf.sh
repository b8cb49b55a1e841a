# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# Part of tests/cli/run, which sources it: nettrace btf, and files that are none.

# refused CODE WHAT TEXT ARGS...: one line in form that has TEXT
refused() {
	local code=$1 what=$2 text=$3
	shift 3
	try btf "$@"
	check "btf: $what: exit $code" [ "$status" = "$code" ]
	check "btf: $what: one line in form, nothing on stdout" eval 'in_form btf && [ ! -s out ]'
	check "btf: $what: it says why" grep -q -- "$text" err
}

# Files that are no BTF: whoever reads them says so.
refused_file() { # WHAT TEXT FILE
	refused 1 "make of $1" "$2" make "$3" -o made
	refused 1 "check of $1" "$2" check "$3"
	try btf check "$3" --json
	check "btf: check --json of $1: the same, as a record too" eval \
		'[ $status = 1 ] && in_form btf && error_record btf 1 && same_message btf'
	try $RUN --duration 1 --btf "$3"
	check "--btf $1: exit 2, one line in form" eval '[ $status = 2 ] && in_form $RUN'
	check "--btf $1: it says why" grep -q -- "$2" err
	check "btf: nothing is left of $1" [ ! -e made ]
}

part_btf() {
	local vmlinux=/sys/kernel/btf/vmlinux

	try btf --help
	check "btf --help" eval '[ $status = 0 ] && grep -q "^Usage: nettrace btf make" out && [ ! -s err ]'
	check "btf: no line of the help is wider than 110" eval '! grep -E "^.{111}" out'
	cp out help.txt
	try help btf
	check "help btf is the same" cmp out help.txt
	refused 2 "no word" "make, check or list"
	refused 2 "an unknown word" "make, check or list" guess
	refused 2 "make of nothing" "vmlinux" make
	refused 2 "check of nothing" "BTF file" check
	refused 2 "make with an unknown option" "help" make x --no-such
	refused 2 "make with -o alone" "give a file" make x -o
	refused 2 "check with an unknown option" "help" check x --no-such
	refused 2 "list with an argument" "help" list x
	try btf check x no_such_tool
	check "btf: check of an unknown tool: exit 2" eval '[ $status = 2 ] && one_line && grep -q "did you mean" err'
	try btf make x --tool no_such_tool
	check "btf: make for an unknown tool: exit 2" eval '[ $status = 2 ] && one_line && grep -q "did you mean" err'

	: >empty
	echo "#!/bin/sh" >script
	cp "$nettrace" program
	printf '\237\353\1\0\30\0\0\0' >short
	printf '\3757zXZ\0\0\0' >module.ko.xz
	mkfifo fifo
	refused_file "a file that is not there" "No such file" /nowhere/at/all
	refused_file "a folder" "folder" /
	refused_file "an empty file" "empty" empty
	refused_file "a script" "not BTF" script
	refused_file "a program without BTF" "without a section .BTF" program
	refused_file "a header alone" "cut short" short
	refused_file "a compressed module" "xz -d" module.ko.xz
	refused_file "a FIFO" "no file" fifo
	refused_file "a device" "no file" /dev/zero
	if is_root && command -v setpriv >/dev/null; then
		cp short secret
		chmod 600 secret
		as=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all)
		refused 1 "a file that may not be read" "Permission denied" check "$work/secret"
		as=()
	fi
	try btf list --json
	check "btf list --json" eval '[ $status = 0 ] && { [ ! -s out ] || json_lines out; }'
	if [ ! -r $vmlinux ]; then
		skip "btf make" "this kernel has no BTF"
		return
	fi
	check "btf list: the kernel's own is used" jq -es 'first | .source == "kernel" and .used' out
	part_btf_make
}

part_btf_make() {
	try btf make $vmlinux -o file
	check "btf make" eval '[ $status = 0 ] && [ ! -s out ] && one_line && grep -q " types, .* bytes" err'
	check "btf make: at most 64 kB" [ "$(stat -c %s file)" -le 65536 ]
	try btf make --quiet $vmlinux
	check "btf make: to a pipe, and quiet" eval '[ $status = 0 ] && cmp out file && [ ! -s err ]'
	command="nettrace btf make, on a terminal" status=0
	script -qec "'$NT' btf make $vmlinux" /dev/null >out 2>err </dev/null || status=$?
	check "btf make: not to a terminal" eval '[ $status = 2 ] && grep -q "terminal" out'
	refused 1 "make into no folder" "No such file" make $vmlinux -o /nowhere/at/all
	refused 1 "make onto a full disk" "No space" make $vmlinux -o /dev/full
	refused 1 "module before its kernel" "cut short" make short $vmlinux -o made
	try btf check file
	check "btf check: every tool" eval '[ $status = 0 ] && [ "$(grep -cE " (ok|degraded) " out)" = ${#tools[@]} ] && [ ! -s err ]'
	try btf check file $RUN --json
	check "btf check TOOL --json" jq -es 'length == 1 and (first | .type == "btf_check" and (.tools | length) == 1 and
		(.tools[0] | .name == "'$RUN'" and .state == "ok" and .failing == [] and .relocations > 10))' out
	try btf make $vmlinux --tool iface_netstat -o small
	try btf check small eth_drop
	check "btf check: a file without what a tool reads: exit 1, and it says what" eval \
		'[ $status = 1 ] && [ ! -s err ] && grep -q "eth_drop .*unavailable .*the file has no struct" out &&
		 grep -q "not found: struct sk_buff" out'
	head -c 2000 file >cut
	refused_file "a file cut short" "cut short" cut
	if ! can_attach; then
		skip "a tool with a file" "$why"
		return
	fi
	try $RUN --duration 0.2 --json --btf file
	check "--btf: the tool runs" eval '[ $status = 0 ] && ended'
	check "--btf: and says by which file" jq -es 'first.btf == "file"' out
}
