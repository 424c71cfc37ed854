// Every walk of references.safetensors (made by make_references.py with diffusers 0.42.1), sample by sample.
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "tests/framework/schedulers/walk.h"
#include "tests/support/catch_torch.h"

using atelier::Json;
using atelier::make_scheduler;

namespace {

/// The file, with tensors copied out.
class References {
 public:
  References()
      : file_(atelier::read_safetensors(ATELIER_SOURCE_DIR "/tests/framework/schedulers/references.safetensors")) {}

  bool has(const std::string& name) const { return file_.tensors.contains(name); }

  at::Tensor tensor(const std::string& name) const {
    const auto& view = file_.tensors.at(name);
    const auto dtype = view.dtype == atelier::Dtype::f64   ? at::kDouble
                       : view.dtype == atelier::Dtype::i64 ? at::kLong
                                                           : at::kFloat;
    std::vector<std::byte> aligned(view.bytes.begin(), view.bytes.end());
    return at::from_blob(aligned.data(), view.shape, dtype).clone();
  }

  Json metadata(const std::string& key) const { return atelier::parse_json(file_.metadata.at(key), key); }

 private:
  atelier::TensorFile file_;
};

const References& references() {
  static const References kReferences;
  return kReferences;
}

/// The largest difference, in units of the expected tensor's root mean square.
double difference(const at::Tensor& found, const at::Tensor& expected) {
  const auto scale = expected.to(at::kDouble).square().mean().sqrt().item<double>();
  return found.to(at::kDouble).sub(expected).abs().max().item<double>() / scale;
}

template <class Value>
double largest_difference(const std::vector<Value>& found, const at::Tensor& expected) {
  REQUIRE(static_cast<std::int64_t>(found.size()) == expected.numel());
  double largest = 0.0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto wanted = expected[static_cast<std::int64_t>(i)].item<double>();
    largest = std::max(largest, std::abs(static_cast<double>(found[i]) - wanted) / std::max(1.0, std::abs(wanted)));
  }
  return largest;
}

/// The largest difference of any sample from the reference's, in units of that sample's root mean square.
double walk_difference(atelier::Scheduler& scheduler, const at::Tensor& samples, const at::Tensor& draws) {
  const auto noise_pred = references().tensor("noise_pred");
  const auto step_noise = references().tensor("step_noise");
  auto x = references().tensor("start").mul(scheduler.init_noise_sigma());
  double largest = difference(x, samples[0]);
  for (std::size_t call = 0; call < scheduler.timesteps().size(); ++call) {
    const auto row = static_cast<std::int64_t>(call);
    CHECK(scheduler.draws_noise(call) == (draws[row].item<std::int64_t>() == 1));
    x = scheduler.step(noise_pred[row], call, x, step_noise[row]);
    largest = std::max(largest, difference(x, samples[row + 1]));
  }
  return largest;
}

}  // namespace

TEST_CASE("Every scheduler walks as the reference does", "[schedulers][references]") {
  const auto configs = references().metadata("configs");
  const auto walks = references().metadata("walks");
  REQUIRE(walks.size() > 100);
  for (const auto& [key, walk] : walks.items()) {
    CAPTURE(key, walk.dump());
    const auto name = walk.at("scheduler").get<std::string>();
    const auto scheduler = make_scheduler(name, configs.at(walk.at("config").get<std::string>()), walk.at("overrides"));
    scheduler->set_timesteps(walk.at("steps"));
    // Fractional timesteps come from a logarithm of σ; the reference takes it with four bits of error.
    CHECK(largest_difference(scheduler->timesteps(), references().tensor(key + ".timesteps")) < 1e-6);
    CHECK(scheduler->sigmas().empty() == !references().has(key + ".sigmas"));
    if (!scheduler->sigmas().empty()) {
      CHECK(largest_difference(scheduler->sigmas(), references().tensor(key + ".sigmas")) < 1e-6);
    }
    // From zero SNR the first σ is 4096 and its last bit, which differs between processors, weighs 2e-5.
    const double tolerance = walk.at("config") == "zero_snr" ? 5e-5 : 1e-5;
    const auto found =
        walk_difference(*scheduler, references().tensor(key + ".samples"), references().tensor(key + ".draws"));
    CHECK(found < tolerance);
  }
}

TEST_CASE("float64 samples stay float64 and end near the float32 walk", "[schedulers][references]") {
  const auto configs = references().metadata("configs");
  for (const auto& name : atelier::scheduler_names()) {
    CAPTURE(name);
    const auto narrow = make_scheduler(name, configs.at("sd15"));
    const auto wide = make_scheduler(name, configs.at("sd15"));
    narrow->set_timesteps(10);
    wide->set_timesteps(10);
    auto x = references().tensor("start").mul(narrow->init_noise_sigma());
    auto y = x.to(at::kDouble);
    for (std::size_t call = 0; call < narrow->timesteps().size(); ++call) {
      const auto output = references().tensor("noise_pred")[static_cast<std::int64_t>(call)];
      const auto noise = references().tensor("step_noise")[static_cast<std::int64_t>(call)];
      x = narrow->step(output, call, x, noise);
      y = wide->step(output.to(at::kDouble), call, y, noise.to(at::kDouble));
    }
    CHECK(y.scalar_type() == at::kDouble);
    CHECK(difference(x, y) < 1e-5);
    CHECK(difference(x, y) > 0.0);
  }
}

TEST_CASE("Whole tables are those of the reference", "[schedulers][tables]") {
  const auto configs = references().metadata("configs");
  for (const auto& name : {"sd15", "zero_snr", "defaults", "cosine"}) {
    CAPTURE(name);
    const auto found = atelier::read_training_noise(configs.at(name)).schedule.alphas_cumprod();
    const auto expected = references().tensor(std::string("alphas_cumprod.") + name);
    // Equal to the last bit where linspace rounds as on the machine that made the file; elsewhere a few bits (six were
    // seen).
    CHECK(found.sub(expected).abs().max().item<double>() < 1e-6);
  }
}
