# shellcheck shell=bash
# For scenarios of tools that follow packets through stages.

# adds_up NAME: every packet that began is in one counter, and the pairs of stages add up to the whole.
adds_up() {
    check_jq "$1: every packet is counted once" "$1" '.[-1] | .started == .completed + .dropped_total + .elsewhere +
        .timed_out_total + .superseded + .inside + .lost.map_full - .without_row'
    check_jq "$1: stages add up to the total" "$1" '.[-1] | ([.stages[].hist.sum] | add // 0) - (.total.hist.sum // 0) |
        fabs < 0.01'
}
