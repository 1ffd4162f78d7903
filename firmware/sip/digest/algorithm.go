package digest

import (
	"crypto/md5" // most phones and carriers know nothing else; used only where allowed
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Algorithm is the token of the algorithm parameter (RFC 7616 section 3.3). The -sess variants are
// refused: they would make HA1 depend on the nonce, so that no stored HA1 could be used.
type Algorithm string

// The algorithms this box speaks, strongest first.
const (
	SHA256 Algorithm = "SHA-256"
	MD5    Algorithm = "MD5"
)

// Algorithms lists what this box speaks in order of preference (RFC 8760 section 2.4).
func Algorithms() []Algorithm { return []Algorithm{SHA256, MD5} }

// ParseAlgorithm reads the token without regard to case; an absent one means MD5 (RFC 7616
// section 3.3). Anything but MD5 and SHA-256 is an error that wraps ErrUnsupported.
func ParseAlgorithm(s string) (Algorithm, error) {
	switch {
	case s == "", strings.EqualFold(s, string(MD5)):
		return MD5, nil
	case strings.EqualFold(s, string(SHA256)):
		return SHA256, nil
	default:
		return "", fmt.Errorf("algorithm %q: %w", s, ErrUnsupported)
	}
}

// hexLen is the length of the algorithm's hash as hexadecimal text; 0 for an unknown algorithm.
func (a Algorithm) hexLen() int {
	switch a {
	case SHA256:
		return 2 * sha256.Size
	case MD5:
		return 2 * md5.Size
	default:
		return 0
	}
}

// hash is H(a:b:c) as lower-case hexadecimal text.
func (a Algorithm) hash(parts ...string) string {
	joined := make([]byte, 0, 256)
	for i, p := range parts {
		if i > 0 {
			joined = append(joined, ':')
		}
		joined = append(joined, p...)
	}
	if a == SHA256 {
		sum := sha256.Sum256(joined)
		return hex.EncodeToString(sum[:])
	}
	sum := md5.Sum(joined)
	return hex.EncodeToString(sum[:])
}

// HA1 is H(user:realm:password), the form in which a password may be stored (RFC 7616 section 3.4.2).
func HA1(a Algorithm, user, realm, password string) string { return a.hash(user, realm, password) }

// respond is the request digest of RFC 7616 section 3.4.1; with qop empty it is the form of
// RFC 2069, which has neither nc nor cnonce.
func respond(a Algorithm, ha1, nonce, nc, cnonce, qop, a2Method, uri string) string {
	ha2 := a.hash(a2Method, uri)
	if qop == "" {
		return a.hash(ha1, nonce, ha2)
	}
	return a.hash(ha1, nonce, nc, cnonce, qop, ha2)
}
