// Pickles that would run a command when an ordinary reader loads them.
#include <catch2/catch.hpp>
#include <cstdint>

#include "tests/e2e/refusal.h"

namespace {

namespace fs = std::filesystem;

template <typename Number>
std::string little_endian(Number number) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(Number); ++i) bytes += static_cast<char>((number >> (8 * i)) & 0xFF);
  return bytes;
}

/// What pickle.dumps gives, at protocol 2, for an object whose __reduce__ is (os.system, ("touch FILE",)).
std::string malicious_pickle(const fs::path& file) {
  const std::string command = "touch " + file.string();
  std::string bytes =
      "\x80\x02"
      "cposix\nsystem\n";                                                              // PROTO 2, GLOBAL
  bytes += "X" + little_endian(static_cast<std::uint32_t>(command.size())) + command;  // BINUNICODE
  return bytes + "\x85R.";                                                             // TUPLE1, REDUCE, STOP
}

/// torch.save's format before archives: pickles of a magic number, a version and the machine stand before the object's,
/// the list of its storages after it.
std::string malicious_legacy_file(const fs::path& file) {
  const std::string magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  return magic + "\x80\x02M\xe9\x03." + "\x80\x02}." + malicious_pickle(file) + "\x80\x02].";
}

/// CRC-32 of zip (ISO 3309), bit by bit.
std::uint32_t crc32(const std::string& bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

/// The fields that a zip's local header and its directory share, from "version needed" to the length of the extra
/// field.
std::string zip_fields(const std::string& name, const std::string& content) {
  const auto size = static_cast<std::uint32_t>(content.size());
  return std::string("\x0a\0\0\0\0\0\0\0\x21\0", 10) + little_endian(crc32(content)) + little_endian(size) +
         little_endian(size) + little_endian(static_cast<std::uint16_t>(name.size())) + std::string(2, '\0');
}

/// A zip archive of stored files, as torch.save writes one.
std::string zip_of(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string archive, directory;
  for (const auto& [name, content] : files) {
    const auto offset = static_cast<std::uint32_t>(archive.size());
    const std::string fields = zip_fields(name, content);
    archive += "PK\x03\x04" + fields + name + content;
    directory += std::string("PK\x01\x02\x0a\0", 6) + fields + std::string(10, '\0') + little_endian(offset) + name;
  }
  const auto count = little_endian(static_cast<std::uint16_t>(files.size()));
  return archive + directory + std::string("PK\x05\x06\0\0\0\0", 8) + count + count +
         little_endian(static_cast<std::uint32_t>(directory.size())) +
         little_endian(static_cast<std::uint32_t>(archive.size())) + std::string(2, '\0');
}

std::string malicious_archive(const fs::path& file) {
  return zip_of(
      {{"archive/data.pkl", malicious_pickle(file)}, {"archive/byteorder", "little"}, {"archive/version", "3\n"}});
}

/// Gives `bytes` as a base model: refused, not executed.
void check_checkpoint(const Workplace& place, const std::string& bytes, const std::vector<std::string>& found,
                      const std::string& advice) {
  const fs::path model = place.write("model.ckpt", bytes);
  std::vector<std::string> mentions{model.string()};
  mentions.insert(mentions.end(), found.begin(), found.end());
  place.check_component_refused("unet", model, "unet_10x14", {"--allow-pickle"}, mentions);
  place.check_component_refused("unet", model, "unet_10x14", {},
                                {model.string(), "expected a safetensors file", advice});
  CHECK(!fs::exists(place.output("executed")));
}

}  // namespace

TEST_CASE("A checkpoint of torch.save that calls os.system is refused and not executed", "[e2e][pickles]") {
  const Workplace place;
  const fs::path trace = place.output("executed");
  for (const auto& bytes : {malicious_legacy_file(trace), malicious_archive(trace)}) {
    check_checkpoint(place, bytes, {"posix", "system"}, "allow pickle files");
  }
}

TEST_CASE("A bare pickle that calls os.system is no checkpoint and is not executed", "[e2e][pickles]") {
  const Workplace place;
  check_checkpoint(place, malicious_pickle(place.output("executed")), {"a pickle that torch.save did not write"},
                   "convert it to safetensors");
}

TEST_CASE("A malicious .bin of a pipeline is refused and not executed", "[e2e][pickles]") {
  const Workplace place;
  const fs::path model = place.copy_model();
  const fs::path trace = place.output("executed");
  const fs::path weights = model / "unet/diffusion_pytorch_model.bin";
  fs::remove(model / "unet/diffusion_pytorch_model.safetensors");
  for (const auto& bytes : {malicious_legacy_file(trace), malicious_archive(trace)}) {
    write_bytes(weights, bytes);
    place.check_component_refused("unet", model, "unet_10x14", {"--allow-pickle"},
                                  {weights.string(), "posix", "system"});
    place.check_component_refused("unet", model, "unet_10x14", {}, {(model / "unet").string(), "allow pickle files"});
    CHECK(!fs::exists(trace));
  }
}

TEST_CASE("A malicious pickle given as an artifact is refused and not executed", "[e2e][pickles]") {
  const Workplace place;
  const fs::path trace = place.output("executed");
  const fs::path artifact = place.write("learned.pt", malicious_archive(trace));
  place.check_refused(1,
                      {"sample", "--model", models_folder() / "sd15", "--artifact", artifact, "--prompt", "a cat",
                       "--steps", "1", "--out", place.output("out")},
                      {artifact.string(), "0 tensors", "expected a LoRA or learned tokens"});
  CHECK(!fs::exists(trace));
}
