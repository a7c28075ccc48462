"""Hostile clients before a hostile upstream: resets, cuts, garbage and half-closes at every stage of an exchange, while
policies and routes reload. Nothing may crash, leak, hang, or reach the service undecided."""
import os
import random
import socket
import ssl
import struct
import threading
import time
import unittest

from harness import SLOW, Service, Yett, wait_for

SECONDS = 12


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen",
    b"HTTP/1.1 200 OK\r\n\r\nuntil close",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ",
    b"garbage\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello",
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"z" * 300_000,
]


class Hostile(unittest.TestCase):
    def test_anything_at_any_moment(self):
        rng = random.Random(11)
        seen = set()  # decision ids that reached the upstream

        def upstream(connection):
            while True:
                data = connection.recv(rng.choice([65536, 65536, 100]))
                if not data:
                    return
                for line in data.split(b"\r\n"):
                    if line.startswith(b"x-yett-decision-id: ") and len(line) == 56:
                        seen.add(line[20:].decode())
                time.sleep(rng.choice([0, 0, 0, 0.3]))
                answer = rng.choice(ANSWERS)
                for i in range(0, len(answer), rng.choice([1 << 20, 1 << 20, 7]) if len(answer) < 1000 else 1 << 20):
                    connection.sendall(answer[i:i + (1 << 20 if len(answer) > 1000 else 7)])
                how = rng.random()
                if how < 0.2:
                    return
                if how < 0.4:
                    return reset(connection)

        def request():
            path = rng.choice([b"/ok", b"/ok", b"/admin/x", b"/dead", b"/a%2fb", b"/" + b"a" * 70_000, b"/../x", b"/a;b/c"])
            head = rng.choice([b"GET", b"HEAD", b"POST", b"PUT"]) + b" " + path + b" " + rng.choice([b"HTTP/1.1"] * 5 + [b"HTTP/1.0", b"HTTP/3"]) + b"\r\nHost: a\r\n"
            head += rng.choice([b"", b"", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"X: " + b"b" * 80_000 + b"\r\n", b"A: b\r\n" * 150])
            kind, body = rng.random(), b""
            if kind < 0.3:
                body = b"z" * rng.choice([0, 5, 1000, 300_000])
                head += b"Content-Length: %d\r\n" % len(body)
            elif kind < 0.6:
                head += b"Transfer-Encoding: chunked\r\n"
                body = b"".join(b"%x\r\n" % n + b"y" * n + b"\r\n" for n in rng.choices([1, 10, 70_000], k=rng.randrange(4))) + b"0\r\n\r\n"
            data = bytearray(head + b"\r\n" + body)
            if rng.random() < 0.15:
                data[rng.randrange(min(len(data), 300))] = rng.randrange(256)
            return bytes(data)

        def client(y, port, context):
            s = socket.create_connection(("127.0.0.1", port), 2)
            s.settimeout(rng.choice([0.02, 0.3, 1]))
            try:
                if context:
                    if rng.random() < 0.2:
                        s.sendall(os.urandom(rng.randrange(1, 400)))
                        return reset(s)
                    s = context.wrap_socket(s, server_hostname="localhost")
                data = b"".join(request() for _ in range(rng.choice([1, 1, 2, 5])))
                s.sendall(data[:rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data)
                if rng.random() < 0.2:
                    s.shutdown(socket.SHUT_WR)
                for _ in range(rng.choice([0, 1, 20])):
                    if not s.recv(rng.choice([10, 65536])):
                        break
                if rng.random() < 0.3:
                    return reset(s)
            except (OSError, ValueError):
                pass
            s.close()

        with Service(upstream) as service:
            y = Yett(service.address, rules='policy "p" { deny "admin" { path = "/admin/**" }, allow "rest" { principal = anyone } }')
            limits = {"timeouts": {"handshake": "2s", "request_head": "2s", "idle": "2s", "body": "2s", "stream_idle": "2s"}}
            plain_port = y.port + 1
            route = [{"path": "/dead", "cluster": "dead"}, {"path": "/**", "cluster": "app", "response_timeout": "500ms"}]
            y.config["clusters"].append({"name": "dead", "endpoints": ["127.0.0.1:1", "127.0.0.1:2"]})
            y.listener.update(limits, routes=route)
            y.listener["tls"]["client_certificate"] = "optional"
            y.config["listeners"].append({"name": "plain", "address": f"127.0.0.1:{plain_port}", "plaintext": True, "routes": route, **limits})
            y.write_config()
            with y:
                context = y.context()
                stop = time.monotonic() + SECONDS
                counts = [0] * 16

                def attack(i):
                    while time.monotonic() < stop:
                        try:
                            client(y, *rng.choice([(y.port, context), (plain_port, None)]))
                        except OSError:
                            pass
                        counts[i] += 1

                threads = [threading.Thread(target=attack, args=(i,), daemon=True) for i in range(len(counts))]
                for t in threads:
                    t.start()
                edits = 0
                while time.monotonic() < stop:
                    time.sleep(1)
                    edits += 1
                    y.write_rules(f'policy "p" {{ deny "admin" {{ path = "/admin/**" }}, allow "rest" {{ principal = anyone }} }} -- {edits}')
                    route[-1]["response_timeout"] = f"{500 + edits}ms"
                    y.write_config()
                for t in threads:
                    t.join(20)
                self.assertIsNone(y.process.poll(), y.log()[-3000:])
                wait_for("all connections to end", lambda: all(f'yett_connections{{listener="{n}"}} 0\n' in y.admin("/metrics")[1] for n in ("inbound", "plain")), 25)
                before = y.cpu_ticks()
                time.sleep(1)
                self.assertLess(y.cpu_ticks() - before, 30, "busy without a connection")
                self.assertTrue(y.verify()["ok"])
                decided = {d["id"]: d for d in y.query()}
                undecided = [i for i in seen if i not in decided or decided[i]["effect"] != "allow"]
                self.assertEqual(undecided, [])
                self.assertFalse([d for d in decided.values() if d["effect"] == "allow" and (d["path"] + "/").startswith("/admin/")])  # /admin3x is not below it
                print(f"  {sum(counts)} hostile connections, {len(decided)} decisions, {len(seen)} forwarded, none undecided")


if __name__ == "__main__":
    unittest.main()
