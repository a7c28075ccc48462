// Wrong usage in words: an unknown command or option is named, with the nearest one that exists.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace yett::cli {

/// What to tell a person whose command line `app` did not take; ends with a newline. `error`: what CLI11 threw.
std::string explainUsage(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv);

}  // namespace yett::cli
