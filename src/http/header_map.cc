#include "http/header_map.h"

#include "base/text.h"

namespace yett::http {

FieldId fieldId(std::string_view name) {
  switch (name.size()) {
    case 2: return name == "te" ? FieldId::kTe : FieldId::kOther;
    case 4: return name == "host" ? FieldId::kHost : name == "date" ? FieldId::kDate : FieldId::kOther;
    case 6: return name == "expect" ? FieldId::kExpect : FieldId::kOther;
    case 7: return name == "upgrade" ? FieldId::kUpgrade : name == "trailer" ? FieldId::kTrailer : FieldId::kOther;
    case 10:
      return name == "connection" ? FieldId::kConnection : name == "keep-alive" ? FieldId::kKeepAlive : FieldId::kOther;
    case 14:
      return name == "content-length"   ? FieldId::kContentLength
             : name == "http2-settings" ? FieldId::kHttp2Settings
                                        : FieldId::kOther;
    case 16: return name == "proxy-connection" ? FieldId::kProxyConnection : FieldId::kOther;
    case 17: return name == "transfer-encoding" ? FieldId::kTransferEncoding : FieldId::kOther;
    case 18: return name == "proxy-authenticate" ? FieldId::kProxyAuthenticate : FieldId::kOther;
    case 19: return name == "proxy-authorization" ? FieldId::kProxyAuthorization : FieldId::kOther;
    default: return FieldId::kOther;
  }
}

bool isHopByHop(FieldId id) {
  return id != FieldId::kOther && id != FieldId::kHost && id != FieldId::kExpect && id != FieldId::kDate;
}

size_t HeaderMap::find(std::string_view lower_name, std::string_view& first) const {
  size_t count = 0;
  for (const auto& field : fields_) {
    if (field.dropped || field.name != lower_name) continue;
    if (count++ == 0) first = field.value;
  }
  return count;
}

bool listHasToken(std::string_view list, std::string_view lower_token) {
  while (!list.empty()) {
    const size_t size = elementSize(list);
    const auto comma = size < list.size() ? size : std::string_view::npos;
    if (size >= lower_token.size() && base::equalsIgnoreCase(base::trimmed(list.substr(0, comma)), lower_token))
      return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

bool namesWebSocket(const HeaderMap& headers) {
  bool listed = false;
  size_t upgrades = 0;
  bool websocket = false;
  for (const auto& field : headers.fields()) {
    if (field.id == FieldId::kConnection && listHasToken(field.value, "upgrade")) listed = true;
    if (field.id != FieldId::kUpgrade) continue;
    ++upgrades;
    websocket = base::equalsIgnoreCase(field.value, "websocket");
  }
  return listed && websocket && upgrades == 1;
}

}  // namespace yett::http
