#include "config/config.h"

#include <algorithm>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "http/limits.h"
#include "identity/spiffe_id.h"
#include "net/tls_context.h"
#include "proxy/route_table.h"
#include "request/header_families.h"
#include "target/path_profile.h"

namespace yett::config {
namespace {

void readIdentity(ObjectReader& in, const std::string& file, IdentityConfig& out) {
  in.object("svid", [&](ObjectReader& svid) {
    svid.requiredText("certificate", out.certificate);
    svid.requiredText("private_key", out.private_key);
    out.certificate = base::relativeTo(file, out.certificate);
    out.private_key = base::relativeTo(file, out.private_key);
  });
  in.entries("trust_bundles", [&](const std::string& domain, const std::string& path) {
    if (!identity::isTrustDomain(domain)) in.problem("trust_bundles", "`" + domain + "` is not a trust domain");
    out.trust_bundles[domain] = base::relativeTo(file, path);
  });
}

void readRoute(ObjectReader& in, proxy::RouteConfig& out) {
  in.text("path", out.path);
  in.texts("hosts", out.hosts);
  in.texts("methods", out.methods);
  in.requiredText("cluster", out.cluster);
  in.duration("response_timeout", out.response_timeout);
  in.flag("allow_encoded_slashes", out.allow_encoded_slashes);
  in.flag("forward_trailers", out.forward_trailers);
  in.flag("forward_parameters", out.forward_parameters);
  in.duration("idle_timeout", out.idle_timeout);
  std::vector<std::string> upgrades;
  in.texts("upgrades", upgrades);
  for (const auto& upgrade : upgrades) {
    if (upgrade != "websocket") in.problem("upgrades", "`" + upgrade + "` is not one that Yett passes: `websocket` is");
    else out.websocket = true;
  }
  size_t names = 0;
  in.choice("json_keys", {"folded", "exact"}, names);
  out.exact_names = names == 1;
  in.texts("json_types", out.json_types);
  for (const auto& type : out.json_types) {
    if (type != base::lowered(type) || type.find('/') == std::string::npos ||
        type.find_first_of("; \t") != std::string::npos)
      in.problem("json_types",
                 "`" + type + "` is no content type: `application/x-name`, in lower case, without parameters");
  }
  in.size("buffer_body", out.buffer_body);
  if (out.buffer_body > (16 << 20))
    in.problem("buffer_body", "must be 16MiB at the most: every request may hold as much");
  if (auto ok = proxy::RouteTable::create({out}); !ok) in.problem("", ok.error().message);
}

void readTimeouts(ObjectReader& in, proxy::Timeouts& out) {
  in.duration("handshake", out.handshake);
  in.duration("request_head", out.request_head);
  in.duration("idle", out.idle);
  in.duration("body", out.body);
  in.duration("stream_idle", out.stream_idle);
  in.duration("lifetime", out.lifetime);
}

void readLimits(ObjectReader& in, http::Limits& out) {
  uint64_t head = out.head_bytes;
  in.size("head", head);
  if (head < 1024 || head > (1 << 20)) in.problem("head", "must be from 1KiB to 1MiB");
  out.head_bytes = head;
  int64_t count = static_cast<int64_t>(out.header_count);
  in.number("headers", 1, 10'000, count);
  out.header_count = static_cast<size_t>(count);
  in.size("body", out.body_bytes);
  in.size("body_rate", out.body_rate);
  int64_t streams = out.streams;
  in.number("streams", 1, 10'000, streams);
  out.streams = static_cast<uint32_t>(streams);
  uint64_t stream_window = out.stream_window;
  uint64_t connection_window = out.connection_window;
  in.size("stream_window", stream_window);
  in.size("connection_window", connection_window);
  if (stream_window < 65'535 || connection_window < stream_window || connection_window > (64 << 20))
    in.problem("", "`stream_window` must be 65535B at least, and `connection_window` from there to 64MiB");
  out.stream_window = static_cast<uint32_t>(stream_window);
  out.connection_window = static_cast<uint32_t>(connection_window);
}

// "0660", as people write modes of files.
void readMode(ObjectReader& in, const char* name, mode_t& out) {
  std::string text;
  in.text(name, text);
  if (text.empty()) return;
  if (text.size() > 4 || text.find_first_not_of("01234567") != std::string::npos || std::stoul(text, nullptr, 8) > 0777)
    return in.problem(name, "is `" + text + "`, must be a mode such as \"0600\" or \"0660\"");
  out = static_cast<mode_t>(std::stoul(text, nullptr, 8));
}

void readListener(ObjectReader& in, const IdentityConfig& identity, proxy::ListenerConfig& out) {
  in.requiredText("name", out.name);
  in.requiredText("address", out.address);
  readMode(in, "socket_mode", out.socket_mode);
  in.flag("plaintext", out.plaintext);
  size_t protocol = 0;
  in.choice("protocol", {"auto", "http1", "http2"}, protocol);
  out.protocol = static_cast<proxy::Protocol>(protocol);
  const bool tls = in.has("tls");
  if (tls == out.plaintext) in.problem("", "a listener has either `tls` or `\"plaintext\": true`");
  in.object("tls", [&](ObjectReader& t) {
    size_t mode = 0;
    t.choice("client_certificate", {"required", "optional", "none"}, mode);
    out.client_certificate = static_cast<net::ClientCertificate>(mode);
    size_t expiry = 0;
    t.choice("on_peer_certificate_expiry", {"drain", "close", "ignore"}, expiry);
    out.on_expiry = static_cast<proxy::OnExpiry>(expiry);
    t.number("handshakes_per_second", 1, 1'000'000, out.handshakes_per_second);
  });
  if (tls && identity.certificate.empty())
    in.problem("tls", "needs `/identity/svid`: the certificate that this listener shows");
  if (tls && out.client_certificate != net::ClientCertificate::kNone && identity.trust_bundles.empty()) {
    in.problem("tls", "needs `/identity/trust_bundles`: without one no caller can be verified");
  }
  in.texts("trusted_forwarders", out.trusted_forwarders);
  for (const auto& id : out.trusted_forwarders) {
    if (auto ok = identity::SpiffeId::parse(id); !ok) in.problem("trusted_forwarders", ok.error().message);
  }
  in.texts("keep_headers", out.keep_headers);
  for (const auto& name : out.keep_headers) {
    if (const std::string why = request::whyNotKept(name); !why.empty()) in.problem("keep_headers", why);
  }
  if (!out.keep_headers.empty() && out.trusted_forwarders.empty())
    in.problem("keep_headers", "is for what `trusted_forwarders` say, and there are none");
  in.objects("routes", 1, [&](ObjectReader& route) { readRoute(route, out.routes.emplace_back()); });
  in.object("timeouts", [&](ObjectReader& t) { readTimeouts(t, out.timeouts); });
  in.object("limits", [&](ObjectReader& l) { readLimits(l, out.limits); });
  out.limits.stall_millis = out.timeouts.body.count();
}

void readCluster(ObjectReader& in, upstream::ClusterConfig& out) {
  in.requiredText("name", out.name);
  in.texts("endpoints", out.endpoints);
  if (out.endpoints.empty()) in.problem("", "`endpoints` is missing or empty");
  size_t protocol = 0;
  in.choice("protocol", {"http1", "http2", "auto"}, protocol);
  out.protocol = static_cast<upstream::Protocol>(protocol);
  in.number("max_connections", 1, 1'000'000, out.max_connections);
  in.size("max_request_head", out.max_request_head);
  if (out.max_request_head < 1024 || out.max_request_head > (1 << 20))
    in.problem("max_request_head", "must be from 1KiB to 1MiB");
  size_t profile = 0;
  in.choice("path_profile", {"strict", "nginx", "tomcat", "go"}, profile);
  out.path_profile = static_cast<target::PathProfile>(profile);
  in.duration("connect_timeout", out.connect_timeout);
  in.duration("idle_timeout", out.idle_timeout);
}

template <typename List>
void checkNames(ObjectReader& root, const char* what, const List& list) {
  std::set<std::string> seen;
  for (const auto& item : list) {
    if (!item.name.empty() && !seen.insert(item.name).second)
      root.problem(what, "the name `" + item.name + "` is there twice");
  }
}

void readEngine(ObjectReader& e, const std::string& file, EngineConfig& engine) {
  e.requiredText("name", engine.name);
  e.requiredText("type", engine.type);
  if (!engine.type.empty() && engine.type != "lua" && engine.type != "rules" && engine.type != "plugin")
    e.problem("type", "is `" + engine.type + "`, must be `lua`, `rules` or `plugin`");
  e.requiredText("path", engine.path);
  engine.path = base::relativeTo(file, engine.path);
  e.text("settings", engine.settings);
  if (!engine.settings.empty() && engine.type != "plugin") e.problem("settings", "is for plugins");
  if (!engine.settings.empty()) engine.settings = base::relativeTo(file, engine.settings);
  size_t role = 0;
  e.choice("role", {"decide", "veto"}, role);
  engine.veto = role == 1;
}

void readPolicy(ObjectReader& in, const std::string& file, Config& out) {
  in.objects("engines", 1, [&](ObjectReader& e) { readEngine(e, file, out.engines.emplace_back()); });
  in.object("shadow", [&](ObjectReader& shadow) {
    shadow.objects("engines", 1, [&](ObjectReader& e) { readEngine(e, file, out.shadow.emplace_back()); });
    checkNames(shadow, "engines", out.shadow);
  });
  in.texts("pin", out.policy_pin);
  for (const auto& digest : out.policy_pin) {
    if (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != std::string::npos)
      in.problem("pin", "`" + digest + "` is not a digest: 64 hex digits, as `yett check` prints them");
  }
  in.object("budget", [&](ObjectReader& b) {
    int64_t instructions = static_cast<int64_t>(out.budget.instructions);
    b.number("instructions", 1000, 100'000'000, instructions);
    out.budget.instructions = static_cast<uint64_t>(instructions);
    b.size("memory", out.budget.memory_bytes);
    if (out.budget.memory_bytes < (16 << 10)) b.problem("memory", "must be at least 16KiB");
  });
}

void readRecording(ObjectReader& in, policy::RecordingConfig& out) {
  size_t query = 0;
  in.choice("query", {"masked", "plain"}, query);
  out.plain_query = query == 1;
  in.texts("mask", out.masked);
  for (const auto& name : out.masked) {
    if (name.starts_with("header.") && name != base::lowered(name))
      in.problem("mask", "`" + name + "`: header names are in lower case");
    if (policy::isMaskable(name)) continue;
    in.problem("mask", "`" + name +
                           "` cannot be masked: `path`, `principal.id`, `host`, `source.ip`, `tls.sni`, `header.NAME`, "
                           "`query.NAME` and `body.json/POINTER` can");
  }
  in.texts("headers", out.headers);
  for (const auto& name : out.headers) {
    if (name != base::lowered(name)) in.problem("headers", "`" + name + "`: header names are in lower case");
  }
  in.texts("body", out.body);
  for (const auto& pointer : out.body) {
    if (!pointer.starts_with('/')) in.problem("body", "`" + pointer + "` is no JSON pointer: it begins with `/`");
  }
}

void readSink(ObjectReader& in, const std::string& file, sink::SinkConfig& out) {
  in.requiredText("name", out.name);
  if (out.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") !=
      std::string::npos)
    in.problem("name", "is also part of a file's name: letters, digits, `-` and `_`");
  static const std::vector<std::string_view> kTypes = {"file", "otlp", "syslog", "kafka"};
  size_t type = kTypes.size();
  if (!in.has("type")) in.problem("", "`type` is missing: `file`, `otlp`, `syslog` or `kafka`");
  in.choice("type", kTypes, type);
  if (type == kTypes.size()) return in.ignoreRest();
  out.type = kTypes[type];
  in.duration("timeout", out.timeout);
  if (type == 1 || type == 2) {
    in.text("bundle", out.bundle);
    in.text("certificate", out.certificate);
    in.text("private_key", out.private_key);
    for (auto* name : {&out.bundle, &out.certificate, &out.private_key}) {
      if (!name->empty()) *name = base::relativeTo(file, *name);
    }
    if (out.certificate.empty() != out.private_key.empty())
      in.problem("", "`certificate` and `private_key` go together");
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
      in.problem("url", "begins with http:// or https://");
    if (secure && out.bundle.empty()) in.problem("url", "needs `bundle`: the CA that the receiver is verified with");
  } else if (type == 2) {
    in.requiredText("address", out.address);
    in.flag("plaintext", out.plaintext);
    if (out.plaintext != out.bundle.empty())
      in.problem("", "has either `bundle`, the CA that the receiver is verified with, or `\"plaintext\": true`");
  } else {
    in.requiredText("brokers", out.brokers);
    in.requiredText("topic", out.topic);
    in.entries("settings", [&](const std::string& name, const std::string& value) { out.settings[name] = value; });
  }
}

void readAudit(ObjectReader& in, const std::string& file, audit::AuditConfig& out,
               std::vector<sink::SinkConfig>& sinks) {
  const auto path = [&](std::string& name) {
    if (!name.empty()) name = base::relativeTo(file, name);
  };
  in.requiredText("database", out.database);
  out.database = base::relativeTo(file, out.database);
  size_t durability = 0;
  in.choice("durability", {"batched", "strict"}, durability);
  out.strict = durability == 1;
  in.duration("batch_interval", out.batch_interval);
  int64_t batch = static_cast<int64_t>(out.batch_records);
  in.number("batch_records", 1, 1'000'000, batch);
  out.batch_records = static_cast<size_t>(batch);
  in.text("key_file", out.key_file);
  path(out.key_file);
  in.text("previous_key_file", out.previous_key_file);
  path(out.previous_key_file);
  if (!out.previous_key_file.empty() && out.key_file.empty())
    in.problem("previous_key_file", "hands over to `key_file`, which is missing");
  in.number("checkpoint_records", 1, 1'000'000'000, out.checkpoint_records);
  in.duration("checkpoint_interval", out.checkpoint_interval);
  in.duration("heartbeat", out.heartbeat);
  int64_t queue = static_cast<int64_t>(out.queue_records);
  in.number("queue_records", 16, 10'000'000, queue);
  out.queue_records = static_cast<size_t>(queue);
  in.size("queue_bytes", out.queue_bytes);
  if (out.queue_bytes < (1 << 20)) in.problem("queue_bytes", "must be at least 1MiB");
  in.duration("commit_timeout", out.commit_timeout);
  if (out.commit_timeout < base::Millis(100) || out.commit_timeout < 2 * out.batch_interval)
    in.problem("commit_timeout", "must be at least 100ms, and twice `batch_interval`");
  in.object("retention", [&](ObjectReader& r) {
    r.duration("age", out.retention_age);
    r.size("size", out.retention_size);
    if (out.retention_size > 0 && out.retention_size < (1 << 20)) r.problem("size", "must be at least 1MiB");
  });
  in.size("rotate_size", out.rotate_size);
  if (out.rotate_size > 0 && out.rotate_size < (1 << 20)) in.problem("rotate_size", "must be at least 1MiB");
  in.text("mask_key_file", out.mask_key_file);
  path(out.mask_key_file);
  in.object("record", [&](ObjectReader& r) { readRecording(r, out.recording); });
  in.objects("sinks", 0, [&](ObjectReader& s) { readSink(s, file, sinks.emplace_back()); });
  checkNames(in, "sinks", sinks);
}

void readCache(ObjectReader& in, const std::string& file, memory::CacheConfig& out) {
  int64_t entries = static_cast<int64_t>(out.entries);
  in.number("entries", 0, 100'000'000, entries);
  out.entries = static_cast<size_t>(entries);
  in.size("bytes", out.bytes);
  in.text("database", out.database);
  in.text("key_file", out.key_file);
  if (out.database.empty() != out.key_file.empty())
    in.problem("", "`database` and `key_file` go together: what is read back is proved with a key that lies elsewhere");
  if (out.database.empty()) return;
  out.database = base::relativeTo(file, out.database);
  out.key_file = base::relativeTo(file, out.key_file);
}

void checkClusters(ObjectReader& root, const Config& config) {
  for (const auto& listener : config.listeners) {
    for (const auto& route : listener.routes) {
      const bool known = std::any_of(config.clusters.begin(), config.clusters.end(),
                                     [&](const auto& c) { return c.name == route.cluster; });
      if (!known && !route.cluster.empty())
        root.problem("clusters", "the cluster `" + route.cluster + "` of a route of listener `" + listener.name +
                                     "` is not defined");
    }
  }
}

void readOwners(ObjectReader& root, Config& out) {
  std::vector<int64_t> owners;
  root.numbers("trusted_owners", 0, UINT32_MAX - 1, owners);
  for (const int64_t owner : owners) out.trusted_owners.push_back(static_cast<uid_t>(owner));
  out.audit.trusted_owners = out.cache.trusted_owners = out.trusted_owners;
}

}  // namespace

Config readConfig(const std::string& file, Problems& problems, base::FileTrust& trust) {
  Config out;
  out.file = file;
  auto text = trust.read(file, 16 << 20);
  if (!text) {
    problems.add(text.error().message);
    return out;
  }
  out.text = text.value();
  auto parsed = json::parse(out.text, true);
  if (!parsed) {
    const std::string& what = parsed.error().message;  // "line 3: ..."
    const auto colon = what.find(':');
    problems.add(std::atoi(what.c_str() + 5), "", what.substr(colon + 2));
    return out;
  }
  ObjectReader root(parsed.value(), "", problems);
  root.object("identity", [&](ObjectReader& in) { readIdentity(in, file, out.identity); });
  root.objects("listeners", 1, [&](ObjectReader& in) { readListener(in, out.identity, out.listeners.emplace_back()); });
  root.objects("clusters", 1, [&](ObjectReader& in) { readCluster(in, out.clusters.emplace_back()); });
  if (!root.has("policy")) root.problem("", "`policy` is missing");
  root.object("policy", [&](ObjectReader& in) { readPolicy(in, file, out); });
  if (!root.has("audit")) root.problem("", "`audit` is missing: every decision is recorded");
  root.object("audit", [&](ObjectReader& in) { readAudit(in, file, out.audit, out.sinks); });
  root.object("cache", [&](ObjectReader& in) { readCache(in, file, out.cache); });
  if (!out.cache.database.empty() && out.cache.database == out.audit.database)
    root.problem("cache", "`database` is the audit database: name a file of its own");
  root.object("admin", [&](ObjectReader& in) {
    in.text("address", out.admin.address);
    in.text("socket", out.admin.socket);
    if (!out.admin.socket.empty()) out.admin.socket = base::relativeTo(file, out.admin.socket);
    readMode(in, "socket_mode", out.admin.socket_mode);
    in.duration("liveness_stall", out.admin.liveness_stall);
  });
  root.text("access_log", out.access_log);
  if (out.access_log != "stdout" && out.access_log != "off") out.access_log = base::relativeTo(file, out.access_log);
  root.number("workers", 0, 256, out.workers);
  root.number("max_connections", 1, 1'000'000, out.max_connections);
  root.size("memory_limit", out.memory_limit);
  if (out.memory_limit > 0 && out.memory_limit < (64 << 20)) root.problem("memory_limit", "must be at least 64MiB");
  root.duration("drain_timeout", out.drain_timeout);
  readOwners(root, out);
  trust.setOwners(out.trusted_owners);
  checkNames(root, "listeners", out.listeners);
  checkNames(root, "clusters", out.clusters);
  checkNames(root, "policy", out.engines);
  checkClusters(root, out);
  return out;
}

}  // namespace yett::config
