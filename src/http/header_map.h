// Header fields of one message, as views into the text of the head that owns it. Names are lower case.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace yett::http {

/// Fields that the proxy itself must know; everything else is kOther.
enum class FieldId : uint8_t {
  kOther,
  kHost,
  kConnection,
  kContentLength,
  kTransferEncoding,
  kTrailer,
  kTe,
  kUpgrade,
  kKeepAlive,
  kProxyConnection,
  kProxyAuthenticate,
  kProxyAuthorization,
  kHttp2Settings,
  kExpect,
  kDate,
};

FieldId fieldId(std::string_view lower_name);
/// Fields that end at this hop (RFC 9110 7.6.1) or describe its framing: never forwarded as they came.
bool isHopByHop(FieldId id);

struct HeaderField {
  std::string_view name;  ///< lower case
  std::string_view value;
  FieldId id = FieldId::kOther;
  bool dropped = false;  ///< not for policy, not for the other side
};

/// Fields in the order they came. clear() keeps the memory.
class HeaderMap {
 public:
  void add(std::string_view lower_name, std::string_view value) {
    fields_.push_back({lower_name, value, fieldId(lower_name), false});
  }
  void clear() { fields_.clear(); }
  /// How many fields that were not dropped have this name; `first` is the first one's value.
  size_t find(std::string_view lower_name, std::string_view& first) const;
  std::vector<HeaderField>& fields() { return fields_; }
  const std::vector<HeaderField>& fields() const { return fields_; }

 private:
  std::vector<HeaderField> fields_;
};

/// Bytes of a list up to its first comma. Elements are mostly short, so no search function is called.
inline size_t elementSize(std::string_view list) {
  size_t size = 0;
  while (size < list.size() && list[size] != ',') ++size;
  return size;
}
/// True where `list` (a comma-separated list of tokens) holds `lower_token`, whatever its case.
bool listHasToken(std::string_view list, std::string_view lower_token);

/// True where the fields ask for, or agree to, a switch to WebSocket and nothing else (RFC 9110 7.8): one Upgrade,
/// `websocket`, that Connection lists.
bool namesWebSocket(const HeaderMap& headers);

}  // namespace yett::http
