#!/usr/bin/env python3
"""TCP connections that do what a scenario wants, and ss's figures beside nettrace's.

server                          ports: 7001 reads all and answers, 7002 never reads, 7003 never accepts and has
                                room for one, 7004 reads and never closes; "ready", then until it is killed
client ADDR PORT BYTES [SNDBUF] a length, the bytes, 1000 bytes of answer; "done LOCALPORT", then it holds on
full ADDR PORT                  sends until nothing fits any more
knock ADDR PORT N               connects N times and says nothing
compare SS JSON                 figures of "ss -tinopmHO" beside those of one look; the differences
"""
import json
import re
import socket
import sys
import threading
import time

LENGTH = 8
SO_MAX_PACING_RATE = 47


def serve(port):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True,
                                    backlog=1 if port == 7003 else 50)
    threading.Thread(target=accept, args=(listener, port), daemon=True).start()


def accept(listener, port):
    kept = [listener]
    while port != 7003:
        connection, _ = listener.accept()
        kept.append(connection)
        if port != 7002:
            threading.Thread(target=answer, args=(connection, kept), daemon=True).start()
    time.sleep(3600)


def answer(connection, kept):
    head = b""
    while len(head) < LENGTH:
        head += connection.recv(LENGTH - len(head))
    left = int.from_bytes(head, "big")
    while left:
        left -= len(connection.recv(min(left, 65536)))
    connection.sendall(b"a" * 1000)
    kept.append(connection)


def connect(address, port, sndbuf=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family)
    if sndbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        # The kernel sees that the buffer is the limit only where data wait in it for their time to be sent.
        s.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 20000000)
    s.connect((address, port))
    return s


def hold(text, *kept):
    print(text, flush=True)
    time.sleep(3600 if kept else 0)


def client(address, port, count, sndbuf="0"):
    s = connect(address, int(port), int(sndbuf))
    s.sendall(int(count).to_bytes(LENGTH, "big"))
    s.sendall(bytes(int(count)))
    got = 0
    while got < 1000:
        got += len(s.recv(1000))
    hold("done %d" % s.getsockname()[1], s)


def full(address, port):
    s = connect(address, int(port))
    s.settimeout(1.5)
    try:
        while True:
            s.send(bytes(65536))
    except socket.timeout:
        pass
    hold("done %d" % s.getsockname()[1], s)


def knock(address, port, count):
    kept = []
    for _ in range(int(count)):
        s = socket.socket(socket.AF_INET)
        s.setblocking(False)
        s.connect_ex((address, int(port)))
        kept.append(s)
    hold("done 0", *kept)


# --- ss ---------------------------------------------------------------------------------------

# The name in ss, in nettrace, and how many of nettrace's are one of ss's.
FIGURES = [
    ("rto", "rto_us", 1000), ("ato", "ato_us", 1000), ("mss", "mss_bytes", 1), ("pmtu", "pmtu_bytes", 1),
    ("rcvmss", "rcv_mss_bytes", 1), ("advmss", "advmss_bytes", 1), ("cwnd", "cwnd_segs", 1),
    ("ssthresh", "ssthresh_segs", 1), ("bytes_sent", "sent_bytes", 1), ("bytes_retrans", "retrans_bytes", 1),
    ("bytes_acked", "acked_bytes", 1), ("bytes_received", "received_bytes", 1), ("segs_out", "out_segs", 1),
    ("segs_in", "in_segs", 1), ("data_segs_out", "data_out_segs", 1), ("data_segs_in", "data_in_segs", 1),
    ("pacing_rate", "pacing_rate_bytes_per_s", 1 / 8), ("max_pacing_rate", "max_pacing_rate_bytes_per_s", 1 / 8),
    ("delivery_rate", "delivery_rate_bytes_per_s", 1 / 8), ("delivered", "delivered_segs", 1),
    ("delivered_ce", "delivered_ce_segs", 1), ("busy", "busy_us", 1000), ("rwnd_limited", "rwnd_limited_us", 1000),
    ("sndbuf_limited", "sndbuf_limited_us", 1000), ("unacked", "unacked_segs", 1), ("lost", "lost_segs", 1),
    ("sacked", "sacked_segs", 1), ("dsack_dups", "dsack_dups", 1), ("reordering", "reordering_segs", 1),
    ("reord_seen", "reordering_seen", 1), ("rcv_rtt", "rcv_rtt_us", 1000), ("rcv_space", "rcv_space_bytes", 1),
    ("rcv_ssthresh", "rcv_ssthresh_bytes", 1), ("notsent", "notsent_bytes", 1), ("minrtt", "min_rtt_us", 1000),
    ("rcv_ooopack", "out_of_order_segs", 1), ("snd_wnd", "snd_wnd_bytes", 1), ("backoff", "backoff", 1),
]
MEMORY = [("r", "rmem_bytes"), ("rb", "rcvbuf_bytes"), ("t", "wmem_bytes"), ("tb", "sndbuf_bytes"), ("f", "fwd_bytes"),
          ("w", "wmem_queued_bytes"), ("o", "optmem_bytes"), ("bl", "backlog_bytes"), ("d", "drops")]
OPTIONS = {"ts": "timestamps", "sack": "sack", "ecn": "ecn", "ecnseen": "ecn_seen", "fastopen": "fast_open"}
# What ss leaves out where it is 0, or what nothing is known of; reordering where it is 3.
NOTHING = {"reordering": 3}


def end_point(text):
    address, port = text.rsplit(":", 1)
    address = address.strip("[]").split("%")[0]
    return (re.sub("^::ffff:", "", address), int(port))


def read_ss(line):
    words = line.split()
    s = {"state": words[0], "recv_queue_bytes": int(words[1]), "send_queue_bytes": int(words[2]),
         "ends": end_point(words[3]) + end_point(words[4]), "options": set(), "figures": {}}
    rest = " ".join(words[5:])
    user = re.search(r'users:\(\("([^"]*)",pid=(\d+),fd=(\d+)\)', rest)
    if user:
        s["process"] = (user[1], int(user[2]), int(user[3]))
    timer = re.search(r"timer:\((\w+),[^,]*,(\d+)\)", rest)
    s["timer"] = (timer[1], int(timer[2])) if timer else None
    memory = re.search(r"skmem:\(([^)]*)\)", rest)[1]
    s["memory"] = {re.match("[a-z]+", m)[0]: int(re.search(r"\d+", m)[0]) for m in memory.split(",")}
    rest = rest[rest.index("skmem:"):]
    s["options"] = {OPTIONS[w] for w in rest.split() if w in OPTIONS}
    s["app_limited"] = "app_limited" in rest.split()
    cong = re.search(r"\b(cubic|reno|bbr|dctcp|vegas)\b", rest)
    s["cong"] = cong[1] if cong else None
    for name, _, _ in FIGURES:
        m = re.search(r"(?:^| )%s[: ]([0-9.e+]+)(?:bps|ms)?(?:$| |\()" % name, rest)
        if m:
            s["figures"][name] = float(m[1])
    for name, form in (("rtt", r" rtt:([0-9.e+]+)/([0-9.e+]+)"), ("retrans", r" retrans:(\d+)/(\d+)"),
                       ("wscale", r" wscale:(\d+),(\d+)")):
        m = re.search(form, rest)
        s[name] = (float(m[1]), float(m[2])) if m else None
    return s


def near(a, b):
    """ss prints six digits of the times."""
    return abs(a - b) <= 1e-5 * max(abs(a), abs(b))


def differences(s, c):
    """Yields (name, ss's, nettrace's) of one connection; the second one of each that is equal is None."""
    def say(name, a, b, same=None):
        return (name, a, b, a == b if same is None else same)

    for key in ("recv_queue_bytes", "send_queue_bytes"):
        yield say(key, s[key], c[key])
    yield say("process", s.get("process"), (c["comm"], c["pid"], c["fd"]) if "pid" in c else None)
    timers = {"retransmit": "on", "keepalive": "keepalive", "zero_window": "persist", "time_wait": "timewait"}
    yield say("timer", s["timer"], (timers[c["timer"]["name"]], c["timer"]["retrans"]) if "timer" in c else None)
    for short, key in MEMORY:
        yield say("skmem." + short, s["memory"].get(short), c["skmem"][key])
    yield say("congestion control", s["cong"], c.get("congestion_control"))
    yield say("options", s["options"], set(c["tcp_options"]) - {"window_scaling"})
    yield say("app_limited", s["app_limited"], c["app_limited"])
    yield say("wscale", s["wscale"], (c["snd_wscale"], c["rcv_wscale"]) if "snd_wscale" in c else None)
    rtt = (c["rtt_us"] / 1000, c["rttvar_us"] / 1000) if "rtt_us" in c else None
    yield say("rtt", s["rtt"], rtt, s["rtt"] == rtt or (s["rtt"] and rtt and near(s["rtt"][0], rtt[0]) and
                                                        near(s["rtt"][1], rtt[1])))
    yield say("retrans", s["retrans"] or (0, 0), (c["retrans_out_segs"], c["retrans_segs"]))
    for name, key, per in FIGURES:
        theirs, ours = s["figures"].get(name, NOTHING.get(name, 0)), c.get(key, 0) / per
        yield say(name, theirs, ours, near(theirs, ours) or
                  # in whole ms there, and in kernels' ticks
                  (name in ("busy", "rwnd_limited", "sndbuf_limited") and abs(theirs - ours) < 1))


def compare(ss, looks):
    with open(looks) as f:
        look = [x for x in map(json.loads, f) if x["type"] == "interval"][-1]
    ours = {(c["local_ip"], c["local_port"], c["remote_ip"], c["remote_port"]): c for c in look["connections"]}
    with open(ss) as f:
        theirs = [read_ss(line) for line in f if line.strip()]
    count, bad, known = 0, [], 0
    for s in theirs:
        c = ours.pop(s["ends"], None)
        if not c:
            bad.append("missing: %s" % (s["ends"],))
            continue
        known += len(s["figures"])
        for name, a, b, same in differences(s, c):
            count += 1
            if not same:
                bad.append("%s of %s: ss %s, nettrace %s" % (name, s["ends"], a, b))
    bad += ["not in ss: %s" % (e,) for e in ours]
    for line in bad:
        print("#", line)
    print("%d connections, %s figures, %d differences" % (len(theirs), "enough" if known >= 20 * len(theirs) and
          count >= 50 * len(theirs) else "only %d of %d" % (known, count), len(bad)))


def server():
    for port in (7001, 7002, 7003, 7004):
        serve(port)
    hold("ready", 1)


if __name__ == "__main__":
    {"server": server, "client": client, "full": full, "knock": knock, "compare": compare}[sys.argv[1]](*sys.argv[2:])
