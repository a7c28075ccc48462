"""A small DNS server for tests: A, AAAA and SRV over UDP."""
import socket
import struct
import threading

A, AAAA, SRV = 1, 28, 33


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".")) + b"\0"


class Dns:
    """`records`: (name, type) -> list of values; a value of SRV is (priority, weight, port, target)."""

    def __init__(self, records=None, ttl=2):
        self.records, self.ttl, self.down, self.questions = dict(records or {}), ttl, False, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def run(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            self.questions += 1
            if not self.down:
                self.socket.sendto(self.answer(question), peer)

    def answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind, = struct.unpack(">H", question[at + 1:at + 3])
        name = ".".join(labels).lower()
        values = self.records.get((name, kind), [])
        known = any(one == name for one, _ in self.records)
        out = question[:2] + struct.pack(">HHHHH", 0x8180 | (0 if known else 3), 1, len(values), 0, 0) + question[12:at + 5]
        for value in values:
            if kind == A:
                data = socket.inet_aton(value)
            elif kind == AAAA:
                data = socket.inet_pton(socket.AF_INET6, value)
            else:
                data = struct.pack(">HHH", *value[:3]) + encode_name(value[3])
            out += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(data)) + data
        return out
