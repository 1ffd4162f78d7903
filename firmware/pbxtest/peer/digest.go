package peer

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// params reads the parameters of a challenge or of credentials (RFC 7616): name=value and
// name="value", with commas between them.
func params(header string) map[string]string {
	all := map[string]string{}
	_, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	for rest != "" {
		var name, value string
		name, rest, _ = strings.Cut(rest, "=")
		if rest = strings.TrimLeft(rest, " "); strings.HasPrefix(rest, `"`) {
			value, rest, _ = strings.Cut(rest[1:], `"`)
			_, rest, _ = strings.Cut(rest, ",")
		} else {
			value, rest, _ = strings.Cut(rest, ",")
		}
		all[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return all
}

// hash is the function of an algorithm's name; an empty name is MD5. ok is false for others.
func hash(algorithm string) (sum func(string) string, ok bool) {
	switch strings.ToUpper(algorithm) {
	case "", "MD5":
		return func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) }, true
	case "SHA-256":
		return func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }, true
	}
	return nil, false
}

// proof is the response of RFC 7616 section 3.4.1 to the parameters of credentials.
func proof(p map[string]string, password, method string) string {
	h, ok := hash(p["algorithm"])
	if !ok {
		return ""
	}
	ha1 := h(p["username"] + ":" + p["realm"] + ":" + password)
	ha2 := h(method + ":" + p["uri"])
	if p["qop"] == "" {
		return h(ha1 + ":" + p["nonce"] + ":" + ha2)
	}
	return h(strings.Join([]string{ha1, p["nonce"], p["nc"], p["cnonce"], p["qop"], ha2}, ":"))
}

// credentials answers the first challenge of the wanted algorithm; an empty one takes the first that
// it knows. It returns "" when there is none.
func credentials(challenges []string, wanted, user, password, method, uri string) string {
	for _, text := range challenges {
		c := params(text)
		if _, known := hash(c["algorithm"]); !known || wanted != "" && !strings.EqualFold(wanted, c["algorithm"]) {
			continue
		}
		p := map[string]string{
			"username": user, "realm": c["realm"], "nonce": c["nonce"], "uri": uri, "algorithm": c["algorithm"],
		}
		if c["qop"] != "" {
			p["qop"], p["nc"], p["cnonce"] = "auth", "00000001", rand.Text()
		}
		out := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`,
			user, p["realm"], p["nonce"], uri, proof(p, password, method))
		if p["algorithm"] != "" {
			out += ", algorithm=" + p["algorithm"]
		}
		if p["qop"] != "" {
			out += fmt.Sprintf(`, qop=auth, nc=%s, cnonce="%s"`, p["nc"], p["cnonce"])
		}
		if c["opaque"] != "" {
			out += fmt.Sprintf(`, opaque="%s"`, c["opaque"])
		}
		return out
	}
	return ""
}
