#include "config/address.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace yett::config {
namespace {

bool allDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string whyNotUrl(const std::string& text, const std::string& shown) {
  if (!text.starts_with("http://") && !text.starts_with("https://") && !text.starts_with("tcp://"))
    return shown + " is not an address: write host:port, or `unix:///path` for a Unix socket";
  const std::string rest = text.substr(text.find("://") + 3);
  const std::string host = rest.substr(0, rest.find('/'));
  if (text.starts_with("https://"))
    return shown + " is a URL: write host:port, here `" + host + (host.find(':') == std::string::npos ? ":443" : "") +
           "`, and `tls` beside `endpoints`";
  const std::string port = host.find(':') == std::string::npos ? ":80" : "";
  return shown + " is a URL: write host:port, here `" + host + port + "`";
}

// The host of a service or a listener, which may be in brackets.
std::string whyNotHost(const std::string& host, const std::string& port, const std::string& shown, bool service) {
  if (host.empty() || host == "*") {
    if (service) return shown + " names no host: write, for example, `127.0.0.1:" + port + "`";
    return shown + " names no address: write `0.0.0.0:" + port + "` for all IPv4 addresses, `[::]:" + port +
           "` for all IPv6 ones, or `127.0.0.1:" + port + "` for this host alone";
  }
  if (host.front() == '[' && host.back() == ']') return "";
  if (host.find(':') != std::string::npos) return shown + " is not host:port: write an IPv6 address in brackets";
  const bool name = std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
  return name ? "" : shown + ": `" + base::printable(host) + "` is neither an IP address nor a host name";
}

}  // namespace

std::string whyNotAddress(const std::string& text, bool service) {
  const std::string shown = "`" + base::printable(text) + "`";
  if (text.find('$') != std::string::npos || text.find("{{") != std::string::npos) return "";  // reported as a variable
  if (text.starts_with("unix://") && !text.starts_with("unix:///"))
    return shown + ": the path must be absolute, as in `unix:///run/service.sock`";
  if (text.starts_with("unix://") || (!service && text.starts_with("fd://"))) return "";
  if (text.starts_with("unix:")) return shown + ": write `unix://" + base::printable(text.substr(5)) + "`";
  if (text.starts_with('/') || text.starts_with('.'))
    return shown + " is a path: for a Unix socket write `unix://" + base::printable(text) + "`";
  if (text.find("://") != std::string::npos) return whyNotUrl(text, shown);
  if (allDigits(text)) return whyNotHost("", text, shown, service);
  const auto colon = text.rfind(':');
  const bool port = colon != std::string::npos && colon + 1 < text.size() && text.back() != ']';
  if (text.find(',') != std::string::npos) return shown + " is several addresses: write each as a text of its own";
  if (!port) {
    const std::string host = text.ends_with(':') ? text.substr(0, text.size() - 1) : text;
    return shown + " has no port: write `" + base::printable(host) + (service ? ":8080`" : ":8443`");
  }
  uint64_t number = 0;
  if (!base::parseUnsigned(text.substr(colon + 1), number) || number > 65'535 || (service && number == 0))
    return shown + " has no port from " + (service ? "1" : "0") + " to 65535";
  return whyNotHost(text.substr(0, colon), text.substr(colon + 1), shown, service);
}

}  // namespace yett::config
