package trace

import (
	"bytes"
	"slices"
)

// secret are the header fields whose value opens doors.
var secret = [...]string{"authorization", "proxy-authorization"}

// private are the types of bodies that say what somebody pressed or wrote.
var private = [...]string{"application/dtmf", "application/dtmf-relay", "text/plain", "message/cpim", "application/im-iscomposing+xml"}

// Cover returns a copy of a message without what opens doors or is nobody's business: the response of a digest
// (RFC 8760), the keys of SRTP (RFC 4568), digits in an INFO, the text of a MESSAGE. Every byte that is covered is
// an x, so that lengths stay true.
func Cover(text []byte) []byte {
	out := bytes.Clone(text)
	kind := header(out, "content-type", 'c')
	cut := len(out)
	if i := bytes.Index(out, []byte("\r\n\r\n")); i >= 0 {
		cut = i + 4
	} else if i := bytes.Index(out, []byte("\n\n")); i >= 0 {
		cut = i + 2
	}
	head, body := out[:cut], out[cut:]
	folded := false // the line goes on with what is covered (RFC 3261 section 7.3.1)
	for line := range lines(head) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		continues := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
		if continues && folded {
			cross(line)
			continue
		}
		folded = ok && !continues && slices.ContainsFunc(secret[:], func(s string) bool { return bytes.EqualFold(bytes.TrimSpace(key), []byte(s)) })
		if folded {
			coverParams(value)
		}
	}
	coverCodes(head)
	kind, _, _ = bytes.Cut(kind, []byte(";"))
	if slices.ContainsFunc(private[:], func(s string) bool { return bytes.EqualFold(bytes.TrimSpace(kind), []byte(s)) }) || bytes.HasPrefix(out, []byte("MESSAGE ")) {
		cross(body)
		return out
	}
	for line := range lines(body) {
		if i := bytes.Index(line, []byte("inline:")); i >= 0 && bytes.HasPrefix(line, []byte("a=crypto:")) {
			cross(line[i+len("inline:"):])
		}
		if bytes.HasPrefix(line, []byte("k=")) {
			cross(line[2:])
		}
	}
	return out
}

// coverCodes leaves of a dialled feature code what it does, not what is typed behind it: that may be a PIN.
func coverCodes(head []byte) {
	for _, start := range []string{"sip:*", "sips:*", "sip:#", "sips:#", "sip:%23", "sips:%23", "tel:*", "tel:#"} {
		for from := 0; ; {
			i := bytes.Index(head[from:], []byte(start))
			if i < 0 {
				break
			}
			from += i + len(start)
			end := bytes.IndexAny(head[from:], "@>; \r\n")
			if end < 0 {
				end = len(head) - from
			}
			const code = 2 // digits that say what it does
			if end > code {
				cross(head[from+code : from+end])
			}
		}
	}
}

// lines ranges over the lines of a text without their ends; they may be written to.
func lines(text []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(text) > 0 {
			line := text
			if i := bytes.IndexByte(text, '\n'); i >= 0 {
				line, text = text[:i], text[i+1:]
			} else {
				text = nil
			}
			if !yield(bytes.TrimRight(line, "\r")) {
				return
			}
		}
	}
}

// coverParams leaves of credentials who they are of; the scheme Basic has nothing that may stay.
func coverParams(value []byte) {
	if !bytes.EqualFold(bytes.TrimSpace(value)[:min(6, len(bytes.TrimSpace(value)))], []byte("digest")) {
		cross(value)
		return
	}
	for _, name := range []string{"response", "cnonce", "nonce", "opaque"} {
		low := bytes.ToLower(value)
		for from := 0; ; {
			i := bytes.Index(low[from:], []byte(name))
			if i < 0 {
				break
			}
			at := from + i + len(name)
			from = at
			rest := value[at:]
			trimmed := bytes.TrimLeft(rest, " \t")
			if len(trimmed) == 0 || trimmed[0] != '=' {
				continue
			}
			v := bytes.TrimLeft(trimmed[1:], " \t")
			end := bytes.IndexByte(v, ',')
			if len(v) > 0 && v[0] == '"' {
				if end = bytes.IndexByte(v[1:], '"'); end >= 0 {
					end += 2
				}
			}
			if end < 0 {
				end = len(v)
			}
			cross(v[:end])
		}
	}
}

// cross writes an x over everything but quotes.
func cross(b []byte) {
	for i := range b {
		if b[i] != '"' && b[i] != '\r' && b[i] != '\n' {
			b[i] = 'x'
		}
	}
}
