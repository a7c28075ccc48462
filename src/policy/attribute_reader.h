// The only way policy code sees a request. Every read is noted, absence too: the record shows what a decision was made
// from, and a remembered result is valid under exactly these values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/check_request.h"
#include "target/segment_pattern.h"

namespace yett::policy {

enum class Attr : uint8_t {
  kMethod,
  kScheme,
  kHost,
  kPath,
  kRawPath,
  kProtocol,
  kQuery,
  kHeader,
  kHeaderList,
  kParam,  // these have a key
  kPrincipalId,
  kPrincipalTrustDomain,
  kPrincipalPath,
  kPrincipalKind,
  kSourceIp,
  kSourcePort,
  kDestinationIp,
  kDestinationPort,
  kTlsVersion,
  kTlsCipher,
  kTlsSni,
  kTime,
};

/// The name as policy writes it: "header", "principal.id". A keyed attribute adds its key.
std::string_view name(Attr attr);

struct AttrValue {
  enum class State {
    kPresent,
    kAbsent,
    kError,    ///< there, and not one value
    kRefused,  ///< over a limit: not even whether it is there is said
  };
  State state = State::kAbsent;
  std::string_view
      text;  ///< of kPresent, unless number; the message of kError and kRefused. Valid while the request is
  int64_t number = 0;
  bool is_number = false;
};

/// Reads one request for one decision. One thread.
class AttributeReader {
 public:
  /// Begins with another request; keeps the memory. REQUIRES: `request` outlives the reads.
  void reset(const CheckRequest& request);
  /// The pattern whose captures `params` are; null for none.
  void setPattern(const target::SegmentPattern* pattern) { pattern_ = pattern; }

  /// A header or query key that was sent more than once is kError: two readers could take different ones.
  AttrValue read(Attr attr, std::string_view key = {});
  /// All values of a header, in order.
  const std::vector<std::string_view>& readList(std::string_view header);

  const CheckRequest& request() const { return *request_; }
  /// What was read, as JSON: {"header.x-region":"eu","header.x-debug":null}. "" when nothing was.
  std::string readsJson() const;

 private:
  struct Read {
    Attr attr;
    std::string key;
    AttrValue value;
  };
  AttrValue find(Attr attr, std::string_view key);
  AttrValue findQuery(std::string_view key);

  const CheckRequest* request_ = nullptr;
  const target::SegmentPattern* pattern_ = nullptr;
  std::vector<Read> reads_;
  std::vector<std::string_view> list_;
  std::vector<std::pair<std::string, std::string>> query_;
  bool query_parsed_ = false;
  bool query_bad_ = false;
  std::string source_ip_;
  std::string destination_ip_;
};

}  // namespace yett::policy
