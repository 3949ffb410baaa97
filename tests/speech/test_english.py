from __future__ import annotations

import pytest

from edgeavatar.speech.english import phonemize, spell_out


def by_word(text: str, *, british: bool = False) -> list[tuple[str, str]]:
    words, letters = phonemize(text, british=british)
    sounds = [""] * len(words)
    for letter in letters:
        if letter.word >= 0:
            sounds[letter.word] += letter.char
    return list(zip(words, sounds, strict=True))


def test_each_word_as_written_has_its_sounds() -> None:
    assert by_word("Peter picked a big book.") == [
        ("Peter", "pˈiTəɹ"),
        ("picked", "pˈɪkt"),
        ("a", "ɐ"),
        ("big", "bˈɪɡ"),
        ("book", "bˈʊk"),
    ]


def test_british_sounds() -> None:
    assert dict(by_word("Hello there", british=True))["there"] == "ðˈɛː"


@pytest.mark.parametrize(
    ("text", "word", "sounds"),
    [
        ("It is 7:30 pm now.", "7:30 pm", "sˈɛvən"),
        ("She paid $9.99 for it.", "$9.99", "nˈIn dˈɑləɹz"),
        ("On 3/14/2025 it rained.", "3/14/2025", "mˈɑɹʧ"),
        ("Write to a.b@c.org today.", "a.b@c.org", "æt"),
        ("See https://www.example.com/x now.", "https://www.example.com/x", "ɪɡzˈæmpəl"),
        ("Fruit, e.g. apples, is good.", "e.g", "ɪɡzˈæmpəl"),
        ("It has 5 kΩ here.", "kΩ", "kˈɪlO"),
        ("The π is round.", "π", "pˈI"),
        ("Dr. Jones waits.", "Dr", "dˈɑktəɹ"),
        ("We ate 1,250 of them.", "1,250", "θˈWzᵊnd"),
    ],
)
def test_readings_stay_with_the_written_word(text: str, word: str, sounds: str) -> None:
    found = by_word(text)
    assert any(w in (word, f"5 {word}") and sounds in s for w, s in found), found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It cost $9.99.", "It cost 9 dollars and 99 cents."),
        ("I owe £1.", "I owe 1 pound."),
        ("I owe £2.01", "I owe 2 pounds and 1 penny"),
        ("Born in 1987.", "Born in nineteen eighty-seven."),
        ("He ran 1987 miles.", "He ran 1987 miles."),
    ],
)
def test_spelled_out_for_engines_that_read_words(text: str, expected: str) -> None:
    assert spell_out(text) == expected


def test_quotes_and_dashes_make_no_words() -> None:
    words = [w for w, s in by_word("“Well” — he said – ‘no’ (maybe).") if s]
    assert words == ["Well", "he", "said", "no", "maybe"]
