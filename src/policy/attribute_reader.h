// The only way policy code sees a request. Every read is recorded, including absence: the record shows what a decision
// was based on, and a remembered result is valid for exactly these values.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "policy/attribute.h"
#include "policy/check_request.h"
#include "policy/decision.h"
#include "policy/document.h"
#include "policy/recorded.h"
#include "policy/recording.h"
#include "policy/token.h"
#include "target/query.h"
#include "target/segment_pattern.h"

namespace yett::policy {

/// Reads one request for one decision. One thread.
class AttributeReader {
 public:
  /// Longer names and more reads are refused.
  static constexpr size_t kLongestKey = 256;
  static constexpr size_t kMaxReads = 256;
  /// Steps of native `re` (some 5 ns each at worst) in one decision.
  static constexpr uint64_t kMaxSteps = 8'000'000;

  /// Starts another request; keeps allocated memory. REQUIRES: `request` outlives the reads.
  void reset(const CheckRequest& request);
  void reset(const CheckRequest&& request) = delete;  // a temporary would not live long enough

  /// How unknown values count: they make a decision as strict, or as lenient, as any actual value could.
  enum class Unknown : uint8_t { kDenies, kAllows };
  /// From here on, requests are replayed from records (null: live requests). What neither `recorded` nor the check
  /// request contains is State::kRefused. REQUIRES: `recorded` outlives the reads.
  void replay(const Recorded* recorded, Unknown unknown) {
    recorded_ = recorded;
    unknown_ = unknown;
  }
  /// Whether the body has yet to arrive.
  bool bodyAwaited() const { return request_->body != nullptr && request_->body->awaited; }
  /// Whether unknown values count as allowing, as while a body is awaited.
  bool favoursAllow() const { return recorded_ != nullptr ? unknown_ == Unknown::kAllows : bodyAwaited(); }
  /// The number of reads of unknown values in this decision; firstUnknown() names the first.
  uint32_t unknownReads() const { return unknown_reads_; }
  /// Counts an engine that was not run because it might read unknown values.
  void countUnknown() { ++unknown_reads_; }
  const std::string& firstUnknown() const { return first_unknown_; }
  /// Sets the pattern whose captures are `params`; null for none.
  void setPattern(const target::SegmentPattern* pattern) { pattern_ = pattern; }

  /// A header or query key that was sent more than once is kError: services could use different ones. Query values
  /// and captures are decoded; if the result is not UTF-8 it is kError. The headers that kBodyJson depends on
  /// (content-type, content-encoding) are recorded with it. `key` is copied.
  AttrValue read(Attr attr, std::string_view key = {});
  /// All values of a header, in order; recorded as kHeaderList. Valid until the next call. `value` is as in read().
  const std::vector<std::string_view>& readList(std::string_view header, AttrValue& value);
  /// The document of a present kBodyJson.
  const Document& bodyJson() const { return body_; }
  /// The value of a kJwt that is JSON. REQUIRES: it was read in this decision, and is present.
  const Node& jwtJson(std::string_view key);

  /// Like read() and readList(), but not recorded: for matchers and remembered results that decide whether to read.
  AttrValue peek(Attr attr, std::string_view key = {});
  const std::vector<std::string_view>& peekList(std::string_view header);
  /// All values of a query key in order, not recorded. False if the query cannot be decoded.
  bool peekQuery(std::string_view key, std::vector<std::string_view>& out);
  /// The same for kQueryList: values of all keys, and parts of pairs, that some service treats as this key.
  bool peekQueryList(std::string_view key, std::vector<std::string_view>& out);

  /// The values of kVia. Valid until the next call.
  const std::vector<std::string_view>& peekVia();
  /// The same as a list; valid until the next decision. REQUIRES: kVia was read in this decision, and is present.
  const Node& viaJson();

  /// Records a read whose value is known from peek(); false if it exceeds the limit. REQUIRES: the key is short enough.
  bool note(Attr attr, std::string_view key, const AttrValue& value);

  /// Charges the cost of a native `re` to this decision's step limit; false if there is not enough left.
  bool spendSteps(uint64_t steps) {
    const bool enough = steps <= steps_left_;
    steps_left_ = enough ? steps_left_ - steps : 0;
    return enough;
  }

  /// Starts the window of reads that one condition depends on.
  void beginWindow();
  struct Read {
    Attr attr;
    std::string_view key;
  };
  /// The reads of this window, each once, in order.
  size_t windowSize() const { return window_.size(); }
  Read windowRead(size_t i) const { return {reads_[window_[i]].attr, keyOf(reads_[window_[i]])}; }

  /// How many reads of this decision were refused.
  uint32_t refusedReads() const { return refused_reads_; }

  const CheckRequest& request() const { return *request_; }
  /// What was read, as JSON: {"header.x-region":"eu","header.x-debug":null}; plus headers that are always recorded, and
  /// those that policy computed, masked: "set_header.x-user". "" if there is nothing. Replaces the contents of `out`.
  void readsJson(const Recording& recording, std::string& out, const Obligations* obligations = nullptr);
  std::string readsJson(const Recording& recording) {
    std::string out;
    readsJson(recording, out);
    return out;
  }
  /// Masks, in a text that policy made, values that must not be recorded in clear.
  void redact(std::string& text, const Recording& recording);

 private:
  struct Noted {
    Attr attr;
    uint32_t key_at;  // in keys_
    uint32_t key_size;
    uint32_t window;
    AttrValue value;
  };
  std::string_view keyOf(const Noted& noted) const {
    return std::string_view(keys_).substr(noted.key_at, noted.key_size);
  }
  AttrValue find(Attr attr, std::string_view key);
  bool add(Attr attr, std::string_view key, const AttrValue& value);
  std::string listJson(const std::vector<std::string_view>& values, const Recording& recording, bool masked) const;
  bool isMasked(Attr attr, std::string_view key, const AttrValue& value, const Recording& recording);
  void writeValue(json::ObjectWriter& writer, const std::string& what, Attr attr, std::string_view key,
                  const AttrValue& value, const Recording& recording);
  std::string bodyJson(const AttrValue& value, const Recording& recording);
  AttrValue findSent(Attr attr, std::string_view key);
  AttrValue findRecorded(Attr attr, std::string_view key);
  AttrValue recordedHeader(std::string_view key);
  AttrValue recordedGrpc(Attr attr);
  void noteUnknown(Attr attr, std::string_view key);
  AttrValue findQuery(std::string_view key);
  std::vector<std::string_view> queryList(std::string_view key);
  AttrValue findQueryList(std::string_view key);
  AttrValue findParam(std::string_view key);
  AttrValue findBody();
  AttrValue findJwt(std::string_view key);
  AttrValue findForwarded(Attr attr);
  AttrValue recordedForwarded(Attr attr);
  void noteOrigin(json::ObjectWriter& writer, const Recording& recording);
  AttrValue recordedJwt(std::string_view key);
  std::string jwtText(std::string_view key, const AttrValue& value, const Recording& recording, bool masked);
  bool noteBodyHeaders();
  std::string_view readBody();
  AttrValue findHeader(std::string_view key);
  bool spelledOtherwise(std::string_view header) const;
  AttrValue findGrpc(bool method);
  void parseQueryOnce();
  template <typename Found>
  void eachQuery(std::string_view key, Found found);

  const CheckRequest* request_ = nullptr;
  const Recorded* recorded_ = nullptr;
  Unknown unknown_ = Unknown::kDenies;
  uint32_t unknown_reads_ = 0;
  std::string first_unknown_;
  const target::SegmentPattern* pattern_ = nullptr;
  std::vector<Noted> reads_;
  std::string keys_;
  std::vector<uint32_t> window_;  // indexes of reads_
  uint32_t window_number_ = 0;
  uint32_t refused_reads_ = 0;
  uint64_t steps_left_ = 0;
  std::vector<std::string_view> list_;
  std::vector<target::QueryPair> query_;
  std::deque<std::string> query_kept_;
  target::QueryIndex query_index_;
  target::QueryIndex query_anyhow_index_;
  bool query_indexed_ = false;
  bool query_anyhow_indexed_ = false;
  bool query_parsed_ = false;
  bool query_bad_ = false;
  Document body_;
  std::string_view body_problem_;  // "" if it could be read
  std::string body_error_;
  bool body_parsed_ = false;
  std::vector<target::QueryPair> query_anyhow_;
  std::deque<std::string> query_anyhow_kept_;
  bool query_anyhow_parsed_ = false;
  std::vector<std::pair<std::string_view, std::unique_ptr<std::string>>> params_;  // as sent, and decoded
  struct JwtRead {
    std::string key;
    TokenPart part;
    std::unique_ptr<Document> recorded = nullptr;  // what the part's node belongs to, in a replay
  };
  std::deque<JwtRead> jwt_reads_;
  std::vector<Node> via_nodes_;
  Node via_;
  bool crowded_ = false;  // the reads of this record are large
  std::string source_ip_;
  std::string destination_ip_;
};

}  // namespace yett::policy
