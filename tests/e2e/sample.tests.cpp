// Options and files that `sample` cannot work with.
#include <catch2/catch.hpp>

#include "tests/e2e/damage.h"
#include "tests/e2e/refusal.h"

namespace {

namespace fs = std::filesystem;

std::vector<std::string> sample_into(const fs::path& out, const std::vector<std::string>& options) {
  std::vector<std::string> arguments{"sample", "--model", models_folder() / "sd15", "--steps", "1", "--out", out};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return arguments;
}

std::vector<std::string> with_prompt(std::vector<std::string> options) {
  options.insert(options.end(), {"--prompt", "a cat"});
  return options;
}

void check_sample(const Workplace& place, int status, const std::vector<std::string>& options,
                  const std::vector<std::string>& mentions) {
  place.check_refused(status, sample_into(place.output("out"), with_prompt(options)), mentions);
}

void check_latents(const std::string& name, const std::vector<std::int64_t>& shape, const std::string& found,
                   const std::vector<std::string>& options = {}) {
  const Workplace place;
  const fs::path latents = place.write("latents.safetensors", zeros_file(name, shape));
  std::vector<std::string> all{"--latents-in", latents};
  all.insert(all.end(), options.begin(), options.end());
  check_sample(place, 1, all, {latents.string(), found, "expected latents [", ", 4, h, w]"});
}

}  // namespace

TEST_CASE("A --size that is none is refused with the form it should have", "[e2e][sample]") {
  const Workplace place;
  for (const std::string size : {"", "64", "64x", "x64", "0x0", "65x64", "-8x8", "64x64x64", "axb", "1000000x1000000",
                                 "99999999999999999999x8"}) {
    check_sample(place, 2, {"--size", size},
                 {"--size: '" + size + "'", "expected WIDTHxHEIGHT, multiples of 8 up to 16384, e.g. 512x512"});
  }
}

TEST_CASE("Initial latents of another shape are refused with both shapes", "[e2e][sample]") {
  check_latents("latents", {2, 4, 8, 8}, "[2, 4, 8, 8]");
  check_latents("latents", {1, 4, 8, 8}, "[1, 4, 8, 8]", {"-n", "2"});
  check_latents("latents", {1, 3, 8, 8}, "[1, 3, 8, 8]");
  check_latents("latents", {4, 8, 8}, "[4, 8, 8]");
  check_latents("latents", {1, 4, 0, 8}, "[1, 4, 0, 8]");
  check_latents("noise", {1, 4, 8, 8}, "no tensor `latents`");
}

TEST_CASE("Initial latents and --size have to agree", "[e2e][sample]") {
  const Workplace place;
  const fs::path latents = place.write("latents.safetensors", zeros_file("latents", {1, 4, 8, 16}));
  check_sample(place, 2, {"--latents-in", latents, "--size", "64x64"},
               {"--latents-in, --size", "128x64", "64x64", "leave --size out"});
}

TEST_CASE("A file that is no artifact is refused by name", "[e2e][sample]") {
  const Workplace place;
  const fs::path text = place.write("text", "hello\n");
  const fs::path vector = place.write("foo.safetensors", zeros_file("foo", {3}));
  const fs::path weights = models_folder() / "sd15/unet/diffusion_pytorch_model.safetensors";
  check_sample(place, 1, {"--artifact", text}, {text.string(), "unknown kind", "expected safetensors", "convert it"});
  check_sample(place, 1, {"--artifact", vector},
               {vector.string() + ": token foo", "[1, 3]", "expected [32]", "made for another base model"});
  check_sample(place, 1, {"--artifact", weights},
               {weights.string(), "no known kind", "expected a LoRA or learned tokens"});
  check_sample(place, 2, {"--artifact", place.input("none")}, {"--artifact", "does not exist; expected a file"});
  check_sample(place, 2, {"--artifact", text.string() + ":much"}, {"--artifact", "'much'", "expected a number"});
}

TEST_CASE("An --out that is a file, or below one, is refused before anything is computed", "[e2e][sample]") {
  const Workplace place;
  const fs::path file = place.write("file", "content");
  place.check_refused(2, sample_into(file, with_prompt({})), {"--out", file, "is not a folder; expected a folder"});
  place.check_refused(2, sample_into(file / "below/it", with_prompt({})),
                      {"--out", file, "is not a folder; expected a folder", "choose another place"});
  CHECK(read_bytes(file) == "content");
}

TEST_CASE("An --out where no folder can be made is refused", "[e2e][sample]") {
  const Workplace place;
  place.check_refused(2, sample_into("/proc/self/pictures", with_prompt({})),
                      {"--out: '/proc/self'", "expected a folder that can be written to"});
}

TEST_CASE("A --latents-out that cannot be a file is refused before anything is computed", "[e2e][sample]") {
  const Workplace place;
  check_sample(place, 2, {"--latents-out", "/dev/full/x"}, {"--latents-out", "'/dev/full' is not a folder"});
  check_sample(place, 2, {"--latents-out", "/dev/null"},
               {"--latents-out", "'/dev/null' is a device", "expected a file"});
  check_sample(place, 2, {"--latents-out", place.output("none/x")},
               {"--latents-out", "the folder does not exist", "mkdir -p"});
  CHECK(fs::is_character_file("/dev/full"));
}

TEST_CASE("A prompt with {} needs a concept", "[e2e][sample]") {
  const Workplace place;
  place.check_refused(2, sample_into(place.output("out"), {"--prompt", "a {} in a hat"}),
                      {"prompt \"a {} in a hat\"", "expected a prompt without {}", "--artifact"});
}

TEST_CASE("Text that is not UTF-8 is refused with its option and offset", "[e2e][sample]") {
  const Workplace place;
  place.check_refused(2, sample_into(place.output("out"), {"--prompt", "a \xff cat"}),
                      {"--prompt: byte 0xff at offset 2", "expected UTF-8"});
  check_sample(place, 2, {"--negative", "\xc0\xaf"}, {"--negative: byte 0xc0 at offset 0", "expected UTF-8"});
  const fs::path prompts = place.write("prompts.txt", "a cat\na \xff dog\n");
  place.check_refused(2, sample_into(place.output("out"), {"--prompts", prompts}),
                      {prompts.string() + ":2", "byte 0xff", "expected UTF-8"});
}

TEST_CASE("A machine without a GPU says so, and what to do", "[e2e][sample]") {
  if (fs::exists("/dev/nvidiactl") || fs::exists("/dev/dxg")) return;
  check_sample(Workplace(), 1, {"--device", "cuda"}, {"--device cuda", "expected", "use --device cpu"});
}
