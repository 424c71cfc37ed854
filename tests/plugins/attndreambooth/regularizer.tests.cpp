// The regulariser on maps by hand, and on those of a tiny model.
#include <ATen/ops/equal.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include "tests/plugins/attndreambooth/world.h"

using namespace attn_world;
using attndreambooth::attention_gaps;
using attndreambooth::RegularizerWeights;

namespace {

constexpr RegularizerWeights kStrong{.mean = 2.0, .var = 5.0}, kFirst{.mean = 0.1, .var = 0.0};

/// One head, two pixels, columns for [V] and the category.
Tensor tiny_map() { return at::tensor({0.2, 0.1, 0.4, 0.1}, at::kDouble).view({1, 1, 2, 2}); }
/// The same with equal columns.
Tensor even_map() { return at::tensor({0.2, 0.2, 0.4, 0.4}, at::kDouble).view({1, 1, 2, 2}); }

/// R of maps [rows, heads, pixels, tokens], one a layer.
double regularizer(const std::vector<Tensor>& maps, const RegularizerWeights& weights) {
  std::vector<Tensor> layers;
  for (const Tensor& map : maps) {
    const Tensor positions = at::zeros({map.size(0)}, at::kLong);
    layers.push_back(attention_gaps(map, positions, 1, weights.var != 0.0));
  }
  double sum = 0.0;
  for (const auto& [name, term] : attndreambooth::regularizer_terms(layers, weights)) {
    CHECK(term.reduce == Term::Reduce::sum);
    CHECK(term.rows == Term::Rows::instance);
    sum += term.weight * term.per_sample.sum().item<double>();
  }
  return sum;
}

struct Seen {
  std::vector<Tensor> gaps, sums, shapes;
  Tensor context, output;
};

/// The tiny UNet on a context, and what its cross-attention layers saw of places 5 and 6.
Seen look(Session& session, const Tensor& context, bool record = true, bool checkpoint = false) {
  Seen seen;
  AttentionSummaries gaps;
  gaps.summarise = [](std::string_view, const Tensor& probabilities) {
    return attention_gaps(probabilities, at::full({1}, 5, at::kLong), 1, true);
  };
  UNetCall call;
  call.checkpoint = checkpoint;
  if (record) call.summaries = &gaps;
  seen.context = context;
  seen.output = session.unet().forward({.sample = tiny::random({1, 4, 8, 8}, 7),
                                        .timesteps = at::full({1}, 321, at::kLong),
                                        .context = context,
                                        .text_embeds = {},
                                        .time_ids = {}},
                                       call);
  seen.gaps = gaps.layers;
  return seen;
}

Tensor total(const std::vector<Tensor>& gaps) { return at::stack(gaps).mean(0).sum(); }

}  // namespace

TEST_CASE("One layer, one sample: the regulariser is 0.082 and 0.004", "[attndreambooth][regularizer]") {
  CHECK(regularizer({tiny_map()}, kStrong) == Approx(0.082).epsilon(1e-12));
  CHECK(regularizer({tiny_map()}, kFirst) == Approx(0.004).epsilon(1e-12));
  const Tensor gaps = attention_gaps(tiny_map(), at::zeros({1}, at::kLong), 1, true);
  CHECK(gaps[0].item<double>() == Approx(0.04).epsilon(1e-12));
  // The unbiased variance 0.02, not the population's 0.01, whose square would give 0.0001.
  CHECK(gaps[1].item<double>() == Approx(0.0004).epsilon(1e-12));
}

TEST_CASE("Samples are added, layers averaged", "[attndreambooth][regularizer]") {
  const Tensor twice = at::cat({tiny_map(), tiny_map()});
  CHECK(regularizer({twice}, kStrong) == Approx(0.164).epsilon(1e-12));
  CHECK(regularizer({tiny_map(), tiny_map()}, kStrong) == Approx(0.082).epsilon(1e-12));
  CHECK(regularizer({tiny_map(), even_map()}, kStrong) == Approx(0.041).epsilon(1e-12));
}

TEST_CASE("Several vectors are each compared with the token behind them", "[attndreambooth][regularizer]") {
  const Tensor map = at::softmax(tiny::random({2, 3, 4, 9}, 3).to(at::kDouble), -1);
  const Tensor places = at::tensor({1, 5}, at::kLong);
  const Tensor gaps = attention_gaps(map, places, 3, true);
  for (std::int64_t row = 0; row < 2; ++row) {
    const auto place = places[row].item<std::int64_t>();
    const Tensor pooled = map[row].flatten(0, 1);  // [heads·pixels, tokens]
    const Tensor mean = pooled.mean(0), var = pooled.var(0, /*unbiased=*/true);
    double means = 0.0, vars = 0.0;
    for (std::int64_t i = 0; i < 3; ++i) {
      means += (mean[place + i] - mean[place + 3]).square().item<double>() / 3;
      vars += (var[place + i] - var[place + 3]).square().item<double>() / 3;
    }
    CHECK(gaps[0][row].item<double>() == Approx(means).epsilon(1e-12));
    CHECK(gaps[1][row].item<double>() == Approx(vars).epsilon(1e-12));
  }
}

TEST_CASE("Equal context rows give a regulariser of exactly 0, others do not", "[attndreambooth][regularizer]") {
  Session session(tiny::base("sd15"));
  Tensor context = tiny::random({1, 77, 32}, 11);
  CHECK(total(look(session, context).gaps).item<double>() > 0.0);
  context[0][6].copy_(context[0][5]);
  CHECK(total(look(session, context).gaps).item<double>() == 0.0);
}

TEST_CASE("Nothing is detached: both tokens' rows get a gradient, and through the softmax all others",
          "[attndreambooth][regularizer]") {
  Session session(tiny::base("sd15"));
  const Seen seen = look(session, tiny::random({1, 77, 32}, 11).requires_grad_());
  total(seen.gaps).backward();
  const Tensor rows = seen.context.grad()[0].norm(2, 1);  // [77]
  CHECK(rows.min().item<double>() > 0.0);
  CHECK(rows[5].item<double>() > 10 * rows[7].item<double>());
  CHECK(rows[6].item<double>() > 10 * rows[7].item<double>());
}

TEST_CASE("Every cross-attention map is seen once, sums to 1, and looking changes nothing",
          "[attndreambooth][regularizer]") {
  Session session(tiny::base("sd15"));
  const Tensor context = tiny::random({1, 77, 32}, 11);
  AttentionSummaries maps;
  std::vector<std::string> names;
  maps.summarise = [&](std::string_view name, const Tensor& probabilities) {
    names.emplace_back(name);
    return probabilities;
  };
  UNetCall call;
  call.summaries = &maps;
  const Tensor with = session.unet().forward({.sample = tiny::random({1, 4, 8, 8}, 7),
                                              .timesteps = at::full({1}, 321, at::kLong),
                                              .context = context,
                                              .text_embeds = {},
                                              .time_ids = {}},
                                             call);
  REQUIRE(maps.layers.size() == 16);
  // (H, P) in forward order; heads and widths are the tiny model's, places those of Stable Diffusion.
  const std::int64_t pixels[] = {64, 64, 16, 16, 4, 4, 1, 4, 4, 4, 16, 16, 16, 64, 64, 64};
  for (std::size_t i = 0; i < 16; ++i) {
    INFO(names[i]);
    CHECK(names[i].ends_with(".transformer_blocks.0.attn2"));
    CHECK(maps.layers[i].sizes() == at::IntArrayRef({1, 4, pixels[i], 77}));
    CHECK((maps.layers[i].mean({1, 2}).sum() - 1.0).abs().item<double>() < 1e-5);
  }
  CHECK(names[6] == "mid_block.attentions.0.transformer_blocks.0.attn2");
  const Tensor without = look(session, context, false).output;
  CHECK((with - without).abs().max().item<double>() < 2e-5 * without.abs().max().item<double>());
}
