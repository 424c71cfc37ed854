#include "framework/files/pickle_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/files/byte_reader.h"
#include "framework/files/file_kind.h"
#include "framework/files/pickle_machine.h"
#include "framework/files/pickle_tree.h"
#include "framework/files/quote.h"
#include "framework/files/zip_archive.h"

namespace atelier {
namespace {

constexpr std::string_view kPickleName = "data.pkl";
constexpr std::int64_t kLegacyProtocol = 1001;
constexpr const char* kAgain = "the file is incomplete or damaged: fetch it again";

[[noreturn]] void fail(const std::string& where, std::string found, std::string expected, std::string advice = kAgain) {
  throw Error(
      {.where = where, .found = std::move(found), .expected = std::move(expected), .advice = std::move(advice)});
}

std::span<const std::byte> storage_bytes(const PickleStorage& storage, std::span<const std::byte> bytes,
                                         const std::string& where) {
  std::uint64_t expected = 0;
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(storage.numel), dtype_size(storage.dtype), &expected) ||
      bytes.size() != expected) {
    fail(where, fmt::format("{} bytes of the storage {}", bytes.size(), quote(storage.key)),
         fmt::format("{} elements {}", storage.numel, dtype_name(storage.dtype)));
  }
  return bytes;
}

/// Points every tensor at its bytes, now that all storages are found.
void resolve_tensors(PickleTree& tree) {
  for (PickleTensor& tensor : tree.tensors) {
    const std::size_t size = dtype_size(tensor.view.dtype);
    tensor.view.bytes = tree.storages[tensor.storage].bytes.subspan(static_cast<std::size_t>(tensor.offset) * size,
                                                                    static_cast<std::size_t>(tensor.span) * size);
    tensor.view.owner = tree.owner;
  }
}

/// The folder in the archive that holds data.pkl, with its slash: "archive/".
std::string top_folder(const ZipArchive& archive, const std::string& where) {
  std::string folder;
  for (const auto& [name, entry] : archive.entries()) {
    const auto slash = name.find('/');
    if (slash == std::string::npos || std::string_view(name).substr(slash + 1) != kPickleName) continue;
    if (!folder.empty()) fail(where, "two files data.pkl", "one", "this is no file of torch.save");
    folder = name.substr(0, slash + 1);
  }
  if (folder.empty()) fail(where, "a zip file without data.pkl", "a file of torch.save", "convert it to safetensors");
  return folder;
}

/// Comes first: such an archive also holds compressed entries, about which the complaint would be misleading.
void refuse_torchscript(std::span<const std::byte> bytes, const std::string& where) {
  for (const auto& name : ZipArchive::names(bytes, where)) {
    const auto slash = name.find('/');
    if (slash == std::string::npos || std::string_view(name).substr(slash + 1) != "constants.pkl") continue;
    fail(where, "a TorchScript archive", "tensors saved by torch.save or safetensors",
         "convert it in Python: safetensors.torch.save_file(dict(torch.jit.load(IN).state_dict()), OUT)");
  }
}

void check_byte_order(const ZipArchive& archive, const std::string& folder, const std::string& where) {
  const auto* order = archive.find(folder + "byteorder");
  if (order == nullptr) return;
  const std::string_view text(reinterpret_cast<const char*>(order->bytes.data()), order->bytes.size());
  if (text != "little") {
    fail(where, "tensors with the byte order " + quote(text), "little",
         "convert the file to safetensors on the machine that wrote it");
  }
}

PickleNodeId read_zip(PickleTree& tree, std::span<const std::byte> bytes) {
  const std::string& where = tree.path;
  refuse_torchscript(bytes, where);
  const ZipArchive archive = ZipArchive::parse(bytes, where);
  const std::string folder = top_folder(archive, where);
  check_byte_order(archive, folder, where);
  const auto* pickle = archive.find(folder + std::string(kPickleName));
  ByteReader reader(bytes.first(pickle->offset + pickle->bytes.size()), where, pickle->offset);
  const PickleNodeId root = PickleMachine(tree, reader).run();
  if (reader.left() != 0) fail(where, fmt::format("{} bytes after the end of the pickle", reader.left()), "none");
  for (PickleStorage& storage : tree.storages) {
    const std::string name = folder + "data/" + std::string(storage.key);
    const auto* entry = archive.find(name);
    if (entry == nullptr) fail(where, "no entry " + quote(name), "one for every storage that the pickle names");
    storage.bytes = storage_bytes(storage, entry->bytes, fmt::format("{}: byte {}", where, entry->offset));
  }
  return root;
}

/// The three small pickles in front of the object: a magic number (already seen), the protocol, the machine.
void read_legacy_start(PickleTree& tree, ByteReader& reader) {
  (void)PickleMachine(tree, reader).run();
  const PickleNode& protocol = tree.nodes[PickleMachine(tree, reader).run()];
  if (protocol.kind != PickleKind::integer || protocol.integer != kLegacyProtocol) {
    fail(tree.path, "another protocol of torch.save", fmt::format("{}", kLegacyProtocol));
  }
  const PickleNode machine = tree.nodes[PickleMachine(tree, reader).run()];
  for (std::size_t i = 0; i + 1 < machine.pairs.size(); i += 2) {
    const PickleNode& value = tree.nodes[machine.pairs[i + 1]];
    if (tree.nodes[machine.pairs[i]].text == "little_endian" && value.kind == PickleKind::boolean &&
        value.integer == 0) {
      fail(tree.path, "tensors in big-endian byte order", "little",
           "convert the file to safetensors on the machine that wrote it");
    }
  }
}

/// Before 1.6: magic, protocol, machine, object and storage keys as five pickles, then for each key the number of
/// elements and the elements.
PickleNodeId read_legacy(PickleTree& tree, std::span<const std::byte> bytes) {
  const std::string& where = tree.path;
  ByteReader reader(bytes, where);
  read_legacy_start(tree, reader);
  const PickleNodeId root = PickleMachine(tree, reader).run();
  const PickleNode keys = tree.nodes[PickleMachine(tree, reader).run()];
  std::unordered_set<std::string_view> found;
  for (const PickleNodeId item : keys.items) {
    const auto at = fmt::format("{}: byte {}", where, reader.position());
    const std::string_view key = tree.nodes[item].text;
    const auto known = tree.storage_by_key.find(key);
    if (known == tree.storage_by_key.end()) {
      fail(at, fmt::format("the storage {}, which no tensor of a known type uses", quote(key)), "storages of tensors",
           "convert the file to safetensors");
    }
    if (!found.insert(key).second) fail(at, fmt::format("the storage {} twice", quote(key)), "each storage once");
    PickleStorage& storage = tree.storages[known->second];
    if (const auto numel = reader.number<std::int64_t>(); numel != storage.numel) {
      fail(at, fmt::format("{} elements of the storage {}", numel, quote(key)), fmt::format("{}", storage.numel));
    }
    const auto left = static_cast<std::uint64_t>(reader.left()) / dtype_size(storage.dtype);
    const std::uint64_t numel = std::min<std::uint64_t>(static_cast<std::uint64_t>(storage.numel), left);
    storage.bytes = storage_bytes(storage, reader.take(numel * dtype_size(storage.dtype)), at);
  }
  if (found.size() != tree.storages.size()) {
    fail(where, fmt::format("{} storages", found.size()), fmt::format("{}", tree.storages.size()));
  }
  if (reader.left() != 0) fail(where, fmt::format("{} bytes after the last storage", reader.left()), "none");
  return root;
}

}  // namespace

PickleValue parse_pickle(std::span<const std::byte> bytes, const std::string& where,
                         std::shared_ptr<const void> owner) {
  const auto tree = std::make_shared<PickleTree>();
  tree->path = where;
  tree->owner = std::move(owner);
  tree->file_size = bytes.size();
  const auto read = [&] {
    switch (sniff_file_kind(bytes)) {
      case FileKind::zip:
        return read_zip(*tree, bytes);
      case FileKind::legacy_pickle:
        return read_legacy(*tree, bytes);
      case FileKind::tar:
        fail(where, "a tar file, as torch before 0.4 wrote it", "a file of torch 0.4 or newer",
             "convert it in Python: safetensors.torch.save_file(torch.load(IN), OUT)");
      case FileKind::safetensors:
        fail(where, "a safetensors file", "a pickle of torch.save", "read it as safetensors");
      case FileKind::other:
        break;
    }
    ForeignFile foreign = describe_foreign_file(bytes);
    fail(where, std::move(foreign.found), "a pickle of torch.save", std::move(foreign.advice));
  };
  const PickleNodeId root = read();
  resolve_tensors(*tree);
  return {tree, root};
}

PickleValue read_pickle(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return parse_pickle(file->bytes(), path.string(), file);
}

}  // namespace atelier
