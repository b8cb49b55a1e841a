# A failing command ends the scenario.
ls /does/not/exist
ok "not reached"
