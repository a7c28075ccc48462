// A record as one line of JSON, with its proof if requested. Shared by the code that sends and the code that verifies.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/record.h"

namespace yett::sink {

/// A record as it leaves the machine.
struct Record {
  int64_t seq;
  int64_t time;        ///< microseconds since 1970
  std::string kind;    ///< "decision", "outcome", "event", "checkpoint", "heartbeat" or "log"
  std::string effect;  ///< of a decision
  std::string line;    ///< JSON, one line, without its end; docs/audit.md lists the fields
};

/// The input for a line. Views; all bytes are raw.
struct LineOf {
  int64_t seq;
  audit::Kind kind;
  const audit::Fields* fields;  ///< including the personal ones that are present
  bool erased = false;          ///< its personal fields were erased
  std::string_view log_id;
  std::string_view hash;
  /// For records that are sent with their proof.
  struct Proof {
    std::string_view before;    ///< the hash that it follows
    std::string_view bytes;     ///< canonical
    std::string_view salt;      ///< the salt of the commitment
    std::string_view personal;  ///< what the commitment covers after the salt; "" if there is nothing, or it was erased
  };
  const Proof* proof = nullptr;
};
Record writeLine(const LineOf& of);

}  // namespace yett::sink
