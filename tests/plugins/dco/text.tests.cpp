#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>

#include <cmath>
#include <fstream>

#include "framework/core/atomic_file.h"
#include "framework/models/clip_text.h"
#include "framework/models/time_embedding.h"
#include "framework/text/clip_tokenizer.h"
#include "tests/plugins/dco/world.h"
#include "tests/support/temporary_folder.h"

using namespace dco_world;

namespace {

/// CLIP's whole vocabulary with a pad token.
ClipTokenizer clip_tokenizer(const TemporaryFolder& folder, const std::string& pad) {
  const std::filesystem::path data = ATELIER_SOURCE_DIR "/tests/data/clip_tokenizer";
  for (const char* file : {"vocab.json", "merges.txt"}) {
    write_file_atomically(folder / file, read_text_file(data / file));
  }
  Json config = Json::parse(read_text_file(data / "tokenizer_config.json"));
  config["pad_token"] = pad;
  write_file_atomically(folder / "tokenizer_config.json", config.dump());
  return ClipTokenizer::load(folder / "");
}

/// The first place of the largest id.
std::size_t argmax(const std::vector<std::int64_t>& ids) {
  return static_cast<std::size_t>(std::ranges::max_element(ids) - ids.begin());
}

}  // namespace

TEST_CASE("A new token gets the first free id in both vocabularies; each pads with its own token", "[dco][text]") {
  for (const auto& [pad, pad_id] : std::map<std::string, std::int64_t>{{"<|endoftext|>", 49407}, {"!", 0}}) {
    const TemporaryFolder folder;
    auto tokenizer = clip_tokenizer(folder, pad);
    CHECK(tokenizer.add_token("<tok>") == 49408);
    const auto ids = tokenizer.encode("a photo of a <tok>");
    REQUIRE(ids.size() == 77);
    CHECK(std::vector<std::int64_t>(ids.begin(), ids.begin() + 7) ==
          std::vector<std::int64_t>{49406, 320, 1125, 539, 320, 49408, 49407});
    CHECK(std::all_of(ids.begin() + 7, ids.end(), [&, id = pad_id](std::int64_t one) { return one == id; }));
    CHECK(argmax(ids) == 5);
  }
}

TEST_CASE("SDXL's pooled text is read at the new token, or at the end token where a session is told so",
          "[dco][text]") {
  const at::NoGradGuard no_grad;
  const auto base = tiny_base("sdxl");
  Session session(base);
  session.add_token("<tok>", {random_tensor({24}, 1), random_tensor({40}, 2)});
  const Tensor ids = session.tokenize({"a photo of a <tok>"}).towers.at(1);
  auto& second = session.text(1);
  const auto place = [&](Pooling pooling) {
    return second.eos_positions(ids, pooling, session.tokenizer(1).eos_id()).item<std::int64_t>();
  };
  const auto at_token = place(Pooling::config);
  CHECK(ids[0][at_token].item<std::int64_t>() == session.tokenizer(1).id_of("<tok>"));
  CHECK(place(Pooling::eos) == at_token + 1);

  const auto argmax_pooled = session.encode({"a photo of a <tok>"}).pooled;
  const auto eos_pooled = session.encode({"a photo of a <tok>"}, {.pool_at_eos = true}).pooled;
  CHECK_FALSE(at::allclose(argmax_pooled, eos_pooled, 1e-3, 1e-3));
  session.pool_at_eos();
  CHECK(at::equal(session.encode({"a photo of a <tok>"}).pooled, eos_pooled));
}

TEST_CASE("SDXL's size of 1024 as sinusoids: cosines first, 2816 numbers beside the pooled text", "[dco][text]") {
  const Tensor waves = sinusoidal_embedding(at::full({1}, 1024.0F), 256, true, 0.0);
  CHECK(waves[0][0].item<double>() == Approx(0.987354).epsilon(1e-5));
  CHECK(waves[0][128].item<double>() == Approx(-0.158533).epsilon(1e-4));
  CHECK(waves[0][1].item<double>() == Approx(-0.537610).epsilon(1e-4));
  CHECK(std::pow(10000.0, -1.0 / 128.0) == Approx(0.930572).epsilon(1e-6));
  CHECK(1280 + 6 * waves.size(1) == 2816);
}
