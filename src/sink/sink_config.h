// Settings of audit log sinks.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/units.h"

namespace yett::sink {

struct SinkConfig {
  std::string name;
  std::string type;                 ///< "file", "otlp", "syslog" or "kafka"
  bool proof = false;               ///< each record with its proof, for `yett log verify --from-sink`
  std::string path;                 ///< file: where the lines go
  uint64_t rotate_size = 64 << 20;  ///< file: above this size it is renamed to path.1, and so on
  int64_t keep = 10;                ///< file: how many of those are kept
  std::string url;                  ///< otlp: http:// or https://, with the path ("/v1/logs")
  std::string address;              ///< syslog: host:port
  bool plaintext = false;           ///< syslog: without TLS
  std::string bundle;              ///< otlp, syslog: path of the CA certificates (PEM) that the server is verified with
  std::string certificate;         ///< otlp, syslog: path of the client's certificate, "" for none
  std::string private_key;         ///< and its key
  uint64_t max_message = 8 << 10;  ///< syslog: maximum bytes of a message; longer ones are sent in a short form
  std::string brokers;             ///< kafka: host:port,...
  std::string topic;               ///< kafka
  std::map<std::string, std::string> settings = {};  ///< kafka: settings that are passed to librdkafka
  base::Millis timeout{10'000};                      ///< for sending one batch
  bool operator==(const SinkConfig&) const = default;
};

}  // namespace yett::sink
