#include "framework/worker/prompt_sampler.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/worker/attention_pictures.h"
#include "framework/worker/picture_rows.h"
#include "framework/worker/prompt_branches.h"

namespace atelier::worker {
namespace {

/// Throws Error (usage) for a word that no prompt holds.
void check_words(const std::vector<std::string>& words, const std::vector<std::vector<AttentionMaps::Places>>& places) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (std::ranges::any_of(places, [i](const auto& of_prompt) { return !of_prompt[i].empty(); })) continue;
    throw Error({.where = "--attention-maps",
                 .found = fmt::format("\"{}\"", words[i]),
                 .expected = "a word of a prompt, within its first 75 tokens"},
                ErrorKind::usage);
  }
}

}  // namespace

PromptSampler::PromptSampler(Session& session, const Method& method, const SampleRequest& request,
                             const PictureFolder& folder)
    : session_(session),
      method_(method),
      request_(request),
      folder_(folder),
      plan_(request.plan()),
      progress_("sampling", sampler_.calls() * batches().size()) {
  for (const auto& prompt : request.prompts) places_.push_back(places_in(session, prompt, request.attention_words));
  check_words(request.attention_words, places_);
}

std::vector<PromptSampler::Rows> PromptSampler::batches() const {
  std::vector<Rows> all;
  if (request_.edit) {
    for (std::int64_t picture = 0; picture < request_.images; ++picture) {
      Rows& rows = all.emplace_back();
      for (std::size_t prompt = 0; prompt < request_.prompts.size(); ++prompt) rows.push_back({prompt, picture});
    }
    return all;
  }
  for (std::size_t prompt = 0; prompt < request_.prompts.size(); ++prompt) {
    for (std::int64_t picture = 0; picture < request_.images; ++picture) {
      if (picture % request_.batch == 0) all.emplace_back();
      all.back().push_back({prompt, picture});
    }
  }
  return all;
}

const std::vector<Branch>& PromptSampler::branches(std::size_t prompt) {
  const auto [place, fresh] = branches_.try_emplace(prompt);
  if (fresh) {
    place->second = guided_branches(session_, method_,
                                    {.prompt = request_.prompts[prompt],
                                     .negative = request_.negative,
                                     .base_prompt = request_.base_prompt.value_or(""),
                                     .guidance = request_.guidance,
                                     .reward = request_.reward_guidance});
  }
  return place->second;
}

std::vector<Branch> PromptSampler::stacked(const Rows& rows) {
  std::vector<const std::vector<Branch>*> each;
  for (const Row& row : rows) each.push_back(&branches(row.prompt));
  return stack_rows(each);
}

Tensor PromptSampler::given_rows(const Rows& rows, const Tensor& given) const {
  if (!given.defined()) return {};
  std::vector<Tensor> chosen;
  for (const Row& row : rows) {
    const auto place = static_cast<std::int64_t>(request_.edit ? 0 : row.prompt) * request_.images + row.picture;
    chosen.push_back(given.narrow(0, place, 1));
  }
  return at::cat(chosen);
}

void PromptSampler::preview(const Row& row, const SamplingStep& step) const {
  if (!request_.preview_every || (step.call + 1) % static_cast<std::size_t>(*request_.preview_every) != 0) return;
  folder_.write_preview(row.prompt, row.picture, step.call + 1, sampler_.decode(step.latents.narrow(0, 0, 1)));
}

Tensor PromptSampler::latents(const Rows& rows, const Tensor& given, std::unique_ptr<AttentionMaps>& maps) {
  const std::vector<Branch> branches = stacked(rows);
  const auto first_row = static_cast<std::int64_t>(conditional_branch(branches) * rows.size());
  const FeatureSize size{.height = sampler_.shape()[1], .width = sampler_.shape()[2]};
  GuidedHooks hooks;
  if (!request_.attention_words.empty()) {
    std::vector<std::vector<AttentionMaps::Places>> places;
    for (const Row& row : rows) places.push_back(places_[row.prompt]);
    maps = std::make_unique<AttentionMaps>(size, std::move(places), first_row);
    hooks.observer = [&maps](std::string_view layer, const Tensor& seen) { maps->add(layer, seen); };
  }
  std::unique_ptr<PromptEdit> edit;
  if (request_.edit) {
    edit = make_edit(session_, request_.prompts.front(), *request_.edit,
                     {.latents = size, .steps = static_cast<std::int64_t>(sampler_.calls()), .first_row = first_row});
    hooks.editor = edit.get();
    hooks.after_step = [&edit](const Tensor& sample) { return edit->finish(sample); };
  }
  std::vector<std::uint64_t> seeds;
  for (const Row& row : rows) seeds.push_back(static_cast<std::uint64_t>(request_.seed + row.picture));
  const auto on_step = [&](const SamplingStep& step) {
    progress_.advance();
    preview(rows.front(), step);
  };
  return sampler_.latents(branches, seeds, given_rows(rows, given), on_step, hooks);
}

void PromptSampler::write(const Rows& rows, const Tensor& latents, const AttentionMaps* maps) const {
  const Tensor all = maps != nullptr ? maps->average() : Tensor();  // [rows, words, h, w]
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto [prompt, picture] = rows[i];
    const auto row = static_cast<std::int64_t>(i);
    const Image image = sampler_.decode(latents.narrow(0, row, 1));
    folder_.write(prompt, picture, image);
    if (!all.defined()) continue;
    std::vector<std::string> words;
    std::vector<Tensor> of_words;
    for (std::size_t word = 0; word < request_.attention_words.size(); ++word) {
      if (places_[prompt][word].empty()) continue;
      words.push_back(request_.attention_words[word]);
      of_words.push_back(all[row].narrow(0, static_cast<std::int64_t>(word), 1));
    }
    if (!words.empty()) folder_.write_attention(prompt, picture, image, words, at::cat(of_words));
  }
}

Tensor PromptSampler::sample(const Tensor& given) {
  std::vector<Tensor> finals(request_.prompts.size() * static_cast<std::size_t>(request_.images));
  for (const Rows& rows : batches()) {
    std::unique_ptr<AttentionMaps> maps;
    const Tensor made = latents(rows, given, maps);
    write(rows, made, maps.get());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto place = rows[i].prompt * static_cast<std::size_t>(request_.images);
      finals[place + static_cast<std::size_t>(rows[i].picture)] = made.narrow(0, static_cast<std::int64_t>(i), 1);
    }
  }
  progress_.finish();
  return at::cat(finals);
}

}  // namespace atelier::worker
