// A plugin for tests that does what its settings say, misbehavior included. YETT_TEST_NAME is its name.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

#include "yett/plugin.h"

namespace {

int create(yett_text settings, void** instance, char* error, size_t error_size) {
  const std::string text(settings.data, settings.size);
  if (text == "no instance") return std::snprintf(error, error_size, "there is no instance"), 1;
  if (text == "throws early") throw std::runtime_error("early");
  *instance = new std::string(text);
  return 0;
}

int evaluate(void* instance, const yett_accessors_v1* read, yett_request* request, yett_answer_v1* answer) {
  const std::string& does = *static_cast<std::string*>(instance);
  if (does == "allow") return YETT_ALLOW;
  if (does == "deny") return YETT_DENY;
  if (does == "fail") return std::strcpy(answer->reason, "as it was told"), YETT_FAIL;
  if (does == "throw") throw 42;
  if (does == "nonsense") return 77;
  if (does == "unended text") return std::memset(answer, 'x', sizeof *answer), YETT_DENY;
  if (does == "greedy") {
    for (int i = 0; i < 400; ++i) {
      const std::string name = "h" + std::to_string(i);
      yett_text value{};
      read->text(request, "header", {name.data(), name.size()}, &value);
    }
    return YETT_ALLOW;
  }
  if (does == "time") {
    int64_t now = 0;
    return read->number(request, "time", &now) == YETT_PRESENT && now % 2 == 0 ? YETT_ALLOW : YETT_DENY;
  }
  if (does == "sleep") {  // for x-sleep milliseconds: a plugin that hangs
    yett_text millis{};
    if (read->text(request, "header", {"x-sleep", 7}, &millis) != YETT_PRESENT) return YETT_ABSTAIN;
    std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(std::string(millis.data, millis.size))));
    return YETT_ABSTAIN;
  }
  if (does == "body") {  // allows a body of {"ok":true}
    yett_text value{};
    const int found = read->text(request, "body.json", {nullptr, 0}, &value);
    if (found != YETT_PRESENT) return YETT_DENY;
    return std::string(value.data, value.size) == "{\"ok\":true}" ? YETT_ALLOW : YETT_DENY;
  }
  // "header": allows if x-a is sent exactly once and is 1
  yett_text value{};
  const int found = read->text(request, "header", {"x-a", 3}, &value);
  if (found == YETT_ABSENT) return YETT_ABSTAIN;
  return found == YETT_PRESENT && std::string(value.data, value.size) == "1" ? YETT_ALLOW : YETT_DENY;
}

void destroy(void* instance) {
  delete static_cast<std::string*>(instance);
}

const yett_plugin_v1 kPlugin = {YETT_TEST_ABI, YETT_TEST_FLAGS, YETT_TEST_NAME, "1", create, evaluate, destroy};

}  // namespace

extern "C" __attribute__((visibility("default"))) const yett_plugin_v1* yett_plugin(void) {
  return &kPlugin;
}
