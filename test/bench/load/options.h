// The command line options of the load generator.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

namespace load {

enum class Reconnect { kNever, kFull, kResumed };  ///< whether each request gets a new connection, and its handshake

struct Options {
  sockaddr_in address{};
  std::string host = "localhost";
  int connections = 1;
  int idle = 0;     ///< additional connections that send no requests
  int streams = 0;  ///< concurrent streams per connection, over HTTP/2; 0: HTTP/1.1
  double seconds = 3;
  double warmup = 0.5;
  uint64_t requests = 0;             ///< stop after this number, warm-up included; 0: stop by time only
  std::string ca, certificate, key;  ///< TLS if `ca` is set
  Reconnect reconnect = Reconnect::kNever;
  std::string method = "GET";
  std::string path = "/hello";       ///< each `%` stands for a number below `choices`, drawn for each request
  std::vector<std::string> headers;  ///< "name: value", `%` as above
  uint64_t choices = 1;
  size_t body = 0;   ///< bytes sent with each request
  std::string json;  ///< sent with each request, instead of these bytes
  int expect = 200;  ///< every other status is an error
};

/// On wrong options prints an error and exits.
Options parse(int argc, char** argv);

/// Random numbers for the `%` of requests: the same sequence in each run.
class Choices {
 public:
  explicit Choices(uint64_t below) : below_(below) {}
  /// `text` with a new number for each `%`, appended to `out`.
  void fill(const std::string& text, std::string& out);

 private:
  uint64_t next();
  uint64_t below_;
  uint64_t state_ = 0x9e3779b97f4a7c15;
};

}  // namespace load
