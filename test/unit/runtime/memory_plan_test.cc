#include "runtime/memory_plan.h"

#include <catch2/catch.hpp>

using namespace yett;

TEST_CASE("memory plan: budgets follow the limit, within bounds, and connections take at most half of it") {
  config::Config config;
  config.engines.emplace_back();
  config.memory_limit = uint64_t{4} << 30;
  auto plan = runtime::planMemory(config, 2);
  CHECK(plan.most_connections == config.max_connections);
  CHECK(plan.bodies == 512 << 20);
  CHECK(plan.responses == 512 << 20);
  CHECK(plan.remembered == 128 << 20);
  CHECK(plan.sum() < plan.limit);
  CHECK(plan.text().find("of 4096MiB: connections 547MiB") != std::string::npos);
  config.memory_limit = 128 << 20;
  plan = runtime::planMemory(config, 1);
  CHECK(plan.most_connections == 2340);
  CHECK(plan.bodies == 16 << 20);
  CHECK(plan.responses == 32 << 20);
  CHECK(plan.sum() > plan.limit);
  config.memory_limit = 0;
  CHECK(runtime::planMemory(config, 1).limit > (64 << 20));
  config.workers = 3;
  CHECK(runtime::workersOf(config) == 3);
  config.workers = 0;
  CHECK(runtime::workersOf(config) >= 1);
}
