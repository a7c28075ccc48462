#include "base/file.h"
#include "config/sections.h"
#include "engine/engine_config.h"
#include "policy/rule_engine.h"

namespace yett::config {
namespace {

void readEngine(ObjectReader& e, const std::string& file, engine::EngineConfig& engine) {
  e.requiredText("name", engine.name);
  e.requiredText("type", engine.type);
  if (!engine.type.empty() && engine.type != "lua" && engine.type != "rules" && engine.type != "plugin")
    e.problem("type", "is `" + engine.type + "`, must be `lua`, `rules` or `plugin`");
  e.requiredText("path", engine.path);
  engine.path = base::relativeTo(file, engine.path);
  e.text("settings", engine.settings);
  if (!engine.settings.empty() && engine.type != "plugin") e.problem("settings", "is only for plugins");
  if (!engine.settings.empty()) engine.settings = base::relativeTo(file, engine.settings);
  size_t role = 0;
  e.choice("role", {"decide", "veto"}, role);
  engine.veto = role == 1;
}

}  // namespace

void readPolicy(ObjectReader& in, const std::string& file, Config& out) {
  in.objects("engines", 1, [&](ObjectReader& e) { readEngine(e, file, out.engines.emplace_back()); });
  in.object("shadow", [&](ObjectReader& shadow) {
    shadow.objects("engines", 1, [&](ObjectReader& e) { readEngine(e, file, out.shadow.emplace_back()); });
    checkNames(shadow, "engines", out.shadow);
  });
  in.texts("pin", out.policy_pin);
  for (const auto& digest : out.policy_pin) {
    if (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != std::string::npos)
      in.problem("pin", "`" + digest + "` is not a digest: write the 64 hex digits that `yett check` prints");
  }
  in.object("budget", [&](ObjectReader& b) {
    int64_t instructions = static_cast<int64_t>(out.budget.instructions);
    b.number("instructions", 1000, static_cast<int64_t>(policy::kMaxInstructions), instructions);
    out.budget.instructions = static_cast<uint64_t>(instructions);
    b.size("memory", out.budget.memory_bytes);
    if (out.budget.memory_bytes < (16 << 10)) b.problem("memory", "must be at least 16KiB");
  });
}

}  // namespace yett::config
