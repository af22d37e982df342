"""The rules of the PTB tokenizer: at each place, the longest of them wins, and of equally long ones the first.

Each rule says what Stanford's tokenizer (corenlp 3.4.1) was seen to do: strings made of every combination of the
characters that a rule names, and texts, were split by both. A rule reads the `shape` of a text. What it looks ahead at
counts as length, as a generated lexer counts it: that is the group `ahead`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

TITLES = """
adj adm adv alex assoc asst atty attys ave brig capt cf cie cmdr col comdr cpl dept det dr drs elec ens ft gen gov govs
hon insp invt jos lieut lt maj messrs mfg mlle mme mr mrs ms msgr mt mtg natl pfc ph pres prof profs pvt rep reps rev
sen sens sfc sgt spc st ste supt supts treas vs wm
"""
"""Abbreviations that keep their full stop wherever they stand."""

CLOSING = """
al ala apr ariz assn aug bhd bldg blvd bros calif co colo conn corp cos ct dak dec ed.d esq est etc ext feb fla fri ga
inc ind intl jan jr jul jun kan kans ky ltd mar md mich minn mo mon mont neb nev nov oct okla penn ph.d plc ppte ppty
pte ptes pty ptys rd rt sep sept seq sq sr sys tel tenn thu tue tues univ va vt wed wis wisc wyo
"""
"""Abbreviations that may end a sentence; they keep their full stop, and look two characters ahead."""

CLOSING_NAMES = "ark az del ill la mass miss ore pa tex wash"
"""The same, but only with a capital: in lower case they are words."""

BEFORE_NUMBERS = "art ca fig figs no nos op pp prop"
"""Abbreviations only where a number follows."""

STARTS = """
A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Mr. Ms. Now Once
One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You
"""
"""Words that begin a sentence: a letter and full stop before them is a word at the end of one, not an initial."""

FIXED = "c'mon e'er s'mores ev'ry li'l nat'l o'o cap'n d'ye"
"""Words with an apostrophe within."""

EXTENSIONS = """
bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py sql tar
txt wav x xml zip
"""
"""Endings of file names."""


class Rule(NamedTuple):
    """A pattern of a token, where it can begin, what becomes of it, and how many characters beyond it count."""

    pattern: re.Pattern[str]
    begins: str
    """Kinds of its first character: "a" letter or mark, "1" digit, "." other."""
    kind: str = "word"
    """Word, tag (kept), entity (of HTML), short (contracted), long (before that), initials, quotes or stop."""
    beyond: int = 0


def _any(words: str | Iterable[str]) -> str:
    """Write a pattern of any of the words, in any case, longest first."""
    parts = sorted(words.split() if isinstance(words, str) else words, key=len, reverse=True)
    return f"(?i:{'|'.join(map(re.escape, parts))})"


_SPACE = r"[ \t\xa0\u2003]"
_END = rf"(?={_SPACE}|$)"
_APOSTROPHE = "['’]"
_QUOTE = "(?:['’]|&apos;)"
_TICK = "(?:['’`]|&apos;)"
_LETTER = "A-Za-zé"
_MARKED = "A-Za-zé\u0300"
_DIGIT = "0-9٣"
_WORD = f"[{_MARKED}][{_MARKED}{_DIGIT}]*(?:[.!?][{_MARKED}][{_MARKED}{_DIGIT}]*)*"
_PART = f"(?:[dDoOlL]{_APOSTROPHE}[{_LETTER}{_DIGIT}])?[{_LETTER}{_DIGIT}]+"
_JOINED = f"{_PART}(?:[-_\u2010]{_PART})*"
_DASHED = "[A-Za-z0-9][A-Za-z0-9.,]*(?:-[A-Za-z0-9]+)+"
_NUMBER = f"(?:[{_DIGIT}]*(?:[.:,٫][{_DIGIT}]+)+|[{_DIGIT}]+)"
_FIXED = "|".join(word.replace("'", _APOSTROPHE) for word in FIXED.split())
_SHORT = "(?i:ll|re|ve|[dms])"
_NOT = f"[nN]{_TICK}[tT]"
_NAME = "[A-Za-z][-A-Za-z0-9.:_]*"
_VALUE = "(?:'[^']*'|\"[^\"]*\")"
_START = "|".join(w[0] + (f"(?i:{re.escape(w[1:])})" if w[1:] else "") for w in STARTS.split())
_BREAK = ' \\t"<>|()'
"""Characters that end an address of the web; a class of others takes braces too."""
_PATH = f"(?:/[^{_BREAK}]{{2,}}(?<![-.,!?{{}}]))?"
_LABEL = f"[^{_BREAK}{{}}.,!?]+"
_HOST = "[a-z#%&*+~\x80-\U0010ffff]+"
_MAIL = f"[^{_BREAK}{{}}\xa0.]"
_CALL = "[0-9]{3,4}[- \xa0]?[0-9]{3,5}"
_SIDE = "[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}"
_EYES, _NOSE, _MOUTH, _EYE = "[:;=]", "[-o*']", r"[DPdpO@|{()\[\]\\]", "[-'<=>^x~]"


def _rule(pattern: str, begins: str, kind: str = "word", beyond: int = 0) -> Rule:
    return Rule(re.compile(pattern), begins, kind, beyond)


RULES = (
    # Tags, comments and entities of HTML.
    _rule(rf"<{_NAME}(?:{_SPACE}+{_NAME}(?:{_SPACE}*={_SPACE}*{_VALUE})?)*{_SPACE}*/?{_SPACE}*>", ".", "tag"),
    _rule(rf"</{_NAME}{_SPACE}*>|<[!?][-A-Za-z][^>]*>", ".", "tag"),
    _rule(r"&(?i:amp|lt|gt|quot|apos|nbsp|[mn]dash);", ".", "entity"),
    _rule(r"&(?:#[0-9]+|HT|TL|UR|LR|QC|QL|QR|odq|cdq|[A-Za-z]acute);", ".", "tag"),
    # Contractions.
    _rule(f"(?P<token>{_WORD})(?=(?P<ahead>{_QUOTE}{_SHORT}))", "a", "long"),
    _rule(f"(?:'|&apos;){_SHORT}(?![A-Za-z])|’{_SHORT}", ".", "short"),
    _rule(f"(?P<token>[{_MARKED}]*[A-MO-Za-mo-z])(?=(?P<ahead>{_NOT}))", "a", "long"),
    _rule(_NOT, "a", "short"),
    _rule("(?P<token>'[tT])(?=(?P<ahead>(?i:is|was)))", "."),
    # Words, joined words and numbers.
    _rule(_WORD, "a"),
    _rule(_JOINED, "a1"),
    _rule(f"[-+]?{_NUMBER}", "1."),
    _rule(f"(?P<token>(?:{_WORD}|{_JOINED}|{_DASHED})\\.)(?=(?P<ahead>[,;:]))", "a1"),
    # Abbreviations and initials.
    _rule(f"(?P<token>{_any(BEFORE_NUMBERS)}\\.)(?=(?P<ahead>[ \xa0]?[0-9]))", "a"),
    _rule(f"[A-Za-z]\\.(?!{_SPACE}+(?:{_START}|</?{_NAME}[^<>]*>){_END})", "a"),
    _rule(r"(?:[A-Za-z0-9][A-Za-z0-9.,]*(?:-[A-Za-z0-9]+)*-)?[A-Za-z](?:\.[A-Za-z])+\.", "a1"),
    _rule(rf"[{_LETTER}0-9]+(?:\.[{_LETTER}0-9]+)*\.{_any(EXTENSIONS)}(?=[!,.?]|{_SPACE}|$)", "a1"),
    # Dates, fractions, alternatives, names with signs.
    _rule("[0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{2,4}", "1"),
    _rule(f"(?:[{_DIGIT}]{{1,4}}[- \xa0])?[{_DIGIT}]{{1,4}}(?:\\\\?/|⁄)[{_DIGIT}]{{1,4}}", "1"),
    _rule(rf"{_SIDE}(?:\\?/{_SIDE}){{1,2}}", "a1"),
    _rule(r"[A-Z]+(?:(?:&amp;|[&+])[A-Z]+)+", "a", "initials"),
    _rule(r"[cC]\+\+|[cCfF]#|[A-Z]+\$", "a"),
    # Addresses, names and tags of the web, telephones.
    _rule(f"(?i:https?)://[^{_BREAK}{{}}]{{2,}}(?<![-.,!?])", "a"),
    _rule(rf"www(?:\.{_LABEL})+\.[A-Za-z]{{2,4}}{_PATH}", "a"),
    _rule(rf"{_HOST}(?:\.{_HOST})*\.(?:com|net|org|edu){_PATH}", "a."),
    _rule(rf"<?[A-Za-z0-9](?:{_MAIL}|\.)*@(?:{_MAIL}+\.)*{_MAIL}+>?", "a1."),
    _rule(rf"@[A-Za-z_][A-Za-z0-9_]*|#[{_MARKED}]+", "."),
    _rule(rf"\([0-9]{{2,3}}\)[ \xa0]?{_CALL}", "."),
    _rule(rf"\+{{0,2}}(?:[0-9]{{2,4}}[- \xa0]){{1,2}}{_CALL}", "1."),
    _rule(r"(?:\+{0,2}[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}", "1."),
    # Faces.
    _rule(f"[<>]?{_EYES}{_NOSE}?{_MOUTH}(?![A-Za-z0-9])", "."),
    _rule(rf"{_EYE}_{_EYE}|\({_EYE}[_.]?{_EYE}\)", "a."),
    # Apostrophes within and before words.
    _rule(f"{_QUOTE}[2-9]0s|{_QUOTE}[0-9]{{2}}{_END}", "."),
    _rule(f"{_QUOTE}(?i:n{_QUOTE}|em|till?|cause)|(?:'|&apos;)[nN](?![{_LETTER}0-9])|’[nN]", "."),
    _rule(f"(?:[lLdDjJ]|(?i:ol|dunkin|somethin)){_APOSTROPHE}|[yY]{_APOSTROPHE}(?=[{_LETTER}])", "a"),
    _rule(f"(?i:{_FIXED})", "a"),
    _rule(f"[A-HJ-XZdlno]['’`][{_LETTER}]{{2,}}|(?i:ma['’`]am|o['’`]clock)", "a"),
    _rule(f"[{_LETTER}]+[aeiouyAEIOUY]['’`‘][aeiouA-Z][{_LETTER}]*", "a"),
    # Punctuation, and what stands alone.
    _rule(r"\.{3,5}|\.(?:[ \xa0]\.){2,4}|…|''|-{1,4}|–", ".", "stop"),
    _rule("[`‘’“”]{2}", ".", "quotes"),
    _rule(r"[!?]+|#+|\*+|@@+|__+|<<|>>|-{5,}|⁺?(?:²+|₂+)|\\\*", "."),
    _rule(r"[^\x00 \t\xa0\u2003\u2010٫]", "a1."),
    # These lose to anything as long.
    _rule(_any(TITLES) + r"\.", "a"),
    _rule(rf"(?:{_any(CLOSING)}|(?=[A-Z]){_any(CLOSING_NAMES)})\.", "a", beyond=2),
    _rule(_DASHED, "a1"),
)
"""All rules; of equally long matches the first counts."""
