// Denies callers whose address is on a list: a block list, a threat feed, the ranges of an AS. Settings: one address or
// CIDR per line, `#` begins a comment, text after the range is its label:
//
//     203.0.113.0/24   botnet feed 2026-11
//     2001:db8::/32    documentation
//
// A lookup is one probe per prefix length that occurs, whatever the length of the list. IPv4-mapped IPv6 counts as
// IPv4.
#include <arpa/inet.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "yett/plugin.h"

namespace {

using Address = std::array<unsigned char, 16>;

struct AddressHash {
  size_t operator()(const Address& a) const {
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(a.data()), a.size()});
  }
};

// Prefix length of 128 -> network -> label.
using List = std::map<int, std::unordered_map<Address, std::string, AddressHash>, std::greater<>>;

bool parseAddress(const std::string& text, Address& out) {
  if (text.find('\0') != std::string::npos) return false;
  static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (inet_pton(AF_INET, text.c_str(), out.data() + 12) == 1) {
    std::memcpy(out.data(), kMapped, sizeof kMapped);
    return true;
  }
  return inet_pton(AF_INET6, text.c_str(), out.data()) == 1;
}

Address masked(Address address, int bits) {
  for (int i = 0; i < 16; ++i) {
    const int left = bits - 8 * i;
    if (left <= 0) address[static_cast<size_t>(i)] = 0;
    else if (left < 8) address[static_cast<size_t>(i)] &= static_cast<unsigned char>(0xff00 >> left);
  }
  return address;
}

bool addLine(std::string line, List& list, std::string& why) {
  line.resize(std::min(line.find('#'), line.size()));
  const auto begin = line.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return true;
  const auto end = std::min(line.find_first_of(" \t\r", begin), line.size());
  std::string range = line.substr(begin, end - begin);
  const auto label = line.find_first_not_of(" \t\r", end);
  const auto slash = range.find('/');
  const bool v6 = range.find(':') != std::string::npos;
  int bits = v6 ? 128 : 32;
  if (slash != std::string::npos) {
    char* rest = nullptr;
    const long given = std::strtol(range.c_str() + slash + 1, &rest, 10);
    if (rest == range.c_str() + slash + 1 || *rest != '\0' || given < 0 || given > bits)
      return why = "`" + range + "`: the prefix must be from 0 to " + std::to_string(bits), false;
    bits = static_cast<int>(given);
  }
  Address address{};
  if (!parseAddress(range.substr(0, slash), address)) return why = "`" + range + "` is not an address range", false;
  bits += v6 ? 0 : 96;
  std::string text = label == std::string::npos ? range : line.substr(label);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\t')) text.pop_back();
  list[bits].emplace(masked(address, bits), text);
  return true;
}

int create(yett_text settings, void** instance, char* error, size_t error_size) {
  auto list = std::make_unique<List>();
  std::string_view rest(settings.data, settings.size);
  for (int number = 1; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    std::string why;
    if (!addLine(std::string(rest.substr(0, end)), *list, why)) {
      std::snprintf(error, error_size, "line %d: %s", number, why.c_str());
      return 1;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (list->empty()) {
    std::snprintf(error, error_size, "the list is empty: `settings` must name a file with a range on each line");
    return 1;
  }
  *instance = list.release();
  return 0;
}

int evaluate(void* instance, const yett_accessors_v1* read, yett_request* request, yett_answer_v1* answer) {
  yett_text ip{};
  const int found = read->text(request, "source.ip", {nullptr, 0}, &ip);
  if (found == YETT_ABSENT) return YETT_ABSTAIN;  // a Unix socket
  Address address{};
  if (found != YETT_PRESENT || !parseAddress(std::string(ip.data, ip.size), address)) return YETT_FAIL;
  for (const auto& [bits, networks] : *static_cast<const List*>(instance)) {
    const auto match = networks.find(masked(address, bits));
    if (match == networks.end()) continue;
    std::snprintf(answer->rule, sizeof answer->rule, "listed");
    std::snprintf(answer->reason, sizeof answer->reason, "%s", match->second.c_str());
    return YETT_DENY;
  }
  return YETT_ABSTAIN;
}

void destroy(void* instance) {
  delete static_cast<List*>(instance);
}

constexpr yett_plugin_v1 kPlugin = {YETT_PLUGIN_ABI_V1, YETT_PLUGIN_PURE, "cidr_list", "1", create, evaluate, destroy};

}  // namespace

extern "C" __attribute__((visibility("default"))) const yett_plugin_v1* yett_plugin(void) {
  return &kPlugin;
}
