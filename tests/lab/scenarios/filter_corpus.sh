# Verdicts of the filter in the running kernel against libpcap's own.
# ci: 5.10 new
# where: guest host
# timeout: 300
program=${KERNEL_FILTER:-$REPO/build/tests/kernel_filter/test_kernel_filter}
[ -x "$program" ] || die "there is no $program: build the project first"
need_cmd ip

args=()
# Under emulation a third of the expressions has to do: still more than 60.
in_guest && args=(--every 3 --tuples-every 2)
cp "$program" "$WORK/test_kernel_filter"
# It looks for the BTF of a kernel without as nettrace does: beside itself.
[ ! -d "${NETTRACE%/*}/nettrace-btf" ] || cp -r "${NETTRACE%/*}/nettrace-btf" "$WORK/nettrace-btf"
code=0
"$WORK/test_kernel_filter" --filters "$REPO/tests/data/filters.txt" "${args[@]}" >"$WORK/out" || code=$?
rm "$WORK/test_kernel_filter"
cat "$WORK/out"
[ "$code" != 77 ] || skip "no devices of our own can be made here"
check "exit status" "$code" == 0
check "expressions and settings" "$(grep -c '^ok - ' "$WORK/out")" '>=' 100
! kernel_at_least 5.10 || check "frames received are compared" "$(grep -c 'marks do not pass' "$WORK/out" || true)" == 0
if in_guest; then
    check "frames with the tag beside them" "$(grep -c 'no VLAN devices' "$WORK/out" || true)" == 0
fi
