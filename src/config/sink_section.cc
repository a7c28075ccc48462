#include "base/file.h"
#include "config/sections.h"
#include "sink/sink_config.h"

namespace yett::config {

void readSink(ObjectReader& in, const std::string& file, sink::SinkConfig& out) {
  in.requiredText("name", out.name);
  if (out.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") !=
      std::string::npos)
    in.problem("name", "is used in a file name: use only letters, digits, `-` and `_`");
  static const std::vector<std::string_view> kTypes = {"file", "otlp", "syslog", "kafka"};
  size_t type = kTypes.size();
  if (!in.has("type")) in.problem("", "`type` is missing: must be `file`, `otlp`, `syslog` or `kafka`");
  in.choice("type", kTypes, type);
  if (type == kTypes.size()) return in.ignoreRest();
  out.type = kTypes[type];
  in.duration("timeout", out.timeout);
  in.flag("proof", out.proof);
  if (type == 1 || type == 2) {
    in.text("bundle", out.bundle);
    in.text("certificate", out.certificate);
    in.text("private_key", out.private_key);
    for (auto* name : {&out.bundle, &out.certificate, &out.private_key}) {
      if (!name->empty()) *name = base::relativeTo(file, *name);
    }
    if (out.certificate.empty() != out.private_key.empty())
      in.problem("", "set both `certificate` and `private_key`, or neither");
  }
  if (type == 0) {
    in.requiredText("path", out.path);
    out.path = base::relativeTo(file, out.path);
    in.size("rotate_size", out.rotate_size);
    in.number("keep", 0, 10'000, out.keep);
  } else if (type == 1) {
    in.requiredText("url", out.url);
    const bool secure = out.url.starts_with("https://");
    if (!secure && !out.url.starts_with("http://") && !out.url.empty())
      in.problem("url", "must begin with http:// or https://");
    if (secure && out.bundle.empty()) in.problem("url", "needs `bundle`: the CA that verifies the receiver");
  } else if (type == 2) {
    in.requiredText("address", out.address);
    in.flag("plaintext", out.plaintext);
    in.size("max_message", out.max_message);
    if (out.max_message < 1024) in.problem("max_message", "must be at least 1KiB");
    if (out.plaintext != out.bundle.empty())
      in.problem("", "needs either `bundle`, the CA that verifies the receiver, or `\"plaintext\": true`");
  } else {
    in.requiredText("brokers", out.brokers);
    in.requiredText("topic", out.topic);
    in.entries("settings", [&](const std::string& name, const std::string& value) { out.settings[name] = value; });
  }
}

}  // namespace yett::config
