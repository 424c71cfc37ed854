// What a step of DCO costs beside one of the plain loss: one pass more, and no memory for it.
#include <ATen/core/grad_mode.h>
#include <ATen/record_function.h>
#include <c10/core/Allocator.h>
#include <fmt/format.h>

#include <iostream>

#include "framework/models/linear.h"
#include "tests/plugins/dco/world.h"

using namespace dco_world;

namespace {

/// Bytes that a piece of work holds at once, beyond what was there.
class PeakMemory final : public c10::MemoryReportingInfoBase {
 public:
  explicit PeakMemory(std::int64_t& peak) : peak_(peak) {}
  bool memoryProfilingEnabled() const override { return true; }
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    held_ += size;  // negative when it is freed
    peak_ = std::max(peak_, held_);
  }
  void reportOutOfMemory(std::int64_t, std::size_t, std::size_t, c10::Device) override {}

 private:
  std::int64_t& peak_;
  std::int64_t held_ = 0;
};

std::int64_t peak_of(const std::function<void()>& work) {
  std::int64_t peak = 0;
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, std::make_shared<PeakMemory>(peak));
  work();
  return peak;
}

std::int64_t attentions = 0;

std::unique_ptr<at::ObserverContext> count_attentions(const at::RecordFunction& function) {
  if (std::string_view(function.name()) == "aten::scaled_dot_product_attention") ++attentions;
  return nullptr;
}

std::int64_t attentions_of(const std::function<void()>& work) {
  attentions = 0;
  const auto handle =
      at::addThreadLocalCallback(at::RecordFunctionCallback(count_attentions).scopes({at::RecordScope::FUNCTION}));
  work();
  at::removeCallback(handle);
  return attentions;
}

std::int64_t weight_bytes(Session& session) {
  std::int64_t bytes = 0;
  for (const auto& [name, slot] : session.unet().registry().parameters) {
    bytes += static_cast<std::int64_t>(slot->nbytes());
  }
  return bytes;
}

struct Cost {
  std::int64_t peak, attentions;
};

/// From the first step on, with whatever it caches.
Cost step_cost(const std::shared_ptr<const Base>& base, double beta) {
  Run run(base, dco::make_stage(style_settings({{"dcoloss_beta", beta}})));
  Cost cost{};
  cost.peak = peak_of([&] {
    for (std::int64_t step = 0; step < 3; ++step) (void)run.step(step, 4);
  });
  cost.attentions = attentions_of([&] { (void)run.step(3, 4); });
  return cost;
}

}  // namespace

TEST_CASE("A step of DCO makes one pass more than the plain loss and holds no copy of the weights for it",
          "[dco][cost]") {
  const auto base = tiny_base("sd15");
  Session session(base);
  const auto text = session.encode({"a photo of a man"});
  const auto input = unet_input(session, text, 4);
  std::int64_t forward_peak = 0, forward_attentions = 0;
  {
    const at::NoGradGuard no_grad;
    (void)session.unet().forward(input);
    forward_peak = peak_of([&] { (void)session.unet().forward(input); });
    forward_attentions = attentions_of([&] { (void)session.unet().forward(input); });
  }
  const Cost dco = step_cost(base, 1000.0), plain = step_cost(base, -1.0);
  const std::string found = fmt::format(
      "peak of a step: {} bytes, plain loss {}, difference {}; activations of a pass without gradient {}; "
      "weights {}",
      dco.peak, plain.peak, dco.peak - plain.peak, forward_peak, weight_bytes(session));
  INFO(found);
  if (std::getenv("ATELIER_PARITY_REPORT") != nullptr) std::cout << found << "\n";
  CHECK(dco.attentions == plain.attentions + forward_attentions);
  CHECK(dco.peak - plain.peak < forward_peak);
  CHECK(dco.peak - plain.peak < weight_bytes(session) / 10);
}
