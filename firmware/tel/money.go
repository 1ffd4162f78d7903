package tel

import (
	"errors"
	"fmt"
	"strings"
)

// Money is an amount in ten-thousandths of a euro: prices per minute have up to four decimals.
type Money int64

// Euro is one euro.
const Euro Money = 10_000

// ErrMoney is returned for text that is no amount.
var ErrMoney = errors.New("not an amount of money such as 0.0125")

// String writes euros with two to four decimals, such as 0.0125 or 12.50.
func (m Money) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	decimals := fmt.Sprintf("%04d", m%Euro)
	for len(decimals) > 2 && strings.HasSuffix(decimals, "0") {
		decimals = decimals[:len(decimals)-1]
	}
	return fmt.Sprintf("%s%d.%s", sign, m/Euro, decimals)
}

// MarshalText writes what String writes.
func (m Money) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads an amount that is not negative, in euros with at most four decimals.
func (m *Money) UnmarshalText(b []byte) error {
	whole, decimals, _ := strings.Cut(string(b), ".")
	if len(whole) > 9 || len(decimals) > 4 || !digits(whole) || decimals != "" && !digits(decimals) {
		return fmt.Errorf("%q: %w", b, ErrMoney)
	}
	sum := Money(0)
	for _, c := range whole + decimals + strings.Repeat("0", 4-len(decimals)) {
		sum = sum*10 + Money(c-'0')
	}
	*m = sum
	return nil
}
