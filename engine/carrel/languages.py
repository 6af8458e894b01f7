"""Languages of print by every name that people give them: one table from Tesseract's codes to tags and names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from types import MappingProxyType

_TABLE = """
afr af Afrikaans
amh am Amharic
ara ar Arabic
asm as Assamese
aze az Azerbaijani
aze_cyrl az-Cyrl
bel be Belarusian
ben bn Bengali
bod bo Tibetan tib
bos bs Bosnian
bre br Breton
bul bg Bulgarian
cat ca Catalan
ceb ceb Cebuano
ces cs Czech cze
chi_sim zh-Hans Chinese zh zho chi
chi_tra zh-Hant zh-TW zh-HK
chr chr Cherokee
cos co Corsican
cym cy Welsh wel
dan da Danish
deu de German ger Deutsch
deu_latf de-Latf
deu_frak de
div dv Divehi Maldivian
dzo dz Dzongkha
ell el Greek gre
eng en English
enm enm
epo eo Esperanto
est et Estonian
eus eu Basque baq
fao fo Faroese
fas fa Persian per
fil fil Filipino
fin fi Finnish
fra fr French fre Français
frk de-Latf Fraktur
frm frm
fry fy Frisian
gla gd Gaelic
gle ga Irish
glg gl Galician
grc grc
guj gu Gujarati
hat ht Haitian
heb he Hebrew
hin hi Hindi
hrv hr Croatian
hun hu Hungarian
hye hy Armenian arm
iku iu Inuktitut
ind id Indonesian
isl is Icelandic ice
ita it Italian Italiano
ita_old it
jav jv Javanese
jpn ja Japanese
kan kn Kannada
kat ka Georgian geo
kaz kk Kazakh
khm km Khmer
kir ky Kyrgyz
kmr kmr Kurmanji Kurdish
kor ko Korean
lao lo Lao
lat la Latin
lav lv Latvian
lit lt Lithuanian
ltz lb Luxembourgish
mal ml Malayalam
mar mr Marathi
mkd mk Macedonian mac
mlt mt Maltese
mon mn Mongolian
mri mi Maori mao
msa ms Malay may
mya my Burmese bur
nep ne Nepali
nld nl Dutch dut Nederlands
nor no Norwegian nb nn nob nno
oci oc Occitan
ori or Oriya
pan pa Punjabi
pol pl Polish
por pt Portuguese
pus ps Pashto
que qu Quechua
ron ro Romanian rum
rus ru Russian
san sa Sanskrit
sin si Sinhala
slk sk Slovak slo
slv sl Slovenian
snd sd Sindhi
spa es Spanish Español
spa_old es
sqi sq Albanian alb
srp sr Serbian
srp_latn sr-Latn
sun su Sundanese
swa sw Swahili
swe sv Swedish
syr syr Syriac
tam ta Tamil
tat tt Tatar
tel te Telugu
tgk tg Tajik
tha th Thai
tir ti Tigrinya
ton to Tonga
tur tr Turkish
uig ug Uyghur
ukr uk Ukrainian
urd ur Urdu
uzb uz Uzbek
uzb_cyrl uz-Cyrl
vie vi Vietnamese
yid yi Yiddish
yor yo Yoruba
"""
"""A row a language: Tesseract's code, its tag (BCP 47, https://www.rfc-editor.org/info/bcp47), English and other names,
codes of ISO 639-2 and 639-3 where they are not Tesseract's. Of two rows with a tag or name, the first has it."""

_ROWS = tuple(row.split() for row in _TABLE.strip().splitlines())
TAGS = MappingProxyType({row[0]: row[1] for row in _ROWS})
"""Tesseract's code -> tag."""
_REGION = re.compile("[a-z]{2,3}-[a-z]{2}")
_WITHOUT_PACKAGE = ("deu_latf", "deu_frak")  # not in Debian


@cache
def _codes() -> dict[str, str]:
    """Every name in lower case -> Tesseract's code."""
    codes = {row[0]: row[0] for row in _ROWS}
    for code, tag, *names in _ROWS:
        for name in (tag, *names):
            codes.setdefault(name.lower(), code)
    return codes


def tesseract_code(name: str) -> str:
    """Return Tesseract's code of a language by its tag, ISO code or name, in any case; what is not known as it is.

    >>> [tesseract_code(name) for name in ("en", "English", "ger", "de-AT", "my_own")]
    ['eng', 'eng', 'deu', 'deu', 'my_own']
    """
    stripped = name.strip()
    known = _codes()
    plain = stripped.lower()
    without_region = plain[:-3] if _REGION.fullmatch(plain) else plain
    for wanted in (plain, plain.replace("_", "-"), plain.replace("-", "_"), without_region):
        if wanted in known:
            return known[wanted]
    return stripped


def document_language(languages: tuple[str, ...]) -> str:
    """Return the tag of the first language; ``und`` (undetermined) where there is none or it is not known here."""
    return TAGS.get(tesseract_code(languages[0]), "und") if languages else "und"


def english_name(tag_or_code: str) -> str:
    """Return the English name of a language, or what was given where it is not known."""
    code = tesseract_code(tag_or_code)
    return next((row[2] for row in _ROWS if row[0] == code and len(row) > 2), tag_or_code)


def advice(missing: Iterable[str]) -> str:
    """Tell what to do about languages that Tesseract has no data for: packages, or the name that may be meant."""
    return "; ".join(_advice(tuple(missing)))


def _advice(missing: tuple[str, ...]) -> Iterator[str]:
    packages = [f"tesseract-ocr-{code.replace('_', '-')}" for code in missing if code in TAGS]
    packages = [package for package in packages if package[14:].replace("-", "_") not in _WITHOUT_PACKAGE]
    if packages:
        yield f"install it (Debian: apt-get install {' '.join(packages)})"
    for name in missing:
        if name not in TAGS:
            from difflib import get_close_matches

            near = get_close_matches(name.lower(), [known for known in _codes() if len(known) > 3], 1)
            yield f"{name} is no language that is known here" + (f", did you mean {near[0]}?" if near else "")
