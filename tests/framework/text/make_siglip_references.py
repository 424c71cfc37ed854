"""Trains two tiny SentencePiece vocabularies and writes what transformers' SiglipTokenizer makes of texts.

Run: python3 make_siglip_references.py   (transformers 5.24, sentencepiece 0.2.3)

siglip/plain/spiece.model has no table of replacements, siglip/rules/spiece.model a small one of its own; both have
SigLIP's special pieces (<pad> 0, </s> 1, <unk> 2). siglip/json/tokenizer.json is `rules` as the tokenizers library
writes a Unigram model. siglip_references.json: for each vocabulary [text, ids of the text, ids padded to 64].
"""

import base64
import io
import json
import pathlib
import random

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto
from transformers import SiglipTokenizer

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "siglip"
WORDS = ("a photo of the cat dog teddy bear on moon beach sitting in front running red blue fancy wooden backpack robot "
         "toy painting style van gogh wearing hat glasses with and city mountain snow jungle water street purple rainbow "
         "vase flower teapot sneaker candle cartoon monster oil elmo holding floating grass wheat field shiny wet cube "
         "shaped eiffel tower background tree autumn leaves cobblestone dirt road white rug santa yellow").split()
RULES = [("ﬁ", "fi"), ("ﬂ", "fl"), ("é", "e"), ("e\u0301", "e"), ("½", "1 2"), ("\u00ad", ""), ("ß", "ss"), ("Ⅷ", "viii")]
TEXTS = [
    "", " ", "a photo of a cat", "A Photo Of A CAT", "  a   photo\tof\na\r\ncat  ", "a photo of a dog.", "it's a dog's toy!",
    "a\u00a0photo\u2003of\u3000a\u2028cat\u0085dog\u1680x", "a\x1cb\x1dc\x1ed\x1fe", "zero\u200bwidth\ufeffbom",
    "hello,world!! (yes) [no] {maybe} #tag @you $5 50% a&b *star* a_b snake_case", "a cube shaped cat", "a red cat",
    "photo: teddy-bear; front/back", "ΟΔΟΣ ΣΑΣ ς σ", "İstanbul ISTANBUL ıI", "ﬁne ﬂower café cafe\u0301 ½ cup soft\u00adhyphen",
    "straße Ⅷ viii", "你好 世界 cat", "漢字かな", "😀 cat 👍🏽 dog", "▁a ▁▁ b", "▁", "_a_", "“quotes” ‘single’ —dash–",
    "pneumonoultramicroscopicsilicovolcanoconiosis", "zzzzzz qqq xxyyzz", "!!!", "...", "a . b", "1234567890 cats",
    "a photo of a cat " * 8, "cat " * 62, "cat " * 63, "cat " * 64, "\x00a\x01b", "unk pad s", "&lt;b&gt; &amp;",
]
ALPHABETS = ["abcdefghijklmnopqrstuvwxyz     ", "ABCDE fghij.,'!-_▁", "ßéﬁ½Ⅷ\u00ad\u0301e f", "漢字かな 😀 catdog", " \t\n\u00a0\x1c\u2009ab"]


def random_texts(count, seed):
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        if rng.random() < 0.4:
            texts.append(" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12))))
        else:
            alphabet = rng.choice(ALPHABETS)
            texts.append("".join(rng.choice(alphabet) for _ in range(rng.randint(1, 24))))
    return texts


def train(folder, rules):
    rng = random.Random(5)
    sentences = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 9))) for _ in range(2000)]
    options = dict(model_type="unigram", vocab_size=260, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, num_threads=1,
                   character_coverage=1.0, hard_vocab_limit=False)
    if rules:
        table = folder / "rules.tsv"
        table.write_text("".join(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target)
                                 + "\n" for source, target in RULES), encoding="utf-8")
        options["normalization_rule_tsv"] = str(table)
    else:
        options["normalization_rule_name"] = "identity"
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(sentences), model_writer=out, minloglevel=2, **options)
    if rules:
        table.unlink()
    model = proto.ModelProto.FromString(out.getvalue())
    model.ClearField("trainer_spec")
    model.trainer_spec.model_type = 1
    model.trainer_spec.unk_id, model.trainer_spec.eos_id, model.trainer_spec.pad_id, model.trainer_spec.bos_id = 2, 1, 0, -1
    (folder / "spiece.model").write_bytes(model.SerializeToString(deterministic=True))
    config = {"do_lower_case": True, "eos_token": "</s>", "model_max_length": 64, "pad_token": "</s>",
              "tokenizer_class": "SiglipTokenizer", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return model


def write_json_model(model, folder):
    folder.mkdir(parents=True, exist_ok=True)
    special = [{"id": i, "content": model.pieces[i].piece, "special": True} for i in range(3)]
    table = base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()
    tokenizer = {
        "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Lowercase"}, {"type": "Precompiled", "precompiled_charsmap": table}]},
        "model": {"type": "Unigram", "unk_id": 2, "vocab": [[piece.piece, piece.score] for piece in model.pieces]}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    references = {}
    for name in ("plain", "rules"):
        folder = FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        model = train(folder, name == "rules")
        if name == "rules":
            write_json_model(model, FOLDER / "json")
        tokenizer = SiglipTokenizer.from_pretrained(folder)
        rows = []
        for text in TEXTS + random_texts(150, 7):
            bare = tokenizer(text, add_special_tokens=False)["input_ids"]
            padded = tokenizer(text, padding="max_length", truncation=True, max_length=64)["input_ids"]
            rows.append([text, bare, padded[:len(bare) + 1]])  # the rest is padding, and checked to be
            assert len(padded) == 64 and set(padded[len(bare) + 1:]) <= {1}
        references[name] = rows
    rows = ",\n".join(f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]" for name, rows in references.items())
    (HERE / "siglip_references.json").write_text("{\n" + rows + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
