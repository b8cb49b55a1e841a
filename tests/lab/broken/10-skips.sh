# Skipped with a reason.
skip "because of a test"
