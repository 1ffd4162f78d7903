package digest

import (
	"errors"
	"fmt"
	"strings"
)

// ErrSyntax is wrapped by every error about text that is not a digest header.
var ErrSyntax = errors.New("not a digest header")

// ErrUnsupported is wrapped by errors about well-formed headers that ask for what this box does
// not do: another scheme, another algorithm, or auth-int alone.
var ErrUnsupported = errors.New("unsupported")

// Limits of one header value. The longest honest one stays under 1 KB.
const (
	maxHeader = 4096
	maxParams = 32
)

type param struct{ name, value string }

// params splits "Digest name=value, name="quoted value"" and returns the parameters in order.
// Names come back in lower case, quoted pairs are resolved, a repeated name is an error: two
// readers of one header must never see two different users.
func params(s string) ([]param, error) {
	if len(s) > maxHeader {
		return nil, fmt.Errorf("%d bytes: %w", len(s), ErrSyntax)
	}
	rest, err := afterScheme(s)
	if err != nil {
		return nil, err
	}
	var list []param
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return list, nil
		}
		if len(list) == maxParams {
			return nil, fmt.Errorf("over %d parameters: %w", maxParams, ErrSyntax)
		}
		var p param
		if p, rest, err = nextParam(rest); err != nil {
			return nil, err
		}
		for _, have := range list {
			if have.name == p.name {
				return nil, fmt.Errorf("%s given twice: %w", p.name, ErrSyntax)
			}
		}
		list = append(list, p)
	}
}

func afterScheme(s string) (string, error) {
	s = strings.TrimSpace(s)
	scheme, rest, ok := strings.Cut(s, " ")
	if !ok || scheme == "" {
		return "", fmt.Errorf("no scheme: %w", ErrSyntax)
	}
	if !strings.EqualFold(scheme, "Digest") {
		return "", fmt.Errorf("another scheme than Digest: %w", ErrUnsupported)
	}
	return rest, nil
}

func nextParam(s string) (param, string, error) {
	eq := strings.IndexByte(s, '=')
	if eq <= 0 {
		return param{}, "", fmt.Errorf("parameter without value: %w", ErrSyntax)
	}
	name := strings.ToLower(strings.TrimRight(s[:eq], " \t"))
	if !token(name) {
		return param{}, "", fmt.Errorf("parameter name: %w", ErrSyntax)
	}
	value := strings.TrimLeft(s[eq+1:], " \t")
	if strings.HasPrefix(value, `"`) {
		text, rest, err := quoted(value)
		if err != nil {
			return param{}, "", fmt.Errorf("%s: %w", name, err)
		}
		if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != ',' {
			return param{}, "", fmt.Errorf("text after %s: %w", name, ErrSyntax)
		}
		return param{name, text}, rest, nil
	}
	text, rest, _ := strings.Cut(value, ",")
	text = strings.TrimRight(text, " \t")
	if !token(text) {
		return param{}, "", fmt.Errorf("value of %s: %w", name, ErrSyntax)
	}
	return param{name, text}, rest, nil
}

// quoted reads a quoted-string (RFC 3261 section 25.1) from the start of s. Control characters are
// refused even escaped: they have no business in a user name or a nonce.
func quoted(s string) (text, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			return b.String(), s[i+1:], nil
		case c == '\\':
			i++
			if i == len(s) || s[i] < 0x20 || s[i] == 0x7f {
				return "", "", fmt.Errorf("escape: %w", ErrSyntax)
			}
			b.WriteByte(s[i])
		case c < 0x20 || c == 0x7f:
			return "", "", fmt.Errorf("control character: %w", ErrSyntax)
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("open quote: %w", ErrSyntax)
}

// token accepts the token of RFC 3261 section 25.1, and the few separators that clients leave
// unquoted in practice (base64 nonces, URIs), but never a space, a quote or a control character.
func token(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c >= 0x7f || c == '"' || c == ',' || c == '\\' {
			return false
		}
	}
	return s != ""
}

func quote(b *strings.Builder, name, value string) {
	separate(b)
	b.WriteString(name)
	b.WriteString(`="`)
	for i := range len(value) {
		c := value[i]
		if c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		// Nothing that was parsed holds a control character; a value set by our own code that
		// does must not be able to open a new header line.
		if c < 0x20 || c == 0x7f {
			c = ' '
		}
		b.WriteByte(c)
	}
	b.WriteByte('"')
}

func bare(b *strings.Builder, name, value string) {
	separate(b)
	b.WriteString(name)
	b.WriteByte('=')
	b.WriteString(value)
}

func separate(b *strings.Builder) {
	if s := b.String(); s != "" && s[len(s)-1] != ' ' {
		b.WriteString(", ")
	}
}
