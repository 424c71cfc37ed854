#include "framework/worker/edit_request.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/text/prompt_words.h"

namespace atelier::worker {
namespace {

[[noreturn]] void refuse_edit(std::string where, std::string found, std::string expected) {
  throw Error({.where = std::move(where), .found = std::move(found), .expected = std::move(expected)},
              ErrorKind::usage);
}

StepSpan span_of(const Json& json) { return {.begin = json.at(0).get<double>(), .end = json.at(1).get<double>()}; }

EditRequest::Mode mode_of(const std::string& name) {
  if (name == "replace") return EditRequest::Mode::replace;
  if (name == "refine") return EditRequest::Mode::refine;
  return EditRequest::Mode::automatic;
}

/// Makes the edited prompts' parts, and finds the words in them.
class EditMaker {
 public:
  EditMaker(Session& session, const std::string& source, const EditRequest& request)
      : tokenizer_(session.tokenizer(0)), request_(request), source_(PromptWords::of(tokenizer_, source)) {
    for (const auto& prompt : request.prompts) edited_.push_back(PromptWords::of(tokenizer_, prompt));
  }

  [[nodiscard]] std::vector<EditedPrompt> edits(std::int64_t steps) const {
    std::vector<EditedPrompt> edits;
    for (const auto& edited : edited_) {
      edits.push_back({.alignment = alignment(edited),
                       .scale = at::ones({edited.length}),
                       .window = step_window(request_.cross, steps, edited.length)});
    }
    for (const auto& [word, span] : request_.of_words) {
      for_word(word, "--cross-replace", edits, [&](EditedPrompt& edit, std::int64_t place) {
        edit.window.select(1, place).copy_(step_window(span, steps, 1).flatten());
      });
    }
    for (const auto& [word, factor] : request_.factors) {
      for_word(word, "--reweight", edits, [&](EditedPrompt& edit, std::int64_t place) { edit.scale[place] = factor; });
    }
    return edits;
  }

  [[nodiscard]] LocalBlend blend() const {
    if (request_.blend.empty()) return {};
    if (request_.blend.size() != 1 + edited_.size()) {
      refuse_edit("--blend", fmt::format("words of {} prompts", request_.blend.size()),
                  fmt::format("{}: the source's and each edited prompt's", 1 + edited_.size()));
    }
    Tensor words = at::zeros({static_cast<std::int64_t>(request_.blend.size()), source_.length});
    for (std::size_t row = 0; row < request_.blend.size(); ++row) {
      const PromptWords& prompt = row == 0 ? source_ : edited_[row - 1];
      for (const auto& word : request_.blend[row]) {
        const auto places = places_of(tokenizer_, prompt, word);
        if (places.empty()) refuse_edit("--blend", fmt::format("\"{}\"", word), "words of the prompts, in their order");
        for (const auto place : places) words[static_cast<std::int64_t>(row)][place] = 1.0;
      }
    }
    return {.words = words, .threshold = request_.threshold};
  }

 private:
  [[nodiscard]] PromptAlignment alignment(const PromptWords& edited) const {
    const bool same = source_.words.size() == edited.words.size();
    const bool swap =
        request_.mode == EditRequest::Mode::automatic ? same : request_.mode == EditRequest::Mode::replace;
    return swap ? align_replacement(source_, edited) : align_refinement(source_, edited);
  }

  template <typename Change>
  void for_word(const std::string& word, const char* option, std::vector<EditedPrompt>& edits,
                const Change& change) const {
    bool found = false;
    for (std::size_t i = 0; i < edits.size(); ++i) {
      for (const auto place : places_of(tokenizer_, edited_[i], word)) {
        change(edits[i], place);
        found = true;
      }
    }
    if (!found) refuse_edit(option, fmt::format("\"{}\"", word), "a word of an edited prompt");
  }

  const ClipTokenizer& tokenizer_;
  const EditRequest& request_;
  PromptWords source_;
  std::vector<PromptWords> edited_;
};

}  // namespace

std::optional<EditRequest> EditRequest::from(const Job& job) {
  const Json* json = job.find("edit");
  if (json == nullptr) return std::nullopt;
  const Job fields(*json);
  EditRequest request;
  request.prompts = fields.texts("prompts");
  request.mode = mode_of(fields.text("mode"));
  request.cross = span_of(json->at("cross"));
  request.self = span_of(json->at("self"));
  for (const auto& each : json->at("of_words")) request.of_words.emplace_back(each.at(0), span_of(each.at(1)));
  for (const auto& each : json->at("factors")) request.factors.emplace_back(each.at(0), each.at(1).get<double>());
  request.blend = json->at("blend").get<std::vector<std::vector<std::string>>>();
  request.threshold = fields.number("threshold");
  return request;
}

std::unique_ptr<PromptEdit> make_edit(Session& session, const std::string& source, const EditRequest& request,
                                      PromptEdit::Options options) {
  const EditMaker maker(session, source, request);
  options.self = request.self;
  options.blend = maker.blend();
  return std::make_unique<PromptEdit>(maker.edits(options.steps), options);
}

}  // namespace atelier::worker
