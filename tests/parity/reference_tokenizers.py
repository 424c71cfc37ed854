"""A CLIP tokenizer with the first 300 merges of the published vocabulary, and what it makes of difficult texts."""

import gzip
import json
import pathlib

import open_clip
import transformers
from reference_files import REFERENCES, write_json, write_text

MERGES = 300
START, EOS = "<|startoftext|>", "<|endoftext|>"
VOCABULARY_SIZE = 512 + MERGES + 2
BOS = VOCABULARY_SIZE - 2

TEXTS = [
    "a photo of a cat",
    "",
    "   A  Photo\tof   TWO dogs  ",
    "it's o'clock, they'll say we'd've gone",
    "1234 5.6% of 7th",
    "caf\u00e9 na\u00efve \u00dcber STRASSE \u0130stanbul \u039f\u0394\u039f\u03a3",
    "cafe\u0301 e\u0302\u0323 combining",
    "\u732b\u306e\u5199\u771f \u0441\u043e\u0431\u0430\u043a\u0430 \u0643\u0644\u0628",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 emoji \u2764\ufe0f",
    "<|endoftext|> in the middle <|startoftext|> of it",
    "<|endoftext|>glued<|startoftext|>together",
    "<|EndOfText|> and <krk1> <|not a token|>",
    "a_b-c/d\\e@f #tag $5 (x) [y] {z} ~ ` ^",
    "\u2167 \u00bd \u0663 \u00b2 roman and fractions",
    "non\u00a0breaking\u3000wide\u2009thin\u200bzero",
    "!!! ...???!!",
    " ".join(["photo"] * 90),
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "quote \u2019s \u201ccurly\u201d \u2014 dash",
    "the 's 'S 'LL I'M",
    "\ufb01ne \u212bngstr\u00f6m \u1e9e",
    "a\x00b \x07 \x1f control",
]


def byte_symbols():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + index) for index in range(len(others))]


def published_merges(count):
    source = pathlib.Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    return gzip.open(source, "rt", encoding="utf-8").read().split("\n")[1:count + 1]


def vocabulary(merges):
    symbols = byte_symbols()
    words = symbols + [symbol + "</w>" for symbol in symbols] + [merge.replace(" ", "") for merge in merges]
    return {word: index for index, word in enumerate([*words, START, EOS])}


def write_tokenizer(folder, pad, merges=MERGES):
    lines = published_merges(merges)
    write_text(folder / "vocab.json", json.dumps(vocabulary(lines), ensure_ascii=False, separators=(",", ":")))
    write_text(folder / "merges.txt", "#version: 0.2\n" + "\n".join(lines) + "\n")
    special = {"bos_token": START, "eos_token": EOS, "pad_token": pad, "unk_token": EOS}
    write_json(folder / "special_tokens_map.json", special)
    write_json(folder / "tokenizer_config.json",
               {**special, "do_lower_case": True, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"})


def tokenize(folder, texts):
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    return tokenizer(list(texts), padding="max_length", max_length=77, truncation=True)["input_ids"]


def write_references(family):
    for suffix in ("", "_2")[:len(family.tokenizers)]:
        ids = tokenize(family.folder / f"tokenizer{suffix}", TEXTS)
        folder = REFERENCES / family.name
        write_text(folder / f"tokenizer{suffix}.in.txt", "".join(text + "\n" for text in TEXTS))
        write_text(folder / f"tokenizer{suffix}.out.txt", "".join(json.dumps(row) + "\n" for row in ids))
