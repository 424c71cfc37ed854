#include "framework/cli/eval_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/cli/eval_settings.h"
#include "framework/cli/options.h"
#include "framework/config/eval_sheet.h"
#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/formats/encoder_source.h"
#include "framework/plan/score_folders.h"
#include "framework/store/evaluations.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

/// ROLE=PATH options by role; each role is one of `roles`.
std::map<std::string, std::string> by_role(const std::string& option, const std::vector<std::string>& values,
                                           const std::vector<std::string>& roles) {
  std::map<std::string, std::string> paths;
  for (const auto& value : values) {
    const auto equals = value.find('=');
    const auto role = value.substr(0, equals);
    if (equals == std::string::npos || std::ranges::count(roles, role) == 0) {
      throw Error({.where = option,
                   .found = fmt::format("'{}'", value),
                   .expected = "ROLE=PATH, the role one of the protocol's: " + join(roles)},
                  ErrorKind::usage);
    }
    if (!paths.emplace(role, value.substr(equals + 1)).second) {
      throw Error({.where = option, .found = role + " twice", .expected = "each role once"}, ErrorKind::usage);
    }
  }
  return paths;
}

/// SHA-256 of the weights: of the file, or of the digests of all files, in the order of their names.
std::string digest_of(const fs::path& encoder) {
  std::vector<fs::path> files;
  for (const auto& file : encoder_files(encoder)) {
    const auto suffix = file.extension();
    if (suffix == ".safetensors" || suffix == ".bin" || suffix == ".pt" || suffix == ".pth") files.push_back(file);
  }
  if (files.size() == 1) return sha256_file(files.front());
  std::ranges::sort(files);
  Sha256 digest;
  for (const auto& file : files) digest.update(sha256_file(file));
  return digest.hex();
}

Json encoders_of(const EvalOptions& options, const std::vector<std::string>& roles) {
  const auto paths = by_role("--encoder", options.encoders, roles);
  Json encoders = Json::object();
  for (const auto& role : roles) {
    const auto path = paths.find(role);
    if (path == paths.end()) {
      throw Error({.where = "--encoder",
                   .found = "none for " + role,
                   .expected = fmt::format("one for each of the protocol's: {}", join(roles)),
                   .advice = fmt::format("add {}=DIR", role)},
                  ErrorKind::usage);
    }
    encoders[role] = {{"path", path->second}, {"sha256", digest_of(path->second)}};
  }
  return encoders;
}

Json text_features_of(const EvalOptions& options, const std::vector<std::string>& roles) {
  Json files = Json::object();
  for (const auto& [role, path] : by_role("--text-features", options.text_features, roles)) files[role] = path;
  return files;
}

/// The folders of pictures, and where a picture's mask or cut-out lies.
class Folders {
 public:
  explicit Folders(const EvalOptions& options)
      : options_(options),
        generated_("--generated", options.generated),
        references_("--references", options.references) {}

  /// {file, path, mask or removed} of every picture in `below`, in byte order. `side`: "generated" or "references".
  [[nodiscard]] Json pictures(const std::string& side, const std::string& below) {
    PictureTree& tree = side == "generated" ? generated_ : references_;
    Json all = Json::array();
    for (const auto& name : tree.pictures(below)) {
      const std::string file = below + "/" + name;
      Json picture{{"file", side == "generated" ? file : name}, {"path", tree.path(file).string()}};
      if (options_.masks) picture["mask"] = companion("--masks", *options_.masks, side, file).string();
      if (options_.removed) picture["removed"] = companion("--removed", *options_.removed, side, file).string();
      all.push_back(std::move(picture));
    }
    return all;
  }

  /// Notes folders that the sheet does not name.
  void compare_with(const EvalSheet& sheet) {
    std::set<std::string> names;
    for (const auto& each : sheet.concepts) names.insert(each.name);
    generated_.expect_only("", names);
    references_.expect_only("", names);
    for (const auto& each : sheet.concepts)
      generated_.expect_only(each.name, {each.prompts.begin(), each.prompts.end()});
  }

  [[nodiscard]] std::vector<std::string> warnings() const {
    auto all = generated_.warnings();
    std::ranges::copy(references_.warnings(), std::back_inserter(all));
    return all;
  }

 private:
  const EvalOptions& options_;
  PictureTree generated_, references_;
};

[[noreturn]] void refuse(const EvalSheet& sheet, const SourcePosition& at, std::string found, std::string expected) {
  throw Error({.where = place_text(sheet.file, at), .found = std::move(found), .expected = std::move(expected)},
              ErrorKind::usage);
}

/// What of a prompt is compared with a picture, before `{}` is filled.
std::string scoring_template(const EvalSheet& sheet, const SheetPrompt& prompt, const std::string& rule) {
  if (rule != "edit" && rule != "verbatim") return prompt.text;
  const bool edit = rule == "edit";
  const auto& text = edit ? prompt.edit : prompt.score_text;
  if (text) return *text;
  refuse(sheet, prompt.at, fmt::format("the prompt \"{}\" without {}", prompt.id, edit ? "edit" : "score_text"),
         fmt::format("the text that the rule {} compares with pictures", rule));
}

void check_class(const EvalSheet& sheet, const SheetConcept& subject, const std::string& rule,
                 const std::string& text) {
  if (rule == "drop" || !subject.class_word.empty() || text.find("{}") == std::string::npos) return;
  refuse(sheet, subject.at, fmt::format("the concept \"{}\" without class", subject.name),
         fmt::format("the word that the rule {} puts for {{}}", rule));
}

Json set_of(const EvalSheet& sheet, const SheetConcept& subject, const std::string& id, const std::string& rule,
            Folders& folders) {
  const SheetPrompt& prompt = sheet.prompt(id);
  const std::string text = scoring_template(sheet, prompt, rule);
  check_class(sheet, subject, rule, text);
  return {{"prompt", id},
          {"text", text},
          {"reconstruction", prompt.reconstruction},
          {"keeps_appearance", prompt.keeps_appearance},
          {"pictures", folders.pictures("generated", subject.name + "/" + id)}};
}

/// Indices of the references.
Json duplicates_of(const EvalSheet& sheet, const SheetConcept& subject, const Json& references) {
  const auto index = [&](const std::string& name) {
    const auto found = std::ranges::find_if(references, [&](const Json& each) { return each.at("file") == name; });
    if (found != references.end()) return found - references.begin();
    refuse(sheet, subject.at, fmt::format("the duplicate \"{}\" of {}", name, subject.name), "the name of a reference");
  };
  Json pairs = Json::array();
  for (const auto& [a, b] : subject.duplicates) pairs.push_back({index(a), index(b)});
  return pairs;
}

Json concepts_of(const EvalSheet& sheet, const std::string& rule, Folders& folders) {
  Json concepts = Json::array();
  for (const SheetConcept& subject : sheet.concepts) {
    Json references = folders.pictures("references", subject.name);
    Json sets = Json::array();
    for (const auto& id : subject.prompts) sets.push_back(set_of(sheet, subject, id, rule, folders));
    concepts.push_back({{"name", subject.name},
                        {"class_word", subject.class_word},
                        {"duplicates", duplicates_of(sheet, subject, references)},
                        {"references", std::move(references)},
                        {"sets", std::move(sets)}});
  }
  return concepts;
}

/// Foregrounds are for protocols that look at them.
void check_masks(const EvalOptions& options, const Json& scoring) {
  const bool masked = scoring.value("masked", false);
  const bool given = options.masks || options.removed;
  if (masked == given) return;
  throw Error({.where = masked          ? "--masks"
                        : options.masks ? "--masks"
                                        : "--removed",
               .found = masked ? "neither --masks nor --removed" : "pictures that the protocol does not look at",
               .expected = masked ? fmt::format("one of the two: {} scores foregrounds", options.protocol)
                                  : "a protocol that scores foregrounds",
               .advice = masked ? "" : "take catversion_masked or core_masked"},
              ErrorKind::usage);
}

/// Whole sets, and the base model's pictures beside them, are a study's.
void check_single_pictures(const ProtocolSpec& protocol) {
  if (set_measures(protocol.scoring).empty()) return;
  throw Error({.where = "--protocol",
               .found = fmt::format("{}, which measures whole sets of pictures", protocol.id),
               .expected = "a protocol that scores pictures",
               .advice = "evaluate it in a study"},
              ErrorKind::usage);
}

void check_feature_files(const fs::path& folder, const std::vector<std::string>& roles) {
  for (const auto& role : roles) {
    const fs::path file = folder / (role + ".safetensors");
    std::error_code ignored;
    if (!fs::is_directory(file, ignored)) continue;
    throw Error({.where = "--features-out", .found = file.string() + " is a folder", .expected = "a file to write"},
                ErrorKind::usage);
  }
}

std::string name_of(const EvalOptions& options) {
  if (options.name) return *options.name;
  const auto folder = fs::absolute(options.generated).lexically_normal();
  return folder.filename().empty() ? folder.parent_path().filename().string() : folder.filename().string();
}

}  // namespace

Json eval_job(const EvalOptions& options) {
  const ProtocolSpec protocol = read_protocol(options.protocol);
  check_single_pictures(protocol);
  const Json scoring = eval_scoring(protocol, options.settings);
  check_masks(options, scoring);
  check_output("--out", options.out);
  if (options.features_out) check_output_folder("--features-out", *options.features_out);
  std::vector<std::string> roles;
  for (const auto& [role, use] : scoring.at("encoders").items()) roles.push_back(role);
  if (options.features_out) check_feature_files(*options.features_out, roles);
  const EvalSheet sheet = read_eval_sheet(read_text_file(options.sheet), options.sheet);
  Folders folders(options);
  const std::string rule = scoring.at("text_rule").get<std::string>();
  Json concepts = concepts_of(sheet, rule, folders);
  folders.compare_with(sheet);
  return {{"job", "eval"},
          {"protocol", scoring},
          {"reduction", protocol.reduction},
          {"encoders", encoders_of(options, roles)},
          {"text_features", text_features_of(options, roles)},
          {"concepts", std::move(concepts)},
          {"name", name_of(options)},
          {"pairs", options.pairs},
          {"features_out", or_null(options.features_out)},
          {"device", options.device},
          {"out", options.out},
          {"warnings", folders.warnings()}};
}

}  // namespace atelier::cli
