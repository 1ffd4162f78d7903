package load

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// message is a SIP message as far as a phone of this package looks at it.
type message struct {
	method string // of a request
	status int    // of a response
	lines  []string
	body   string
}

var errNotSIP = errors.New("not a SIP message")

func parseMessage(b []byte) (message, error) {
	head, body, ok := strings.Cut(string(b), "\r\n\r\n")
	if !ok {
		return message{}, errNotSIP
	}
	lines := strings.Split(head, "\r\n")
	m := message{lines: lines[1:], body: body}
	if rest, ok := strings.CutPrefix(lines[0], "SIP/2.0 "); ok {
		code, _, _ := strings.Cut(rest, " ")
		var err error
		if m.status, err = strconv.Atoi(code); err != nil {
			return m, errNotSIP
		}
		return m, nil
	}
	if !strings.HasSuffix(lines[0], " SIP/2.0") {
		return m, errNotSIP
	}
	m.method, _, _ = strings.Cut(lines[0], " ")
	return m, nil
}

// header is the first value of a header, or "".
func (m *message) header(name string) string {
	if all := m.headers(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

func (m *message) headers(name string) (values []string) {
	for _, l := range m.lines {
		if n, v, ok := strings.Cut(l, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// sequence is the number and the method of CSeq.
func (m *message) sequence() (n int, method string) {
	number, method, _ := strings.Cut(m.header("CSeq"), " ")
	n, _ = strconv.Atoi(number)
	return n, strings.TrimSpace(method)
}

// param finds ";name=value" of a header value.
func param(value, name string) string {
	_, rest, ok := strings.Cut(value, ";"+name+"=")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, ";, >"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// uriOf is what stands between the angle brackets of an address.
func uriOf(address string) string {
	if _, rest, ok := strings.Cut(address, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	uri, _, _ := strings.Cut(address, ";")
	return uri
}

// audioOf is where the SDP in body wants its audio.
func audioOf(body string) (to netip.AddrPort, ok bool) {
	var host netip.Addr
	var port uint64
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if v, is := strings.CutPrefix(line, "c=IN IP4 "); is {
			host, _ = netip.ParseAddr(v)
		}
		if v, is := strings.CutPrefix(line, "m=audio "); is {
			text, _, _ := strings.Cut(v, " ")
			port, _ = strconv.ParseUint(text, 10, 16)
		}
	}
	return netip.AddrPortFrom(host, uint16(port)), host.IsValid() && port > 0
}

// sdpFor offers or answers PCMA at an address.
func sdpFor(at netip.AddrPort) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\n",
		at.Addr(), at.Addr(), at.Port())
}

// challenge is the first digest challenge of a 401, which is the one the box prefers.
type challenge struct {
	realm, nonce string
	sha256       bool
}

func challengeOf(m *message) (challenge, bool) {
	v, ok := strings.CutPrefix(m.header("WWW-Authenticate"), "Digest ")
	if !ok {
		return challenge{}, false
	}
	quoted := func(name string) string {
		_, rest, _ := strings.Cut(v, name+`="`)
		text, _, _ := strings.Cut(rest, `"`)
		return text
	}
	return challenge{quoted("realm"), quoted("nonce"), strings.Contains(v, "algorithm=SHA-256")}, true
}

// authorization answers a challenge (RFC 7616 section 3.4.1, qop=auth).
func (c challenge) authorization(user, password, method, uri string, count int) string {
	hash, name := func(s string) string { x := md5.Sum([]byte(s)); return hex.EncodeToString(x[:]) }, "MD5"
	if c.sha256 {
		hash, name = func(s string) string { x := sha256.Sum256([]byte(s)); return hex.EncodeToString(x[:]) }, "SHA-256"
	}
	const cnonce = "0a4f113b"
	nc := fmt.Sprintf("%08x", count)
	response := hash(strings.Join([]string{
		hash(user + ":" + c.realm + ":" + password), c.nonce, nc, cnonce, "auth", hash(method + ":" + uri),
	}, ":"))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", algorithm=%s, qop=auth, nc=%s, cnonce="%s", response="%s"`,
		user, c.realm, c.nonce, uri, name, nc, cnonce, response)
}
