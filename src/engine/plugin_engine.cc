#include "engine/plugin_engine.h"

#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <set>

#include "base/sha256.h"
#include "base/text.h"
#include "memory/exact_memory.h"

/// What plugins see as an opaque pointer.
struct yett_request {
  yett::policy::AttributeReader* reader;
};

namespace yett::engine {
namespace {

using policy::Attr;
using policy::AttrValue;

constexpr size_t kMaxRules = 64;  // distinct rule names that a plugin may use

bool attributeOf(const char* name, bool keyed, Attr& out) {
  for (size_t i = 0; i <= static_cast<size_t>(policy::kLastAttr); ++i) {
    const auto attr = static_cast<Attr>(i);
    if (policy::name(attr) != name || policy::keyed(attr) != keyed || attr == Attr::kParam || attr == Attr::kHeaderList)
      continue;
    out = attr;
    return true;
  }
  return false;
}

AttrValue read(yett_request* request, const char* attribute, yett_text key) {
  Attr attr{};
  if (!attributeOf(attribute, key.data != nullptr, attr)) return {AttrValue::State::kRefused};
  return request->reader->read(attr, {key.data == nullptr ? "" : key.data, key.size});
}

int stateOf(const AttrValue& value) {
  if (value.state == AttrValue::State::kAbsent) return YETT_ABSENT;
  return value.present() ? YETT_PRESENT : YETT_INVALID;
}

int readText(yett_request* request, const char* attribute, yett_text key, yett_text* out) {
  const AttrValue value = read(request, attribute, key);
  if (value.present() && value.type != AttrValue::Type::kText && value.type != AttrValue::Type::kJson)
    return YETT_INVALID;
  if (value.present()) *out = {value.text.data(), value.text.size()};
  return stateOf(value);
}

int readNumber(yett_request* request, const char* attribute, int64_t* out) {
  const AttrValue value = read(request, attribute, {nullptr, 0});
  if (value.present() && value.type != AttrValue::Type::kNumber && value.type != AttrValue::Type::kFlag)
    return YETT_INVALID;
  if (value.present()) *out = value.number;
  return stateOf(value);
}

size_t headerCount(yett_request* request, yett_text name) {
  AttrValue count;
  request->reader->readList({name.data, name.size}, count);
  return count.present() ? static_cast<size_t>(count.number) : 0;
}

int headerAt(yett_request* request, yett_text name, size_t index, yett_text* out) {
  AttrValue count;
  const auto& values = request->reader->readList({name.data, name.size}, count);
  if (!count.present()) return YETT_INVALID;
  if (index >= values.size()) return YETT_ABSENT;
  *out = {values[index].data(), values[index].size()};
  return YETT_PRESENT;
}

constexpr yett_accessors_v1 kAccessors = {readText, readNumber, headerCount, headerAt};

template <size_t N>
std::string_view textOf(const char (&buffer)[N]) {
  return {buffer, strnlen(buffer, N)};
}

// Whether the object contains everything the loader would map: a truncated file would kill the process with SIGBUS.
bool isWhole(const std::string& object) {
  Elf64_Ehdr header;
  if (object.size() < sizeof header) return false;
  std::memcpy(&header, object.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > object.size() ||
      header.e_phnum * sizeof(Elf64_Phdr) > object.size() - header.e_phoff)
    return false;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part;
    std::memcpy(&part, object.data() + header.e_phoff + i * sizeof part, sizeof part);
    if (part.p_offset > object.size() || part.p_filesz > object.size() - part.p_offset) return false;
  }
  return true;
}

// A path to the descriptor that was never used before: the loader reuses a loaded object of the same name, even if it
// could not be unloaded.
std::string freshName(int fd) {
  static std::atomic<uint32_t> count{0};
  std::string out = "/proc/self/fd";
  for (uint32_t n = ++count; n != 0; n >>= 1) out += (n & 1) != 0 ? "/." : "/./.";
  return out + "/" + std::to_string(fd);
}

class PluginEvaluator final : public policy::Evaluator {
 public:
  PluginEvaluator(const yett_plugin_v1& plugin, void* instance, const policy::EvaluatorOptions& options)
      : plugin_(plugin), instance_(instance), memory_(limited(options, plugin), {std::string_view(plugin.name)}) {}
  ~PluginEvaluator() override { plugin_.destroy(instance_); }

  void evaluate(policy::AttributeReader& reader, policy::Verdict& out) override {
    out.policy = plugin_.name;
    // A stateful plugin is called once per request, when all of it has arrived.
    if (reader.bodyAwaited() && (plugin_.flags & YETT_PLUGIN_PURE) == 0) {
      reader.countUnknown();  // its answer is not known yet
      out.effect = policy::Effect::kAllow;
      return;
    }
    memory::Remembered found;
    if (memory_.enabled()) {
      if (memory_.find(0, reader, found) && memory_.noteReads(reader)) {
        memory_.countHit(0);
        ++out.remembered;
        return say(found.answer, found.reason, found.public_reason, out);
      }
      memory_.countMiss(0);
    }
    ++out.fresh;
    const uint32_t unknown = reader.unknownReads();
    ask(reader, out);
    if (reader.unknownReads() == unknown) return;
    // Replay, or a body that is awaited: its answer to the unknown values cannot be known.
    out.errors.clear();
    out.effect = reader.favoursAllow() ? policy::Effect::kAllow : policy::Effect::kDeny;
  }

 private:
  static policy::EvaluatorOptions limited(policy::EvaluatorOptions options, const yett_plugin_v1& plugin) {
    if ((plugin.flags & YETT_PLUGIN_PURE) == 0) options.remembered_entries = 0;
    return options;
  }

  void ask(policy::AttributeReader& reader, policy::Verdict& out) {
    yett_answer_v1 answer{};
    std::strcpy(answer.rule, "evaluate");
    answer.status = 403;
    reader.beginWindow();
    const uint32_t refused = reader.refusedReads();
    const uint32_t unknown = reader.unknownReads();
    yett_request request{&reader};
    int said = YETT_FAIL;
    try {
      said = plugin_.evaluate(instance_, &kAccessors, &request, &answer);
    } catch (...) {
      std::strcpy(answer.reason, "threw an exception");
    }
    if (reader.refusedReads() != refused) {
      said = YETT_FAIL;  // whatever it answered: it may not have seen all it needs
      std::strcpy(answer.reason, "exceeded the read limits of a decision");
    }
    const bool known = said == YETT_ABSTAIN || said == YETT_ALLOW || said == YETT_DENY;
    if (!known) {
      out.effect = policy::Effect::kError;
      const auto why = textOf(answer.reason);
      out.addError(plugin_.name, "evaluate", why.empty() ? "failed" : base::printable(why));
      return;
    }
    // Rule, status and reason as one text, so that a remembered answer has all of them.
    std::string reason(textOf(answer.rule));
    reason += '\n';
    reason += std::to_string(answer.status);
    reason += '\n';
    reason += textOf(answer.reason);
    if (memory_.enabled() && reader.unknownReads() == unknown)
      memory_.keep(0, reader, {static_cast<uint8_t>(said), reason, textOf(answer.public_reason), 0, 0, 0});
    say(static_cast<uint8_t>(said), reason, textOf(answer.public_reason), out);
  }

  void say(uint8_t said, std::string_view text, std::string_view public_reason, policy::Verdict& out) {
    const auto first = text.find('\n');
    const auto second = text.find('\n', first + 1);
    out.rule = word(text.substr(0, first));
    out.reason = base::printable(text.substr(second + 1));
    switch (said) {
      case YETT_ALLOW: out.effect = policy::Effect::kAllow; return;
      case YETT_DENY: break;
      default: out.reason.clear(); return;
    }
    out.effect = policy::Effect::kDeny;
    out.public_reason = public_reason;
    const int status = std::atoi(std::string(text.substr(first + 1, second - first - 1)).c_str());
    if (status == 401 || status == 404 || status == 429) out.status = status;
  }

  // Records and metrics refer to the name, so it is stored; the number of names is limited.
  std::string_view word(std::string_view rule) {
    const auto known = words_.find(rule);
    if (known != words_.end()) return *known;
    if (words_.size() >= kMaxRules) return "other";
    return *words_.insert(base::printable(rule)).first;
  }

  const yett_plugin_v1& plugin_;
  void* const instance_;
  memory::ExactMemory memory_;
  std::set<std::string, std::less<>> words_;
};

}  // namespace

std::string PluginRuleSet::digestOf(const std::string& object, const std::string& settings) {
  return base::sha256Hex(base::sha256Hex(object) + base::sha256Hex(settings));
}

Result<std::shared_ptr<const PluginRuleSet>> PluginRuleSet::load(const std::string& path, const std::string& object,
                                                                 std::string settings) {
  std::shared_ptr<PluginRuleSet> out(new PluginRuleSet);
  out->path_ = path;
  out->digest_ = digestOf(object, settings);
  out->settings_ = std::move(settings);
  if (!isWhole(object)) return Error{path + ": cannot be loaded: is not a complete shared object"};
  // Loads from memory, not what the path contains a moment later, nor what was loaded from there before.
  const int fd = ::memfd_create("yett-plugin", MFD_CLOEXEC);
  if (fd < 0) return Error{path + ": not enough memory to load it"};
  out->fd_ = fd;
  const bool written = ::write(fd, object.data(), object.size()) == static_cast<ssize_t>(object.size());
  if (written) out->handle_ = ::dlopen(freshName(fd).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (out->handle_ == nullptr) {
    const char* why = written ? ::dlerror() : "not enough memory to load it";
    return Error{path + ": cannot be loaded: " + (why != nullptr ? why : "unknown")};
  }
  const auto entry = reinterpret_cast<yett_plugin_function>(::dlsym(out->handle_, "yett_plugin"));
  if (entry == nullptr) return Error{path + ": is not a plugin: it does not export `yett_plugin` (see yett/plugin.h)"};
  out->plugin_ = entry();
  const yett_plugin_v1* plugin = out->plugin_;
  if (plugin == nullptr || plugin->abi != YETT_PLUGIN_ABI_V1)
    return Error{path + ": implements version " + std::to_string(plugin != nullptr ? plugin->abi : 0) +
                 " of the plugin interface, but Yett needs version " + std::to_string(YETT_PLUGIN_ABI_V1)};
  if (plugin->name == nullptr || plugin->create == nullptr || plugin->evaluate == nullptr || plugin->destroy == nullptr)
    return Error{path + ": its description lacks a name or a function"};
  plugin->destroy(TRY(out->create()));
  return std::shared_ptr<const PluginRuleSet>(std::move(out));
}

PluginRuleSet::~PluginRuleSet() {
  if (handle_ != nullptr) ::dlclose(handle_);
  if (fd_ >= 0) ::close(fd_);
}

Result<void*> PluginRuleSet::create() const {
  void* instance = nullptr;
  std::array<char, 512> error{};
  int status = 1;
  try {
    status = plugin_->create({settings_.data(), settings_.size()}, &instance, error.data(), error.size());
  } catch (...) {
    std::string_view("threw an exception").copy(error.data(), error.size() - 1);
  }
  if (status == 0) return instance;
  error.back() = '\0';
  return Error{path_ + ": " + base::printable(error[0] != '\0' ? error.data() : "fails without a message")};
}

std::vector<policy::RuleInfo> PluginRuleSet::rules() const {
  return {{plugin_->name, "evaluate", "plugin", path_}};
}

Result<std::unique_ptr<policy::Evaluator>> PluginRuleSet::makeEvaluator(const policy::EvaluatorOptions& options) const {
  void* instance = TRY(create());
  return std::unique_ptr<policy::Evaluator>(std::make_unique<PluginEvaluator>(*plugin_, instance, options));
}

}  // namespace yett::engine
