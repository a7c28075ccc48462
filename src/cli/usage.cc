#include "cli/usage.h"

#include <string_view>
#include <vector>

#include "base/text.h"

namespace yett::cli {
namespace {

std::vector<std::string> commandsOf(const CLI::App& app) {
  std::vector<std::string> out;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    out.push_back(command->get_name());
  return out;
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  return base::didYouMean(word, std::vector<std::string_view>(known.begin(), known.end()));
}

// "yett log query"
std::string fullName(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : fullName(*app.get_parent()) + " " + app.get_name();
}

// The deepest command that was named.
const CLI::App& chosen(const CLI::App& app, int argc, const char* const* argv, int& used) {
  const CLI::App* at = &app;
  for (used = 1; used < argc; ++used) {
    const CLI::App* next = nullptr;
    for (const auto* command : at->get_subcommands([](const CLI::App*) { return true; })) {
      if (command->get_name() == argv[used]) next = command;
    }
    if (next == nullptr) break;
    at = next;
  }
  return *at;
}

std::vector<std::string> optionsOf(const CLI::App& app) {
  std::vector<std::string> out;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) out.push_back("--" + name);
    for (const auto& name : option->get_snames()) out.push_back("-" + name);
  }
  return out;
}

}  // namespace

std::string explainUsage(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv) {
  int used = 0;
  const CLI::App& command = chosen(app, argc, argv, used);
  const std::string name = fullName(command);
  const std::string help = "`" + name + " --help` lists what it takes\n";
  const std::string parentName = command.get_parent() == nullptr ? "" : fullName(*command.get_parent());
  const auto commands = commandsOf(command);
  if (!commands.empty()) {
    const std::string list = "\ncommands: " + base::joined(commands, ", ") + "\n";
    if (used >= argc) return "yett: `" + name + "` needs a command\n" + command.help(parentName);
    const std::string_view first = argv[used];
    if (first.starts_with("-") && first != "-h" && first != "--help")
      return "yett: `" + name + "` has no option `" + base::printable(first) + "`" +
             nearest(first, optionsOf(command)) + list;
    if (argv[used][0] != '-')
      return "yett: `" + base::printable(argv[used]) + "` is not a command of `" + name + "`" +
             nearest(argv[used], commands) + list;
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    for (const auto& word : command.remaining(true)) {
      const std::string_view option = std::string_view(word).substr(0, word.find('='));
      if (word.starts_with("-"))
        return "yett: `" + name + "` has no option `" + base::printable(option) + "`" +
               nearest(option, optionsOf(command)) + "\n" + help;
      return "yett: `" + name + "` does not know what to do with `" + base::printable(word) + "`\n" + help;
    }
  }
  return "yett: " + base::forTerminal(error.what()) + "\n" + help;
}

}  // namespace yett::cli
