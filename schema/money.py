"""Money as the contract shows it.

Amounts stay whole numbers of minor units everywhere; `decimal` and `formatted` are made from them
exactly, never through a float. Babel knows locales and symbols; the digits are Stripe's own, from
`schema.currencies`.
"""

import re
from decimal import Decimal as PythonDecimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import strawberry

from schema.currencies import exponent
from schema.fields import RecordField, described, field
from schema.scalars import CurrencyCode, Decimal, MinorUnits

if TYPE_CHECKING:
    from babel import Locale
    from babel.numbers import NumberPattern

_CURRENCY_SPACING = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
"""Where letters meet digits CLDR wants a space (KWD 12.990); Babel leaves it out."""

LOCALES_KEPT_MAX = 256
"""Locales are few; the bound keeps hostile spellings from filling memory."""
LOCALE_LENGTH_MAX = 100
"""Longer than any tag that means something."""


@lru_cache(maxsize=LOCALES_KEPT_MAX)
def _locale(tag: str) -> "Locale":
    """The nearest locale that is known to a tag of BCP 47 (RFC 5646), English for any other text.

    Of a tag count language, script and region; variants, extensions such as `-u-hc-h12` (RFC 6067)
    and private parts say nothing about how money looks, or nothing that Babel knows.
    """
    # Loaded with the first amount that is shown.
    from babel import Locale, UnknownLocaleError

    found = _TAG.fullmatch(tag.replace("_", "-"))
    if found is not None:
        language, script, region = found["language"], found["script"], found["region"]
        for parts in ((script, region), (None, region), (script, None), (None, None)):
            try:
                return Locale.parse("_".join(filter(None, (language, *parts))))
            except (UnknownLocaleError, ValueError):
                continue
    return Locale.parse("en")


_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(-[a-z]{3}){0,3}(-(?P<script>[a-z]{4}))?"
    r"(-(?P<region>[a-z]{2}|[0-9]{3}))?(-[a-z0-9]{1,8})*",
    re.IGNORECASE | re.ASCII,
)
"""Anything may follow the region: a tag that is not quite right still names its language."""


@lru_cache(maxsize=LOCALES_KEPT_MAX)
def _pattern(locale: "Locale", digits: int) -> "NumberPattern":
    """The locale's currency pattern with exactly as many digits as the amount has."""
    from babel.numbers import parse_pattern

    standard = locale.currency_formats["standard"]
    pattern = parse_pattern(standard.pattern)
    pattern.frac_prec = (digits, digits)
    return pattern


@strawberry.type(description="An amount of money, exact in every form.")
class Money:
    minor_units: MinorUnits = described(
        "Whole number of the currency's smallest unit as Stripe counts it."
    )
    currency: CurrencyCode = described("ISO 4217 code, upper case.")

    @field("Digits after the point for this currency in Stripe: 0, 2 or 3.")
    def exponent(self) -> int:
        return exponent(self.currency)

    @field('Exact value in major units, for example "12.99".')
    def decimal(self) -> Decimal:
        return Decimal(PythonDecimal(self.minor_units).scaleb(-exponent(self.currency)))

    @field(
        "Ready to show. `locale` is a BCP 47 tag as browsers have them; what of it is not known "
        "falls back to the region, the language, and then to English, and is never an error."
    )
    def formatted(self, locale: str | None = "en") -> str:
        known = _locale((locale or "en")[:LOCALE_LENGTH_MAX])
        digits = exponent(self.currency)
        amount = PythonDecimal(self.minor_units).scaleb(-digits)
        pattern = _pattern(known, digits)
        shown = pattern.apply(amount, known, currency=self.currency.upper(), currency_digits=False)
        return _CURRENCY_SPACING.sub("\u00a0", str(shown))


def money(minor_units: int, currency: str) -> Money:
    return Money(minor_units=MinorUnits(minor_units), currency=CurrencyCode(currency))


class AmountField(RecordField):
    """Shows one of the record's amounts in the record's currency."""

    def get_result(self, source: Any, info: object, args: object, kwargs: object) -> Money | None:
        record = source.record
        value = getattr(record, self.attribute)
        return None if value is None else Money(minor_units=value, currency=record.currency)


def amount_field(description: str) -> Any:
    """A field that is the record's amount of its own name, null where the record has none."""
    return AmountField(description=description)
