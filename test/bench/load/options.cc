#include "options.h"

#include <arpa/inet.h>

#include <CLI/CLI.hpp>

namespace load {

Options parse(int argc, char** argv) {
  Options o;
  std::string address;
  const std::map<std::string, Reconnect> modes{{"full", Reconnect::kFull}, {"resumed", Reconnect::kResumed}};
  CLI::App app{
      "A closed loop of HTTP requests: each connection or stream sends its next request once it has the response. "
      "Prints JSON."};
  app.add_option("address", address, "IPv4 address and port")->required();
  app.add_option("--host", o.host, "server name for TLS and the host header");
  app.add_option("-c,--connections", o.connections)->check(CLI::Range(1, 60000));
  app.add_option("--idle", o.idle, "additional connections that complete the handshake but send no requests");
  app.add_option("-m,--streams", o.streams, "HTTP/2, with this number of concurrent streams per connection");
  app.add_option("-s,--seconds", o.seconds);
  app.add_option("--warmup", o.warmup, "seconds before the measurement");
  app.add_option("-n,--requests", o.requests, "stop after this number of requests");
  app.add_option("--ca", o.ca, "use TLS and trust this CA")->check(CLI::ExistingFile);
  app.add_option("--cert", o.certificate)->check(CLI::ExistingFile);
  app.add_option("--key", o.key)->check(CLI::ExistingFile);
  app.add_option("--reconnect", o.reconnect, "a new connection for each request: full or resumed handshake")
      ->transform(CLI::CheckedTransformer(modes));
  app.add_option("--method", o.method);
  app.add_option("--path", o.path, "each % becomes a random number below --choices");
  app.add_option("-H,--header", o.headers, "as `name: value`; % as in the path");
  app.add_option("--choices", o.choices)->check(CLI::PositiveNumber);
  app.add_option("--body", o.body, "bytes sent with each request");
  app.add_option("--json", o.json, "this document is sent with each request, instead of --body; only HTTP/1.1");
  app.add_option("--expect", o.expect, "expected status; any other counts as an error");
  try {
    app.parse(argc, argv);
    const auto colon = address.rfind(':');
    if (colon == std::string::npos) throw CLI::ValidationError("address", "expected HOST:PORT");
    o.address.sin_family = AF_INET;
    o.address.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
    if (::inet_pton(AF_INET, address.substr(0, colon).c_str(), &o.address.sin_addr) != 1)
      throw CLI::ValidationError("address", "`" + address + "` is not an IPv4 address and port");
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e));
  }
  return o;
}

uint64_t Choices::next() {  // xorshift64*
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  return (state_ * 0x2545f4914f6cdd1d >> 16) % below_;
}

void Choices::fill(const std::string& text, std::string& out) {
  size_t at = 0;
  for (size_t mark; (mark = text.find('%', at)) != std::string::npos; at = mark + 1) {
    out.append(text, at, mark - at);
    out += std::to_string(next());
  }
  out.append(text, at);
}

}  // namespace load
