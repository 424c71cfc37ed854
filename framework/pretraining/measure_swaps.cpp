// Whether one word changes one thing: pairs of samples of one seed whose prompts differ in one attribute.
#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/pretraining/measure_context.h"
#include "framework/pretraining/measure_judge.h"
#include "framework/pretraining/measure_metrics.h"
#include "framework/pretraining/measure_pictures.h"
#include "framework/pretraining/measure_sampler.h"

namespace atelier {
namespace {

constexpr int kSwapColumns = 12;

/// A pair in the judge's terms.
struct AskedSwap {
  std::size_t attribute = 0;
  std::int64_t value = 0;           ///< that the second prompt asks for
  std::vector<std::size_t> others;  ///< what must not change
};

struct SwapsToJudge {
  SwapsToJudge(const SwapsQuality& swaps, const MeasureSampler& settings, const MeasureContext& context);

  SwapsQuality wanted;
  Judge judge;
  SampleMaker maker;
  std::vector<AskedSwap> asked;
  std::uint64_t seed;
};

SwapsToJudge::SwapsToJudge(const SwapsQuality& swaps, const MeasureSampler& settings, const MeasureContext& context)
    : wanted(swaps),
      judge(context.base(), context.placement()),
      maker(context.base(), context.placement(), settings),
      seed(static_cast<std::uint64_t>(settings.seed)) {
  if (maker.side() != judge.config().image_size) {
    throw Error({.where = context.base().string(),
                 .found = fmt::format("samples of {} pixels, a judge of {}", maker.side(), judge.config().image_size),
                 .expected = "the same size"});
  }
  for (const auto& pair : swaps.pairs) {
    const auto where = fmt::format("word swap \"{}\"", pair.to);
    static_cast<void>(judge.places({{pair.attribute, pair.from_value}}, where));
    const auto [attribute, value] = *judge.places({{pair.attribute, pair.to_value}}, where).begin();
    asked.push_back({.attribute = attribute, .value = value, .others = {}});
    for (std::size_t place = 0; place < judge.config().attributes.size(); ++place) {
      if (place != attribute) asked.back().others.push_back(place);
    }
  }
}

/// "seed 3: a red cat -> a blue cat; changed, kept"
std::string description(const WordSwap& pair, std::uint64_t seed, bool changed, bool kept) {
  return fmt::format("seed {}: {} -> {}; {}, {}\n", seed, pair.from, pair.to,
                     changed ? "changed as asked" : "not changed as asked", kept ? "the rest kept" : "more changed");
}

/// Pairs counted, and those of them that passed.
struct Tally {
  std::int64_t count = 0, passed = 0;

  void add(bool pass) {
    ++count;
    passed += pass ? 1 : 0;
  }
  [[nodiscard]] Measurement as(std::string name, std::string quantity) const {
    return {.name = std::move(name),
            .quantity = std::move(quantity),
            .measured = static_cast<double>(passed) / static_cast<double>(count),
            .count = count};
  }
};

/// What the judge sees in the two samples of each pair.
std::vector<SwapSeen> look_at(SwapsToJudge& swaps, MeasureContext& context) {
  std::vector<WantedSample> wanted;  // the two of a pair side by side
  for (std::size_t i = 0; i < swaps.asked.size(); ++i) {
    wanted.push_back({.prompt = swaps.wanted.pairs[i].from, .seed = swaps.seed + i});
    wanted.push_back({.prompt = swaps.wanted.pairs[i].to, .seed = swaps.seed + i});
  }
  const Tensor images = swaps.maker.make(wanted, context);
  context.add_sheet("swaps.png", pictures_of(images), kSwapColumns,
                    "pairs of one seed side by side, row by row in the order of swaps.txt");
  const Tensor seen = swaps.judge.see(images).contiguous();  // [2 n, attributes] int64
  const auto row = [&](std::size_t i) {
    const auto* begin = seen.const_data_ptr<std::int64_t>() + static_cast<std::int64_t>(i) * seen.size(1);
    return std::vector<std::int64_t>(begin, begin + seen.size(1));
  };
  std::vector<SwapSeen> pairs;
  for (std::size_t i = 0; i < swaps.asked.size(); ++i) pairs.push_back({.before = row(2 * i), .after = row(2 * i + 1)});
  return pairs;
}

void measure(SwapsToJudge& swaps, MeasureContext& context) {
  const auto seen = look_at(swaps, context);
  std::string text;
  Tally changed, kept;
  std::map<std::string, Tally> by_attribute, kept_by_attribute;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const auto& swap = swaps.asked[i];
    const bool did = changed_as_asked(seen[i], swap.attribute, swap.value), rest = kept_all(seen[i], swap.others);
    changed.add(did);
    kept.add(rest);
    by_attribute[swaps.wanted.pairs[i].attribute].add(did);
    for (const std::size_t other : swap.others) {
      kept_by_attribute[swaps.judge.config().attributes[other].name].add(kept_all(seen[i], std::span(&other, 1)));
    }
    text += description(swaps.wanted.pairs[i], swaps.seed + i, did, rest);
  }
  auto all = changed.as("swaps.changed", "word swaps that change what they should");
  all.wanted = swaps.wanted.changed;
  context.add(std::move(all));
  for (const auto& [name, tally] : by_attribute) {
    context.add(tally.as("swaps.changed." + name, "word swaps that change what they should, " + name));
  }
  auto rest = kept.as("swaps.kept", "word swaps that change nothing else");
  rest.wanted = swaps.wanted.kept;
  context.add(std::move(rest));
  for (const auto& [name, tally] : kept_by_attribute) {
    context.add(tally.as("swaps.kept." + name, "word swaps of other attributes that leave " + name));
  }
  context.add_text("swaps.txt", text);
}

}  // namespace

Measure prepare_swaps(const SwapsQuality& wanted, const MeasureSampler& sampler, MeasureContext& context) {
  const auto swaps = std::make_shared<SwapsToJudge>(wanted, sampler, context);
  return [=](MeasureContext& now) { measure(*swaps, now); };
}

}  // namespace atelier
