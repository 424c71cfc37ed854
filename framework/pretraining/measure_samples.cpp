// Whether samples show what their prompts say, in the eyes of a judge.
#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/pretraining/measure_context.h"
#include "framework/pretraining/measure_judge.h"
#include "framework/pretraining/measure_pictures.h"
#include "framework/pretraining/measure_sampler.h"

namespace atelier {
namespace {

constexpr std::int64_t kSampleColumns = 12;  // at least, where the pictures of one prompt are fewer

/// A prompt's sample and what it should show: value by attribute, as places in the judge's config.
struct Asked {
  WantedSample sample;
  std::map<std::size_t, std::int64_t> values;
};

struct SamplesToJudge {
  SamplesToJudge(const SamplesQuality& samples, const MeasureSampler& settings, const MeasureContext& context);

  SamplesQuality wanted;
  Judge judge;
  SampleMaker maker;
  std::vector<Asked> asked;
};

SamplesToJudge::SamplesToJudge(const SamplesQuality& samples, const MeasureSampler& settings,
                               const MeasureContext& context)
    : wanted(samples),
      judge(context.base(), context.placement()),
      maker(context.base(), context.placement(), settings) {
  if (maker.side() != judge.config().image_size) {
    throw Error({.where = context.base().string(),
                 .found = fmt::format("samples of {} pixels, a judge of {}", maker.side(), judge.config().image_size),
                 .expected = "the same size"});
  }
  auto seed = static_cast<std::uint64_t>(settings.seed);
  for (const auto& prompt : samples.prompts) {
    const auto values = judge.places(prompt.attributes, fmt::format("prompt \"{}\"", prompt.prompt));
    for (std::int64_t i = 0; i < samples.per_prompt; ++i) {
      asked.push_back({.sample = {.prompt = prompt.prompt, .seed = seed++}, .values = values});
    }
  }
  for (const auto& [name, share] : samples.judged) {
    const auto place = judge.attribute(name, "samples.judged");
    const auto names = [&](const Asked& one) { return one.values.contains(place); };
    if (std::ranges::any_of(asked, names)) continue;
    throw Error({.where = "samples.judged: " + name,
                 .found = "no prompt that names it",
                 .expected = "at least one whose attributes have it"});
  }
}

/// "seed 4: a photo of a red cat; class cat, colour blue (asked: red)"
std::string description(const Asked& asked, const std::int64_t* seen, const ClassifierConfig& config) {
  std::string line = fmt::format("seed {}: {}; ", asked.sample.seed, asked.sample.prompt);
  const char* comma = "";
  for (const auto& [place, value] : asked.values) {
    const auto& [name, values] = config.attributes[place];
    line += fmt::format("{}{} {}", comma, name, values[static_cast<std::size_t>(seen[place])]);
    if (seen[place] != value) line += fmt::format(" (asked: {})", values[static_cast<std::size_t>(value)]);
    comma = ", ";
  }
  return line;
}

void measure(SamplesToJudge& samples, MeasureContext& context) {
  std::vector<WantedSample> wanted;
  for (const auto& one : samples.asked) wanted.push_back(one.sample);
  const Tensor images = samples.maker.make(wanted, context);   // [n, S, S, 3] uint8
  const Tensor seen = samples.judge.see(images).contiguous();  // [n, attributes] int64
  const auto& config = samples.judge.config();

  std::string text;
  std::vector<std::int64_t> right(config.attributes.size()), all(config.attributes.size());
  for (std::size_t i = 0; i < samples.asked.size(); ++i) {
    const auto* row = seen.const_data_ptr<std::int64_t>() + static_cast<std::int64_t>(i) * seen.size(1);
    for (const auto& [place, value] : samples.asked[i].values) {
      ++all[place];
      right[place] += row[place] == value ? 1 : 0;
    }
    text += description(samples.asked[i], row, config) + "\n";
  }
  for (std::size_t place = 0; place < all.size(); ++place) {
    if (all[place] == 0) continue;
    const auto& name = config.attributes[place].name;
    const auto limit = samples.wanted.judged.find(name);
    Measurement measured{.name = "samples." + name,
                         .quantity = "samples that show the asked " + name,
                         .measured = static_cast<double>(right[place]) / static_cast<double>(all[place]),
                         .count = all[place]};
    if (limit != samples.wanted.judged.end()) measured.wanted = limit->second;
    context.add(std::move(measured));
  }
  const auto columns =
      std::max<std::int64_t>(1, kSampleColumns / samples.wanted.per_prompt) * samples.wanted.per_prompt;
  context.add_sheet("samples.png", pictures_of(images), static_cast<int>(columns),
                    "samples, row by row in the order of samples.txt");
  context.add_text("samples.txt", text);
}

}  // namespace

Measure prepare_samples(const SamplesQuality& wanted, const MeasureSampler& sampler, MeasureContext& context) {
  const auto samples = std::make_shared<SamplesToJudge>(wanted, sampler, context);
  return [=](MeasureContext& now) { measure(*samples, now); };
}

}  // namespace atelier
