"""Tesseract's language names as the tags that documents carry (BCP 47)."""

from __future__ import annotations

_SHORT = {
    "afr": "af", "ara": "ar", "aze": "az", "bel": "be", "ben": "bn", "bos": "bs", "bul": "bg", "cat": "ca",
    "ces": "cs", "chi_sim": "zh-Hans", "chi_tra": "zh-Hant", "cym": "cy", "dan": "da", "deu": "de", "ell": "el",
    "eng": "en", "epo": "eo", "est": "et", "eus": "eu", "fas": "fa", "fin": "fi", "fra": "fr", "gle": "ga",
    "glg": "gl", "heb": "he", "hin": "hi", "hrv": "hr", "hun": "hu", "hye": "hy", "isl": "is", "ita": "it",
    "jpn": "ja", "kan": "kn", "kat": "ka", "kaz": "kk", "kor": "ko", "lat": "la", "lav": "lv", "lit": "lt",
    "ltz": "lb", "mar": "mr", "mkd": "mk", "nld": "nl", "nor": "no", "oci": "oc", "pol": "pl", "por": "pt",
    "ron": "ro", "rus": "ru", "san": "sa", "slk": "sk", "slv": "sl", "spa": "es", "sqi": "sq", "srp": "sr",
    "swe": "sv", "syr": "syr", "tam": "ta", "tel": "te", "tha": "th", "tur": "tr", "ukr": "uk", "urd": "ur",
    "vie": "vi", "yid": "yi",
    "deu_frak": "de", "deu_latf": "de-Latf", "frk": "de-Latf", "enm": "enm", "frm": "frm", "grc": "grc",
}  # fmt: skip


def document_language(languages: tuple[str, ...]) -> str:
    """The tag of the first language; ``und`` (undetermined) where there is none or it is not known here."""
    return _SHORT.get(languages[0].lower(), "und") if languages else "und"
