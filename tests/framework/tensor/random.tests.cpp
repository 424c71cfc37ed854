#include "framework/tensor/random.h"

#include "tests/support/catch_torch.h"

using namespace atelier;

// formats.md 17: torch.manual_seed(0); torch.randn(20)[0], torch.randn(3)[0] in PyTorch.
TEST_CASE("the CPU generator gives PyTorch's stream, which depends on the size of the draw", "[tensor][random]") {
  auto generator = make_generator(0);
  CHECK(randn({20}, generator)[0].item<float>() == Approx(-1.1258398f).epsilon(1e-6));
  generator = make_generator(0);
  CHECK(randn({3}, generator)[0].item<float>() == Approx(1.5409961f).epsilon(1e-6));
}
