// What is committed under experiments/pocket is what the program writes.
#include <catch2/catch.hpp>

#include "experiments/pocket/world/concept_folder.h"
#include "experiments/pocket/world/prompts.h"
#include "experiments/pocket/world/sheet.h"
#include "framework/core/atomic_file.h"
#include "framework/image/decode.h"
#include "framework/plan/concept.h"
#include "framework/store/digest_cache.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::pocket;

namespace {

const std::filesystem::path kPocket = std::filesystem::path(ATELIER_SOURCE_DIR) / "experiments/pocket";

}  // namespace

TEST_CASE("The committed concepts are the ones that the program writes", "[pocket][concepts]") {
  TemporaryFolder folder;
  for (const Concept& what : pocket::concepts()) {
    const std::string name(what.name);
    INFO(name);
    write_concept_folder(what, folder / name);
    CHECK(read_text_file(folder / name / "concept.yaml") ==
          read_text_file(kPocket / "concepts" / name / "concept.yaml"));
    for (const char* photo :
         {"00.png", "01.png", "02.png", "03.png", "04.png"}) {  // pixels: zlib may pack them otherwise
      CHECK(decode_file(folder / name / photo).image == decode_file(kPocket / "concepts" / name / photo).image);
      CHECK(load_mask(folder / name / "masks" / photo) == load_mask(kPocket / "concepts" / name / "masks" / photo));
    }
  }
}

TEST_CASE("Atelier reads the concepts: five photos, a class word, captions and masks", "[pocket][concepts]") {
  DigestCache digests;
  PhotoReader reader(digests);
  for (const Concept& what : pocket::concepts()) {
    const auto read = read_concept(kPocket / "concepts" / std::string(what.name), reader);
    CHECK(read.class_for("textual_inversion") == kClasses[number(what.instance.kind)]);
    REQUIRE(read.used_photos().size() == 5);
    for (const ConceptPhoto& photo : read.photos) {
      CHECK(photo.caption.starts_with("a photo of a {} "));
      CHECK_FALSE(photo.mask.empty());
    }
  }
}

TEST_CASE("The committed prompts are the ones that the program writes", "[pocket][prompts]") {
  CHECK(read_text_file(kPocket / "prompts.yaml") == prompts_yaml());
}

TEST_CASE("Every contact sheet can be drawn", "[pocket][sheet]") {
  for (const std::string& name : sheet_names()) {
    const Image sheet = contact_sheet(sheet_scenes(name, 0, 3), 1, false);
    CHECK(sheet.width >= 3 * kSide);
    CHECK(sheet.height >= 4 * kSide);
  }
}
