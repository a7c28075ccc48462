"""gRPC through the real program, with Debian's grpcio on both sides: all kinds of calls, refusals, deadlines, open streams."""
import concurrent.futures
import contextlib
import socket
import os
import queue
import threading
import time
import unittest

import grpc

from harness import SLOW, Yett, free_port, wait_for

RULES = """
policy "p" {
  allow "shop" { principal = authenticated, grpc = "shop.Orders/*" },
  allow "poll" { principal = authenticated, grpc = "shop.Poll/Watch", when = function(r) return r.grpc.method == "Watch" and r.header["x-go"] == "1", "not any more" end },
  deny  "closed" { grpc = "shop.Orders/Delete", public_reason = "orders are never deleted: 100%" },
}
"""


class Handler(grpc.GenericRpcHandler):
    """Bytes in, bytes out; needs no message definitions."""

    def __init__(self):
        self.calls = []
        self.cancelled = threading.Event()

    def service(self, details):
        self.calls.append((details.method, dict(details.invocation_metadata)))
        name = details.method.rsplit("/", 1)[1]
        return {
            "Get": grpc.unary_unary_rpc_method_handler(lambda request, context: request[::-1]),
            "Meta": grpc.unary_unary_rpc_method_handler(self.meta),
            "Fail": grpc.unary_unary_rpc_method_handler(lambda request, context: context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not so: ümläut %")),
            "List": grpc.unary_stream_rpc_method_handler(lambda request, context: (b"%d" % i for i in range(int(request)))),
            "Sum": grpc.stream_unary_rpc_method_handler(lambda requests, context: b"%d" % sum(len(r) for r in requests)),
            "Chat": grpc.stream_stream_rpc_method_handler(lambda requests, context: (b"re:" + r for r in requests)),
            "Sleep": grpc.unary_unary_rpc_method_handler(self.sleep),
            "Watch": grpc.unary_stream_rpc_method_handler(self.watch),
        }.get(name)

    def meta(self, request, context):
        context.send_initial_metadata((("x-first", "1"),))
        context.set_trailing_metadata((("x-last", "2"), ("x-raw-bin", b"\0\xff")))
        return b"ok"

    def sleep(self, request, context):
        if not context.add_callback(self.cancelled.set):  # cancelled before this thread began
            self.cancelled.set()
        time.sleep(float(request))
        return b""

    def watch(self, request, context):
        yield b"first"
        while context.is_active():
            time.sleep(0.5)


@contextlib.contextmanager
def service(workers=64):
    handler = Handler()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(workers), handlers=[handler], options=[("grpc.max_receive_message_length", -1)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield handler, f"127.0.0.1:{port}"
    finally:
        server.stop(0)


def yett(address, rules=RULES, **changes):
    y = Yett(address, rules=rules, **changes)
    y.config["clusters"][0]["protocol"] = "http2"
    y.write_config()
    return y


@contextlib.contextmanager
def channel(y, who="frontend", options=()):
    read = lambda name: (y.certs / name).read_bytes()
    credentials = grpc.ssl_channel_credentials(read("bundle.pem"), *([read(f"{who}.key"), read(f"{who}.pem")] if who else []))
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), *options]
    with grpc.secure_channel(f"localhost:{y.port}", credentials, options) as made:
        yield made


class Grpc(unittest.TestCase):
    def test_all_kinds_of_calls(self):
        with service() as (handler, address), yett(address) as y, channel(y) as c:
            get = c.unary_unary("/shop.Orders/Get")
            for size in (0, 1, 1000, 100_000, 5_000_000):
                self.assertEqual(get(b"ab" * (size // 2)), b"ba" * (size // 2))
            self.assertEqual(list(c.unary_stream("/shop.Orders/List")(b"300")), [b"%d" % i for i in range(300)])
            self.assertEqual(c.stream_unary("/shop.Orders/Sum")(b"x" * 10_000 for _ in range(200)), b"2000000")
            # Each message is sent after the reply to the one before.
            asks = queue.Queue()
            answers = c.stream_stream("/shop.Orders/Chat")(iter(asks.get, None))
            for i in range(100):
                asks.put(b"%d" % i)
                self.assertEqual(next(answers), b"re:%d" % i)
            asks.put(None)
            self.assertEqual(list(answers), [])
            response, call = c.unary_unary("/shop.Orders/Meta").with_call(b"")
            self.assertIn(("x-first", "1"), call.initial_metadata())
            self.assertIn(("x-last", "2"), call.trailing_metadata())
            self.assertIn(("x-raw-bin", b"\0\xff"), call.trailing_metadata())
            with self.assertRaises(grpc.RpcError) as failed:
                c.unary_unary("/shop.Orders/Fail")(b"")
            self.assertEqual((failed.exception.code(), failed.exception.details()), (grpc.StatusCode.FAILED_PRECONDITION, "not so: ümläut %"))
            principal = next(meta for method, meta in handler.calls if method.endswith("/Get"))["x-yett-principal"]
            self.assertEqual(principal, "spiffe://example.org/frontend")
            wait_for("the log", lambda: {line["grpc_status"] for line in y.access_log()} == {"0", "9"})

    def test_refusals_are_grpc_statuses(self):
        rules = RULES + 'policy "q" { deny "who" { grpc = "shop.Orders/Who", status = 401 } }'
        with service() as (handler, address), yett(address, rules) as y, channel(y) as c:
            def refusal(method, **more):
                with self.assertRaises(grpc.RpcError) as failed:
                    c.unary_unary(method)(b"", timeout=20 * SLOW, **more)
                return failed.exception

            closed = refusal("/shop.Orders/Delete")
            self.assertEqual((closed.code(), closed.details()), (grpc.StatusCode.PERMISSION_DENIED, "orders are never deleted: 100%"))
            metadata = dict(closed.initial_metadata() or ()) | dict(closed.trailing_metadata() or ())
            self.assertEqual(len(metadata["x-yett-decision-id"]), 36)
            self.assertEqual(refusal("/other.Service/Get").code(), grpc.StatusCode.PERMISSION_DENIED)
            self.assertEqual(refusal("/shop.Orders/Who").code(), grpc.StatusCode.UNAUTHENTICATED)
            self.assertEqual(handler.calls, [])
            # The same path is denied whatever the content type.
            for headers in (["-H", "content-type: application/grpc"], ["-H", "content-type: text/plain"], []):
                out = y.curl("/shop.Orders/Delete", "--http2", "-i", "-X", "POST", *headers).stdout.decode()
                self.assertTrue("grpc-status: 7" in out if len(headers) and "grpc" in headers[1] else out.startswith("HTTP/2 403"), out)
            self.assertEqual(handler.calls, [])
        with yett("127.0.0.1:1") as y, channel(y) as c:
            with self.assertRaises(grpc.RpcError) as failed:
                c.unary_unary("/shop.Orders/Get")(b"")
            self.assertEqual(failed.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_deadlines(self):
        with service() as (handler, address), yett(address) as y, channel(y) as c:
            began = time.monotonic()
            with self.assertRaises(grpc.RpcError) as failed:
                c.unary_unary("/shop.Orders/Sleep")(b"6", timeout=0.5)
            self.assertEqual(failed.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
            self.assertLess(time.monotonic() - began, 5 * SLOW)
            self.assertTrue(handler.cancelled.wait(5 * SLOW))  # the service saw the cancellation
            # Yett enforces a deadline that the caller sets but does not enforce itself.
            out = y.curl("/shop.Orders/Sleep", "--http2", "-i", "-X", "POST", "-H", "content-type: application/grpc", "-H", "grpc-timeout: 300m", "-H", "te: trailers",
                         "--data-binary", "@" + str(self.message(y, b"6"))).stdout.decode()
            self.assertIn("grpc-status: 4", out)
            out = y.curl("/shop.Orders/Get", "--http2", "-i", "-X", "POST", "-H", "content-type: application/grpc", "-H", "grpc-timeout: soon").stdout.decode()
            self.assertIn("grpc-status: 13", out)

    def message(self, y, data):
        path = y.dir / "message"
        path.write_bytes(b"\0" + len(data).to_bytes(4, "big") + data)
        return path

    def test_a_cancelled_call_is_cancelled_at_the_service(self):
        with service() as (handler, address), yett(address) as y, channel(y) as c:
            call = c.unary_unary("/shop.Orders/Sleep").future(b"6")
            wait_for("the call", lambda: handler.calls)
            call.cancel()
            self.assertTrue(handler.cancelled.wait(5 * SLOW))
            self.assertEqual(c.unary_unary("/shop.Orders/Get")(b"ab"), b"ba")

    def test_open_streams_obey_the_newest_policy(self):
        count = min(250, int(os.environ.get("YETT_TEST_CONNECTIONS") or 250))
        with service(2 * count + 10) as (handler, address), yett(address) as y, contextlib.ExitStack() as stack:
            channels = [stack.enter_context(channel(y, options=[("grpc.use_local_subchannel_pool", 1)])) for _ in range(4)]
            asks = [queue.Queue() for _ in range(count)]
            chats = [channels[i % 4].stream_stream("/shop.Orders/Chat")(iter(q.get, None)) for i, q in enumerate(asks)]
            for i, q in enumerate(asks):
                q.put(b"a")
                self.assertEqual(next(chats[i]), b"re:a")
            streams = [channels[i % 4].unary_stream("/shop.Poll/Watch")(b"", metadata=(("x-go", "1"),)) for i in range(count)]
            self.assertEqual({next(s) for s in streams}, {b"first"})
            y.write_rules(RULES.replace('== "1"', '== "2"'))
            began = time.monotonic()
            for s in streams:
                with self.assertRaises(grpc.RpcError) as failed:
                    next(s)
                self.assertEqual(failed.exception.code(), grpc.StatusCode.PERMISSION_DENIED)
            took = time.monotonic() - began
            print(f"  {count} of {2 * count} open gRPC calls ended with PERMISSION_DENIED {took * 1000:.0f} ms after the policy edit")
            self.assertLess(took, 2 * SLOW)
            for i, q in enumerate(asks):
                q.put(b"b")
                self.assertEqual(next(chats[i]), b"re:b")
                q.put(None)
                self.assertEqual(list(chats[i]), [])



class Relay:
    """A relay between Yett and a service that can silence existing connections, as if the host had vanished."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.service = (host, int(port))
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listening.getsockname()[1]}"
        self.made, self.silent = 0, 0  # connections made, and how many of the oldest are silent
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listening.accept()
                far = socket.create_connection(self.service)
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self.pump, args=(self.made, *ends), daemon=True).start()
                self.made += 1

    def pump(self, number, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if number >= self.silent:
                    target.sendall(data)
            target.close()


class Silent(unittest.TestCase):
    def test_a_service_that_goes_silent_costs_one_call(self):
        with service() as (_, address):
            relay = Relay(address)
            with yett(relay.address) as y, channel(y) as c:
                get = c.unary_unary("/shop.Orders/Get")
                self.assertEqual(get(b"ab", timeout=5 * SLOW), b"ba")
                waiting = c.unary_stream("/shop.Orders/Watch")(b"")
                self.assertEqual(next(waiting), b"first")
                for give_up in ("deadline", "cancel"):
                    relay.silent = relay.made
                    failed, began = 0, time.monotonic()
                    while True:
                        try:
                            if give_up == "cancel" and failed == 0:
                                call = get.future(b"ab", timeout=30)
                                time.sleep(1)
                                call.cancel()
                                failed += 1
                                time.sleep(0.1)
                            self.assertEqual(get(b"ab", timeout=1), b"ba")
                            break
                        except grpc.RpcError as error:
                            self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
                            failed += 1
                    took = time.monotonic() - began
                    print(f"  a silent service, {give_up}: {failed} calls failed in {took:.1f} s")
                    self.assertLessEqual(failed, 2)
                with self.assertRaises(grpc.RpcError) as found:  # other calls on the dead connection end too
                    next(waiting)
                self.assertEqual(found.exception.code(), grpc.StatusCode.UNAVAILABLE)
                self.assertLess(time.monotonic() - began, 10 * SLOW)

    def test_grpc_calls_over_a_unix_socket_work(self):
        with service() as (_, address):
            y = yett(address).plaintext()
            y.listener["address"] = f"unix://{y.dir}/in.sock"
            y.write_config()
            y.start()
            with grpc.insecure_channel(f"unix:{y.dir}/in.sock") as c:
                with self.assertRaises(grpc.RpcError) as found:  # anonymous there, but the rule needs a caller
                    c.unary_unary("/shop.Orders/Get")(b"ab", timeout=5 * SLOW)
                self.assertEqual(found.exception.code(), grpc.StatusCode.PERMISSION_DENIED)
                y.write_rules('policy "p" { allow "all" { principal = anyone, host = "localhost" } }')
                wait_for("the reload", lambda: "reloaded" in y.log())
                self.assertEqual(c.unary_unary("/shop.Orders/Get")(b"ab", timeout=5 * SLOW), b"ba")
            y.stop()


if __name__ == "__main__":
    unittest.main()
