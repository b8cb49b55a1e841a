# A rejected program during a scenario which is otherwise good.
echo "libbpf: -- BEGIN PROG LOAD LOG --" >"$WORK/tool.err"
