package stack

import (
	"bytes"
	"strings"
)

// salvage makes a 400 (or another refusal) from the raw lines of a request that the parser refused
// (RFC 3261 section 21.4.1): the sender would else repeat it for 32 s. It returns nil where no
// answer is possible or allowed: no request, an ACK, or a header missing that a response copies.
func salvage(raw []byte, status, reason, tag string) []byte {
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	lines := unfold(head)
	if len(lines) < 6 {
		return nil
	}
	method, _, ok := strings.Cut(lines[0], " ")
	if !ok || method == "ACK" || !isToken(method) || !strings.Contains(lines[0], " SIP/") {
		return nil
	}
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + " " + reason + "\r\n")
	var have [5]bool
	copied := 0
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		i := copiedHeader(strings.TrimSpace(name))
		if i < 0 || i > 0 && have[i] || copied > maxVias {
			continue
		}
		have[i] = true
		copied++
		value = strings.TrimSpace(value)
		if i == 2 && !strings.Contains(strings.ToLower(value), "tag=") {
			value += ";tag=" + tag
		}
		b.WriteString([...]string{"Via", "From", "To", "Call-ID", "CSeq"}[i] + ": " + value + "\r\n")
	}
	for _, h := range have {
		if !h {
			return nil
		}
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return []byte(b.String())
}

// foreignScheme says whether a request is for a URI of a scheme that is not ours, such as
// "soap.beep://host": it may be whole and still beyond the parser.
func foreignScheme(raw []byte) bool {
	line, _, _ := bytes.Cut(raw, []byte("\r\n"))
	parts := strings.Split(string(line), " ")
	if len(parts) != 3 || !isToken(parts[0]) || parts[2] != "SIP/2.0" {
		return false
	}
	scheme, _, ok := strings.Cut(parts[1], ":")
	return ok && isToken(scheme) && !dialable(scheme)
}

// copiedHeader is the index of a header that every response copies (RFC 3261 section 8.2.6.2), or -1.
func copiedHeader(name string) int {
	switch strings.ToLower(name) {
	case "via", "v":
		return 0
	case "from", "f":
		return 1
	case "to", "t":
		return 2
	case "call-id", "i":
		return 3
	case "cseq":
		return 4
	}
	return -1
}

// unfold splits a head into lines, joins continued ones and leaves out control characters.
func unfold(head []byte) []string {
	var lines []string
	for _, line := range strings.Split(string(head), "\r\n") {
		clean := strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' || r == 0x7f {
				return -1
			}
			return r
		}, line)
		if len(lines) > 0 && line != "" && (line[0] == ' ' || line[0] == '\t') {
			lines[len(lines)-1] += " " + strings.TrimSpace(clean)
			continue
		}
		if len(lines) > maxHeaders {
			break
		}
		lines = append(lines, clean)
	}
	return lines
}

// isToken says whether s may be the name of a method (RFC 3261 section 25.1).
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-.!%*_+`'~", c) >= 0 {
			continue
		}
		return false
	}
	return s != ""
}

// plausible says whether a datagram may be SIP at all: its first line names the protocol.
func plausible(head []byte) bool {
	line, _, _ := bytes.Cut(head[:min(len(head), 2048)], []byte("\n"))
	return bytes.Contains(line, []byte("SIP/"))
}
