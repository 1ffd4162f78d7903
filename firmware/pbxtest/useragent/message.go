package useragent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// message is a SIP message as far as a phone of this package looks at it.
type message struct {
	method string // of a request
	status int    // of a response
	reason string // of a response
	lines  []string
	body   string
}

var errNotSIP = errors.New("not a SIP message")

func parseMessage(b []byte) (message, error) {
	head, body, ok := strings.Cut(string(b), "\r\n\r\n")
	if !ok {
		return message{}, errNotSIP
	}
	head = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(head) // folded lines
	lines := strings.Split(head, "\r\n")
	if slices.ContainsFunc(lines, func(l string) bool { return strings.ContainsAny(l, "\r\n") }) {
		return message{}, errNotSIP // what is sent back would be other lines
	}
	m := message{lines: lines[1:], body: body}
	if rest, ok := strings.CutPrefix(lines[0], "SIP/2.0 "); ok {
		code, reason, _ := strings.Cut(rest, " ")
		var err error
		if m.status, err = strconv.Atoi(code); err != nil || m.status < 100 || m.status > 699 {
			return m, errNotSIP
		}
		m.reason = reason
		return m, nil
	}
	if !strings.HasSuffix(lines[0], " SIP/2.0") {
		return m, errNotSIP
	}
	m.method, _, _ = strings.Cut(lines[0], " ")
	return m, nil
}

// compact are the short names of headers (RFC 3261 section 7.3.3).
var compact = map[string]string{"v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact", "l": "Content-Length", "c": "Content-Type", "k": "Supported"}

// header is the first value of a header, or "".
func (m *message) header(name string) string {
	if all := m.headers(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

func (m *message) headers(name string) (values []string) {
	for _, l := range m.lines {
		n, v, ok := strings.Cut(l, ":")
		n = strings.TrimSpace(n)
		if ok && (strings.EqualFold(n, name) || strings.EqualFold(compact[strings.ToLower(n)], name)) {
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

// routes are the Route headers of requests inside the dialog, from Record-Route: in its order for who was
// called, the other way round for who called (RFC 3261 section 12.1).
func (m *message) routes(caller bool) string {
	var all []string
	for _, v := range m.headers("Record-Route") {
		for r := range strings.SplitSeq(v, ",") {
			all = append(all, "Route: "+strings.TrimSpace(r)+"\r\n")
		}
	}
	if caller {
		slices.Reverse(all)
	}
	return strings.Join(all, "")
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

// audioOf is where the SDP in body wants audio of a codec, in which direction; false where it takes none.
func audioOf(body string, c Codec) (to netip.AddrPort, direction string, ok bool) {
	var host netip.Addr
	var port uint64
	section, direction := "", "sendrecv"
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "m=") {
			if section == "audio" {
				break // a second stream
			}
			section, _, _ = strings.Cut(line[2:], " ")
			if section == "audio" {
				f := strings.Fields(line)
				if len(f) > 3 && strings.HasPrefix(f[2], "RTP/AVP") && slices.Contains(f[3:], strconv.Itoa(int(c.PT))) {
					port, _ = strconv.ParseUint(f[1], 10, 16)
				}
			}
			continue
		}
		if section != "" && section != "audio" {
			continue
		}
		if v, is := strings.CutPrefix(line, "c=IN IP4 "); is {
			host, _ = netip.ParseAddr(v)
		}
		switch line {
		case "a=sendonly", "a=recvonly", "a=inactive":
			direction = line[2:]
		}
	}
	return netip.AddrPortFrom(host, uint16(port)), direction, host.IsValid() && port > 0
}

// sdpFor offers or answers a codec at an address.
func sdpFor(at netip.AddrPort, c Codec, direction string) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP %d\r\na=rtpmap:%d %s/8000\r\na=ptime:20\r\na=%s\r\n",
		at.Addr(), at.Addr(), at.Port(), c.PT, c.PT, c.Name, direction)
}

// answering turns the direction of an offer into that of its answer (RFC 3264 section 6.1).
func answering(direction string) string {
	switch direction {
	case "sendonly":
		return "recvonly"
	case "recvonly":
		return "sendonly"
	}
	return direction
}
