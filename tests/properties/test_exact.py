"""Decimals that arrive as text: each is the number it says, or is refused."""

from __future__ import annotations

from decimal import Context, Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.sources.exact import decimals

_WIDE = Context(prec=400)
texts = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{whole or '0'}{'.' + fraction if fraction else ''}{exponent}",
    st.sampled_from(["", "-"]),
    st.text("0123456789", max_size=60) | st.sampled_from(["9" * n for n in (19, 20, 21, 37, 38, 39)]),
    st.text("0123456789", max_size=45) | st.sampled_from(["9" * n for n in (17, 18, 19, 38)]) | st.just("50" * 19),
    st.sampled_from(["", "", "", "", "e5", "E-3", "e+40", "E-40"]),
)
types = st.sampled_from([pa.decimal128(p, s) for p, s in ((38, 18), (38, 0), (38, 38), (10, 2), (18, 9), (1, 0))])


def _fits(text: str, type_: pa.DataType) -> bool:
    units = Decimal(text).scaleb(type_.scale, _WIDE)
    return bool(units == units.to_integral_value() and units.copy_abs() < 10**type_.precision)


@settings(max_examples=400, deadline=None)
@given(st.lists(texts, min_size=1, max_size=3), types)
def test_a_text_is_the_number_it_says_or_is_refused(written: list[str], type_: pa.DataType) -> None:
    try:
        found = decimals(pa.array([*written, None]), type_).to_pylist()
    except (ValueError, pa.ArrowInvalid):
        assert not all(_fits(text, type_) for text in written)
    else:
        assert found == [*map(Decimal, written), None]


def test_a_number_that_arrow_would_turn_into_another_is_refused() -> None:
    text = "123456789012345678901234567890.5"
    assert pa.array([text]).cast(pa.decimal128(38, 18))[0].as_py() != Decimal(text)
    with pytest.raises((ValueError, pa.ArrowInvalid)):
        decimals(pa.array([text]), pa.decimal128(38, 18))


@pytest.mark.parametrize("text", ["NaN", "1_000", " 1", "\uff11", "", "Infinity", "0x10", "1e", ".", "-"])
@pytest.mark.parametrize("beside", [[], ["1" * 60]])
def test_what_is_no_number_is_refused(text: str, beside: list[str]) -> None:
    with pytest.raises((ValueError, pa.ArrowInvalid)):
        decimals(pa.array([text, *beside]), pa.decimal128(38, 2))
