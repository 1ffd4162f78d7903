package digest

import (
	"fmt"
	"io"
)

const stars = "********"

// Secret is a password or an HA1 that no log, dump or JSON ever shows: it prints as stars. It holds
// its text behind a pointer, because fmt prints the fields of a struct that it may not ask.
type Secret struct{ text *string }

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text; the zero Secret is empty.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Format writes stars for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// String returns stars.
func (Secret) String() string { return stars }

// MarshalText returns stars; configuration files keep secrets by other means.
func (Secret) MarshalText() ([]byte, error) { return []byte(stars), nil }

// Credentials are what a client proves: a user with either the clear password or, for one realm,
// HA1 per algorithm.
type Credentials struct {
	Username string
	Password Secret
	HA1      map[Algorithm]Secret
}

// ha1 prefers a stored HA1, which is bound to the realm it was made for: it simply will not verify
// in another one.
func (c Credentials) ha1(a Algorithm, realm string) (string, error) {
	if s, ok := c.HA1[a]; ok {
		return s.Reveal(), nil
	}
	password := c.Password.Reveal()
	if password == "" {
		return "", fmt.Errorf("no password and no %s HA1: %w", a, ErrUnsupported)
	}
	return HA1(a, c.Username, realm, password), nil
}
