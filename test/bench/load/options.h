// What the load generator is told on its command line.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

namespace load {

enum class Reconnect { kNever, kFull, kResumed };  ///< a connection for each request, and how it shakes hands

struct Options {
  sockaddr_in address{};
  std::string host = "localhost";
  int connections = 1;
  int idle = 0;     ///< connections that are opened beside and say nothing
  int streams = 0;  ///< at a time on each connection, over HTTP/2; 0: HTTP/1.1
  double seconds = 3;
  double warmup = 0.5;
  uint64_t requests = 0;             ///< ends after so many, warm-up included; 0: by time alone
  std::string ca, certificate, key;  ///< TLS where `ca` is given
  Reconnect reconnect = Reconnect::kNever;
  std::string method = "GET";
  std::string path = "/hello";       ///< each `%` stands for a number below `choices`, drawn for each request
  std::vector<std::string> headers;  ///< "name: value", `%` as above
  uint64_t choices = 1;
  size_t body = 0;   ///< bytes sent with each request
  int expect = 200;  ///< every other status is an error
};

/// Prints what is wrong and ends the program.
Options parse(int argc, char** argv);

/// A number for each `%` of requests: the same sequence in each run.
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
