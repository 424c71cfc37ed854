#include "eval/mask_job.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "eval/segmenter.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/image/encode.h"
#include "framework/worker/image_set.h"

namespace atelier::eval {
namespace {

using worker::Job;
using Masks = std::vector<std::vector<std::byte>>;  // PNGs

std::shared_ptr<const MappedFile> open_planned(const Job& file) {
  auto opened = MappedFile::open(file.text("path"));
  if (sha256_hex(opened->bytes()) == file.text("sha256")) return opened;
  throw Error({.where = file.text("path"),
               .found = "other bytes than when the study was planned",
               .expected = "a file that nobody changes while the study runs",
               .advice = "call `atelier run` again"},
              ErrorKind::usage);
}

const Json& entries_of(const worker::JobOutput& output) {
  const auto found = output.job.find("photos");
  if (found != output.job.end() && found->is_array()) return *found;
  throw Error({.where = "job: outputs", .found = "neither pictures nor photos", .expected = "one of the two"},
              ErrorKind::usage);
}

class MaskMaker {
 public:
  explicit MaskMaker(worker::JobRun& run)
      : run_(run),
        text_(run.job().optional_text("text").value_or("")),
        rule_(run.job().optional_text("rule").value_or("segmenter")),
        exif_(run.job().text("exif") == "ignore" ? ExifRule::ignore : ExifRule::apply) {
    const Json* segmenter = run.job().find("segmenter");
    if (segmenter == nullptr) return;
    const Job fields(*segmenter);
    segmenter_.emplace(EncoderFiles{.folder = fields.text("path"),
                                    .tokenizer = {},
                                    .variant = fields.optional_text("variant").value_or(""),
                                    .allow_pickle = fields.flag("allow_pickle")},
                       run.job().placement());
  }

  [[nodiscard]] Masks of_pictures(const std::string& key) {
    const auto record = worker::find_input(run_.store(), key, "pictures");
    const auto set = worker::ImageSet::open(run_.store().object_path(record.object));
    Masks masks;
    for (const auto& entry : set.entries()) {
      run_.check_stop();
      masks.push_back(encode_png(of_picture(entry.bytes, record.object + ": " + entry.name)));
    }
    return masks;
  }

  [[nodiscard]] Masks of_photos(const Json& photos) {
    Masks masks;
    for (const Json& entry : photos) {
      run_.check_stop();
      masks.push_back(encode_png(of_photo(Job(entry))));
    }
    return masks;
  }

 private:
  [[nodiscard]] Mask of_picture(std::span<const std::byte> bytes, const std::string& where) {
    std::optional<Decoded> decoded;
    try {
      decoded = decode(bytes, where, exif_);
    } catch (const Error&) {
      return make_raster<Mask>({1, 1});
    }
    return segmented(*std::move(decoded), where);
  }

  [[nodiscard]] Mask of_photo(const Job& photo) {
    const auto file = open_planned(photo);
    const std::string where = photo.text("path");
    auto decoded = decode(file->bytes(), where, exif_);
    if (const Json* mask = photo.find("mask")) return given(Job(*mask), decoded.image.size());
    if (rule_ == "alpha" || (rule_ == "auto" && !decoded.opaque())) return alpha_of(std::move(decoded), where);
    return segmented(std::move(decoded), where);
  }

  [[nodiscard]] Mask given(const Job& file, Size wanted) const {
    const std::string where = file.text("path");
    Mask mask = to_mask(decode(open_planned(file)->bytes(), where, exif_), where);
    if (mask.size() == wanted) return mask;
    throw Error({.where = where,
                 .found = fmt::format("a mask of {} x {} pixels", mask.width, mask.height),
                 .expected = fmt::format("{} x {}, as its photo has when it is upright", wanted.width, wanted.height)},
                ErrorKind::usage);
  }

  [[nodiscard]] static Mask alpha_of(Decoded decoded, const std::string& where) {
    if (!decoded.opaque()) return std::move(decoded.alpha);
    throw Error({.where = where,
                 .found = "a photo without transparency under photo_masks: alpha",
                 .expected = "a photo whose background is transparent",
                 .advice = "leave photo_masks out: the segmenter then masks it"},
                ErrorKind::usage);
  }

  [[nodiscard]] Mask segmented(Decoded decoded, const std::string& where) {
    if (!segmenter_) {
      throw Error({.where = "job: segmenter", .found = "nothing", .expected = "a folder: " + where + " needs it"},
                  ErrorKind::usage);
    }
    return segmenter_->find(flatten(std::move(decoded), {.kind = AlphaRule::Kind::drop}, where), text_);
  }

  worker::JobRun& run_;
  std::string text_, rule_;
  ExifRule exif_;
  std::optional<Segmenter> segmenter_;
};

}  // namespace

void run_mask_job(worker::JobRun& run) {
  MaskMaker maker(run);
  run.begin_work();
  std::int64_t done = 0;
  const auto total = static_cast<std::int64_t>(run.missing().size());
  for (const auto& output : run.missing()) {
    const auto pictures = Job(output.job).optional_text("pictures");
    const Masks masks = pictures ? maker.of_pictures(*pictures) : maker.of_photos(entries_of(output));
    const auto path = run.store().temporary_path();
    worker::write_image_set(path, masks);
    const auto bytes = std::filesystem::file_size(path);
    run.publish(output, run.store().adopt(path),
                {{"images", masks.size()}, {"bytes", bytes}, {"seconds", run.seconds()}});
    run.progress(++done, total, "masking");
  }
}

}  // namespace atelier::eval
