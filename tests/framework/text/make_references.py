"""Writes tokenizer_references.json: prompts and what transformers' CLIPTokenizer makes of them.

Run: python3 make_references.py   (transformers 5.23, tokenizers 0.23; any environment that has them)

Three set-ups of the vocabulary in tests/data/clip_tokenizer: `plain`, `bang` (pad_token "!", as in Stable Diffusion 2.1
and in SDXL's tokenizer_2) and `added` (with the tokens named in the file).
"""

import json
import pathlib
import random

from transformers import CLIPTokenizer

HERE = pathlib.Path(__file__).resolve().parent
VOCABULARY = HERE.parents[1] / "data" / "clip_tokenizer"
ADDED = ["<cat-toy>", "<cat-toy>_1", "<cat-toy>_2", "<krk1>", "<krk10>", "sks dog", "<é>", "<new1>"]

PLAIN = [
    "", " ", "\t\n", "a photo of a cat", "A Photo Of A CAT", "  a   photo\tof\na\r\ncat  ",
    "a\u00a0photo\u2003of\u3000a\u2028cat\u0085dog\u1680x\u202fy\u205fz", "zero\u200bwidth\u200djoiner\ufeffbom",
    "it's he'll they've I'm we'd don't you're rock'n'roll", "IT'S HE'LL THEY'VE I'M WE'D DON'T YOU'RE",
    "it\u2019s he\u2019ll don\u2019t", "it'\u017f", "''s ''' 'x 's's 'll'll", "2024 12,345.67 1st 3D x2y ½ ² Ⅷ ٣ 四",
    "hello,world!! (yes) [no] {maybe} #tag @you $5 50% a&b *star* a_b __init__ snake_case CamelCase",
    "&lt;b&gt; &amp;amp; &#39; &quot;", "<|startoftext|>", "a<|endoftext|>b", "x <|startoftext|> <|endoftext|>",
    "<|ENDOFTEXT|>", "!!<|StartOfText|>", "<|endoftext|", "<| endoftext |>",
    "café cafe\u0301 naïve Ångström Å \u212b ﬁ ﬂ ǆ ß ẞ İstanbul ISTANBUL ıI", "ΟΔΟΣ ΣΑΣ ς σ", "Ωμέγα \u2126",
    "e\u0301\u0323 a\u0308\u0304 q\u0307\u0323 \u0301alone \u0344", "नमस्ते दुनिया", "สวัสดีชาวโลก", "こんにちは世界 カタカナ ｶﾀｶﾅ",
    "你好世界", "한국어 \u1112\u1161\u11ab", "שלום עולם", "مرحبا بالعالم", "Привет, МИР!", "ქართული ᲥᲐᲠᲗᲣᲚᲘ",
    "😀😃 👩\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 👍🏽 🇩🇪", "✨ magic ✨ → ← ≠ =\u0338 ∑ √2", "\U0001d54f\U0001d7d8 𐐀𐐨 \U00020000",
    "a\x00b\x01c\x1bd\x7fe", "a\x1cb\x1dc\x1ed\x1fe", "\u0000", "control\x0bvertical\x0cfeed", "\ue000 private \U0010fffd",
    "soft\u00adhyphen non\u2011breaking “quotes” ‘single’ —dash– …", "C++ C# F# .NET v2.0 a/b\\c http://x.org/?q=1&r=2",
    "rock 'n' roll o'clock 'twas", "... .... ..... !!!! ????", "\u02bcs \u02c8mod ªº", "\u0660\u0967\u09ea \u216b \u2460 \u3007",
    "pneumonoultramicroscopicsilicovolcanoconiosis", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "supercalifragilisticexpialidocious " * 12, "a " * 100, "word " * 74, "word " * 75, "word " * 76, "1234567890" * 12,
    "ﷺ \u1e9b\u0323 \u03d3 \u0345", "\u1f88 \u1fbc ᾳ Ǆ ǅ", "\u0130\u0307 \u0069\u0307", "\u212a \u2160 Ⓐ", "🤖" * 30,
]
BANG = ["hello!", "hello!!! x", "wow!cat", "!", "! !", "a photo", "", "no bang here", "!a!b!", "\u00a1hola!", "x" * 9 + "!" * 90]
WITH_ADDED = [
    "a photo of a <cat-toy>", "a photo of a<cat-toy>b", "<cat-toy><cat-toy>", "<cat-toy>_1", "<cat-toy>_1_2 <cat-toy>_3",
    " <cat-toy> ", "x\t<cat-toy>\n\u00a0y", "<krk1>0 <krk10> <krk1>00", "<krk", "a sks dog runs", "sks dogs",
    "<é> and <e\u0301x", "<cat-toy>'s ball, it's <krk1>!", "'<krk1>s", "2<krk1>3", "<<krk1>>", "<cat-toy <krk1>>",
    "<new1> cat in the style of <new1>", "a<|endoftext|><krk1><|startoftext|>", "no tokens here", "<cat-toy> " * 50,
    "e\u0301<krk1>", "a <cat-toy> <cat-toy>_1 <cat-toy>_2 b",
]
ALPHABETS = [
    "abcXYZ 0123'!-_<|>",
    "aeiou\u0301\u0308\u0327\u0323 ñÜÇ",
    "'sStTrReEvVmMlLdD ",
    "漢字かなカナ한글 العربية हिन्दी",
    "😀👍🏽\u200d\ufe0f🇫🇷 ",
    " \t\n\r\u00a0\u2009\u3000\u0085\u200b\ufeff\x1c\x00x",
    "½²³¹①Ⅻ٣४ 0a",
    "ΑΣΣΩσς İIıi ǅẞ",
    "&<>\"';#@!.,:/\\|()[]{}~`^*+=%$ ",
]


def random_prompts(count, seed, alphabets):
    rng = random.Random(seed)
    prompts = []
    for _ in range(count):
        if rng.random() < 0.25:  # any assigned script, planes 0 and 1, without surrogates
            pool = [chr(c) for c in (rng.randrange(0x20, 0x2FFF) for _ in range(40))]
            pool += [" ", " ", "a"]
        else:
            pool = list(rng.choice(alphabets) + rng.choice(alphabets))
        prompts.append("".join(rng.choice(pool) for _ in range(rng.randrange(1, 60))))
    return prompts


def assigned(prompt):
    """Whether every character exists since Unicode 13, so that libraries of different age agree on its class."""
    import unicodedata

    return all(unicodedata.category(c) != "Cn" for c in prompt)


def rows(tokenizer, prompts):
    result = []
    for prompt in prompts:
        full = tokenizer(prompt, add_special_tokens=False).input_ids
        padded = tokenizer(prompt, padding="max_length", truncation=True, max_length=77).input_ids
        # Padded ids follow from the full ones; the script checks that, so that the file can stay small.
        cut = [49406] + full[:75] + [49407]
        assert padded == cut + [tokenizer.pad_token_id] * (77 - len(cut)), prompt
        result.append([prompt, full])
    return result


def main():
    plain = CLIPTokenizer.from_pretrained(VOCABULARY)
    bang = CLIPTokenizer.from_pretrained(VOCABULARY, pad_token="!")
    added = CLIPTokenizer.from_pretrained(VOCABULARY)
    added.add_tokens(ADDED)
    fuzz = [p for p in random_prompts(700, 1, ALPHABETS) if assigned(p)]
    pieces = [*ADDED, " ", "a", "cat", "!", "'s", "<", "_1", "\u0301", "\t", "0", "<|endoftext|>"]
    rng = random.Random(2)
    mixed = ["".join(rng.choice(pieces) for _ in range(rng.randrange(1, 12))) for _ in range(100)]
    # transformers 5 looks for added tokens in the normalised text; where that differs see clip_tokenizer.tests.cpp.
    mixed = [p for p in mixed if ">\u0301" not in p and "g\u0301" not in p]
    document = {
        "added_tokens": ADDED,
        "plain": rows(plain, PLAIN + fuzz),
        "bang": rows(bang, BANG + random_prompts(20, 3, ["!ab ", "!'s1 "])),
        "added": rows(added, WITH_ADDED + mixed),
    }
    lines = json.dumps(document, separators=(",", ":")).replace("]],[", "]],\n[").replace("]],\"", "]],\n\"")
    (HERE / "tokenizer_references.json").write_text(lines + "\n")


if __name__ == "__main__":
    main()
