"""Fresh ids are as hard to guess as Stripe's own."""

from __future__ import annotations

import re
import string
from collections import Counter

from gateway.clock import ID_LENGTH, RandomIds, drawn


def test_each_letter_and_digit_is_drawn_by_as_many_bytes() -> None:
    """A character that is likelier than another would make ids easier to guess."""
    counts = Counter(drawn(bytes(range(256))).decode())

    assert counts == dict.fromkeys(string.ascii_letters + string.digits, 4)


def test_an_id_is_its_prefix_and_24_characters_that_no_other_has() -> None:
    """Ids are told apart by them alone."""
    ids = [RandomIds().new("in") for _ in range(1000)]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(rf"in_[A-Za-z0-9]{{{ID_LENGTH}}}", one) for one in ids)
