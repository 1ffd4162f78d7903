package release

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// maxVersion bounds the text of a version.
const maxVersion = 64

// ErrVersion is returned for a text that is no version.
var ErrVersion = errors.New("not a version such as 1.4.2")

// Version is a semantic version (semver.org, 2.0.0) without what stands behind a plus sign, which orders nothing.
type Version struct {
	numbers [3]uint64
	before  []string // identifiers of what comes before the release; none: the release
}

// ParseVersion reads 1.4.2, 1.4.2-rc.1, or either with a v before it.
func ParseVersion(s string) (v Version, err error) {
	if len(s) > maxVersion {
		return v, fmt.Errorf("%w: %d characters", ErrVersion, len(s))
	}
	core, build, hasBuild := strings.Cut(strings.TrimPrefix(s, "v"), "+")
	core, before, hasBefore := strings.Cut(core, "-")
	parts := strings.Split(core, ".")
	if len(parts) != len(v.numbers) {
		return v, fmt.Errorf("%w: %q", ErrVersion, s)
	}
	for i, p := range parts {
		n, ok := number(p)
		if !ok {
			return v, fmt.Errorf("%w: %q", ErrVersion, s)
		}
		v.numbers[i] = n
	}
	if hasBefore {
		v.before = strings.Split(before, ".")
	}
	identifiers := v.before
	if hasBuild {
		identifiers = append(strings.Split(build, "."), v.before...)
	}
	for _, id := range identifiers {
		if id == "" || strings.Trim(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") != "" {
			return v, fmt.Errorf("%w: %q", ErrVersion, s)
		}
	}
	return v, nil
}

// number reads a whole number of at most 18 digits, without zeros before it.
func number(s string) (n uint64, ok bool) {
	if s == "" || len(s) > 18 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// Compare says which version comes first (section 11 of the specification): negative when v does.
func (v Version) Compare(w Version) int {
	for i := range v.numbers {
		if c := cmp.Compare(v.numbers[i], w.numbers[i]); c != 0 {
			return c
		}
	}
	if len(v.before) == 0 || len(w.before) == 0 { // the release comes after all that is before it
		return cmp.Compare(len(w.before), len(v.before))
	}
	for i := range min(len(v.before), len(w.before)) {
		if c := compareIdentifiers(v.before[i], w.before[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(v.before), len(w.before))
}

func compareIdentifiers(a, b string) int {
	n, aIsNumber := number(a)
	m, bIsNumber := number(b)
	switch {
	case aIsNumber && bIsNumber:
		return cmp.Compare(n, m)
	case aIsNumber:
		return -1
	case bIsNumber:
		return 1
	}
	return strings.Compare(a, b)
}
