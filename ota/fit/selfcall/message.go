package selfcall

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// message is a SIP message as far as it is looked at (RFC 3261 section 7).
type message struct {
	status  int    // of a response; 0: it is a request
	reason  string // of a response
	method  string // of a request, or of the CSeq of a response
	number  int    // of the CSeq
	headers []header
	body    []byte
}

type header struct{ name, value string }

// Bounds of what is read.
const (
	mostHeaders = 100
	largest     = 16 << 10 // bytes of a datagram
)

var errMessage = errors.New("not a SIP message")

// compact are the short forms of the headers that are looked at (RFC 3261 section 7.3.3).
func compact(name string) string {
	switch name {
	case "v":
		return "via"
	case "f":
		return "from"
	case "t":
		return "to"
	case "i":
		return "call-id"
	case "m":
		return "contact"
	case "l":
		return "content-length"
	default:
		return name
	}
}

// parse reads a datagram.
func parse(raw []byte) (m message, err error) {
	if len(raw) > largest {
		return m, errMessage
	}
	head, body, whole := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !whole {
		return m, errMessage
	}
	// A line that begins with white space continues the one before (RFC 3261 section 7.3.1).
	unfolded := strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(string(head))
	lines := strings.Split(unfolded, "\r\n")
	if len(lines) > mostHeaders {
		return m, errMessage
	}
	if err := m.start(lines[0]); err != nil {
		return m, err
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return m, errMessage
		}
		m.headers = append(m.headers, header{compact(strings.ToLower(strings.TrimSpace(name))), strings.TrimSpace(value)})
	}
	number, method, ok := strings.Cut(m.get("cseq"), " ")
	if m.number, err = strconv.Atoi(number); err != nil || !ok {
		return m, errMessage
	}
	if method = strings.TrimSpace(method); m.status == 0 && method != m.method {
		return m, errMessage
	}
	m.method = method
	if length := m.get("content-length"); length != "" {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > len(body) {
			return m, errMessage
		}
		body = body[:n]
	}
	m.body = bytes.Clone(body)
	return m, nil
}

// start reads the first line.
func (m *message) start(line string) error {
	if rest, ok := strings.CutPrefix(line, "SIP/2.0 "); ok {
		code, reason, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(code)
		if err != nil || n < 100 || n > 699 {
			return errMessage
		}
		m.status, m.reason = n, reason
		return nil
	}
	method, rest, ok := strings.Cut(line, " ")
	if !ok || method == "" || !strings.HasSuffix(rest, " SIP/2.0") {
		return errMessage
	}
	m.method = method
	return nil
}

// get is the first value of a header; empty: there is none.
func (m *message) get(name string) string {
	for _, h := range m.headers {
		if h.name == name {
			return h.value
		}
	}
	return ""
}

// parameter is a parameter behind the address of a header, as a tag or a branch.
func parameter(value, name string) string {
	if end := strings.LastIndexByte(value, '>'); end >= 0 {
		value = value[end+1:]
	}
	for p := range strings.SplitSeq(value, ";") {
		if k, v, ok := strings.Cut(strings.TrimSpace(p), "="); ok && strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// address is the URI of a header.
func address(value string) string {
	if _, rest, ok := strings.Cut(value, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	uri, _, _ := strings.Cut(value, ";")
	return strings.TrimSpace(uri)
}
