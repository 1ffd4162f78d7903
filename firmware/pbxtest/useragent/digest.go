package useragent

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// challenge is what a server asks of a password (RFC 7616).
type challenge struct {
	realm, nonce, opaque string
	sha256, qop, stale   bool
	proxy                bool   // by 407
	algorithm            string // as the server wrote it
}

// challengeOf is the first challenge of a 401 or 407 that can be answered, which is the one that the server prefers.
func challengeOf(m *message) (challenge, bool) {
	name := "WWW-Authenticate"
	if m.status == 407 {
		name = "Proxy-Authenticate"
	}
	for _, v := range m.headers(name) {
		scheme, rest, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "Digest") {
			continue
		}
		p := digestParams(rest)
		c := challenge{
			realm: p["realm"], nonce: p["nonce"], opaque: p["opaque"], algorithm: p["algorithm"],
			sha256: strings.EqualFold(p["algorithm"], "SHA-256"), stale: strings.EqualFold(p["stale"], "true"), proxy: m.status == 407,
		}
		for q := range strings.SplitSeq(p["qop"], ",") {
			c.qop = c.qop || strings.EqualFold(strings.TrimSpace(q), "auth")
		}
		if c.nonce != "" && (c.qop || p["qop"] == "") && (c.sha256 || strings.EqualFold(cmp.Or(c.algorithm, "MD5"), "MD5")) {
			return c, true
		}
	}
	return challenge{}, false
}

// digestParams reads name=value and name="value", separated by commas.
func digestParams(s string) map[string]string {
	all := map[string]string{}
	for s = strings.TrimLeft(s, ", \t"); s != ""; s = strings.TrimLeft(s, ", \t") {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		var value string
		if quoted, is := strings.CutPrefix(strings.TrimLeft(rest, " \t"), `"`); is {
			value, s, _ = strings.Cut(quoted, `"`)
		} else {
			value, s, _ = strings.Cut(rest, ",")
		}
		all[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return all
}

// authorization answers a challenge (RFC 7616 section 3.4.1, with qop=auth where it is offered) as a whole header line. The
// client's nonce is always the same: nothing here is worth being kept from who could choose the server's.
func (c challenge) authorization(user, password, method, uri string, count int) string {
	hash := func(s string) string { x := md5.Sum([]byte(s)); return hex.EncodeToString(x[:]) }
	if c.sha256 {
		hash = func(s string) string { x := sha256.Sum256([]byte(s)); return hex.EncodeToString(x[:]) }
	}
	const cnonce = "0a4f113b"
	nc := fmt.Sprintf("%08x", count)
	parts := []string{hash(user + ":" + c.realm + ":" + password), c.nonce, hash(method + ":" + uri)}
	if c.qop {
		parts = []string{parts[0], c.nonce, nc, cnonce, "auth", parts[2]}
	}
	header := "Authorization"
	if c.proxy {
		header = "Proxy-Authorization"
	}
	line := fmt.Sprintf(`%s: Digest username="%s", realm="%s", nonce="%s", uri="%s"`, header, user, c.realm, c.nonce, uri)
	if c.algorithm != "" {
		line += ", algorithm=" + c.algorithm
	}
	if c.opaque != "" {
		line += `, opaque="` + c.opaque + `"`
	}
	if c.qop {
		line += fmt.Sprintf(`, qop=auth, nc=%s, cnonce="%s"`, nc, cnonce)
	}
	return line + `, response="` + hash(strings.Join(parts, ":")) + "\"\r\n"
}
