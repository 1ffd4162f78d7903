package trunk

import (
	"net/url"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

const maxName = 64 // bytes of a caller's display name that are kept

// Called returns the number that the carrier's request is for, in the box's form: from where the
// config says, else from the request line, else from To, else the trunk's own number.
func (t *Trunk) Called(req *sip.Request) tel.Number {
	var places []sip.Uri
	to := req.To()
	switch t.cfg.Called {
	case CalledPartyID:
		if _, u, ok := addressOf(req, "P-Called-Party-ID"); ok {
			places = append(places, u)
		}
	case CalledTo:
		if to != nil {
			places = append(places, to.Address)
		}
	case CalledDiversion:
		if first, _, ok := t.Diverted(req); ok && first.Number != "" {
			return first.Number
		}
	case CalledRequestLine:
	}
	places = append(places, req.Recipient) // our secret contact starts with a letter: it is no number
	if to != nil {
		places = append(places, to.Address)
	}
	for i := range places {
		if places[i].User == t.cfg.User && t.cfg.User != "" && t.cfg.Number != "" && !t.owns(t.numberAt(&places[i])) {
			continue // an account that consists of digits is not the number that was dialled
		}
		if n := t.numberAt(&places[i]); n != "" {
			return n
		}
	}
	return t.cfg.Number
}

// numberAt is the number in a URI, in the box's form; empty = none.
func (t *Trunk) numberAt(u *sip.Uri) tel.Number {
	if n, ok := numberOf(u); ok {
		return t.cfg.Incoming.In(n)
	}
	return ""
}

// Caller returns who calls, in the box's form: P-Asserted-Identity (RFC 3325), which this carrier
// vouches for, else Remote-Party-ID, else From. The number is empty when the caller withholds it
// (RFC 3323) or has none.
func (t *Trunk) Caller(req *sip.Request) (number tel.Number, name string) {
	if private(req) {
		return "", ""
	}
	name, u, ok := addressOf(req, "P-Asserted-Identity")
	if !ok {
		var hidden hiding
		if name, u, hidden, ok = remoteParty(req); ok {
			switch hidden {
			case hidesAll:
				return "", ""
			case hidesName:
				name = ""
			case hidesNothing:
			}
		}
	}
	if !ok {
		from := req.From()
		if from == nil {
			return "", ""
		}
		name, u = from.DisplayName, from.Address
	}
	if anonymous(&u) {
		return "", ""
	}
	return t.numberAt(&u), displayName(name, &u)
}

// hiding is how much a Remote-Party-ID lets us show.
type hiding uint8

const (
	hidesNothing hiding = iota
	hidesName
	hidesAll
)

// remoteParty reads the Remote-Party-ID of the calling party (draft-ietf-sip-privacy-04 section 5).
func remoteParty(req *sip.Request) (name string, u sip.Uri, h hiding, ok bool) {
	for _, header := range req.GetHeaders("Remote-Party-ID") {
		name, u, params, read := nameAddr(header.Value())
		if party := params["party"]; !read || party != "" && party != "calling" {
			continue
		}
		switch params["privacy"] {
		case "full", "uri":
			h = hidesAll
		case "name":
			h = hidesName
		}
		return name, u, h, true
	}
	return "", sip.Uri{}, hidesNothing, false
}

// private reports that the caller asked not to be named.
func private(req *sip.Request) bool {
	for _, h := range req.GetHeaders("privacy") {
		for value := range strings.FieldsFuncSeq(h.Value(), func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
			if strings.EqualFold(value, "id") || strings.EqualFold(value, "user") || strings.EqualFold(value, "header") {
				return true
			}
		}
	}
	return false
}

func anonymous(u *sip.Uri) bool {
	if strings.EqualFold(u.Host, "anonymous.invalid") {
		return true
	}
	switch strings.ToLower(u.User) {
	case "anonymous", "restricted", "unavailable", "unknown", "private":
		return true
	}
	return false
}

// addressOf reads the first name-addr of a header that sipgo leaves as text.
func addressOf(req *sip.Request, header string) (name string, u sip.Uri, ok bool) {
	for _, h := range req.GetHeaders(header) {
		// A list of two: sip first, tel second, both the same number.
		if name, u, _, ok := nameAddr(h.Value()); ok {
			return name, u, true
		}
	}
	return "", sip.Uri{}, false
}

// numberOf reads the number in a sip or tel URI.
func numberOf(u *sip.Uri) (tel.Number, bool) {
	text := u.User
	if u.Scheme == "tel" {
		text = u.Raw()
	}
	text, _, _ = strings.Cut(text, ";") // phone-context and the like (RFC 3966)
	text, err := url.PathUnescape(text)
	if err != nil {
		return "", false
	}
	n, err := tel.ParseNumber(text)
	return n, err == nil
}

// displayName cleans a name for screens and logs. A name that only repeats the number is none.
func displayName(name string, u *sip.Uri) string {
	name = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(strings.TrimSpace(name))
	name = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, name), "")
	for len(name) > maxName {
		runes := []rune(name)
		name = string(runes[:len(runes)-1])
	}
	if n, err := tel.ParseNumber(name); err == nil {
		if own, ok := numberOf(u); ok && strings.TrimPrefix(string(n), "+") == strings.TrimPrefix(string(own), "+") {
			return ""
		}
	}
	return name
}
