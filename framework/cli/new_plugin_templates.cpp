#include "framework/cli/new_plugin_templates.h"

#include <cctype>
#include <string_view>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"

namespace atelier::cli {
namespace {

// In all of them @NAME@ stands for the method's name and @CLASS@ for its class.
constexpr std::string_view kBuildFile = R"TEMPLATE(cmake_minimum_required(VERSION 3.25)
project(@NAME@ LANGUAGES CXX)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# -DCMAKE_PREFIX_PATH=<where Atelier is installed>
find_package(Atelier REQUIRED)
# build/lib/atelier/plugins/@NAME@.so and its description @NAME@.json; `export ATELIER_PLUGINS=$PWD/build/lib/atelier/plugins`
add_method_plugin(@NAME@ SOURCES @NAME@.cpp)
)TEMPLATE";

constexpr std::string_view kReadme = R"TEMPLATE(# @NAME@

A method for Atelier: paper, equation, options with their sources, presets and draws belong here. As written by
`atelier new-plugin` it learns one vector for a new word, as Textual Inversion does (Gal et al. 2022, arXiv:2208.01618).

    cmake -B build -DCMAKE_PREFIX_PATH=<where Atelier is installed> && cmake --build build
    ATELIER_PLUGINS=$PWD/build/lib/atelier/plugins atelier plugins @NAME@

Draws: `template` (an integer below the number of captions), one for each row.
)TEMPLATE";

constexpr std::string_view kSource =
    R"TEMPLATE(// @NAME@: says in one line what it learns, and from which paper it comes.
#include <framework/config/option_builders.h>
#include <framework/methods/diffusion_loss.h>
#include <framework/methods/learned_token.h>
#include <framework/methods/plugin_main.h>
#include <framework/methods/prompts.h>
#include <framework/methods/stage_settings.h>

namespace {
using namespace atelier;

constexpr const char* kStage = "embedding";
constexpr const char* kSteps = "embedding.max_train_steps";
constexpr const char* kCaptions = "ti/imagenet_templates_small";  // a prompt list of Atelier's data, by id

/// One training stage: what learns, what a sample says, what the loss is. The loop is Atelier's.
class EmbeddingStage final : public Stage {
 public:
  EmbeddingStage(const Options& options, const Concept& subject, const PromptLists& lists)
      : placeholder_(options.text("placeholder_token")),
        initializer_(read_initializer(options, subject)),
        captions_(lists.at(kCaptions)),
        train_(read_train_spec(options, kStage, kSteps)),
        learning_rate_(read_learning_rate(options, kStage)),
        weight_decay_(read_weight_decay(options, kStage)) {
    data_.recipe.transform.size = static_cast<int>(options.integer("resolution"));
    data_.recipe.flip_probability = 0.5;
    data_.repeats = 100;
  }

  DataSpec data() const override { return data_; }
  TrainSpec train() const override { return train_; }

  /// Adds what learns to the session, and names it.
  std::vector<ParamGroup> attach(Session& session, const Start& start, Draws&) override {
    session_ = &session;
    const auto rows = initializer_rows(session, initializer_, "initializer_token");
    ParamGroup group;
    group.name = "token";
    group.learning_rate = learning_rate_;
    group.weight_decay = weight_decay_;
    for (auto& encoder : add_learned_token(session, start, placeholder_, 1, rows))
      for (auto& vector : encoder) group.parameters.push_back(vector);
    learned_ = group.parameters;
    return {group};
  }

  /// Host: the caption of one row. Every choice is a named draw, so that a resumed run makes the same ones.
  void describe(const Photo&, Sample& sample, Draws& draws) override {
    const auto number = draws.below("template", static_cast<std::int64_t>(captions_.size()));
    sample.caption = with_phrase(captions_[static_cast<std::size_t>(number)], placeholder_);
  }

  /// Host: tensors of one batch.
  StepTensors per_step(const std::vector<Sample>& samples, Draws&) override {
    StepTensors tensors;
    put_prompts(tensors, *session_, "caption", captions(samples));
    return tensors;
  }

  /// Device: the terms of the loss, [B] each. Add your own beside "mse".
  Terms forward(const Batch& batch, const StepTensors& tensors) override {
    const TextCondition text = session_->encode(prompt_ids(tensors, "caption"));
    return diffusion_terms(predict(*session_, batch, text), batch);
  }

  void save(ArtifactWriter& writer) const override {
    for (const auto& [name, vector] : learned_) writer.tensor(name, vector);
  }

 private:
  std::string placeholder_, initializer_;
  std::vector<std::string> captions_;
  DataSpec data_;
  TrainSpec train_;
  double learning_rate_, weight_decay_;
  Session* session_ = nullptr;  // outlives the stage
  std::vector<Parameter> learned_;
};

class @CLASS@ final : public Method {
 public:
  std::unique_ptr<Stage> stage(std::string_view name, const Options& options, const Concept& subject,
                               const PromptLists& lists) const override {
    return name == kStage ? std::make_unique<EmbeddingStage>(options, subject, lists) : nullptr;
  }

  /// What a trained artifact does to a model that samples.
  void apply(Session& session, const TrainedArtifact& artifact, double) const override {
    for (const auto& token : placeholders_of(artifact.tensors)) apply_token(session, artifact.tensors, token, "@NAME@");
  }
};

/// Plain data: what `atelier plugins @NAME@` prints, what studies may set, and what enters a stage's key.
MethodSpec make_spec() {
  MethodSpec spec;
  spec.name = "@NAME@";
  spec.summary = "learns one vector for a new word";
  spec.paper = "after Gal et al. 2022, arXiv:2208.01618";
  // Every option says where its default comes from: a paper, a program, "ours".
  spec.options = joined({{text_option("placeholder_token", "<concept>", "the new word", "ours"),
                          text_option("initializer_token", nullptr,
                                      "a word of one token, from which the new one starts; unset: the concept's class word",
                                      "ours"),
                          resolution_option(512, "ours"),
                          integer_option(kSteps, 3000, {.low = 0}, "optimizer steps", "ours")},
                         stage_options(kStage, {.learning_rate = 2e-3, .train_batch_size = 4, .source = "ours"})});
  spec.presets = {{.name = "default", .help = "the defaults of the options", .options = Json::object()}};
  auto stage = trained_stage(kStage, {"placeholder_token", "initializer_token", "resolution"}, kSteps);
  stage.numerics = 1;  // stands in every key, like the options above: raise it whenever results change
  stage.lists = {kCaptions};
  spec.stages = {stage};
  spec.phrases = {{.when = {}, .text = "{placeholder}", .base = "{class}"}};
  return spec;
}

}  // namespace

ATELIER_METHOD_PLUGIN("@NAME@", @CLASS@, make_spec)
)TEMPLATE";

/// my_method -> MyMethod.
std::string class_name(const std::string& name) {
  std::string out;
  bool upper = true;
  for (const char letter : name) {
    if (letter != '_') out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(letter))) : letter;
    upper = letter == '_';
  }
  return out + "Method";
}

std::string filled(std::string_view text, const std::string& name) {
  std::string out(text);
  const std::map<std::string, std::string> marks{{"@CLASS@", class_name(name)}, {"@NAME@", name}};
  for (const auto& [mark, value] : marks) {
    for (auto at = out.find(mark); at != std::string::npos; at = out.find(mark, at + value.size()))
      out.replace(at, mark.size(), value);
  }
  return out;
}

void check_name(const std::string& name) {
  const bool word = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  if (!name.empty() && word && name.front() >= 'a' && name.front() <= 'z') return;
  throw Error({.where = "new-plugin",
               .found = "the name \"" + name + "\"",
               .expected = "a-z, 0-9 and _, with a letter in front"},
              ErrorKind::usage);
}

}  // namespace

std::map<std::string, std::string> new_plugin_files(const std::string& name) {
  check_name(name);
  return {{"CMakeLists.txt", filled(kBuildFile, name)},
          {name + ".cpp", filled(kSource, name)},
          {"README.md", filled(kReadme, name)}};
}

void write_new_plugin(const std::string& name, const std::filesystem::path& folder) {
  const auto files = new_plugin_files(name);
  for (const auto& [file, text] : files) {
    if (!std::filesystem::exists(folder / file)) continue;
    throw Error({.where = (folder / file).string(),
                 .found = "a file of that name",
                 .expected = "a new folder",
                 .advice = "choose another --out"},
                ErrorKind::usage);
  }
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw Error({.where = folder.string(), .found = failed.message(), .expected = "a folder to write to"});
  for (const auto& [file, text] : files) write_file_atomically(folder / file, text);
}

}  // namespace atelier::cli
