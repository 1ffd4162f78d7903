package selfcall

import (
	"crypto/md5" // an exchange may offer nothing else
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// challenge is what a 401 asks for (RFC 7616 section 3.3).
type challenge struct {
	realm, nonce, opaque string
	sha256               bool
	auth                 bool // with qop
}

var errChallenge = errors.New("no challenge that can be answered")

// challenged takes the best challenge of a response.
func challenged(m message) (best challenge, err error) {
	err = errChallenge
	for _, h := range m.headers {
		if h.name != "www-authenticate" {
			continue
		}
		c, ok := parseChallenge(h.value)
		if ok && (err != nil || c.sha256 && !best.sha256) {
			best, err = c, nil
		}
	}
	return best, err
}

func parseChallenge(value string) (c challenge, ok bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return c, false
	}
	for _, p := range commas(rest) {
		name, v, _ := strings.Cut(p, "=")
		v = unquote(strings.TrimSpace(v))
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "realm":
			c.realm = v
		case "nonce":
			c.nonce = v
		case "opaque":
			c.opaque = v
		case "algorithm":
			if !strings.EqualFold(v, "SHA-256") && !strings.EqualFold(v, "MD5") {
				return c, false
			}
			c.sha256 = strings.EqualFold(v, "SHA-256")
		case "qop":
			for q := range strings.SplitSeq(v, ",") {
				c.auth = c.auth || strings.EqualFold(strings.TrimSpace(q), "auth")
			}
			if !c.auth {
				return c, false
			}
		}
	}
	return c, c.nonce != ""
}

// commas splits where no quotes are.
func commas(s string) (all []string) {
	begin, quoted := 0, false
	for i := range len(s) {
		switch {
		case s[i] == '"' && (i == 0 || s[i-1] != '\\'):
			quoted = !quoted
		case s[i] == ',' && !quoted:
			all = append(all, s[begin:i])
			begin = i + 1
		}
	}
	return append(all, s[begin:])
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	return strings.ReplaceAll(s[1:len(s)-1], `\"`, `"`)
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// hash is H of RFC 7616 section 3.4.
func (c challenge) hash(parts ...string) string {
	text := []byte(strings.Join(parts, ":"))
	if c.sha256 {
		sum := sha256.Sum256(text)
		return hex.EncodeToString(sum[:])
	}
	sum := md5.Sum(text)
	return hex.EncodeToString(sum[:])
}

// answer is the value of the Authorization header.
func (c challenge) answer(user, password, method, uri string) string {
	ha1, ha2 := c.hash(user, c.realm, password), c.hash(method, uri)
	algorithm := "MD5"
	if c.sha256 {
		algorithm = "SHA-256"
	}
	all := []string{
		"Digest username=" + quote(user), "realm=" + quote(c.realm), "nonce=" + quote(c.nonce), "uri=" + quote(uri), "algorithm=" + algorithm,
	}
	if c.opaque != "" {
		all = append(all, "opaque="+quote(c.opaque))
	}
	if !c.auth { // as RFC 2069 had it
		return strings.Join(append(all, fmt.Sprintf("response=%q", c.hash(ha1, c.nonce, ha2))), ", ")
	}
	cnonce := rand.Text()
	response := c.hash(ha1, c.nonce, "00000001", cnonce, "auth", ha2)
	return strings.Join(append(all, "qop=auth", "nc=00000001", "cnonce="+quote(cnonce), "response="+quote(response)), ", ")
}
