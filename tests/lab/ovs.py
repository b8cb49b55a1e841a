#!/usr/bin/env python3
"""Open vSwitch's datapath without its programs, by generic netlink (linux/openvswitch.h).

  ovs.py dp NAME PORT...                a datapath in this namespace; devices get ports 1, 2, ...
  ovs.py flow NAME MATCH... -- ACTION...
      MATCH:  in_port=1 recirc=0 type=0x0800 state=new,trk (of new, est, inv, trk; the others are clear)
              tunnel=ID,SOURCE,DESTINATION (what came through a tunnel matches only so)
      ACTION: output=2 recirc=1 ct=ZONE[,commit] tunnel=ID,DESTINATION (IPv4, before the output to a tunnel)
  ovs.py handle NAME DELAY_MS PORT=ACTION... [room=BYTES]   in ovs-vswitchd's place: packets of a port
      (0: NAME itself) without a flow get the action after so many ms; no flow is made; so many bytes fit
      into its socket. Prints "ready".
  ovs.py lost NAME      prints how many upcalls failed
  ovs.py del NAME
"""
import os
import socket
import struct
import sys
import time

STATES = {"new": 1, "est": 2, "rel": 4, "rpl": 8, "inv": 16, "trk": 32}
KEY_IN_PORT, KEY_ETHERNET, KEY_ETHERTYPE, KEY_IPV4, KEY_IPV6, KEY_RECIRC, KEY_CT_STATE = 3, 4, 6, 7, 8, 20, 22
KEY_TUNNEL, TUNNEL_ID, TUNNEL_SRC, TUNNEL_DST, TUNNEL_TTL = 16, 0, 1, 2, 4


def attr(kind, data=b""):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def u32(kind, value):
    return attr(kind, struct.pack("=I", value))


def text(kind, value):
    return attr(kind, value.encode() + b"\0")


def tunnel(number, dst, src=None):
    return attr(KEY_TUNNEL, attr(TUNNEL_ID, struct.pack("!Q", number)) +
                (attr(TUNNEL_SRC, socket.inet_aton(src)) if src else b"") +
                attr(TUNNEL_DST, socket.inet_aton(dst)) + attr(TUNNEL_TTL, b"\x40"))


class Netlink:
    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.sock.bind((0, 0))
        self.family = {}

    def call(self, kind, command, version, body):
        """One request; its answer's bytes behind the generic header, or an error."""
        head = struct.pack("=IHHII", 20 + len(body), kind, 0x5, 1, 0)   # request, acknowledge
        self.sock.send(head + struct.pack("=BBH", command, version, 0) + body)
        answer = b""
        while True:
            data = self.sock.recv(65536)
            while data:
                length, got = struct.unpack_from("=IH", data)
                if got == 2:
                    error = struct.unpack_from("=i", data, 16)[0]
                    if error:
                        raise OSError(-error, os.strerror(-error))
                    return answer
                answer = data[20:length]
                data = data[(length + 3) & ~3:]

    def ovs_family(self, name):
        if name not in self.family:
            answer = self.call(16, 3, 1, text(2, name))
            while struct.unpack_from("=HH", answer)[1] != 1:
                answer = answer[(struct.unpack_from("=H", answer)[0] + 3) & ~3:]
            self.family[name] = struct.unpack_from("=H", answer, 4)[0]
        return self.family[name]

    def ovs(self, name, command, ifindex, body):
        return self.call(self.ovs_family(name), command, 1, struct.pack("=i", ifindex) + body)


def make(nl, name, devices):
    nl.ovs("ovs_datapath", 1, 0, text(1, name) + u32(2, 0))
    for port, device in enumerate(devices, 1):
        nl.ovs("ovs_vport", 1, socket.if_nametoindex(name), u32(2, 1) + u32(1, port) + text(3, device) + u32(5, 0))


def attributes(data):
    """{kind: bytes} of a run of attributes."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3fff] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def lost(nl, name):
    stats = attributes(nl.ovs("ovs_datapath", 3, 0, text(1, name))[4:])[3]
    return struct.unpack_from("=QQQ", stats)[2]     # struct ovs_dp_stats: n_hit, n_missed, n_lost


def handle(nl, name, delay_ms, rules):
    """Answers upcalls; the kernel sends them to the socket that the ports are told."""
    words = dict(rule.split("=", 1) for rule in rules)
    upcalls = Netlink()
    if "room" in words:
        upcalls.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(words.pop("room")) // 2)
    action = {int(port): action_of(word) for port, word in words.items()}
    ifindex = socket.if_nametoindex(name)
    for port in action:
        nl.ovs("ovs_vport", 4, ifindex, u32(1, port) + u32(5, upcalls.sock.getsockname()[0]))
    nl.ovs_family("ovs_packet")
    print("ready", flush=True)
    while True:
        got = attributes(upcalls.sock.recv(262144)[24:])
        key = attributes(got[2])
        time.sleep(delay_ms / 1000)
        body = attr(1, got[1]) + attr(2, got[2]) + attr(3, action[struct.unpack("=I", key[KEY_IN_PORT])[0]])
        nl.ovs("ovs_packet", 3, ifindex, body)


def match_of(words):
    want = dict(word.split("=", 1) for word in words)
    kind = int(want.get("type", "0x0800"), 0)
    ip = struct.pack("=IIBBBB", 0, 0, 253, 0, 0, 0) if kind == 0x0800 else bytes(36) + bytes([253, 0, 0, 0])
    ip_key = KEY_IPV4 if kind == 0x0800 else KEY_IPV6
    key = (u32(KEY_RECIRC, int(want.get("recirc", 0))) + u32(KEY_IN_PORT, int(want["in_port"])) +
           attr(KEY_ETHERNET, bytes(12)) + attr(KEY_ETHERTYPE, struct.pack("!H", kind)) + attr(ip_key, ip))
    mask = (u32(KEY_RECIRC, 0xffffffff) + u32(KEY_IN_PORT, 0xffffffff) + attr(KEY_ETHERNET, bytes(12)) +
            attr(KEY_ETHERTYPE, b"\xff\xff") + attr(ip_key, bytes(len(ip))))
    if "state" in want:
        key += u32(KEY_CT_STATE, sum(STATES[word] for word in want["state"].split(",")))
        mask += u32(KEY_CT_STATE, STATES["new"] | STATES["est"] | STATES["inv"] | STATES["trk"])
    if "tunnel" in want:
        number, src, dst = want["tunnel"].split(",")
        key += tunnel(int(number), dst, src)
        mask += attr(KEY_TUNNEL, attr(TUNNEL_ID, b"\xff" * 8) + attr(TUNNEL_SRC, b"\xff" * 4) +
                     attr(TUNNEL_DST, b"\xff" * 4) + attr(TUNNEL_TTL, b"\x00"))
    return attr(1, key) + attr(7, mask)


def action_of(word):
    name, value = word.split("=", 1)
    if name == "output":
        return u32(1, int(value))
    if name == "recirc":
        return u32(7, int(value))
    if name == "tunnel":
        number, dst = value.split(",")
        return attr(3, tunnel(int(number), dst))    # OVS_ACTION_ATTR_SET
    zone, *rest = value.split(",")
    return attr(12, (attr(1) if "commit" in rest else b"") + attr(2, struct.pack("=H", int(zone))))


def main():
    nl = Netlink()
    command, name, *words = sys.argv[1:]
    if command == "dp":
        make(nl, name, words)
    elif command == "handle":
        handle(nl, name, float(words[0]), words[1:])
    elif command == "lost":
        print(lost(nl, name))
    elif command == "del":
        nl.ovs("ovs_datapath", 2, 0, text(1, name))
    else:
        at = words.index("--")
        actions = b"".join(map(action_of, words[at + 1:]))
        nl.ovs("ovs_flow", 1, socket.if_nametoindex(name), match_of(words[:at]) + attr(2, actions))


main()
