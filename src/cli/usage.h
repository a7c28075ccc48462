// Explains wrong usage: names the unknown command or option, and the nearest one that exists.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace yett::cli {

/// The message for a command line that `app` did not accept; ends with a newline. `error`: what CLI11 threw.
std::string explainUsage(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv);

}  // namespace yett::cli
