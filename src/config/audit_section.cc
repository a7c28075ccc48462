#include <algorithm>

#include "audit/audit_config.h"
#include "base/file.h"
#include "base/text.h"
#include "config/sections.h"
#include "policy/recording.h"
#include "policy/token.h"
#include "sink/sink_config.h"

namespace yett::config {
namespace {

void readRecording(ObjectReader& in, policy::RecordingConfig& out) {
  size_t query = 0;
  in.choice("query", {"masked", "plain"}, query);
  out.plain_query = query == 1;
  in.texts("mask", out.masked);
  for (const auto& name : out.masked) {
    if (name.starts_with("header.") && name != base::lowered(name))
      in.problem("mask", "`" + name + "`: write header names in lower case");
    if (policy::isMaskable(name)) continue;
    in.problem("mask", "`" + name +
                           "` cannot be masked: `path`, `principal.id`, `host`, `source.ip`, `tls.sni`, `via`, "
                           "`client.ip`, `header.NAME`, "
                           "`query.NAME` and `body.json/POINTER` can");
  }
  in.texts("headers", out.headers);
  for (const auto& name : out.headers) {
    if (name != base::lowered(name)) in.problem("headers", "`" + name + "`: write header names in lower case");
  }
  in.texts("claims", out.claims);
  for (const auto& name : out.claims) {
    const auto dot = name.find('.');
    const std::string_view part = std::string_view(name).substr(std::min(dot, name.size() - 1) + 1);
    const auto& known = policy::tokenFields();
    const bool claim = part.starts_with("claims.") && part.size() > 7;
    if (dot == std::string::npos || dot == 0 || (!claim && std::find(known.begin(), known.end(), part) == known.end()))
      in.problem("claims",
                 "`" + name + "` is not a part of a token: write `PROVIDER.subject` or `PROVIDER.claims.NAME`");
  }
  in.texts("body", out.body);
  for (const auto& pointer : out.body) {
    if (!pointer.starts_with('/')) in.problem("body", "`" + pointer + "` is not a JSON pointer: begin it with `/`");
  }
}

}  // namespace

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
    in.problem("previous_key_file", "hands over to `key_file`, which is not set");
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
    in.problem("commit_timeout", "must be at least 100ms and at least twice `batch_interval`");
  in.object("retention", [&](ObjectReader& r) {
    r.duration("age", out.retention_age);
    r.size("size", out.retention_size);
    r.duration("min_age", out.retention_min_age);
    if (out.retention_min_age.count() > 0 && out.retention_size == 0)
      r.problem("min_age", "applies only to `size`, which is not set");
    if (out.retention_age.count() > 0 && out.retention_min_age > out.retention_age)
      r.problem("min_age", "is larger than `age`");
    if (out.retention_size > 0 && out.retention_size < (1 << 20)) r.problem("size", "must be at least 1MiB");
  });
  in.flag("hold", out.hold);
  in.size("rotate_size", out.rotate_size);
  if (out.rotate_size > 0 && out.rotate_size < (1 << 20)) in.problem("rotate_size", "must be at least 1MiB");
  size_t verify = 0;
  in.choice("verify_blocks", {"all", "sampled"}, verify);
  out.verify_blocks = verify == 1 ? audit::VerifyBlocks::kSampled : audit::VerifyBlocks::kAll;
  size_t missing = 0;
  in.choice("on_missing", {"refuse", "start_new"}, missing);
  out.on_missing = missing == 1 ? audit::OnMissing::kStartNew : audit::OnMissing::kRefuse;
  in.text("instance", out.instance);
  if (out.instance.size() > 256) in.problem("instance", "is too long: at most 256 bytes");
  in.text("mask_key_file", out.mask_key_file);
  path(out.mask_key_file);
  in.object("record", [&](ObjectReader& r) { readRecording(r, out.recording); });
  in.objects("sinks", 0, [&](ObjectReader& s) { readSink(s, file, sinks.emplace_back()); });
  checkNames(in, "sinks", sinks);
}

}  // namespace yett::config
