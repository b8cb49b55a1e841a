# The unit tests, on a machine of another architecture than the one they were built on.
# kernels: 6.1-arm64 6.12-arm64
# timeout: 300

check_ok "unit tests pass" env NETTRACE_GATE_NO_LOAD=1 "$REPO/tests/unit/run" "$REPO/build/tests/unit"
check "architecture that --version says" \
    "$("$NETTRACE" --version --json | jq -r .arch)" == "$(uname -m)"
