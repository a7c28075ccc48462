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
/// Fields that end at this hop (RFC 9110 7.6.1) or describe its framing: never forwarded unchanged.
bool isHopByHop(FieldId id);

struct HeaderField {
  std::string_view name;  ///< lower case
  std::string_view value;
  FieldId id = FieldId::kOther;
  bool dropped = false;  ///< hidden from policy and not forwarded
};

/// Fields in the order they came. clear() keeps the memory.
class HeaderMap {
 public:
  void add(std::string_view lower_name, std::string_view value) {
    fields_.push_back({lower_name, value, fieldId(lower_name), false});
  }
  void clear() { fields_.clear(); }
  /// The number of fields with this name that are not dropped; `first` gets the value of the first.
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
/// Whether `list` (a comma-separated list of tokens) contains `lower_token`, ignoring case.
bool listHasToken(std::string_view list, std::string_view lower_token);

/// Whether the fields request or accept a switch to WebSocket only (RFC 9110 7.8): exactly one Upgrade, with the value
/// `websocket`, listed in Connection.
bool namesWebSocket(const HeaderMap& headers);

}  // namespace yett::http
