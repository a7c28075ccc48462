// Runs the files of a policy source in a state and collects the rules they define. Collects every problem, so that one
// run reports them all.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "lua/state.h"
#include "policy/data_documents.h"
#include "policy/policy_source.h"
#include "rule/rule.h"

namespace yett::lua {

class LuaLoader {
 public:
  LuaLoader(const policy::PolicySource& source, policy::DataDocuments& documents, LuaState& state)
      : source_(source), documents_(documents), state_(state) {}
  /// REQUIRES: called once.
  /// `only`: load just these files, for an evaluator; null for all.
  void load(const std::set<std::string>* only, const policy::Budget& budget);

  std::vector<rule::Rule>& rules() { return rules_; }
  /// Registry references of the `when` functions; rule::Rule::condition is an index into it.
  const std::vector<int>& conditions() const { return conditions_; }
  /// The policy files that hold conditions.
  const std::set<std::string>& codeFiles() const { return code_files_; }
  /// The files that `data` and `require` requested, existing or not: `pcall` may hide a missing file.
  const std::set<std::string>& wantedFiles() const { return wanted_files_; }
  const std::vector<std::string>& problems() const { return problems_; }
  /// The names that the language defines.
  const std::set<std::string, std::less<>>& globals() const { return globals_; }

 private:
  static LuaLoader& of(lua_State* L);
  static int onPolicy(lua_State* L);
  static int onPolicyBody(lua_State* L);
  static int onRule(lua_State* L);
  static int onRuleBody(lua_State* L);
  static int onDecide(lua_State* L);
  static int onData(lua_State* L);
  static int onRequire(lua_State* L);

  void loadFile(const std::string& name);
  void learnMethods(lua_State* L, const std::string& name, const std::string& text);
  void checkTables(const std::string& name, const std::string& text);
  void pushEnvironment(lua_State* L);
  static void place(rule::Rule& rule, const std::string& position);
  void take(lua_State* L, rule::Rule rule);
  void problem(const rule::Rule& rule, const std::string& what);
  void checkPolicies();
  std::string at(lua_State* L, int level) const;

  const policy::PolicySource& source_;
  policy::DataDocuments& documents_;
  LuaState& state_;
  std::vector<rule::Rule> rules_;
  std::vector<bool> in_policy_;
  std::vector<int> conditions_;
  std::vector<std::string> problems_;
  std::set<std::string, std::less<>> globals_;
  std::set<std::string> code_files_;
  std::set<std::string> wanted_files_;
  std::string file_;                    // being loaded
  std::set<std::string> failed_files_;  // whose code failed
  int policies_ = 0;
  bool loading_library_ = false;
  bool spent_ = false;  // the loading budget is used up
};

}  // namespace yett::lua
